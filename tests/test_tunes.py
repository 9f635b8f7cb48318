"""Tunes as the user names them: files, folders, collections."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gencli.errors import CorpusError
from gencli.music.tunes import SUFFIXES, collections, read_source, read_tunes
from tests.hostile_tunes import ABC, GOOD, KERN, MIDI, XML

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def library(tmp_path):
    """A folder of tunes of two styles, with other files among them."""
    files = {
        "tunes/jazz/a.abc": ABC,
        "tunes/jazz/a.mid": MIDI,
        "tunes/jazz/deep/b.musicxml": XML,
        "tunes/reels/c.krn": KERN,
        "tunes/reels/bad.mid": MIDI[:-9],
        "tunes/reels/bad.mxl": b"PK not a zip",
        "tunes/readme.txt": b"hello",
        "tunes/.hidden.abc": ABC,
        "tunes/.git/d.abc": ABC,
        "tunes/Top.ABC": ABC + b"\nX:2\nM:4/4\nL:1/4\nK:C\nCDEF|\n",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path / "tunes"


def test_a_folder_gives_its_tunes_and_tells_what_it_skipped(library):
    found = read_source(f"{library}/")
    names = [source.removeprefix(f"{library}/") for source in found.sources]
    assert names == ["Top.ABC:1", "Top.ABC:2", "jazz/a.abc", "jazz/deep/b.musicxml", "reels/c.krn"]
    assert [sheet.label for sheet in found.sheets] == ["tunes", "tunes", "jazz", "jazz", "reels"]
    assert found.doubles == 2  # a.mid beside a.abc, bad.mid beside bad.mxl
    assert found.skipped == [f"{library}/reels/bad.mxl: a damaged archive (File is not a zip file); save it again"]


def test_every_format_of_a_tune_if_asked_for(library):
    found = read_source(str(library), every_format=True)
    assert len(found.sheets) == 6
    assert found.doubles == 0
    assert sorted(line.removeprefix(f"{library}/reels/").split(":")[0] for line in found.skipped) == [
        "bad.mid",
        "bad.mxl",
    ]


def test_progress_is_told(library):
    told = []
    read_source(str(library), progress=lambda done, count: told.append((done, count)))
    assert told == [(n, 5) for n in range(5)]


@pytest.mark.parametrize("suffix", GOOD)
def test_a_file_of_each_format(suffix, tmp_path):
    path = tmp_path / f"tune{suffix.upper()}"
    path.write_bytes(GOOD[suffix])
    found = read_source(str(path))
    assert found.sources == [str(path)]
    assert found.sheets[0].label == tmp_path.name
    assert len(found.sheets[0].notes) >= 6
    assert read_tunes(path)[0].notes == found.sheets[0].notes


def test_text_of_any_encoding(tmp_path):
    text = "X:1\nT:Café\nM:4/4\nL:1/4\nK:C\nCDEF|\n"
    variants = {"utf-8": text, "utf-16": text, "latin-1": text, "utf-8-sig": text}
    for encoding, written in variants.items():
        path = tmp_path / f"{encoding}.abc"
        path.write_bytes(written.replace("\n", "\r\n").encode(encoding))
        (sheet,) = read_tunes(path)
        assert sheet.title == "Café"
        assert len(sheet.notes) == 4
    (tmp_path / "mac.abc").write_bytes(text.replace("\n", "\r").encode())
    assert len(read_tunes(tmp_path / "mac.abc")[0].notes) == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.abc", "missing.abc: no such file"),
        ("missing", "missing: no such file or folder"),
        ("readme.txt", "readme.txt: no tune format known here; give .abc, .musicxml"),
        ("empty", "empty: no tune in this folder; put .abc, .musicxml"),
        ("broken", "broken/x.mid: not a MIDI file; its first letters are not MThd"),
        ("broken2", "broken2/x.mid: empty (and 1 more unreadable)"),
        ("large.abc", "large.abc: larger than 4 MiB; split it"),
        ("pipe.abc", "pipe.abc: not a file"),
    ],
)
def test_nothing_to_read(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("readme.txt").write_text("hello")
    for folder in ("empty", "broken", "broken2"):
        Path(folder).mkdir()
    Path("broken/x.mid").write_text("hello")
    Path("broken2/x.mid").write_text("")
    Path("broken2/y.mid").write_text("hello")
    with Path("large.abc").open("wb") as file:
        file.truncate(5 * 2**20)
    os.mkfifo("pipe.abc")
    with pytest.raises(CorpusError) as error:
        read_source(name)
    assert str(error.value).startswith(message)
    if name.endswith(".abc"):
        with pytest.raises(CorpusError, match=message.split(":")[1]):
            read_tunes(name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_file_is_told(tmp_path):
    path = tmp_path / "closed.abc"
    path.write_bytes(ABC)
    path.chmod(0)
    with pytest.raises(CorpusError, match=r"closed\.abc: cannot be read \(Permission denied\)"):
        read_tunes(path)


def test_collections_of_music21():
    names = collections()
    assert {"bach", "ryansMammoth", "oneills1850", "essenFolksong", "trecento"} <= set(names)
    assert names == sorted(names)
    found = read_source("music21:Bach/bwv66")
    assert found.sources == ["music21:bach/bwv66.6.mxl"]
    assert (found.sheets[0].label, found.sheets[0].key) == ("bach", "F#m")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("music21:jazz", "music21:jazz: no such collection in music21's corpus; it has airdsAirs, bach"),
        ("music21:", "music21:: no such collection in music21's corpus; it has airdsAirs"),
        (
            "music21:ryansmamoth",
            "music21:ryansmamoth: no such collection in music21's corpus; did you mean ryansMammoth?",
        ),
        ("music21:bach/quux", "music21:bach/quux: no piece of bach begins with quux"),
        ("music21:../bach", "music21:../bach: no such collection"),
    ],
)
def test_a_collection_that_is_none(name, message):
    with pytest.raises(CorpusError) as error:
        read_source(name)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("module", ["tunes", "chords", "lead_sheet", "changes"])
def test_readers_import_music21_only_to_use_it(module):
    code = f"import sys, gencli.music.{module}; print({{'music21', 'matplotlib', 'numba'}} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_suffixes_are_those_of_the_message():
    assert SUFFIXES[0] == ".abc"
    assert {".mid", ".musicxml", ".mxl", ".krn"} <= set(SUFFIXES)
