"""Side ids: what the network is told beside the token before, at the step that predicts each token.

Five rows, in this order, and twelve more:

    place      0 before the first bar, else 1 + ticks since the barline
    left       0 before the first bar, else 1 + ticks to the next barline
    distance   1 + ticks to the next change of the chord; 0 = not told
    label      0 = none, else the label's place in its block
    key        0 = not told, else the key's place in its block; told where changes are not
    tones      of C, C sharp ... B, told at the step after a change: 1 = not of the new chord, 2 = one of its tones

The tones say nothing that the CHORD token before them does not, but what is learned of one chord then holds for others
with the same tone. All but `distance` follow from the tokens before. It looks ahead: it is that of the first CHORD
token at or after the token to be predicted. Where changes are given, all of them are known from the beginning, and
while sampling the same numbers come from the list of changes. A document may be `untold`: it is 0 throughout. Training
shows some documents so, that the model can write changes of its own. Those have the key to hold on to.

Why so little: told its chord, the one to come and the tones at every step, the network knows a training tune by its
changes. Solos of two splits then cost 4.49 and 4.47 nats a note; without any of it 4.47 and 4.45; with the tones after
each change, and what the chord adds at the output (lean.py), 4.43 and 4.41. The bundled tunes, whose progressions
return, cost 2.57, 2.64 and 2.58.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gencli.music.vocabulary import Kind, Vocabulary

Ids = NDArray[np.int32]

PLACE: Final = 0
LEFT: Final = 1
DISTANCE: Final = 2
LABEL: Final = 3
KEY: Final = 4
TONES: Final = slice(5, 17)
ROWS: Final = 17

NOT_TOLD: Final = 0
BEFORE_CHORDS: Final = -1  # in the place of a chord's value in the vocabulary
MOST: Final = 96  # ticks that are told apart; a place further on is told modulo a bar of 4/4
_FOLD: Final = 48


def side_sizes(vocabulary: Vocabulary) -> tuple[int, ...]:
    """The number of ids of each row."""
    labels, keys = (len(vocabulary.values[vocabulary.block(kind)]) for kind in (Kind.LABEL, Kind.KEY))
    return 1 + MOST, 2 + MOST, 2 + MOST, labels, keys, *[3] * 12


@lru_cache(maxsize=8)
def tone_ids(vocabulary: Vocabulary) -> Ids:
    """(12, C) what the rows of tones tell of a chord, by its value; nothing of N.C. (0)."""
    table = np.zeros((12, 1 + 12 * len(vocabulary.qualities)), np.int32)
    for value in range(1, table.shape[1]):
        chord = vocabulary.chord(value)
        assert chord is not None
        table[:, value] = 1
        table[list(chord.pitch_classes()), value] = 2
    return table


def place_id(ticks: int) -> int:
    """The id of a place so many ticks after the barline."""
    return 1 + (ticks if ticks < MOST else _FOLD + ticks % _FOLD)


def span_id(ticks: int) -> int:
    """The id of a distance to a barline or a change."""
    return 1 + min(ticks, MOST)


def side_ids(vocabulary: Vocabulary, ids: Ids, lengths: NDArray[np.int64], told: bool = True) -> Ids:
    """(17, N) side ids of documents (D,) laid end to end as ids (N,), their changes told or not."""
    side = np.zeros((ROWS, len(ids)), np.int32)
    if len(ids) == 0:
        return side
    kinds, values = vocabulary.kinds[ids], vocabulary.values[ids]
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)  # (N,) where the document of each token begins
    clock = _before(np.where(kinds == Kind.DURATION, values, 0))
    bar = _last_before(kinds == Kind.BAR, first)
    inside = bar >= 0
    place = clock - clock[bar]
    side[PLACE] = np.where(inside, 1 + np.where(place < MOST, place, _FOLD + place % _FOLD), 0)
    left = _bar_lengths(kinds, values, first)[bar] - place
    side[LEFT] = np.where(inside, 1 + np.minimum(left, MOST), 0)
    side[TONES] = told_tones(vocabulary, ids, lengths)
    label = _last_before(kinds == Kind.LABEL, first)
    side[LABEL] = np.where(label >= 0, values[label], 0)
    if not told:
        key = _last_before(kinds == Kind.KEY, first)
        side[KEY] = np.where(key >= 0, values[key], 0)
        return side
    coming = _first_from(kinds == Kind.CHORD, first, lengths)
    side[DISTANCE] = 1 + np.where(coming >= 0, np.minimum(clock[coming] - clock, MOST), MOST)
    return side


def told_tones(vocabulary: Vocabulary, ids: Ids, lengths: NDArray[np.int64]) -> Ids:
    """(12, N) the rows of tones: told after a CHORD, and after the BASS that may follow it."""
    kinds = vocabulary.kinds[ids]
    fresh = np.zeros(len(ids), np.bool_)
    fresh[1:] = (kinds[:-1] == Kind.CHORD) | (kinds[:-1] == Kind.BASS)
    told = np.zeros((12, len(ids)), np.int32)
    told[:, fresh] = tone_ids(vocabulary)[:, sounding_chords(vocabulary, ids, lengths)[fresh]]
    return told


def sounding_chords(vocabulary: Vocabulary, ids: Ids, lengths: NDArray[np.int64]) -> Ids:
    """(N,) the value of the chord that sounds at the step that predicts each token, BEFORE_CHORDS before the first."""
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    chord = _last_before(vocabulary.kinds[ids] == Kind.CHORD, first)
    return np.where(chord >= 0, vocabulary.values[ids][chord], np.int32(BEFORE_CHORDS))


def _before(numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """(N,) the sum of all numbers before each."""
    return np.cumsum(numbers, dtype=np.int64) - numbers


def _last_before(wanted: NDArray[np.bool_], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) the last index before each at which `wanted` holds in the same document, -1 where there is none."""
    marks = np.where(wanted, np.arange(len(wanted)), -1)
    last = np.concatenate([[-1], np.maximum.accumulate(marks)[:-1]])
    return np.where(last >= first, last, -1)


def _first_from(wanted: NDArray[np.bool_], first: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) the first index at or after each at which `wanted` holds in the same document, -1 where there is none."""
    count = len(wanted)
    marks = np.where(wanted, np.arange(count), count)
    coming = np.minimum.accumulate(marks[::-1])[::-1]
    return np.where(coming < first + np.repeat(lengths, lengths), coming, -1)


def _bar_lengths(kinds: NDArray[np.int8], values: Ids, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) at each BAR the length of the bar: the sum of the LENGTHs since the bar before, or what the meter says."""
    lengths = _before(np.where(kinds == Kind.LENGTH, values, 0))
    bar = _last_before(kinds == Kind.BAR, first)
    said = lengths - lengths[np.where(bar >= 0, bar, first)]
    meter = _last_before(kinds == Kind.METER, first)
    return np.where(said > 0, said, np.where(meter >= 0, values[meter], 0))
