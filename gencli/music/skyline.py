"""Any number of voices to one: the highest that sounds, in order, without overlaps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gencli.music.lead_sheet import Note


class Sounding(NamedTuple):
    """A note that may overlap others; in ticks."""

    start: int
    end: int
    pitch: int


def skyline(notes: Iterable[Sounding]) -> tuple[list[Note], list[Sounding]]:
    """The melody of notes, and those left out of it because a higher one sounded.

    Of notes that begin together the highest stays (the longest of equal ones). A lower note within a held one is left
    out; any other note ends the one before it, as legato playing overlaps. A note of no length gets one tick if that
    is free.
    """
    melody: list[Sounding] = []
    hidden: list[Sounding] = []
    for note in sorted(notes, key=lambda note: (note.start, -note.pitch, -note.end)):
        last = melody[-1] if melody else Sounding(-1, -1, 0)
        if note.start == last.start or (note.pitch <= last.pitch and note.end <= last.end):
            hidden.append(note)
            continue
        if note.start < last.end:
            melody[-1] = last._replace(end=note.start)
        melody.append(note._replace(end=max(note.end, note.start + 1)))
    return [Note(note.start, note.end - note.start, note.pitch) for note in melody], hidden
