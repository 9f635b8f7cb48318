"""Taking out and adding to single rows of windows and single columns of weights in panels."""

from __future__ import annotations

from gencli.kernels.compile import kernel
from gencli.kernels.tile import PANEL_BYTES


@kernel
def gather_rows(x, steps, rows, out, first, last):
    """out[0, i] = x[steps[i], rows[i]] for i in [first, last): x (T, B, X), out (1, n, X)."""
    for i in range(first, last):
        for j in range(x.shape[2]):
            out[0, i, j] = x[steps[i], rows[i], j]


@kernel
def add_rows(d, steps, rows, out, first, last):
    """out[steps[i], rows[i]] += d[0, i] for i in [first, last), no place twice: d (1, n, X), out (T, B, X)."""
    for i in range(first, last):
        for j in range(out.shape[2]):
            out[steps[i], rows[i], j] += d[0, i, j]


@kernel
def gather_columns(weights, k, ids, out, first, last):
    """out[0, i, r] = W[r, ids[i]] for i in [first, last), r < k: W in panels of k rows, out (1, n, X)."""
    width = PANEL_BYTES // weights.itemsize
    for i in range(first, last):
        at = ids[i] // width * k * width + ids[i] % width
        for r in range(k):
            out[0, i, r] = weights[at + r * width]


@kernel
def add_columns(d, k, ids, weights, first, last):
    """W[r, ids[i]] += d[0, i, r] for all i and r in [first, last): W in panels of k rows, d (1, n, X)."""
    width = PANEL_BYTES // weights.itemsize
    for i in range(ids.size):
        at = ids[i] // width * k * width + ids[i] % width
        for r in range(first, last):
            weights[at + r * width] += d[0, i, r]
