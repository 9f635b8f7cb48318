"""Weights as products read them: the flat vector's own panels in full precision, rounded copies in bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.kernels.dense import BLOCK, GROUP, weight_gradient, weight_gradient_halved
from gencli.kernels.repack import halve_panels, transpose_halved, transpose_panels
from gencli.kernels.threads import bounds
from gencli.kernels.tile import panel_width

Array = NDArray[Any]


class PackedWeights:
    """One weight matrix (k, n), in panels, and its transpose; `halved` keeps both as pairs of bfloat16.

    `forward` and `backward` are what products take. Call `pack` after the weights change; what only reads never needs
    the transpose, and leaves it out.
    """

    def __init__(self, weights: Array, k: int, n: int, padded_k: int, halved: bool) -> None:
        self.weights, self.k, self.n, self.padded_k, self.halved = weights, k, n, padded_k, halved
        self.forward = np.zeros((k + 1) // 2 * n, np.uint32) if halved else weights
        self.backward = np.zeros(0, weights.dtype)

    def begin_learning(self) -> None:
        """Make room for the transpose."""
        size, dtype = self.padded_k * self.n, self.weights.dtype
        self.backward = np.zeros(size // 2, np.uint32) if self.halved else np.zeros(size, dtype)

    def turned(self) -> Array:
        """The transpose as products take it; formed anew where only reading goes on, so ask seldom there."""
        if self.backward.size:
            return self.backward
        target = np.zeros(self.padded_k * self.n, self.weights.dtype)
        transpose_panels(self.weights, self.k, self.n, target, 0, self.n // panel_width(target.dtype))
        return target

    def pack(self, first: int, last: int) -> None:
        """Renew both forms of panels [first, last) of the n / width."""
        if self.halved:
            halve_panels(self.weights, self.k, self.forward, first, last)
        if self.backward.size:
            transpose = transpose_halved if self.halved else transpose_panels
            transpose(self.weights, self.k, self.n, self.backward, first, last)

    def panels_within(self, first: int, last: int) -> tuple[int, int]:
        """The panels that begin in elements [first, last) of the weights."""
        size = self.k * panel_width(self.weights.dtype)
        count = self.weights.size // size
        begin, end = (min(max(-(-place // size), 0), count) for place in (first, last))
        return begin, end

    def gradient(
        self, x: Array, d_out: Array, columns: tuple[int, int], d_weights: Array, d_bias: Array, scratch: Array,
        share: int, shares: int, accumulate: int = 0,
    ) -> None:  # fmt: skip
        """d_weights (+)= x^T d_out and the bias's sums for `columns` [begin, end) of the n, one share of their panels.

        x (T, B, X), d_out (T, B, n), d_weights flat in panels, d_bias (n,), scratch of `scratch_words`.
        """
        begin, end = columns
        width = panel_width(self.weights.dtype)
        first, last = bounds((end - begin) // width, share, shares)
        target = d_weights[begin * self.k : end * self.k]
        if d_out.size == 0 and accumulate == 0:  # no rows: the sums are zero, whatever stood there
            target[first * width * self.k : last * width * self.k] = 0
            d_bias[begin + first * width : begin + last * width] = 0
            return
        if self.halved:
            weight_gradient_halved(x, self.k, d_out, begin, target, d_bias, scratch, accumulate, first, last)
        else:
            weight_gradient(x, self.k, d_out, begin, target, d_bias, scratch.view(d_out.dtype), accumulate, first, last)


def scratch_words(padded_k: int, dtype: Any) -> int:
    """Words of 32 bits that `gradient` needs for itself, by each thread."""
    width, item = panel_width(dtype), np.dtype(dtype).itemsize // 4
    return int(BLOCK * max(GROUP * width * item, (GROUP * width + padded_k) // 2))
