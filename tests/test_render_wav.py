"""Sound comes from whichever synthesizer is installed; where none is, one line says what to install."""

from __future__ import annotations

import io
import math
import struct
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gencli.errors import OptionError
from gencli.music import render_wav
from gencli.music.render_wav import INSTALL, find_soundfont, tune_bytes
from gencli.music.write_options import WriteOptions
from tests.tune_cases import sheet_of

SHEET = sheet_of("Dm7 G7 | Cmaj7", [(0, 12, 69), (48, 24, 76)], tempo=120.0)  # two bars: four seconds
FAKE = """#!{python}
import pathlib, shutil, sys
arguments = sys.argv[1:]
font, score = map(pathlib.Path, arguments[-2:])
assert font.suffix == ".sf2" and score.read_bytes()[:4] == b"MThd", arguments
assert arguments[arguments.index("-r") + 1] == "44100"
if font.stat().st_size == 0:
    sys.exit("parameter '" + str(font) + "'\\nis not a soundfont")
pathlib.Path(arguments[arguments.index("-F") + 1]).write_bytes(b"RIFF" + score.read_bytes())
"""


def chunk(name, *parts):
    """A RIFF chunk."""
    body = b"".join(parts)
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def text20(text):
    """A name in a soundfont's table."""
    return text.encode().ljust(20, b"\0")


def soundfont():
    """The smallest soundfont with a sound: a sine of 441 Hz, looped, for every program."""
    period, count = 100, 400
    wave_form = [round(20_000 * math.sin(2 * math.pi * n / period)) for n in range(count)]
    samples = struct.pack(f"<{count + 46}h", *wave_form, *[0] * 46)
    phdr = text20("Sine") + struct.pack("<HHHIII", 0, 0, 0, 0, 0, 0)
    phdr += text20("EOP") + struct.pack("<HHHIII", 0, 0, 1, 0, 0, 0)
    inst = text20("Sine") + struct.pack("<H", 0) + text20("EOI") + struct.pack("<H", 1)
    loops, sample_id, root = (54, 1), (53, 0), (58, 69)
    igen = b"".join(struct.pack("<HH", *pair) for pair in (loops, root, sample_id, (0, 0)))
    shdr = text20("Sine") + struct.pack("<IIIIIBbHH", 0, count, 0, count, 44_100, 69, 0, 0, 1)
    shdr += text20("EOS") + struct.pack("<IIIIIBbHH", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    tables = [
        chunk(b"phdr", phdr),
        chunk(b"pbag", struct.pack("<HHHH", 0, 0, 1, 0)),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", struct.pack("<HHHH", 41, 0, 0, 0)),
        chunk(b"inst", inst),
        chunk(b"ibag", struct.pack("<HHHH", 0, 0, 3, 0)),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", igen),
        chunk(b"shdr", shdr),
    ]
    information = chunk(b"LIST", b"INFO", chunk(b"ifil", struct.pack("<HH", 2, 1)))
    sound = chunk(b"LIST", b"sdta", chunk(b"smpl", samples))
    return chunk(b"RIFF", b"sfbk", information, sound, chunk(b"LIST", b"pdta", *tables))


@pytest.fixture
def font(tmp_path):
    """The soundfont as a file."""
    path = tmp_path / "sine.sf2"
    path.write_bytes(soundfont())
    return path


@pytest.fixture
def fluidsynth(tmp_path, monkeypatch):
    """A program of that name that checks what it is given, and nothing else on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "fluidsynth"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return program


@pytest.fixture
def no_fluidsynth(tmp_path, monkeypatch):
    """A path without programs."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def test_fluidsynth_plays_the_midi_file(fluidsynth, font):
    data = tune_bytes(SHEET, WriteOptions(soundfont=font))
    assert data[:8] == b"RIFFMThd"


def test_a_soundfont_that_fluidsynth_refuses_is_told_in_one_line(fluidsynth, tmp_path):
    empty = tmp_path / "empty.sf2"
    empty.write_bytes(b"")
    with pytest.raises(OptionError) as caught:
        tune_bytes(SHEET, WriteOptions(soundfont=empty))
    assert str(caught.value).startswith(f"{empty}: fluidsynth could not play with it (parameter '{empty}' is not")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_fluidsynth")
def test_without_a_synthesizer_one_line_says_what_to_install(font, monkeypatch):
    monkeypatch.setattr(render_wav, "find_spec", lambda _: None)
    with pytest.raises(OptionError) as caught:
        tune_bytes(SHEET, WriteOptions(soundfont=font))
    assert str(caught.value) == f"a .wav needs a synthesizer: {INSTALL}, or pip install tinysoundfont"


def test_without_a_soundfont_one_line_says_what_to_install(fluidsynth, tmp_path, monkeypatch):
    monkeypatch.setattr(render_wav, "FONT_FOLDERS", (str(tmp_path / "nowhere"),))
    with pytest.raises(OptionError, match=r"^a \.wav needs a soundfont: install one .* --soundfont$"):
        tune_bytes(SHEET, WriteOptions())


def test_a_missing_soundfont_is_named(tmp_path):
    missing = tmp_path / "missing.sf2"
    with pytest.raises(OptionError, match="no such file"):
        find_soundfont(missing)


def test_the_first_soundfont_of_the_system_is_taken(tmp_path, monkeypatch):
    for name in ("b.sf2", "a.SF3", "0.txt"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(render_wav, "FONT_FOLDERS", (str(tmp_path / "nowhere"), str(tmp_path)))
    assert find_soundfont(None) == tmp_path / "a.SF3"


def test_a_tune_of_hours_is_refused(fluidsynth, font):
    long = replace(sheet_of("|".join(["C"] * 1001)), tempo=60.0)
    with pytest.raises(OptionError, match=r"^a \.wav of 67 minutes: at most 30"):
        tune_bytes(long, WriteOptions(soundfont=font))


@pytest.mark.usefixtures("no_fluidsynth")
def test_tinysoundfont_plays_what_is_written_when_it_is_written(font):
    pytest.importorskip("tinysoundfont")
    options = WriteOptions(soundfont=font, backing="none", swing=1.0)
    data = tune_bytes(SHEET, options)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44_100)
        assert 6.0 <= file.getnframes() / 44_100 < 6.2  # four seconds and what rings on
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")[::2].astype(np.float64)

    def pitch(start, end):
        """The loudest frequency between two times, in Hz."""
        part = sound[round(start * 44_100) : round(end * 44_100)]
        return np.abs(np.fft.rfft(part)).argmax() / (end - start)

    assert pitch(0.1, 0.4) == pytest.approx(440, rel=0.02)
    assert np.abs(sound[round(0.8 * 44_100) : round(1.9 * 44_100)]).max() < 50  # a rest
    assert pitch(2.1, 2.9) == pytest.approx(659.3, rel=0.02)
    assert tune_bytes(SHEET, options) == data


@pytest.mark.usefixtures("no_fluidsynth")
def test_a_file_that_is_no_soundfont_is_told_in_one_line(tmp_path):
    pytest.importorskip("tinysoundfont")
    wrong = Path(tmp_path, "wrong.sf2")
    wrong.write_bytes(bytes(range(64)))
    with pytest.raises(OptionError, match=r"wrong\.sf2: not a soundfont"):
        tune_bytes(SHEET, WriteOptions(soundfont=wrong))
