"""What pictures of a melody show of its harmony: the chord at each tick, and how each note lies in it."""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

from gencli.music.chords import Chord
from gencli.music.lead_sheet import LeadSheet, Note

Role = Literal["chord", "scale", "outside", "free"]  # a tone of the chord, of its scale, of neither; no chord sounds


def chord_at(sheet: LeadSheet, tick: int) -> Chord | None:
    """The chord that sounds at a tick."""
    number = bisect_right(sheet.changes, tick, key=lambda change: change.start) - 1
    return sheet.changes[number].chord if number >= 0 else None


def role_of(note: Note, chord: Chord | None) -> Role:
    """How a note lies in the chord it begins over."""
    if chord is None:
        return "free"
    if note.pitch % 12 in chord.pitch_classes():
        return "chord"
    return "scale" if note.pitch % 12 in chord.scale() else "outside"
