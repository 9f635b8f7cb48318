"""The order in which bars are played: repeats and endings written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gencli.errors import CorpusError

MOST_BARS = 4096  # of a tune; a longer one is refused before it is built


@dataclass
class Signs:
    """The repeat signs around a bar."""

    opens: bool = False  # |: before it
    closes: int = 0  # :| after it, and how many times one goes back there
    endings: frozenset[int] = frozenset()  # the passes in which it is played; none: in all


def play_order(bars: Sequence[Signs]) -> list[int]:
    """The numbers of the bars in the order of playing; CorpusError where that makes too many.

    A section begins at |:, after :|, after its last ending, or with the tune. An ending that is followed by another
    one goes back even where its :| was forgotten; the last one never does.
    """
    order: list[int] = []
    opened, passing, place = 0, 1, 0
    while place < len(bars):
        bar = bars[place]
        if place != opened and (bar.opens or _leaves_endings(bars, place)):
            opened, passing = place, 1
        if bar.endings and passing not in bar.endings:
            place += 1
            continue
        order.append(place)
        check_bars(len(order))
        if bar.endings:
            again = _closes_ending(bars, place) and passing < _last_ending(bars, place)
        else:
            again = passing <= bar.closes
        if again:
            place, passing = opened, passing + 1
            continue
        place += 1
        if bar.closes and not bar.endings:
            opened, passing = place, 1
    return order


def check_bars(count: int) -> None:
    """CorpusError unless a tune may have so many bars."""
    if count > MOST_BARS:
        raise CorpusError(f"more than {MOST_BARS:,} bars; cut the tune into shorter ones")


def _leaves_endings(bars: Sequence[Signs], place: int) -> bool:
    """Whether a bar follows the last ending of a section."""
    before, here = bars[place - 1].endings if place else frozenset(), bars[place].endings
    return bool(before) and before != here and (not here or 1 in here)


def _closes_ending(bars: Sequence[Signs], place: int) -> bool:
    """Whether an ending is over with this bar."""
    after = bars[place + 1].endings if place + 1 < len(bars) else frozenset()
    return bool(bars[place].closes) or after != bars[place].endings


def _last_ending(bars: Sequence[Signs], place: int) -> int:
    """The highest number of the endings of this section."""
    highest = 0
    while place < len(bars) and bars[place].endings and not (bars[place].opens and highest):
        highest = max(highest, *bars[place].endings)
        place += 1
    return highest
