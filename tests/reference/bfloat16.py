"""Rounding float32 to bfloat16 by its definition: 8 significant bits, to nearest, ties to the even one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAST_NORMAL = 2.0**-126  # of float32 and of bfloat16, whose exponents are the same
SIGNIFICANT = 2.0**8


def rounded(x: Array) -> Array:
    """float32 numbers rounded to bfloat16, as float32.

    Magnitudes below the least normal float32, before rounding, become zero with their sign; those that round beyond
    the largest bfloat16 become infinite; NaN stays NaN.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # signalling NaN; what ends beyond the largest number
        wide = np.asarray(x, np.float32).astype(np.float64)
        fraction, exponent = np.frexp(wide)  # the fraction in [0.5, 1), so that fraction * 2**8 has 8 whole bits
        nearest = np.ldexp(np.rint(fraction * SIGNIFICANT) / SIGNIFICANT, exponent)
        nearest = np.where(np.abs(wide) < LEAST_NORMAL, np.copysign(0.0, wide), nearest)
        return nearest.astype(np.float32)


def bits(x: Array) -> Array:
    """The 16 bits of each number once rounded: the upper half of a float32, whose lower half is then zero."""
    words = rounded(x).view(np.uint32)
    return (words >> 16).astype(np.uint16)


def words(rows: Array) -> Array:
    """A matrix (k, N) as uint32 ((k + 1) // 2, N): rows 2 i and 2 i + 1 share a word, the first in its lower half.

    Where k is odd, the last word's upper half is zero.
    """
    k, N = rows.shape
    even = np.zeros((k + k % 2, N), np.uint32)
    even[:k] = bits(rows)
    return even[0::2] | even[1::2] << np.uint32(16)
