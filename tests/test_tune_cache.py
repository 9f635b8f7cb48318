"""The cache of tunes: it gives back what was read, notices what changed, and never gets in the way."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gencli.errors import CorpusError
from gencli.music import cache, tunes
from gencli.music.lead_sheet import LeadSheet
from gencli.music.tunes import read_source, read_tunes
from tests.hostile_tunes import ABC, GOOD, MIDI
from tests.tune_cases import random_sheet

SOLOS = Path(__file__).parents[2] / "shared" / "data" / "wjazzd"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's cache folder, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gencli"


@pytest.fixture
def parses(monkeypatch):
    """Counts the files that are really read."""
    calls = []
    parse = tunes._parse
    monkeypatch.setattr(tunes, "_parse", lambda *arguments: calls.append(1) or parse(*arguments))
    return calls


def kept(folder):
    """The files in the cache."""
    return sorted(folder.rglob("*.json"))


@pytest.mark.parametrize("suffix", GOOD)
def test_a_tune_is_read_once(suffix, tmp_path, parses, folder):
    path = tmp_path / f"tune{suffix}"
    path.write_bytes(GOOD[suffix])
    first, second = read_tunes(path), read_tunes(path)
    assert first == second
    assert [sheet.notices for sheet in first] == [sheet.notices for sheet in second]
    assert len(parses) == 1
    assert len(kept(folder)) == 1
    path.rename(tmp_path / f"other{suffix}")  # the content counts, not the name
    assert read_tunes(tmp_path / f"other{suffix}") == first
    assert len(parses) == 1


def test_other_content_and_other_settings_are_read_anew(tmp_path, parses):
    path = tmp_path / "tune.mid"
    path.write_bytes(MIDI)
    melody, chords = read_tunes(path), read_tunes(path, "chords")
    assert melody != chords
    path.write_bytes(MIDI.replace(b"\x48\x50", b"\x49\x50"))
    assert read_tunes(path) != melody
    assert len(parses) == 3
    assert read_tunes(path, "chords") != melody


def test_every_field_of_any_sheet_comes_back():
    assert {field.name for field in fields(LeadSheet)} == set(cache._sheet_to_json(random_sheet(0)))
    for seed in range(40):
        sheet = replace(
            random_sheet(seed), title="T", label="x", swing=1.5, tempo=99.5, key="Bb", notices=("one", "two")
        )
        (back,), problems = cache._from_json(cache._to_json(([sheet], ["X:2: bad"])))
        assert back == sheet
        assert back.notices == sheet.notices
        assert problems == ["X:2: bad"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"sheets": [1], "problems": []}', b"\xff\xfe\0", b'{"sheets": 5}']
)
def test_a_damaged_cache_is_read_over(damage, tmp_path, parses, folder):
    path = tmp_path / "tune.abc"
    path.write_bytes(ABC)
    first = read_tunes(path)
    kept(folder)[0].write_bytes(damage)
    assert read_tunes(path) == first
    assert len(parses) == 2
    assert read_tunes(path) == first
    assert len(parses) == 2


def test_a_cache_that_cannot_be_written_is_none(tmp_path, parses, folder):
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    path = tmp_path / "tune.abc"
    path.write_bytes(ABC)
    assert read_tunes(path) == read_tunes(path)
    assert len(parses) == 2


def test_what_cannot_be_read_is_not_kept(tmp_path, folder):
    path = tmp_path / "tune.abc"
    path.write_text("nothing")
    with pytest.raises(CorpusError, match="no tune in it"):
        read_tunes(path)
    assert kept(folder) == []


def test_problems_of_a_file_are_told_each_time(tmp_path):
    path = tmp_path / "tunes.abc"
    path.write_text("X:1\nM:4/4\nK:C\nCDEF|\n\nX:2\nM:0/4\nK:C\nC|\n")
    for _ in range(2):
        assert read_source(str(path)).skipped == [
            f"{path}: X:2: M:0/4: not a usable meter; write one such as 4/4, 3/4 or 6/8"
        ]


def test_the_key_follows_the_readers_sources(tmp_path, monkeypatch):
    copy = tmp_path / "music"
    shutil.copytree(Path(cache.__file__).parent, copy)
    monkeypatch.setattr(cache, "__file__", str(copy / "cache.py"))
    cache.reader_version.cache_clear()
    before = cache.reader_version()
    (copy / "readme.txt").write_text("no source")
    cache.reader_version.cache_clear()
    assert cache.reader_version() == before
    (copy / "read_abc.py").write_text("changed")
    cache.reader_version.cache_clear()
    assert cache.reader_version() != before
    monkeypatch.undo()
    cache.reader_version.cache_clear()


@pytest.mark.skipif(not SOLOS.exists(), reason=f"{SOLOS} is not there: it belongs to the project, not to the package")
def test_a_folder_of_solos_is_the_same_from_the_cache(parses, tmp_path):
    (tmp_path / "solos").mkdir()
    for path in sorted(SOLOS.iterdir())[::7]:  # of both formats in turn; all are read in the tests of each format
        shutil.copy(path, tmp_path / "solos")
    first = read_source(str(tmp_path / "solos"), every_format=True)
    read = len(parses)
    second = read_source(str(tmp_path / "solos"), every_format=True)
    assert read == 74
    assert len(parses) == read
    assert first.skipped == second.skipped == []
    assert first.sheets == second.sheets
    assert first.sources == second.sources
