"""Tokens <-> ids: in blocks by kind, ascending within each, so that a mask or a transposition is a slice.

END is 0 and UNKNOWN 1; then labels, meters, swings, tempos, keys, lengths, BAR, R, H, pitches, durations, chords (N.C.,
then twelve roots for each quality) and basses. Pitches reach six semitones beyond those of the training tunes, so that
each tune can be moved to every key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.errors import ModelFileError
from gencli.music.chords import FLATS, QUALITIES, Chord
from gencli.music.lead_sheet import LeadSheet, Meter
from gencli.music.qualities import nearest_quality
from gencli.music.tokens import (
    END,
    KEYS,
    LENGTHS,
    LONGEST,
    NO_CHORD,
    SWINGS,
    TEMPOS,
    UNKNOWN,
    UNTOLD,
    nearest_swing,
    nearest_tempo,
    parse_meter,
    pitch_class,
    sheet_of,
    tokens_of,
)

MARGIN = 6  # semitones beyond the training tunes: the furthest that transposition goes


class Kind(IntEnum):
    """What a token is."""

    END = 0
    UNKNOWN = 1
    LABEL = 2
    METER = 3
    SWING = 4
    TEMPO = 5
    KEY = 6
    LENGTH = 7
    BAR = 8
    REST = 9
    HOLD = 10
    PITCH = 11
    DURATION = 12
    CHORD = 13
    BASS = 14


HEADER = (Kind.LABEL, Kind.METER, Kind.SWING, Kind.TEMPO, Kind.KEY)  # in the order in which they stand
PREFIXES = {  # of names with a value
    "LABEL_": Kind.LABEL,
    "METER_": Kind.METER,
    "SWING_": Kind.SWING,
    "TEMPO_": Kind.TEMPO,
    "KEY_": Kind.KEY,
    "LENGTH_": Kind.LENGTH,
    "C:": Kind.CHORD,
    "B:": Kind.BASS,
    "P": Kind.PITCH,
    "D": Kind.DURATION,
}
WHOLE = {END: Kind.END, UNKNOWN: Kind.UNKNOWN, "BAR": Kind.BAR, "R": Kind.REST, "H": Kind.HOLD}


def split_name(name: str) -> tuple[Kind, str]:
    """ "P60" -> (PITCH, "60"), "R" -> (REST, ""); anything else is (UNKNOWN, "")."""
    if name in WHOLE:
        return WHOLE[name], ""
    return next(((kind, name[len(head) :]) for head, kind in PREFIXES.items() if name.startswith(head)), (Kind(1), ""))


@dataclass(frozen=True)
class Vocabulary:
    """All tokens a model knows, by id."""

    names: tuple[str, ...]

    @classmethod
    def fit(cls, tunes: Iterable[Sequence[str]], min_count: int = 1) -> Vocabulary:
        """What tunes of tokens use, closed under transposition; qualities of chords must occur min_count times."""
        seen = Counter(name for tune in tunes for name in tune)
        values: dict[Kind, Counter[str]] = {kind: Counter() for kind in Kind}
        for name, count in seen.items():
            kind, value = split_name(name)
            values[kind][value.partition(":")[2] if kind == Kind.CHORD else value] += count
        pitches = [int(pitch) for pitch in values[Kind.PITCH]] or [60]
        qualities = sorted(name for name, count in values[Kind.CHORD].items() if name and count >= min_count)
        labels = sorted(label for label in values[Kind.LABEL] if label != UNTOLD)
        meters = sorted(values[Kind.METER], key=_meter_order) or ["4/4"]
        lowest, highest = max(min(pitches) - MARGIN, 0), min(max(pitches) + MARGIN, 127)
        return cls(_names(labels, meters, range(lowest, highest + 1), qualities))

    @classmethod
    def saved(cls, names: Sequence[str]) -> Vocabulary:
        """The vocabulary of these names; ModelFileError where they are not in its order."""
        groups: dict[Kind, list[str]] = {}
        for kind, value in map(split_name, names):
            groups.setdefault(kind, []).append(value)
        pitches = [int(value) for value in groups.get(Kind.PITCH, []) if value.isdecimal()]
        qualities = dict.fromkeys(value.partition(":")[2] for value in groups.get(Kind.CHORD, [])[1:])
        labels, meters = groups.get(Kind.LABEL, [])[1:], groups.get(Kind.METER, [])
        wanted = _names(labels, meters, range(min(pitches, default=0), max(pitches, default=-1) + 1), list(qualities))
        known = all(quality in QUALITIES for quality in qualities) and all(map(_is_meter, meters))
        if not (known and pitches and meters and pitches[-1] < 128 and tuple(names) == tuple(wanted)):
            raise ModelFileError("codec state: not a vocabulary of music in its order")
        return cls(tuple(names))

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def index(self) -> dict[str, int]:
        """Name -> id."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def kinds(self) -> NDArray[np.int8]:
        """(V,) the Kind of each id."""
        return np.array([split_name(name)[0] for name in self.names], np.int8)

    @cached_property
    def values(self) -> NDArray[np.int32]:
        """(V,) what a token of each kind amounts to.

        METER, LENGTH, DURATION: ticks. PITCH: MIDI number. CHORD: 0 for N.C., 1 + 12 * quality + root. BASS: pitch
        class. Others: their place in their block, from 0 on.
        """
        values = np.arange(len(self)) - self._firsts[self.kinds]
        for index, name in enumerate(self.names):
            kind, value = split_name(name)
            if kind in (Kind.LENGTH, Kind.PITCH, Kind.DURATION):
                values[index] = int(value)
            elif kind == Kind.METER:
                values[index] = parse_meter(value).ticks
        return values.astype(np.int32)

    @cached_property
    def _firsts(self) -> NDArray[np.int64]:
        """(kinds,) the first id of each kind, as if ids of no kind stood at the end."""
        return np.array([np.argmax(np.append(self.kinds == kind, True)) for kind in Kind])

    def block(self, kind: Kind) -> slice:
        """The ids of a kind."""
        first = self.first(kind)
        return slice(first, first + int((self.kinds == kind).sum()))

    def first(self, kind: Kind) -> int:
        """The lowest id of a kind."""
        return int(self._firsts[kind])

    @cached_property
    def pitches(self) -> range:
        """The MIDI numbers it has tokens for."""
        values = self.values[self.block(Kind.PITCH)]
        return range(int(values[0]), int(values[-1]) + 1)

    @cached_property
    def qualities(self) -> tuple[str, ...]:
        """The qualities of chords it has tokens for, sorted; none where it knows no chords."""
        block = self.block(Kind.CHORD)
        return tuple(name.rpartition(":")[2] for name in self.names[block.start + 1 : block.stop : 12])

    def chord_id(self, chord: Chord | None) -> int:
        """The token of a chord, or of the nearest quality it knows, without the bass. IndexError where it has none."""
        if not self.qualities:
            raise IndexError("a vocabulary without chords")
        if chord is None:
            return self.first(Kind.CHORD)
        quality = chord.quality
        if quality not in self.qualities:
            quality = nearest_quality(QUALITIES[quality].degrees, self.qualities)
        return self.first(Kind.CHORD) + 1 + 12 * self.qualities.index(quality) + chord.root

    def chord(self, value: int) -> Chord | None:
        """The chord, without bass, of the value of a CHORD."""
        return None if value == 0 else Chord((value - 1) % 12, self.qualities[(value - 1) // 12])

    def meter_id(self, meter: Meter) -> int:
        """The token of a meter, else of one as long, else of 4/4 or the first there is."""
        block = self.block(Kind.METER)
        equal = np.flatnonzero(self.values[block] == meter.ticks)
        near = self.first(Kind.METER) + int(equal[0] if len(equal) else 0)
        return self.index.get(f"METER_{meter}", near if len(equal) else self.index.get("METER_4/4", near))

    def meter(self, index: int) -> Meter:
        """The meter of a METER id."""
        return parse_meter(self.names[index].removeprefix("METER_"))

    def encode(self, sheet: LeadSheet) -> NDArray[np.int32]:
        """The ids (N,) of a sheet, without END; see `sayable` and `id_of` for what it has no tokens for."""
        return np.array([self.id_of(name) for name in tokens_of(self.sayable(sheet))], np.int32)

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> LeadSheet:
        """The sheet of ids; ValueError where they are none's."""
        return sheet_of([self.names[index] for index in np.asarray(ids).tolist()])

    def sayable(self, sheet: LeadSheet) -> LeadSheet:
        """The sheet with its bars as long as they are, but in known meters, and without chords where none are known."""
        meters = {bar.meter: self.meter(self.meter_id(bar.meter)) for bar in sheet.bars}
        bars = tuple(replace(bar, meter=meters[bar.meter]) for bar in sheet.bars)
        return replace(sheet, bars=bars, changes=sheet.changes if self.qualities else ())

    def id_of(self, name: str) -> int:
        """The id of a token or of the nearest: chord quality, tempo and swing class, no label; else that of UNKNOWN."""
        if name in self.index:
            return self.index[name]
        kind, value = split_name(name)
        root, _, quality = value.partition(":")
        if kind == Kind.CHORD and self.qualities and quality in QUALITIES:
            return self.chord_id(Chord(pitch_class(root), quality))
        if kind == Kind.LABEL:
            return self.first(kind)
        if kind == Kind.TEMPO:
            name = f"TEMPO_{nearest_tempo(float(value))}"
        if kind == Kind.SWING:
            name = f"SWING_{nearest_swing(float(value)):g}"
        return self.index.get(name, int(Kind.UNKNOWN))


def _names(labels: Sequence[str], meters: Sequence[str], pitches: range, qualities: Sequence[str]) -> tuple[str, ...]:
    """All names in order of their ids."""
    chords = [NO_CHORD, *(f"C:{root}:{quality}" for quality in qualities for root in FLATS)] if qualities else []
    return (
        END,
        UNKNOWN,
        *(f"LABEL_{label}" for label in (UNTOLD, *labels)),
        *(f"METER_{meter}" for meter in meters),
        *(f"SWING_{swing:g}" for swing in SWINGS),
        *(f"TEMPO_{tempo}" for tempo in (UNTOLD, *TEMPOS)),
        *(f"KEY_{key}" for key in (UNTOLD, *KEYS)),
        *(f"LENGTH_{ticks}" for ticks in LENGTHS),
        "BAR",
        "R",
        "H",
        *(f"P{pitch}" for pitch in pitches),
        *(f"D{ticks}" for ticks in range(1, LONGEST + 1)),
        *chords,
        *(f"B:{name}" for name in (FLATS if chords else ())),
    )


def _meter_order(meter: str) -> tuple[int, int]:
    """By unit, then by beats."""
    return parse_meter(meter).unit, parse_meter(meter).beats


def _is_meter(text: str) -> bool:
    beats, _, unit = text.partition("/")
    return beats.isdecimal() and unit.isdecimal() and int(beats) > 0 and int(unit) > 0
