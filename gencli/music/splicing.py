"""Sheets put together and cut, and what a vocabulary could not say put back into what a model wrote."""

from __future__ import annotations

from dataclasses import replace

from gencli.music.changes import ascending
from gencli.music.form import Form
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Note


def moved(sheet: LeadSheet, ticks: int) -> LeadSheet:
    """The sheet so many ticks later, as a part of another."""
    return replace(
        sheet,
        notes=tuple(Note(note.start + ticks, note.duration, note.pitch) for note in sheet.notes),
        changes=tuple(Change(change.start + ticks, change.chord) for change in sheet.changes),
        bars=tuple(Bar(bar.start + ticks, bar.length, bar.meter) for bar in sheet.bars),
    )


def joined(first: LeadSheet, second: LeadSheet) -> LeadSheet:
    """Both one after the other, under the first one's title, tempo, key, swing and label."""
    after = moved(second, first.length)
    return replace(
        first,
        notes=(*first.notes, *after.notes),
        changes=ascending([*first.changes, *after.changes]),
        bars=(*first.bars, *after.bars),
    )


def first_bars(sheet: LeadSheet, count: int) -> LeadSheet:
    """The beginning; a note that reaches beyond ends there."""
    bars = sheet.bars[:count]
    end = bars[-1].start + bars[-1].length if bars else 0
    notes = [note for note in sheet.notes if note.start < end]
    return replace(
        sheet,
        notes=tuple(replace(note, duration=min(note.duration, end - note.start)) for note in notes),
        changes=tuple(change for change in sheet.changes if change.start < end),
        bars=bars,
    )


def as_asked(written: LeadSheet, form: Form, primer: LeadSheet | None = None) -> LeadSheet:
    """What a model wrote, with the form's own meters, chords, tempo and swing in place of those it has tokens for.

    The same goes for the notes and chords of a primer; its last note may have been held.
    """
    layout = form.laid_out(written.bars[0].meter) if written.bars else None
    bars = written.bars if layout is None else layout[: len(written.bars)]
    changes = written.changes
    if form.changes is not None:
        changes = tuple(change for change in form.changes if change.start < written.length)
    notes = written.notes
    if primer is not None:
        held = {note.start: note for note in notes}
        later = [note for note in notes if note.start >= primer.length]
        notes = (*(held.get(note.start, note) for note in primer.notes), *later)
        if form.changes is None:
            changes = ascending([*primer.changes, *(change for change in changes if change.start >= primer.length)])
    return replace(
        written,
        notes=notes,
        changes=changes,
        bars=bars,
        title=written.title if primer is None else primer.title,
        tempo=form.tempo or written.tempo,
        swing=form.swing or written.swing,
        key=form.key or written.key,
        label=form.label or written.label,
    )
