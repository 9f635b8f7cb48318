"""A tune as the program knows it: a melody, chord changes and bars, in whole ticks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from gencli.music.chords import Chord

TICKS = 12  # a quarter note: triplets and sixteenths are whole


@dataclass(frozen=True, slots=True)
class Note:
    """One note of the melody; start and duration in ticks from the sheet's beginning."""

    start: int
    duration: int
    pitch: int  # MIDI number; 60 is middle C

    @property
    def end(self) -> int:
        """The tick at which it has ended."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Change:
    """From this tick on this chord sounds; None means no chord (N.C.)."""

    start: int
    chord: Chord | None


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature."""

    beats: int = 4
    unit: int = 4

    @property
    def ticks(self) -> int:
        """The length of a full bar."""
        return self.beats * 4 * TICKS // self.unit

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `length` differs from the meter's in a pickup or an irregular bar."""

    start: int
    length: int
    meter: Meter = Meter()


@dataclass(frozen=True)
class LeadSheet:
    """A monophonic melody over changes. Notes ascend and never overlap; bars adjoin from tick 0 on.

    The first bar may be a pickup, shorter than its meter. Changes ascend strictly, each to another chord than the one
    before; before the first there is no chord, so that it is not None.
    Swing is notation here: notes are written straight, and `swing` is the ratio long:short at which pairs of eighths
    are played (1 = straight).
    """

    notes: tuple[Note, ...]
    changes: tuple[Change, ...]
    bars: tuple[Bar, ...]
    title: str = ""
    tempo: float | None = None  # quarters a minute
    key: str | None = None  # as in "C", "F#m", "Bb"
    swing: float = 1.0
    label: str = ""  # the style it was filed under
    notices: tuple[str, ...] = field(default=(), compare=False)  # what a reader had to change, in plain words

    @cached_property
    def length(self) -> int:
        """Ticks of all bars."""
        return self.bars[-1].start + self.bars[-1].length if self.bars else 0
