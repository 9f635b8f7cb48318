"""What every lead sheet that a reader gives must be."""

from __future__ import annotations

from itertools import pairwise


def check_sheet(sheet):
    """The promises of LeadSheet, one by one."""
    assert sheet.notes
    assert sheet.bars
    assert sheet.bars[0].start == 0
    assert all(bar.length > 0 for bar in sheet.bars)
    assert all(one.start + one.length == other.start for one, other in pairwise(sheet.bars))
    assert sheet.notes[0].start >= 0
    assert all(note.duration > 0 and 0 <= note.pitch <= 127 for note in sheet.notes)
    assert all(one.end <= other.start for one, other in pairwise(sheet.notes))
    assert sheet.notes[-1].end <= sheet.length
    assert all(one.start < other.start and one.chord != other.chord for one, other in pairwise(sheet.changes))
    if sheet.changes:
        assert sheet.changes[0].chord is not None
        assert sheet.changes[0].start >= 0
        assert sheet.changes[-1].start < sheet.length
    assert sheet.swing >= 1
    assert all("\n" not in notice for notice in sheet.notices)


def played(sheet):
    """The notes as (start, duration, pitch)."""
    return [(note.start, note.duration, note.pitch) for note in sheet.notes]


def symbols(sheet):
    """The changes as text: "0 Dm7 24 G7"."""
    return " ".join(f"{change.start} {change.chord or 'N.C.'}" for change in sheet.changes)


def lengths(sheet):
    """The lengths of the bars in ticks."""
    return [bar.length for bar in sheet.bars]
