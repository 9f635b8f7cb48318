"""Lead sheets to files: MIDI, MusicXML, ABC, a picture or sound, as the file's suffix says."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from gencli.config import check
from gencli.errors import OptionError
from gencli.files import check_writable, write_atomically
from gencli.music.lead_sheet import LeadSheet
from gencli.music.write_options import Backing, WriteOptions

__all__ = ["SUFFIXES", "Backing", "WriteOptions", "check_tune_path", "tune_bytes", "write_tune"]

# Suffix -> the module whose `tune_bytes(sheet, options) -> bytes` writes it; imported when it is asked for.
MODULES: Final = {
    ".mid": "write_midi",
    ".midi": "write_midi",
    ".musicxml": "write_musicxml",
    ".xml": "write_musicxml",
    ".abc": "write_abc",
    ".png": "piano_roll",
    ".wav": "render_wav",
}
SUFFIXES: Final = tuple(MODULES)


def write_tune(sheet: LeadSheet, path: Path, options: WriteOptions) -> None:
    """Write a lead sheet whole or not at all, in the format of the path's suffix.

    Same sheet, options and suffix: same bytes (for .png and .wav: with the same libraries). OptionError for another
    suffix, for what is not installed, and where the file cannot be written.
    """
    write_atomically(path, tune_bytes(sheet, _suffix(path), options), OptionError)


def tune_bytes(sheet: LeadSheet, suffix: str, options: WriteOptions) -> bytes:
    """A file of one of SUFFIXES, as bytes."""
    module = import_module(f"gencli.music.{MODULES[suffix]}")
    write = cast(Callable[[LeadSheet, WriteOptions], bytes], module.tune_bytes)
    return write(sheet, options)


def check_tune_path(path: Path, options: WriteOptions) -> None:
    """OptionError, before any work is done, unless a tune can be written there: suffix, folder, what is installed."""
    suffix = _suffix(path)
    check_writable(path, OptionError)
    if suffix == ".png":
        import_module("gencli.music.piano_roll").check_matplotlib()
    elif suffix == ".wav":
        import_module("gencli.music.render_wav").check_synthesizer(options)


def _suffix(path: Path) -> str:
    """The suffix, in small letters; OptionError where it is none of SUFFIXES."""
    suffix = path.suffix.lower()
    named = f"no tune is written as {suffix}" if suffix else "its name says no format"
    check(suffix in MODULES, f"{path}: {named}; end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return suffix
