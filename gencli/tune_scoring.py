"""How probable a tune's melody is under a network, given its chords and bars: as a whole and bar by bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gencli.codecs.music import MusicCodec
from gencli.music.form import STRUCTURE, form_of
from gencli.music.grammar import Grammar
from gencli.music.improvise import Reader, Scored, score_tunes
from gencli.music.lead_sheet import LeadSheet
from gencli.music.sketch import chords_of

ROWS = 16  # tunes read side by side


@dataclass(frozen=True)
class BarScore:
    """One bar; log-probabilities in nats, see TuneScore."""

    number: int  # from 1 on; a pickup is 0
    chords: str  # the names of those that begin in it
    notes: int  # that begin in it
    raw: float
    legal: float


@dataclass(frozen=True)
class TuneScore:
    """The log-probability in nats of a melody, its events and durations, given meters, bars and chords.

    `raw` is under the model as it is, `legal` renormalised over what the grammar allows at each step: bars that sum.
    """

    bars: tuple[BarScore, ...]
    tokens: int

    @property
    def notes(self) -> int:
        """Notes that begin."""
        return sum(bar.notes for bar in self.bars)

    @property
    def raw(self) -> float:
        """Of all bars."""
        return sum(bar.raw for bar in self.bars)

    @property
    def legal(self) -> float:
        """Of all bars."""
        return sum(bar.legal for bar in self.bars)


def score_sheets(reader: Reader, codec: MusicCodec, sheets: Sequence[LeadSheet]) -> Iterator[TuneScore]:
    """The scores of tunes, in their order. What the vocabulary lacks goes to what is nearest, pitches to <UNK>."""
    for first in range(0, len(sheets), ROWS):
        known = [codec.vocabulary.sayable(sheet) for sheet in sheets[first : first + ROWS]]
        rules = replace(STRUCTURE, lean=codec.lean)
        grammars = [Grammar(codec.vocabulary, form_of(sheet), rules) for sheet in known]
        ids = [codec.encode_sheet(sheet) for sheet in known]
        scored = score_tunes(reader, list(zip(grammars, ids, strict=True)))
        yield from map(_by_bars, known, scored)


def _by_bars(sheet: LeadSheet, scored: Scored) -> TuneScore:
    """The sums of each bar."""
    melody = scored.melody
    places = scored.bars[melody]
    count = len(sheet.bars)
    raw = np.bincount(places, scored.raw[melody], count)
    legal = np.bincount(places, scored.allowed[melody], count)
    offset = 0 if count > 1 and sheet.bars[0].length < sheet.bars[0].meter.ticks else 1
    bars = []
    for place, bar in enumerate(sheet.bars):
        end = bar.start + bar.length
        notes = sum(bar.start <= note.start < end for note in sheet.notes)
        chords = chords_of(sheet, bar.start, end)
        bars.append(BarScore(place + offset, chords, notes, float(raw[place]), float(legal[place])))
    return TuneScore(tuple(bars), int(melody.sum()))
