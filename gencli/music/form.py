"""What is settled before a tune is written: its form, and the rules that the melody keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gencli.config import check
from gencli.music.chord_spans import DOTTED
from gencli.music.lead_sheet import TICKS, Bar, Change, LeadSheet, Meter
from gencli.music.performance import is_compound


@dataclass(frozen=True)
class Form:
    """What is given; None leaves the choice to the model. `layout` stands in for bars, pickup and meter."""

    bars: int | None = None  # full bars
    pickup: int = 0  # ticks before them
    meter: Meter | None = None
    layout: tuple[Bar, ...] | None = None
    changes: tuple[Change, ...] | None = None  # known in advance
    label: str | None = None  # "" = none
    key: str | None = None
    tempo: float | None = None
    swing: float | None = None

    def __post_init__(self) -> None:
        check(self.bars is None or 1 <= self.bars <= 4096, f"--bars {self.bars}: must lie between 1 and 4096")
        check(self.pickup >= 0, f"pickup of {self.pickup} ticks: must be at least 0")
        check(self.layout is None or len(self.layout) > 0, "a layout without bars")

    def laid_out(self, meter: Meter) -> tuple[Bar, ...] | None:
        """All bars, in a meter that the model chose where none is given; None where the model ends the tune itself."""
        if self.layout is not None or self.bars is None:
            return self.layout
        return lay_bars(self.bars, self.meter or meter, self.pickup)


@dataclass(frozen=True)
class Rules:
    """How a melody is kept within bounds; the defaults are for writing, STRUCTURE for scoring what others wrote."""

    lowest: int = 0
    highest: int = 127
    leap: int = 12  # the largest interval between two notes, in semitones; 0 = any
    repeats: int = 4  # the most notes of one pitch in a row; 0 = any
    loops: int = 2  # how often a bar, or two bars in turn, may stand in a row; 0 = any
    settle: bool = True  # the last note is a tone of the last chord and lasts a beat at least
    strong_changes: bool = True  # the model's own changes go to another chord, on beats 1 and 3, in the last bar on 1
    chord_first: bool = False  # the first full bar begins with a chord of the model's own, where none is given
    unknown: bool = False  # whether notes whose pitch the vocabulary lacks may stand
    lean: float = 0.0  # nats that tones of the sounding chord gain on other pitches; see lean.py

    def __post_init__(self) -> None:
        check(self.lowest <= self.highest, f"--range {self.lowest}-{self.highest}: the lower pitch comes first")
        check(min(self.leap, self.repeats, self.loops) >= 0, "leap, repeats and loops: must be 0 (any) or above")


STRUCTURE = Rules(leap=0, repeats=0, loops=0, settle=False, strong_changes=False, unknown=True)


def lay_bars(count: int, meter: Meter, pickup: int = 0, start: int = 0) -> tuple[Bar, ...]:
    """A pickup of so many ticks, if any, and `count` full bars."""
    lengths = ([pickup] if pickup else []) + [meter.ticks] * count
    bars = []
    for length in lengths:
        bars.append(Bar(start, length, meter))
        start += length
    return tuple(bars)


def form_of(sheet: LeadSheet, with_changes: bool = True) -> Form:
    """All of a sheet but its melody, as given; without changes where the model is to predict them too."""
    return Form(
        layout=sheet.bars,
        changes=sheet.changes if with_changes else None,
        label=sheet.label,
        key=sheet.key,
        tempo=sheet.tempo,
        swing=sheet.swing,
    )


def continued(primer: LeadSheet, bars: int, changes: tuple[Change, ...] | None = None) -> Form:
    """A tune that begins as the primer does and goes on for so many bars in its last meter.

    Changes of the new bars count from the first of them; with them the primer's own are known in advance too.
    """
    meter = primer.bars[-1].meter if primer.bars else Meter()
    layout = (*primer.bars, *lay_bars(bars, meter, start=primer.length))
    if changes is not None:
        changes = (*primer.changes, *(Change(primer.length + change.start, change.chord) for change in changes))
    return replace(form_of(primer), layout=layout, changes=changes)


def beat_ticks(meter: Meter) -> int:
    """A beat, a quarter at least: 24 in 2/2, 18 in 6/8."""
    return DOTTED if _is_compound(meter) else max(TICKS, 4 * TICKS // meter.unit)


def strong_ticks(meter: Meter) -> frozenset[int]:
    """Where in a full bar changes usually fall: beats 1 and 3; in 2/2, 6/8 and 12/8 at half of the bar."""
    beat = beat_ticks(meter)
    halves = _is_compound(meter) or meter.unit == 2
    second = meter.ticks // 2 if halves and (meter.ticks // beat) % 2 == 0 else 2 * beat
    return frozenset({0, second} if second < meter.ticks else {0})


def _is_compound(meter: Meter) -> bool:
    """Whether its beats are dotted."""
    return is_compound(Bar(0, meter.ticks, meter))
