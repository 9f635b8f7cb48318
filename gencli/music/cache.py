"""Tunes that were read once, kept in the user's cache folder under a hash of what was read and of what read it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gencli.errors import GencliError
from gencli.music.chords import Chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note

Found = tuple[list[LeadSheet], list[str]]  # tunes, and one line about each that could not be read


def cached(data: bytes, settings: str, read: Callable[[], Found]) -> Found:
    """What `read` makes of these bytes under these settings: kept from an earlier time, or read and kept now.

    A cache that cannot be read or written is no error; what `read` raises is passed on and not kept.
    """
    digest = hashlib.sha256(settings.encode() + b"\0" + data).hexdigest()
    path = _folder() / digest[:2] / f"{digest[2:]}.json"
    kept = _kept(path)
    if kept is not None:
        return kept
    found = read()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(_to_json(found), separators=(",", ":")), encoding="utf-8")
        temporary.replace(path)  # no fsync: half a file, after a crash, is no JSON and is read anew
    except OSError:
        pass  # a cache that cannot be written to is none
    return found


def _kept(path: Path) -> Found | None:
    """What was kept in a file, if it is there and whole."""
    try:
        return _from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, GencliError):
        return None


def _folder() -> Path:
    """Where tunes read by this very code are kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "gencli" / f"tunes-{reader_version()}"


@cache
def reader_version() -> str:
    """A hash that changes with the sources of the readers and with the version of music21."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    try:
        digest.update(version("music21").encode())
    except PackageNotFoundError:
        digest.update(b"none")
    return digest.hexdigest()[:16]


def _to_json(found: Found) -> dict[str, Any]:
    """Tunes as lists of numbers and texts."""
    sheets, problems = found
    return {"sheets": [_sheet_to_json(sheet) for sheet in sheets], "problems": problems}


def _sheet_to_json(sheet: LeadSheet) -> dict[str, Any]:
    """One tune."""
    changes = [
        [change.start, None if change.chord is None else [change.chord.root, change.chord.quality, change.chord.bass]]
        for change in sheet.changes
    ]
    return {
        "notes": [[note.start, note.duration, note.pitch] for note in sheet.notes],
        "changes": changes,
        "bars": [[bar.start, bar.length, bar.meter.beats, bar.meter.unit] for bar in sheet.bars],
        "title": sheet.title,
        "tempo": sheet.tempo,
        "key": sheet.key,
        "swing": sheet.swing,
        "label": sheet.label,
        "notices": list(sheet.notices),
    }


def _from_json(state: dict[str, Any]) -> Found:
    """The tunes that gave this state; one of many errors where none can have."""
    return [_sheet_from_json(sheet) for sheet in state["sheets"]], [str(problem) for problem in state["problems"]]


def _sheet_from_json(state: dict[str, Any]) -> LeadSheet:
    """The tune that gave this state."""
    meters: dict[tuple[int, int], Meter] = {}
    bars = [
        Bar(start, length, meters.setdefault((beats, unit), Meter(beats, unit)))
        for start, length, beats, unit in state["bars"]
    ]
    return LeadSheet(
        tuple(Note(*note) for note in state["notes"]),
        tuple(Change(start, None if chord is None else Chord(*chord)) for start, chord in state["changes"]),
        tuple(bars),
        state["title"],
        state["tempo"],
        state["key"],
        state["swing"],
        state["label"],
        tuple(state["notices"]),
    )
