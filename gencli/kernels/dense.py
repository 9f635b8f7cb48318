"""Products of whole windows: a layer's input side, what goes back through it, and gradients of weights."""

from __future__ import annotations

from gencli.kernels.compile import kernel
from gencli.kernels.tile import PANEL_BYTES, product, size_of, tile_rows
from gencli.kernels.vector import REGISTER_BYTES, load, splat, store

BLOCK = 256  # rows whose gradients are gathered at a time: a panel of them stays in the first-level cache


@kernel
def multiply_window(x, k, weights, out, accumulate, first, last):
    """out[t, b] (+)= x[t, b, :k] @ W for rows [first, last) of every step.

    x (T, B, X), out (T, B, N); weights in N / width panels of k rows.
    """
    T, B, N = out.shape
    X = x.shape[2]
    panels = N // (PANEL_BYTES // out.itemsize)
    for t in range(T):
        row = t * B + first
        product(x, row * X, X, last - first, k, weights, k, panels, out, row * N, N, accumulate)


@kernel
def transpose_panels(weights, k, n, target, first, last):
    """Panels of W transposed: from `weights`, panels of k rows over n columns, to panels [first, last) of `target`.

    Panel p of the target holds rows [p * width, (p + 1) * width) of W as its columns, n rows deep; rows of W from k on
    count as zero.
    """
    width = PANEL_BYTES // weights.itemsize
    for p in range(first, last):
        for q in range(n // width):
            for i in range(width):
                row = p * width + i
                for j in range(width):
                    value = weights[(q * k + row) * width + j] if row < k else weights.dtype.type(0)
                    target[(p * n + q * width + j) * width + i] = value


@kernel
def weight_gradient(x, k, d_out, offset, gradient, d_bias, scratch, first, last):
    """dW = x^T d_out over all steps and rows, for panels [first, last) from column `offset` on; d_bias likewise.

    x (T, B, X), of which k columns are used; d_out (T, B, N); gradient: panels of k rows, overwritten; d_bias (N,);
    scratch (BLOCK, width). Rows are added in one fixed order, whatever the panels are.
    """
    T, B, N = d_out.shape
    X = x.shape[2]
    zero = d_out.dtype.type(0)
    item = size_of(zero)
    width = PANEL_BYTES // item
    lanes = REGISTER_BYTES // item
    for p in range(first, last):
        column = offset + p * width
        for j in range(0, width, lanes):
            store(d_bias, column + j, splat(zero))
    x_data, packed, out = x.ctypes.data, scratch.ctypes.data, gradient.ctypes.data
    for begin in range(0, T * B, BLOCK):
        rows = min(BLOCK, T * B - begin)
        held = 1 if begin > 0 else 0
        for p in range(first, last):
            column = offset + p * width
            for j in range(0, width, lanes):
                total = load(d_bias, column + j)
                for r in range(rows):
                    value = load(d_out, (begin + r) * N + column + j)
                    total = total + value
                    store(scratch, r * width + j, value)
                store(d_bias, column + j, total)
            left, place = x_data + begin * X * item, out + p * k * PANEL_BYTES
            tile_rows(zero, left, item, X * item, k, packed, rows, place, PANEL_BYTES, held)
