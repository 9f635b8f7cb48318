"""The piano: each chord held until the next is struck, so that the harmony never stops; a few rhythms by chance."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from gencli.music.chances import COMPING, chances
from gencli.music.chord_spans import chord_spans
from gencli.music.lead_sheet import TICKS, Bar, LeadSheet
from gencli.music.performance import Stroke, is_compound
from gencli.music.voicing import lead_voices, with_bass

ON_CHANGE, BETWEEN = 62, 52  # loudness
APART = TICKS  # ticks: no chord is struck again sooner
BEFORE_CHANGE = TICKS  # nor so shortly before the next

# Length of a bar -> rhythms to choose from: where in the bar a chord is struck again, besides its beginning.
SIMPLE: dict[int, tuple[tuple[int, ...], ...]] = {
    36: ((), (18,), (24,)),
    48: ((), (18,), (30,), (24,), (18, 36)),  # the second is the Charleston's
    60: ((36,), (18, 36)),
}
COMPOUND: dict[int, tuple[tuple[int, ...], ...]] = {36: ((), (18,)), 54: ((), (36,)), 72: ((36,), (18, 36))}
HELD: tuple[tuple[int, ...], ...] = ((),)
CHANCES = 60  # sides of the die: a multiple of every number of rhythms above


def comping(sheet: LeadSheet, seed: int, alone: bool) -> list[Stroke]:
    """The piano's part, in order of time. `alone` adds the bass note that a bassist would play."""
    spans = chord_spans(sheet)
    again = _rhythm(sheet.bars, seed)
    part: list[Stroke] = []
    for span, voicing in zip(spans, lead_voices([span.chord for span in spans]), strict=True):
        places = [span.start]
        first, last = bisect_left(again, span.start + APART), bisect_right(again, span.end - BEFORE_CHANGE)
        for tick in again[first:last]:
            if places[-1] + APART <= tick:
                places.append(tick)
        pitches = with_bass(span.chord, voicing) if alone else voicing
        for start, end in zip(places, [*places[1:], span.end], strict=True):
            velocity = ON_CHANGE if start == span.start else BETWEEN
            part += [Stroke(start, end - start, pitch, velocity) for pitch in pitches]
    return part


def _rhythm(bars: tuple[Bar, ...], seed: int) -> list[int]:
    """The ticks at which a chord that goes on is struck again, ascending: at each bar line, and by the bar's rhythm.

    The last bar is held.
    """
    ticks: list[int] = []
    for bar, chance in zip(bars, chances(COMPING, seed, len(bars), CHANCES), strict=True):
        rhythms = (COMPOUND if is_compound(bar) else SIMPLE).get(bar.length, HELD)
        rhythms = HELD if bar is bars[-1] else rhythms
        ticks += [bar.start, *(bar.start + place for place in rhythms[int(chance) % len(rhythms)])]
    return ticks
