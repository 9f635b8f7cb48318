"""Lead sheets as sound: the MIDI file played by a synthesizer that is installed here, fluidsynth or tinysoundfont."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from gencli.config import check
from gencli.errors import OptionError
from gencli.music import write_midi
from gencli.music.lead_sheet import LeadSheet
from gencli.music.write_options import WriteOptions

RATE: Final = 44_100  # frames a second, two channels of 16 bits
BLOCK: Final = 4096  # frames rendered at once
LOUDEST: Final = 32767  # of 16 bits
TAIL: Final = 2.0  # seconds after the last note's end, for what rings on
GAIN, GAIN_DB = "0.5", -12.0  # of fluidsynth, as it wants to be told, and of tinysoundfont; voices add up
LONGEST: Final = 1800.0  # seconds: more would not fit in memory everywhere
FONT_FOLDERS: Final = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts")
FONT_SUFFIXES: Final = (".sf2", ".sf3")
INSTALL: Final = "install fluidsynth (Debian, Ubuntu: apt install fluidsynth; macOS: brew install fluid-synth)"


def find_soundfont(chosen: Path | None) -> Path:
    """The soundfont asked for, else the first, by name, of the system's; OptionError where there is none."""
    if chosen is not None:
        check(chosen.is_file(), f"--soundfont {chosen}: no such file; name an .sf2 file")
        return chosen
    folders = [Path(folder) for folder in FONT_FOLDERS]
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    fonts = [path for path in found if path.suffix.lower() in FONT_SUFFIXES]
    remedy = "install one (Debian, Ubuntu: apt install timgm6mb-soundfont) or name an .sf2 file with --soundfont"
    check(bool(fonts), f"a .wav needs a soundfont: {remedy}")
    return fonts[0]


def check_synthesizer(options: WriteOptions) -> None:
    """OptionError, with what to install, unless there is a synthesizer and a soundfont."""
    check(
        shutil.which("fluidsynth") is not None or find_spec("tinysoundfont") is not None,
        f"a .wav needs a synthesizer: {INSTALL}, or pip install tinysoundfont",
    )
    find_soundfont(options.soundfont)


def tune_bytes(sheet: LeadSheet, options: WriteOptions) -> bytes:
    """The lead sheet as a WAV file, 44.1 kHz, 16 bits, stereo; OptionError where it cannot be played here."""
    check_synthesizer(options)
    font = find_soundfont(options.soundfont)
    seconds = write_midi.seconds_of(sheet, options)
    check(
        seconds <= LONGEST,
        f"a .wav of {seconds / 60:.0f} minutes: at most {LONGEST / 60:.0f}; write a .mid, or fewer bars",
    )
    midi = write_midi.tune_bytes(sheet, options)
    with TemporaryDirectory() as folder:
        score = Path(folder) / "tune.mid"
        score.write_bytes(midi)
        program = shutil.which("fluidsynth")
        if program is not None:
            return _run_fluidsynth(program, font, score, Path(folder) / "tune.wav")
        return _run_tinysoundfont(font, score, seconds + TAIL)


def _run_fluidsynth(program: str, font: Path, score: Path, sound: Path) -> bytes:
    """What fluidsynth makes of a MIDI file."""
    options = ["-n", "-i", "-q", "-g", GAIN, "-r", str(RATE), "-T", "wav", "-O", "s16", "-F", str(sound)]
    command = [program, *options, str(font.resolve()), str(score)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if ended.returncode != 0 or not sound.is_file() or sound.stat().st_size == 0:
        told = " ".join((ended.stderr or ended.stdout).split())[:200] or f"exit code {ended.returncode}"
        raise OptionError(f"{font}: fluidsynth could not play with it ({told}); name another --soundfont")
    return sound.read_bytes()


def _run_tinysoundfont(font: Path, score: Path, seconds: float) -> bytes:
    """What tinysoundfont makes of a MIDI file, block by block; what is too loud is cut off."""
    tinysoundfont = import_module("tinysoundfont")  # by name: not a dependency, so type checkers need not find it
    synth = tinysoundfont.Synth(gain=GAIN_DB, samplerate=RATE)
    try:
        synth.sfload(str(font))
    except Exception as reason:  # the library has no class of its own for it
        raise OptionError(f"{font}: not a soundfont ({reason}); name another --soundfont") from reason
    sequencer = tinysoundfont.Sequencer(synth)
    sequencer.midi_load(str(score))
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _ in range(round(seconds * RATE) // BLOCK + 1):
            samples = np.frombuffer(synth.generate(BLOCK), np.float32)
            file.writeframesraw((np.clip(samples, -1.0, 1.0) * LOUDEST).astype("<i2").tobytes())
    return written.getvalue()
