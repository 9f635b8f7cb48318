"""Tunes in all twelve keys, as permutations of ids, and what else training varies from epoch to epoch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gencli.music.side import LABEL, TONES, side_ids, told_tones
from gencli.music.vocabulary import Kind, Vocabulary

Ids = NDArray[np.int32]

MOVES: Final = (0, 1, 2, 3, 4, 5, 6, -5, -4, -3, -2, -1)  # semitones up for each shift 0 ... 11: the shorter way
UNLABELLED: Final = 0.1  # share of tunes whose label is hidden: so that the model can write without one
UNTOLD: Final = 0.25  # share of tunes whose changes are not told in advance: so that it can write its own
_VARIED: Final = 0x7A  # keeps these random numbers apart from those of other uses of the same seed


def id_table(vocabulary: Vocabulary) -> Ids:
    """(12, V): table[shift] maps every id to that of the same token `shift` semitones higher, an octave apart from it
    where that is nearer. Each row is a permutation: pitches that would leave the vocabulary come in at its other end.
    """
    table = np.tile(np.arange(len(vocabulary), dtype=np.int32), (12, 1))
    pitches, keys = vocabulary.block(Kind.PITCH), vocabulary.block(Kind.KEY)
    chords, basses = vocabulary.block(Kind.CHORD), vocabulary.block(Kind.BASS)
    for shift, move in enumerate(MOVES):
        table[shift, pitches] = np.roll(table[0, pitches], -move)
        twelves = [slice(first, first + 12) for first in range(keys.start + 1, keys.stop, 12)]
        twelves += [slice(first, first + 12) for first in range(chords.start + 1, chords.stop, 12)]
        for twelve in [*twelves, *([basses] if vocabulary.qualities else [])]:
            table[shift, twelve] = np.roll(table[0, twelve], -shift)
    return table


def legal_shifts(vocabulary: Vocabulary, ids: Ids, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(D, 12) the shifts that leave all pitches of a document (D,) within the vocabulary; 0 is always one."""
    known = vocabulary.pitches
    pitches = vocabulary.values[ids]
    played = vocabulary.kinds[ids] == Kind.PITCH
    highest = _by_document(np.maximum, np.where(played, pitches, known[0]), lengths)
    lowest = _by_document(np.minimum, np.where(played, pitches, known[-1]), lengths)
    moves = np.array(MOVES)
    legal: NDArray[np.bool_] = (lowest[:, None] + moves >= known[0]) & (highest[:, None] + moves <= known[-1])
    legal[:, 0] = True
    return legal


def _by_document(ufunc: np.ufunc, numbers: Ids, lengths: NDArray[np.int64]) -> Ids:
    """(D,) the reduction of each document; none is empty."""
    found: Ids = ufunc.reduceat(numbers, np.cumsum(lengths) - lengths)
    return found


def varied(
    vocabulary: Vocabulary, ids: Ids, side: Ids, lengths: NDArray[np.int64], seed: int, epoch: int
) -> tuple[Ids, Ids]:
    """Documents (D,) as an epoch of training sees them: ids (N,) and side ids (17, N), the same for the same arguments.

    Each is moved to one of the keys that its range allows, all equally likely; of one in ten the label is hidden, and
    of one in four the changes are not told in advance. Never vary what validates.
    """
    if len(lengths) == 0:
        return ids, side
    raw = np.random.PCG64([_VARIED, seed, epoch]).random_raw(3 * len(lengths))  # fixed across versions of numpy
    chances = (raw >> np.uint64(11)).reshape(3, -1) * 2.0**-53  # (3, D) in [0, 1)
    legal = legal_shifts(vocabulary, ids, lengths)
    which = np.floor(chances[0] * legal.sum(axis=1)).astype(np.int64)  # of the legal ones
    shifts = np.argmax(np.cumsum(legal, axis=1) > which[:, None], axis=1)  # (D,)
    ids = id_table(vocabulary)[np.repeat(shifts, lengths), ids]
    side = side.copy()
    side[TONES] = told_tones(vocabulary, ids, lengths)
    untold = chances[1] < UNTOLD
    some = np.repeat(untold, lengths)
    side[:, some] = side_ids(vocabulary, ids[some], lengths[untold], told=False)
    unlabelled = np.repeat(chances[2] < UNLABELLED, lengths)
    side[LABEL, unlabelled] = 0
    labels = vocabulary.kinds[ids] == Kind.LABEL
    ids[unlabelled & labels] = vocabulary.block(Kind.LABEL).start
    return ids, side
