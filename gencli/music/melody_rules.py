"""Which pitches may follow: range, leap and repetition, and what gives way where they leave nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gencli.config import check
from gencli.music.form import Rules
from gencli.music.vocabulary import Vocabulary

Mask = NDArray[np.bool_]


class MelodyRules:
    """Masks (P,) over the pitches of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, rules: Rules) -> None:
        """OptionError where no pitch of the vocabulary lies in the range."""
        known = vocabulary.pitches
        self.first, self.rules = known[0], rules
        pitches = np.array(known)
        self.range = (pitches >= rules.lowest) & (pitches <= rules.highest)
        shown = f"--range {rules.lowest}-{rules.highest}"
        check(bool(self.range.any()), f"{shown}: the model knows pitches {known[0]} to {known[-1]} alone")
        leaps = np.abs(pitches[None] - np.arange(128)[:, None])  # (128, P) from each pitch
        self._near = self.range & (leaps <= rules.leap if rules.leap else leaps >= 0)

    def pitches(self, last: int | None, run: int, tones: Mask | None) -> Mask:
        """What may follow `last`, which has stood `run` times in a row; of `tones` (128,) alone where given."""
        mask = self.range.copy() if last is None else self._near[last].copy()
        if last is not None and self.rules.repeats and run >= self.rules.repeats and self._knows(last):
            mask[last - self.first] = False
        return mask if tones is None else mask & self._of(tones)

    def last_resort(self, last: int | None, tones: Mask | None) -> Mask:
        """What may follow where `pitches` is empty and nothing else can stand: never empty.

        Repetition gives way first, then the leap, then the tones of the chord; the range never does.
        """
        near = self.range if last is None else self._near[last]
        wanted = np.ones_like(near) if tones is None else self._of(tones)
        return next(mask for mask in (near & wanted, self.range & wanted, self.range) if mask.any())

    def _knows(self, pitch: int) -> bool:
        return 0 <= pitch - self.first < len(self.range)

    def _of(self, tones: Mask) -> Mask:
        """(128,) -> (P,)"""
        return tones[self.first : self.first + len(self.range)]
