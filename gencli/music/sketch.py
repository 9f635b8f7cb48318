"""A tune in a line of text: chords and notes by name, bar by bar."""

from __future__ import annotations

from gencli.music.chords import chord_name
from gencli.music.lead_sheet import LeadSheet
from gencli.music.spelling import key_of, spell


def note_name(pitch: int, sheet: LeadSheet) -> str:
    """A pitch as it is spelled in the sheet's key: "Bb4"."""
    spelling = spell(pitch, key_of(sheet))
    return f"{spelling.letter}{'#' * spelling.alter}{'b' * -spelling.alter}{spelling.octave}"


def chords_of(sheet: LeadSheet, start: int, end: int) -> str:
    """The names of the chords that begin within these ticks, "Dm7 G7"; "" where there are none."""
    sharps = key_of(sheet).fifths > 0
    changes = [change.chord for change in sheet.changes if start <= change.start < end]
    return " ".join(chord_name(chord, sharps=sharps) for chord in changes)


def sketch(sheet: LeadSheet) -> str:
    """Its bars with `|` between them, each the chords and then the notes that begin there."""
    bars = []
    for bar in sheet.bars:
        end = bar.start + bar.length
        chords = chords_of(sheet, bar.start, end)
        notes = [note_name(note.pitch, sheet) for note in sheet.notes if bar.start <= note.start < end]
        bars.append(" ".join([f"[{chords}]" if chords else "", *notes]).strip() or "-")
    return " | ".join(bars)
