"""A melody as notation writes it: bars of notes and rests that a printed sign exists for, tied where it takes several.

Signs are the plain and dotted values from the whole note to the sixteenth, and the same, down to the thirty-second, in
triplet brackets of a beat or half a beat. Every position of the grid can be written so: one tick is a thirty-second of
a triplet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from gencli.music.chord_spans import DOTTED, beat_length, beats_of
from gencli.music.chords import Chord
from gencli.music.lead_sheet import TICKS, Bar, Change, LeadSheet
from gencli.music.performance import is_compound, lead_in
from gencli.music.spelling import Key, Spelling, key_of, spell

SIXTEENTH = TICKS // 4
# Ticks within a triplet -> the first sign for them. 1, 2, 3, 4, 6 and 8 are a thirty-second, a sixteenth, a dotted
# sixteenth, an eighth, a dotted eighth and a quarter; the others take two signs, none shorter than a sixteenth.
TRIPLET_SIGNS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 6, 7: 4, 8: 8, 9: 6, 10: 6, 11: 8, 12: 8}


@dataclass(frozen=True)
class Sign:
    """A note or a rest of a printed value."""

    start: int  # tick
    ticks: int  # as it sounds
    pitch: int | None  # None: a rest
    bracket: int | None = None  # the tick at which its triplet bracket begins; within it three are played as two
    tied: bool = False  # to the sign after it
    spelling: Spelling | None = None  # of the pitch

    @property
    def written(self) -> int:
        """Half ticks of the value that is printed: 24 for a quarter; half as much again within a triplet."""
        return 2 * self.ticks if self.bracket is None else 3 * self.ticks


@dataclass(frozen=True)
class WrittenBar:
    """A bar as notation."""

    bar: Bar
    pickup: int  # ticks that the bar lacks at its beginning
    signs: tuple[Sign, ...]
    changes: tuple[Change, ...]  # that begin in it


@dataclass(frozen=True)
class _Stretch:
    """A part of a bar through which one note, or none, sounds; `joined`: the note goes on in the next stretch."""

    start: int
    end: int
    pitch: int | None
    joined: bool


def engrave(sheet: LeadSheet) -> list[WrittenBar]:
    """The bars of a lead sheet. Their signs fill each bar exactly, and begin anew where a chord changes."""
    key = key_of(sheet)
    chord: Chord | None = None
    before: Sign | None = None
    written = []
    for number, (bar, stretches, changes) in enumerate(_split(sheet)):
        pickup = lead_in(sheet.bars) if number == 0 else 0
        symbols = {change.start: change.chord for change in changes}
        signs = []
        for sign in _signs(bar, pickup, stretches):
            chord = symbols.get(sign.start, chord)
            before = _spelt(sign, before, key, chord)
            signs.append(before)
        written.append(WrittenBar(bar, pickup, tuple(signs), tuple(changes)))
    return written


def _spelt(sign: Sign, before: Sign | None, key: Key, chord: Chord | None) -> Sign:
    """A sign with its spelling: that of the sign before where it is tied to that, whatever the chord."""
    if sign.pitch is None:
        return sign
    if before is not None and before.tied:
        return replace(sign, spelling=before.spelling)
    return replace(sign, spelling=spell(sign.pitch, key, chord))


def _split(sheet: LeadSheet) -> list[tuple[Bar, list[_Stretch], list[Change]]]:
    """Each bar with its stretches, cut at bar lines and at changes, and the changes that begin in it."""
    ends = [bar.start + bar.length for bar in sheet.bars]
    found = []
    note_number = change_number = 0
    for bar, end in zip(sheet.bars, ends, strict=True):
        changes = []
        while change_number < len(sheet.changes) and sheet.changes[change_number].start < end:
            changes.append(sheet.changes[change_number])
            change_number += 1
        edges = {bar.start, end, *(change.start for change in changes)}
        notes = []
        while note_number < len(sheet.notes) and sheet.notes[note_number].start < end:
            note = sheet.notes[note_number]
            notes.append(note)
            edges |= {max(note.start, bar.start), min(note.end, end)}
            if note.end > end:
                break
            note_number += 1
        stretches = []
        for first, last in pairwise(sorted(edges)):
            sounding = next((note for note in notes if note.start <= first < note.end), None)
            stretches.append(
                _Stretch(first, last, None, False)
                if sounding is None
                else _Stretch(first, last, sounding.pitch, sounding.end > last)
            )
        found.append((bar, stretches, changes))
    return found


def _signs(bar: Bar, pickup: int, stretches: list[_Stretch]) -> list[Sign]:
    """The signs of a bar: triplet brackets where the grid of sixteenths is left, plain values elsewhere."""
    edges = {stretch.start for stretch in stretches} | {stretch.end for stretch in stretches}
    brackets = _brackets(bar, pickup, edges)
    signs: list[Sign] = []
    for stretch in stretches:
        pieces: list[tuple[int, int, int | None]] = []  # start, ticks, bracket
        place = stretch.start
        while place < stretch.end:
            inside = next((window for window in brackets if window[0] <= place < window[1]), None)
            if inside:
                ticks = TRIPLET_SIGNS[min(stretch.end, inside[1]) - place]
            else:
                limit = min([stretch.end, *(start for start, _ in brackets if start > place)])
                ticks = _plain_value(bar, pickup, place, limit, stretch.pitch is None)
            pieces.append((place, ticks, inside[0] if inside else None))
            place += ticks
        for number, (start, ticks, bracket) in enumerate(pieces):
            tied = stretch.pitch is not None and (number + 1 < len(pieces) or stretch.joined)
            signs.append(Sign(start, ticks, stretch.pitch, bracket, tied))
    return signs


def _brackets(bar: Bar, pickup: int, edges: set[int]) -> list[tuple[int, int]]:
    """(start, end) of the triplet brackets: the half beats, or else the beats, in which an edge is no sixteenth.

    Where a beat is cut short (an irregular bar) the bracket is as short.
    """
    found = []
    for beat_start, beat_end in beats_of(bar, pickup):
        for start, end in _windows(bar, beat_start, beat_end, edges):
            if any(start < edge < end and (edge - start) % SIXTEENTH for edge in edges) or (end - start) % SIXTEENTH:
                found.append((start, end))
    return found


def _windows(bar: Bar, start: int, end: int, edges: set[int]) -> list[tuple[int, int]]:
    """A beat in the parts that a bracket may cover: eighths of a dotted beat, halves of another where it is halved."""
    eighth = TICKS // 2
    cuts = list(range(end - eighth, start, -eighth)) if is_compound(bar) else [start + eighth]
    if not is_compound(bar) and (end - start != TICKS or start + eighth not in edges):
        cuts = []
    return list(pairwise([start, *sorted(cuts), end]))


def _plain_value(bar: Bar, pickup: int, place: int, limit: int, is_rest: bool) -> int:
    """The longest plain value that may begin at a place and ends by the limit."""
    within = place - bar.start + pickup
    values = [value for value in (72, 48, 36, 24, 18, 12, 9, 6, 3) if place + value <= limit]
    return next(value for value in values if _readable(bar, within, value, is_rest))


def _readable(bar: Bar, within: int, value: int, is_rest: bool) -> bool:
    """Whether a reader sees the beat through a plain value that begins `within` ticks after the bar line.

    Beats stay whole but for the syncopations everybody knows: a quarter after an eighth, a dotted quarter after an
    eighth or before one; in 4/4 none of them hides the middle of the bar. Rests lie on their own grid.
    """
    if value == SIXTEENTH or (within == 0 and value == bar.meter.ticks):
        return True
    beat = beat_length(bar)
    place = within % beat
    if place + value <= beat:
        on_grid = value == beat or (place % value == 0 if is_rest or beat == DOTTED else True)
        return on_grid and not (is_rest and value == 9)
    if beat == DOTTED:
        return place == 0 and value % DOTTED == 0 and within % value == 0
    if is_rest:
        return value in (24, 48) and within % value == 0
    common = bar.meter.ticks == 4 * TICKS
    crosses = common and within < 2 * TICKS < within + value
    if place == TICKS // 2:
        return value in (12, 18) and not crosses
    if place != 0:
        return False
    if common and value in (24, 36):
        return within % (2 * TICKS) == 0 or within == TICKS
    return not crosses or within == 0
