"""Bars that stand again and again: what a bar holds, and what it must not become."""

from __future__ import annotations

from typing import Final

Figure = tuple[tuple[int, int], ...]  # (ticks since the barline, what begins there) of a bar; each lasts to the next
REST: Final = -1
HOLD: Final = -2  # a note from the bar before
UNKNOWN: Final = -3
PERIODS: Final = (1, 2)  # bars of a loop


def extended(figure: Figure, place: int, event: int) -> Figure:
    """The figure with one more event: a MIDI number, REST, HOLD or UNKNOWN. What only goes on adds nothing."""
    goes_on = bool(figure) and (event == HOLD or event == REST == figure[-1][1])
    return figure if goes_on else (*figure, (place, event))


def remembered(loops: int) -> int:
    """The bars that `loop_ends` looks back on."""
    return max(PERIODS) * (loops + 1) - 1


def loop_ends(past: tuple[Figure, ...], loops: int) -> tuple[Figure, ...]:
    """What the next bar must not be, lest a bar, or two in turn, stand more than `loops` times in a row."""
    if loops == 0:
        return ()
    found = []
    for period in PERIODS:
        needed = period * (loops + 1) - 1
        tail = past[-needed:]
        if len(tail) == needed and all(a == b for a, b in zip(tail, tail[period:], strict=False)):
            found.append(past[-period])
    return tuple(found)
