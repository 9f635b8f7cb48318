"""Side ids: what the network is told beside the token before, at the step that predicts each token.

Seven rows, in this order, and twelve more:

    place      0 before the first bar, else 1 + ticks since the barline
    left       0 before the first bar, else 1 + ticks to the next barline
    chord      the chord that sounds
    next       the chord that is to come
    distance   1 + ticks to that change; 0 = not told
    label      0 = none, else the label's place in its block
    key        0 = not told, else the key's place in its block; told where changes are not
    tones      of C, C sharp ... B: 0 = no chord sounds, 1 = not of the chord that sounds, 2 = one of its tones

A chord's id is 2 + its value in the vocabulary (2: N.C.); 0 says "not told" (of the chord that sounds: none so far),
1 says that no change is to come.

The tones say nothing that `chord` does not, but what is learned of one chord then holds for others with the same tone.

All but `next` and `distance` follow from the tokens before. Those two look ahead: they are those of the first CHORD
token at or after the token to be predicted. Where changes are given, all of them are known from the beginning, and
while sampling the same numbers come from the list of changes. A CHORD token is then nearly free: `next` names it, and
`distance` is 1 exactly where it must stand. A document may be `untold`: both are 0 throughout, and the chords have to
be predicted like any token. Training shows some documents so, that the model can write changes of its own. Those have
the key to hold on to; where changes are told they say more, and beside a key the model would listen to them less.
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
CHORD: Final = 2
NEXT: Final = 3
DISTANCE: Final = 4
LABEL: Final = 5
KEY: Final = 6
TONES: Final = slice(7, 19)
ROWS: Final = 19

NOT_TOLD: Final = 0
NONE_TO_COME: Final = 1
FIRST_CHORD: Final = 2  # side id of N.C.; chords follow
MOST: Final = 96  # ticks that are told apart; a place further on is told modulo a bar of 4/4
_FOLD: Final = 48


def side_sizes(vocabulary: Vocabulary) -> tuple[int, ...]:
    """The number of ids of each row."""
    chords = FIRST_CHORD + 1 + 12 * len(vocabulary.qualities)
    labels, keys = (len(vocabulary.values[vocabulary.block(kind)]) for kind in (Kind.LABEL, Kind.KEY))
    return 1 + MOST, 2 + MOST, chords, chords, 2 + MOST, labels, keys, *[3] * 12


@lru_cache(maxsize=8)
def tone_table(vocabulary: Vocabulary) -> Ids:
    """(12, S) what the side ids of chords say in the rows of tones."""
    table = np.zeros((12, FIRST_CHORD + 1 + 12 * len(vocabulary.qualities)), np.int32)
    for value in range(1, 1 + 12 * len(vocabulary.qualities)):
        chord = vocabulary.chord(value)
        assert chord is not None
        table[:, FIRST_CHORD + value] = 1
        table[list(chord.pitch_classes()), FIRST_CHORD + value] = 2
    return table


def place_id(ticks: int) -> int:
    """The id of a place so many ticks after the barline."""
    return 1 + (ticks if ticks < MOST else _FOLD + ticks % _FOLD)


def span_id(ticks: int) -> int:
    """The id of a distance to a barline or a change."""
    return 1 + min(ticks, MOST)


def side_ids(vocabulary: Vocabulary, ids: Ids, lengths: NDArray[np.int64], told: bool = True) -> Ids:
    """(19, N) side ids of documents (D,) laid end to end as ids (N,), their changes told or not."""
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
    is_chord = kinds == Kind.CHORD
    chord = _last_before(is_chord, first)
    side[CHORD] = np.where(chord >= 0, FIRST_CHORD + values[chord], NOT_TOLD)
    side[TONES] = tone_table(vocabulary)[:, side[CHORD]]
    label = _last_before(kinds == Kind.LABEL, first)
    side[LABEL] = np.where(label >= 0, values[label], 0)
    if not told:
        key = _last_before(kinds == Kind.KEY, first)
        side[KEY] = np.where(key >= 0, values[key], 0)
        return side
    coming = _first_from(is_chord, first, lengths)
    side[NEXT] = np.where(coming >= 0, FIRST_CHORD + values[coming], NONE_TO_COME)
    side[DISTANCE] = 1 + np.where(coming >= 0, np.minimum(clock[coming] - clock, MOST), MOST)
    return side


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
