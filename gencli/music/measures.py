"""Bars as they are written, with repeats, ties and fractions of beats, to a lead sheet in ticks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from gencli.errors import CorpusError
from gencli.music.changes import ascending
from gencli.music.chords import Chord
from gencli.music.lead_sheet import TICKS, Bar, Change, LeadSheet, Meter
from gencli.music.notices import Notices
from gencli.music.repeats import Signs, check_bars, play_order
from gencli.music.skyline import Sounding, skyline

OFF_GRID = "note(s) moved to the grid of 12 ticks a quarter"
FINEST = 2**6 * 3**2 * 5 * 7 * 11 * 13  # parts of a quarter
HIDDEN = "note(s) below the melody left out"


class Written(NamedTuple):
    """A note in a bar, in quarters from its beginning."""

    offset: Fraction
    duration: Fraction
    pitch: int
    tied: bool  # to the next note


@dataclass
class Measure:
    """A bar as it is written; offsets and length in quarters."""

    meter: Meter = field(default_factory=Meter)
    notes: list[Written] = field(default_factory=list)
    chords: list[tuple[Fraction, Chord | None]] = field(default_factory=list)
    length: Fraction = Fraction(0)
    signs: Signs = field(default_factory=Signs)


def snapped(quarters: Fraction) -> Fraction:
    """The duration, or the nearest with a denominator of FINEST: sums of others could have any number of digits."""
    return quarters if FINEST % quarters.denominator == 0 else Fraction(round(quarters * FINEST), FINEST)


def to_ticks(quarters: Fraction) -> int:
    """The nearest tick; halves go up."""
    numerator, denominator = quarters.numerator * TICKS, quarters.denominator
    return (2 * numerator + denominator) // (2 * denominator)


def assemble(measures: Sequence[Measure], notices: Notices) -> LeadSheet:
    """The lead sheet of a tune's measures, played with all repeats; CorpusError where it has no note or too many bars.

    Two short bars that together fill their meter, such as those around a repeat, become one; measures of two bars and
    more are cut into bars.
    """
    played = [measures[place] for place in play_order([measure.signs for measure in measures])]
    starts = _starts(played)
    notes, hidden = skyline(sounding(played, notices))
    if not notes:
        raise CorpusError("no notes in it")
    notices.count(HIDDEN, len(hidden))
    changes = [
        Change(to_ticks(start + offset), chord)
        for start, measure in zip(starts, played, strict=False)
        for offset, chord in measure.chords
    ]
    bars = _bars(played, starts, notices)
    return LeadSheet(tuple(notes), ascending(changes), bars, notices=notices.texts())


def sounding(played: Sequence[Measure], notices: Notices) -> list[Sounding]:
    """The notes of measures in the order of playing, ties joined, in ticks."""
    found: list[Sounding] = []
    held: dict[int, tuple[Fraction, Fraction]] = {}  # pitch -> start and end of a note that is tied on
    off_grid = 0
    for start, measure in zip(_starts(played), played, strict=False):
        for offset, duration, pitch, tied in measure.notes:
            begin = start + offset
            if pitch in held:
                first, end = held.pop(pitch)
                if end == begin:
                    begin, duration = first, begin + duration - first
                else:
                    found.append(Sounding(to_ticks(first), to_ticks(end), pitch))
            if tied:
                held[pitch] = (begin, begin + duration)
            else:
                found.append(Sounding(to_ticks(begin), to_ticks(begin + duration), pitch))
            off_grid += TICKS % (start + offset).denominator > 0
    found += [Sounding(to_ticks(first), to_ticks(end), pitch) for pitch, (first, end) in held.items()]
    notices.count(OFF_GRID, off_grid)
    return found


def _starts(played: Sequence[Measure]) -> list[Fraction]:
    """Where each measure begins, and where the last one ends, in quarters."""
    starts = [Fraction(0)]
    for measure in played:
        starts.append(starts[-1] + measure.length)
    return starts


def _bars(played: Sequence[Measure], starts: Sequence[Fraction], notices: Notices) -> tuple[Bar, ...]:
    """The bars of measures; those of no length are none."""
    ticks = [to_ticks(start) for start in starts]
    written = [Bar(ticks[n], ticks[n + 1] - ticks[n], measure.meter) for n, measure in enumerate(played)]
    bars: list[Bar] = []
    for bar in (piece for whole in written for piece in cut(whole)):
        last = bars[-1] if len(bars) > 1 else None  # the first may be a pickup, which is a bar of its own
        if last is not None and last.meter == bar.meter and last.length + bar.length == bar.meter.ticks:
            bars[-1] = replace(last, length=bar.meter.ticks)
        elif bar.length > 0:
            bars.append(bar)
        check_bars(len(bars))
    irregular = sum(bar.length != bar.meter.ticks for bar in bars[1:-1])
    notices.count("bar(s) shorter or longer than the meter", irregular)
    return tuple(bars)


def cut(bar: Bar) -> Iterable[Bar]:
    """A bar as long as two or more, in bars of its meter; any other as it is."""
    full = bar.meter.ticks
    check_bars(bar.length // full)
    start, rest = bar.start, bar.length
    many = rest >= 2 * full
    while many and rest > full:
        yield Bar(start, full, bar.meter)
        start, rest = start + full, rest - full
    yield Bar(start, rest, bar.meter)
