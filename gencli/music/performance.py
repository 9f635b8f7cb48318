"""From the page to the ear: the pickup bar filled up, pairs of eighths swung, accents. MIDI's time, 480 a quarter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gencli.music.lead_sheet import TICKS, Bar, Note

PULSES = 480  # a quarter note in MIDI files
ON_BEAT, OFF_BEAT, PEAK = 84, 92, 8  # loudness of a melody: eighths off the beat are tongued, peaks stand out


@dataclass(frozen=True)
class Stroke:
    """One sound of a part as written: start and duration in ticks, loudness 1 ... 127."""

    start: int
    duration: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Played:
    """One sound as played: from `start` up to `end` in pulses."""

    start: int
    end: int
    pitch: int
    velocity: int


def lead_in(bars: Sequence[Bar]) -> int:
    """The ticks of rest that fill a pickup bar up, so that bar lines fall where a sequencer draws them."""
    return max(bars[0].meter.ticks - bars[0].length, 0) if bars else 0


def is_compound(bar: Bar) -> bool:
    """Whether the bar's beats are dotted: 3/8, 6/8, 9/8, 12/8."""
    return bar.meter.unit >= 8 and bar.meter.beats % 3 == 0


class Clock:
    """When a tick is played.

    Swing concerns beats of a quarter in meters counted in quarters or halves. In such a beat the second eighth comes
    after swing / (1 + swing) of it, and everything between is stretched in proportion; but only where all that begins
    in the beat begins with one of the two eighths: triplets and sixteenths stay as they are written.
    """

    def __init__(self, bars: Sequence[Bar], swing: float) -> None:
        self.bars = bars
        self.lead_in = lead_in(bars)
        self.middle = PULSES * swing / (1.0 + swing)  # where the second eighth falls
        self._starts = [bar.start for bar in bars]

    def pulses(self, ticks: Iterable[int], onsets: Iterable[int]) -> list[int]:
        """The pulse of each tick, in a part in which something begins at the onsets."""
        busy: dict[int, set[int]] = {}  # beat -> where in it something begins
        for tick in onsets:
            beat = self._beat(tick)
            if beat is not None:
                busy.setdefault(beat, set()).add(tick - beat)
        uneven = {beat for beat, places in busy.items() if not places <= {0, TICKS // 2}}
        return [self._pulse(tick, uneven) for tick in ticks]

    def _pulse(self, tick: int, uneven: set[int]) -> int:
        """One tick's pulse; beats in `uneven` are played as written."""
        beat = self._beat(tick)
        if beat is None or beat in uneven:
            return (self.lead_in + tick) * PULSES // TICKS
        half = TICKS // 2
        place, start = tick - beat, (self.lead_in + beat) * PULSES // TICKS
        if place <= half:
            return start + round(place * self.middle / half)
        return start + round(self.middle + (place - half) * (PULSES - self.middle) / half)

    def _beat(self, tick: int) -> int | None:
        """The tick at which the swung beat around a tick begins; None where nothing swings."""
        number = bisect_right(self._starts, tick) - 1
        if number < 0:
            return None
        bar = self.bars[number]
        if bar.meter.unit not in (2, 4):
            return None
        first = bar.start - (self.lead_in if number == 0 else 0)  # a pickup counts from its full bar's beginning
        beat = tick - (tick - first) % TICKS
        return beat if first <= beat and beat + TICKS <= bar.start + bar.length else None


def play(strokes: Sequence[Stroke], clock: Clock) -> list[Played]:
    """A part as played, in the order given. What is apart on the page stays apart, what adjoins adjoins."""
    onsets = [stroke.start for stroke in strokes]
    starts = clock.pulses(onsets, onsets)
    ends = clock.pulses([stroke.start + stroke.duration for stroke in strokes], onsets)
    return [
        Played(start, end, stroke.pitch, stroke.velocity)
        for stroke, start, end in zip(strokes, starts, ends, strict=True)
    ]


def melody_strokes(notes: Sequence[Note]) -> list[Stroke]:
    """The melody with accents: a little more off the beat, and at notes higher than both their neighbours."""
    pitches = [0, *(note.pitch for note in notes), 0]
    strokes = []
    for before, note, after in zip(pitches, notes, pitches[2:], strict=False):
        velocity = ON_BEAT if note.start % TICKS == 0 else OFF_BEAT
        if before < note.pitch > after:
            velocity += PEAK
        strokes.append(Stroke(note.start, note.duration, note.pitch, velocity))
    return strokes
