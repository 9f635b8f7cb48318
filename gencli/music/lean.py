"""How the sounding chord leans on the melody: its tones gain a few tenths of a nat on the other pitches.

A log-linear feature beside the network (Rosenfeld 1996, section 2.4), with one weight. Learned along with the network
it is of little use, for training tunes are half known by heart; so it is fitted on tunes held out, as temperatures are
(Guo et al. 2017, section 4.2). Solos of two splits cost 0.014 and 0.006 nats a note less by it, 0.033 and 0.021 where
nothing else is told of chords. Weights for families of chords, degrees, strong beats and the chord to come gained no
more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gencli.music.vocabulary import Kind, Vocabulary

Array = NDArray[Any]
SPREAD: Final = 0.1  # standard deviation of the weight's prior, which is normal around 0: few notes move it little
STEPS: Final = 30  # of Newton's method, which needs five


@lru_cache(maxsize=8)
def tone_table(vocabulary: Vocabulary) -> Array:
    """(C, P) bool, by the value of a chord: which of the vocabulary's pitches are its tones. N.C. (0) has none."""
    pitches = np.array(vocabulary.pitches)
    table = np.zeros((1 + 12 * len(vocabulary.qualities), len(pitches)), np.bool_)
    for value in range(1, len(table)):
        chord = vocabulary.chord(value)
        assert chord is not None
        table[value] = np.isin(pitches % 12, list(chord.pitch_classes()))
    return table


def leaned(vocabulary: Vocabulary, logits: Array, chord: int, lean: float) -> Array:
    """Logits (V,) with `lean` nats more for pitches that are tones of the chord of this value, if one sounds.

    All pitches together stay as likely as they were, beside rests and holds.
    """
    if lean == 0 or chord <= 0:
        return logits
    pitches = vocabulary.block(Kind.PITCH)
    own = logits[pitches]
    moved = own + lean * tone_table(vocabulary)[chord]
    found = logits.copy()
    found[pitches] = moved + (log_sum(own) - log_sum(moved))
    return found


def fitted_lean(shares: Array, heard: Array) -> float:
    """The lean under which tones of the chord are as frequent as they are among notes (n,).

    shares (n,) in [0, 1]: what the network gives them of the probability of all pitches; heard (n,) bool: whether the
    note is one. Logistic regression on one weight, 0 without notes.
    """
    doubtful = (shares > 0) & (shares < 1)
    odds, heard = np.log(shares[doubtful]) - np.log1p(-shares[doubtful]), heard[doubtful]
    lean = 0.0
    for _ in range(STEPS):
        expected = 1 / (1 + np.exp(-(odds + lean)))
        slope = (heard - expected).sum() - lean / SPREAD**2
        lean += slope / ((expected * (1 - expected)).sum() + 1 / SPREAD**2)
    return round(float(lean), 3)


def log_sum(logits: Array) -> Array:
    """log(sum(exp(logits))) over the last axis."""
    top = logits.max(axis=-1)
    total: Array = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1))
    return total
