"""A tune's format follows from its file's name; files appear whole; bytes depend on nothing but what is asked for."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gencli.errors import OptionError
from gencli.music import piano_roll, render_wav
from gencli.music.writing import SUFFIXES, WriteOptions, check_tune_path, write_tune
from tests.tune_cases import random_sheet, sheet_of

SHEET = sheet_of("Dm7 G7 | Cmaj7", [(0, 6, 62), (6, 6, 65), (12, 12, 69)])
BEGINNINGS = {".mid": b"MThd", ".midi": b"MThd", ".musicxml": b"<?xml", ".xml": b"<?xml", ".abc": b"X:1\n"}
ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import hashlib
from gencli.music.writing import WriteOptions, tune_bytes
from tests.tune_cases import random_sheet
for seed in (1, 2, 3):
    for suffix in (".mid", ".musicxml", ".abc"):
        print(hashlib.sha256(tune_bytes(random_sheet(seed), suffix, WriteOptions(seed=seed))).hexdigest())
"""


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_the_suffix_names_the_format(tmp_path, suffix):
    path = tmp_path / f"tune{suffix.upper()}"
    write_tune(SHEET, path, WriteOptions())
    assert path.read_bytes().startswith(BEGINNINGS[suffix])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["tune.mp3", "tune", "tune.mid.gz", ".mid"])
def test_another_suffix_is_told_in_one_line(tmp_path, name):
    path = tmp_path / name
    for call in (lambda: write_tune(SHEET, path, WriteOptions()), lambda: check_tune_path(path, WriteOptions())):
        with pytest.raises(OptionError) as caught:
            call()
        assert str(caught.value).startswith(f"{path}: ")
        assert str(caught.value).endswith("end it in .mid, .midi, .musicxml, .xml, .abc, .png or .wav")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told_in_one_line(tmp_path):
    path = tmp_path / "nowhere" / "tune.mid"
    with pytest.raises(OptionError, match="cannot be written"):
        write_tune(SHEET, path, WriteOptions())
    with pytest.raises(OptionError, match="there is no folder"):
        check_tune_path(path, WriteOptions())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_missing_is_known_before_the_work(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(piano_roll, "find_spec", lambda _: None)
    monkeypatch.setattr(render_wav, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / f"tune{suffix}"
    if suffix in BEGINNINGS:
        check_tune_path(path, WriteOptions())
    else:
        with pytest.raises(OptionError, match="pip install"):
            check_tune_path(path, WriteOptions())
    assert list(tmp_path.iterdir()) == []


def test_the_same_bytes_whatever_the_hash_seed():
    told = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        told.add(result.stdout)
    assert len(told) == 1
    assert len(set(told.pop().split())) == 9


def test_the_seed_moves_the_backing_and_not_the_melody(tmp_path):
    digests = set()
    for seed in (1, 2):
        path = tmp_path / "tune.mid"
        write_tune(random_sheet(5), path, WriteOptions(seed=seed))
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        write_tune(random_sheet(5), path, WriteOptions(seed=seed, backing="none"))
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"swing": 0.5}, "--swing 0.5: must lie between 1"),
        ({"swing": 3.5}, "--swing 3.5: must lie between 1"),
        ({"tempo": 10.0}, "--tempo 10.0: must lie between 20"),
        ({"tempo": float("nan")}, "--tempo nan: must lie between 20"),
        ({"backing": "band"}, "--backing band: not one of trio, chords, none"),
        ({"instrument": "kazoo"}, "--instrument kazoo: unknown"),
        ({"seed": -1}, "--seed -1: must lie between 0"),
    ],
)
def test_options_are_checked_when_they_are_made(wrong, told):
    with pytest.raises(OptionError) as caught:
        WriteOptions(**wrong)
    assert str(caught.value).startswith(told)


def test_asking_for_options_loads_no_music21():
    code = "import sys, gencli.music.writing; print('music21' in sys.modules, 'matplotlib' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
