"""Damaged and malicious files: one clear line each, or a tune that is whole."""

from __future__ import annotations

import tracemalloc

import pytest

from gencli.errors import CorpusError
from gencli.music.tunes import read_source, read_tunes
from tests.hostile_tunes import GOOD, MADE, MXL, ZEROS, mutated, zipped
from tests.sheet_checks import check_sheet

REFUSED = {  # what must never be taken for a tune
    *("empty.abc", "blank.mid", "head-only.abc", "no-head.abc", "text.abc", "meter-zero.abc", "meter-huge.abc"),
    *("long-rest.abc", "long-note.abc", "bars.abc", "voices.abc", "nul.abc", "half-utf16.abc", "division-zero.mid"),
    *("smpte.mid", "type-2.mid", "no-tracks.mid", "missing-tracks.mid", "no-notes.mid", "drums.mid", "far.mid"),
    *("bars.mid", "not-midi.mid", "bars.musicxml", "bars.krn", "no-divisions.musicxml", "long-note.musicxml"),
    *("staves.musicxml", "deep.musicxml", "laughs.musicxml", "outside.musicxml", "picture.xml", "timewise.xml"),
    *("bomb.mxl", "space-bomb.mxl", "container-bomb.mxl", "many.mxl", "nested.mxl", "no-score.mxl", "wide.krn"),
    *("not-kern.krn", "plus.abc", "ragged.krn", "negative.musicxml", "meter-odd.abc"),
}


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def survive(path):
    """Read a file: whole tunes, or one line that names it; the number of tunes."""
    try:
        sheets = read_tunes(path)
    except CorpusError as error:
        line = str(error)
        assert line.startswith(f"{path}: ")
        assert "\n" not in line
        assert len(line) < len(str(path)) + 250
        return 0
    for sheet in sheets:
        check_sheet(sheet)
    return len(sheets)


@pytest.mark.parametrize("name", MADE)
def test_a_file_made_to_harm(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(MADE[name])
    assert (survive(path) == 0) == (name in REFUSED)


@pytest.mark.parametrize("suffix", GOOD)
def test_the_files_that_are_damaged_below_are_good(suffix, tmp_path):
    path = tmp_path / f"good{suffix}"
    path.write_bytes(GOOD[suffix])
    assert survive(path) == 1


@pytest.mark.parametrize("seed", range(120))
def test_a_damaged_file(seed, tmp_path):
    name, data = mutated(seed)
    (tmp_path / name).write_bytes(data)
    assert survive(tmp_path / name) >= 0


def test_a_folder_of_damaged_files_gives_the_good_ones(tmp_path):
    for name, data in (mutated(seed) for seed in range(200, 240)):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.mxl").write_bytes(MXL)
    found = read_source(str(tmp_path), every_format=True)
    assert f"{tmp_path}/good.mxl" in found.sources
    assert len(found.skipped) >= 10
    assert len(found.skipped) + len(set(found.sources)) >= 41


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.mxl"
    path.write_bytes(zipped({"score.xml": bytes(ZEROS)}))
    tracemalloc.start()
    try:
        assert survive(path) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20 < ZEROS
