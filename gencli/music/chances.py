"""What a backing leaves to chance: raw random numbers by name, the same on every machine and in every version."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

COMPING: Final = 1  # each use its own numbers under the same seed
BASS: Final = 2
DRUMS: Final = 3


def chances(use: int, seed: int, count: int, sides: int) -> NDArray[np.int64]:
    """Whole numbers (count,) in 0 ... sides - 1; number i depends on use, seed and i alone, not on the count."""
    raw = np.random.PCG64([use, seed]).random_raw(count)  # raw output: fixed across versions of numpy
    return ((raw >> np.uint64(32)) % np.uint64(sides)).astype(np.int64)
