"""Times as they were played to ticks: swing straightened, sixteenths and triplets told apart beat by beat."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median, quantiles

from gencli.music.lead_sheet import TICKS, Bar

EARLY = 0.4  # ticks by which a note may come before its beat
ON_BEAT = 1.0  # ticks around a beat that count as on it
STRAIGHT, SWUNG, DOTTED = 5.4, 6.3, 8.7  # where an offbeat eighth is straight up to, swung up to
FEWEST_SWUNG = 6  # offbeats that make a swing
MOST_STRAIGHT = 0.05  # of the swung ones: more, and the differences are meant
SWING_ROUNDED = 0.1  # ticks that rounding in the file explains
WIDEST = 0.8  # ticks between the quartiles of swung offbeats: wider, and they are not one swing
EXACT = 0.06  # ticks off the grid that rounding in the file explains
LOOSE = 0.1  # of the onsets: more off the grid, and somebody played

# Grids for a beat that was played by hand, and what one costs: the finer the dearer.
GRIDS = (((0, 6, 12), 0.0), ((0, 3, 6, 9, 12), 0.5), ((0, 4, 8, 12), 0.8), (tuple(range(TICKS + 1)), 3.0))


class Beats:
    """Where the quarters of a tune's bars begin; those of a bar are counted from its own beginning."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.starts: list[int] = []
        self._swings: list[bool] = []
        for bar in bars:
            for offset in range(0, bar.length, TICKS):
                self.starts.append(bar.start + offset)
                self._swings.append(bar.meter.unit <= 4 and offset + TICKS <= bar.length)

    def at(self, place: float) -> tuple[int, float]:
        """The number of the beat a place belongs to, and how far in it; a little before the beat counts as on it."""
        number = max(0, bisect_right(self.starts, place + EARLY) - 1)
        return number, place - self.starts[number]

    def swings(self, number: int) -> bool:
        """Whether a beat can be swung: it is a whole quarter, and its meter counts in quarters or halves."""
        return self._swings[number]


@dataclass(frozen=True)
class Grid:
    """How the times of one tune become ticks. `swing` is long:short of its eighths; 1 is straight."""

    division: int  # file ticks of a quarter
    beats: Beats
    swing: float = 1.0
    kept: frozenset[int] = frozenset()  # beats that are not straightened
    grids: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # of a beat's onsets; where none, every tick

    def tick(self, time: float) -> int:
        """The tick of a time in file ticks."""
        place = self.straightened(time * TICKS / self.division)
        number, phase = self.beats.at(place)
        grid = self.grids.get(number)
        if grid is None:
            return max(0, math.floor(place + 0.5))
        return max(0, self.beats.starts[number] + min(grid, key=lambda tick: (abs(tick - phase), tick)))

    def straightened(self, place: float) -> float:
        """A place in a swung beat, moved so that the beat is divided in half."""
        if self.swing == 1:
            return place
        number, phase = self.beats.at(place)
        if number in self.kept or not self.beats.swings(number) or phase > TICKS:
            return place
        late = TICKS * self.swing / (1 + self.swing)
        half = TICKS / 2
        moved = phase * half / late if phase <= late else half + (phase - late) * half / (TICKS - late)
        return self.beats.starts[number] + moved


def find_grid(onsets: Sequence[int], division: int, bars: Sequence[Bar], marked: float | None = None) -> Grid:
    """The grid of a melody's onsets, in file ticks, over bars that reach beyond them; `marked` is a swing it tells.

    Swing is seen where beats are divided late, all at about the same place, and almost never in half; then those
    beats are straightened, and what divides a beat otherwise, such as a triplet, is left alone.
    """
    beats = Beats(bars)
    by_beat: dict[int, list[float]] = defaultdict(list)
    for onset in onsets:
        number, phase = beats.at(onset * TICKS / division)
        by_beat[number].append(phase)
    offbeats = {n: late for n, phases in by_beat.items() if (late := _offbeat(phases)) is not None and beats.swings(n)}
    swing = marked or _swing(list(offbeats.values()))
    grid = Grid(division, beats)
    if swing is not None and swing != 1:
        late = TICKS * swing / (1 + swing)
        uneven = {n for n, phases in by_beat.items() if any(abs(phase) > ON_BEAT for phase in phases)}
        # Where the swing is exact, a triplet's quarter and eighth differ from it.
        close = SWING_ROUNDED if marked or _spread(offbeats.values()) <= SWING_ROUNDED else WIDEST
        kept = uneven - {n for n, place in offbeats.items() if abs(place - late) <= close}
        grid = Grid(division, beats, swing, frozenset(kept))
    places = [grid.straightened(onset * TICKS / division) for onset in onsets]
    off = sum(abs(place - math.floor(place + 0.5)) > EXACT for place in places)
    return replace(grid, grids=_grids(places, beats)) if off > LOOSE * len(places) else grid


def _offbeat(phases: list[float]) -> float | None:
    """Where a beat is divided that has one onset off it, and none or one on it."""
    off = [phase for phase in phases if abs(phase) > ON_BEAT]
    return off[0] if len(off) == 1 and len(phases) <= 2 else None


def _swing(offbeats: list[float]) -> float | None:
    """The ratio of long to short, if these divisions of beats are a swing."""
    swung = [late for late in offbeats if SWUNG <= late <= DOTTED]
    straight = sum(STRAIGHT <= late < SWUNG for late in offbeats)
    if len(swung) < FEWEST_SWUNG or straight > MOST_STRAIGHT * len(swung):
        return None
    middle = median(swung)
    return round(middle / (TICKS - middle), 2) if _spread(swung) <= WIDEST else None


def _spread(offbeats: Iterable[float]) -> float:
    """The ticks between the quartiles of those that are swung."""
    swung = [late for late in offbeats if SWUNG <= late <= DOTTED]
    if len(swung) < 2:
        return 0.0
    low, _, high = quantiles(swung, n=4)
    return high - low


def _grids(places: Sequence[float], beats: Beats) -> dict[int, tuple[int, ...]]:
    """The grid of each beat that has onsets: the one that moves them least, finer ones being dearer."""
    by_beat: dict[int, list[float]] = defaultdict(list)
    for place in places:
        number, phase = beats.at(place)
        by_beat[number].append(phase)
    found = {}
    for number, phases in by_beat.items():
        costs = [(cost + sum(min(abs(p - tick) for tick in grid) for p in phases), grid) for grid, cost in GRIDS]
        found[number] = min(costs)[1]
    return found
