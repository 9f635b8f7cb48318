"""The changes of a lead sheet as stretches of time, and its bars as beats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from gencli.music.chords import Chord
from gencli.music.lead_sheet import TICKS, Bar, Change, LeadSheet
from gencli.music.performance import is_compound

DOTTED = 3 * TICKS // 2  # a beat of 6/8


@dataclass(frozen=True)
class ChordSpan:
    """A chord that sounds from tick `start` up to `end`."""

    start: int
    end: int
    chord: Chord


def chord_spans(sheet: LeadSheet) -> list[ChordSpan]:
    """Where chords sound, in order; where there is none (N.C., before the first) there is no span."""
    ends = [*sheet.changes[1:], Change(sheet.length, None)]
    pairs = [(change, min(end.start, sheet.length)) for change, end in zip(sheet.changes, ends, strict=False)]
    return [ChordSpan(change.start, end, change.chord) for change, end in pairs if change.chord and end > change.start]


def beat_length(bar: Bar) -> int:
    """The ticks of a beat: a dotted quarter in 6/8 and its kin, else a quarter."""
    return DOTTED if is_compound(bar) else TICKS


def beats_of(bar: Bar, pickup: int = 0) -> list[tuple[int, int]]:
    """(start, end) of the beats of a bar that lacks its first `pickup` ticks; they adjoin from its start to its end.

    Where the bar is no whole number of beats, the first of a pickup or the last of another bar is shorter.
    """
    length = beat_length(bar)
    end = bar.start + bar.length
    starts = [bar.start - pickup + place for place in range(0, pickup + bar.length, length)]
    inside = [start for start in starts if start > bar.start]
    return list(pairwise([bar.start, *inside, end]))
