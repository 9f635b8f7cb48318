"""One voice of an ABC tune: it takes notes, rests, chord symbols and bar lines as they come, and keeps measures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gencli.music.abc_fields import Key
from gencli.music.chords import Chord
from gencli.music.lead_sheet import Meter
from gencli.music.measures import Measure, Written, snapped
from gencli.music.notices import Notices
from gencli.music.repeats import Signs, check_bars

MIDDLE = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
HIGHEST = 127
MOST_PASSES = 16  # of a repeated section


@dataclass
class Event:
    """Notes that begin together, or a rest; the duration is in quarters."""

    duration: Fraction
    pitches: tuple[int, ...]
    tied: bool


@dataclass
class Voice:
    """What was read so far, and what holds for the notes to come."""

    notices: Notices
    unit: Fraction  # the length of a plain letter, in quarters
    meter: Meter | None
    key: Key
    name: str = ""
    measures: list[Measure] = field(default_factory=list)
    overlaid: bool = False  # inside of a second voice in the same bar, behind &
    _free: list[Measure] = field(default_factory=list)  # measures without a meter
    _events: list[Event] = field(default_factory=list)  # of the bar that is not yet closed
    _chords: list[tuple[int, Chord | None]] = field(default_factory=list)  # and its chords, before which event
    _signs: Signs = field(default_factory=Signs)
    _accidentals: dict[str, int] = field(default_factory=dict)  # letter -> what was written before it in this bar
    _tied: dict[tuple[str, int], int] = field(default_factory=dict)  # letter and octave of tied notes -> pitch
    _last: dict[tuple[str, int], int] = field(default_factory=dict)  # the notes before
    _tuplet: tuple[int, Fraction] = (0, Fraction(1))  # how many notes it still holds, and their factor
    _dots: int = 0  # > behind the last note; < counts down

    def pitch(self, letter: str, octave: int, accidental: int | None) -> int:
        """The MIDI number of a note; octave 0 is the one of middle C."""
        if accidental is not None:
            self._accidentals[letter] = accidental
        elif (letter, octave) in self._tied:
            return self._tied[letter, octave]
        altered = self._accidentals.get(letter, self.key.alterations.get(letter, 0))
        return MIDDLE[letter] + 12 * octave + altered

    def sound(self, notes: dict[tuple[str, int], int], length: Fraction, tied: bool) -> None:
        """Add notes (letter and octave -> pitch) that begin together; none is a rest. `length` is in units."""
        legal = tuple(pitch for pitch in notes.values() if 0 <= pitch <= HIGHEST)
        self.notices.count("note(s) out of range left out", len(notes) - len(legal))
        duration = snapped(length * self.unit * self._tuplet_factor() * self._dotted())
        self._events.append(Event(duration, legal, tied))
        self._last = notes
        self._tied = notes if tied else {}

    def tie(self) -> None:
        """Tie the last notes to the next: a - that stands apart from them."""
        if self._events:
            self._events[-1].tied = True
            self._tied = self._last

    def rest_bars(self, count: int) -> None:
        """Add a rest of so many bars."""
        check_bars(count)
        meter = self.meter or Meter()
        self._events.append(Event(count * Fraction(4 * meter.beats, meter.unit), (), False))

    def chord(self, chord: Chord | None) -> None:
        """A chord that begins with the next note."""
        self._chords.append((len(self._events), chord))

    def tuplet(self, notes: int, time: int, count: int) -> None:
        """The next `count` notes are played `notes` in the time of `time`."""
        self._tuplet = (count, Fraction(time, notes))

    def broken(self, dots: int) -> None:
        """The last note is dotted so many times and the next one cut; the other way round where it is negative."""
        if self._events:
            self._events[-1].duration *= _dot_factor(dots)
            self._dots = dots

    def bar(self, closes: int, opens: bool, ends: bool, ending: frozenset[int]) -> None:
        """A bar line: :| with `closes` above 0, |: with `opens`; `ends` after it no ending goes on."""
        self.close()
        if closes and self.measures:
            self.measures[-1].signs.closes = min(closes, MOST_PASSES)
        if ends or closes or opens:
            self._signs.endings = frozenset()
        self._signs.opens |= opens
        self.ending(ending)

    def ending(self, passes: frozenset[int]) -> None:
        """The next bars are played in these passes alone."""
        if passes:
            self._signs.endings = passes

    def close(self) -> None:
        """End the bar that was being read, if anything is in it."""
        self.overlaid, self._dots, self._accidentals = False, 0, {}
        if not self._events:
            return
        starts = [Fraction(0)]
        for event in self._events:
            starts.append(starts[-1] + event.duration)
        notes = [
            Written(start, event.duration, pitch, event.tied)
            for start, event in zip(starts, self._events, strict=False)
            for pitch in event.pitches
        ]
        self.notices.count("note(s) of no length left out", sum(note.duration == 0 for note in notes))
        measure = Measure(
            self.meter or Meter(),
            [note for note in notes if note.duration],
            [(starts[place], chord) for place, chord in self._chords],
            starts[-1],
            self._signs,
        )
        self.measures.append(measure)
        check_bars(len(self.measures))
        if self.meter is None:
            self._free.append(measure)
        self._events, self._chords = [], []
        self._signs = Signs(endings=self._signs.endings)

    def finish(self) -> list[Measure]:
        """All measures, those of a tune without meter in the meter that most of its bars would fill."""
        self.close()
        lengths = Counter(measure.length for measure in self._free)
        usual = lengths.most_common(1)[0][0] if lengths else Fraction(0)
        unit = next((unit for unit in (4, 8, 16) if (usual * unit / 4).denominator == 1), None)
        if unit is not None and 1 <= usual <= 16:
            for measure in self._free:
                measure.meter = replace(measure.meter, beats=int(usual * unit / 4), unit=unit)
        return self.measures

    def _tuplet_factor(self) -> Fraction:
        """What the tuplet does to the next note."""
        left, factor = self._tuplet
        if left == 0:
            return Fraction(1)
        self._tuplet = (left - 1, factor)
        return factor

    def _dotted(self) -> Fraction:
        """What a > or < before the next note does to it."""
        dots, self._dots = self._dots, 0
        return _dot_factor(-dots)


def _dot_factor(dots: int) -> Fraction:
    """3/2, 7/4, ... for notes that are dotted, 1/2, 1/4, ... for their counterparts."""
    return 2 - Fraction(1, 2**dots) if dots >= 0 else Fraction(1, 2**-dots)
