"""Products of whole windows: a layer's input side, what goes back through it, and gradients of weights."""

from __future__ import annotations

from gencli.kernels.bfloat16 import store_pairs
from gencli.kernels.compile import kernel
from gencli.kernels.lookup import repeat_bias
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES, size_of, tile_rows
from gencli.kernels.vector import REGISTER_BYTES, address, load, splat, store

BLOCK = 256  # rows whose gradients are gathered at a time: a panel of them stays in the first-level cache
GROUP = 4  # panels whose columns are read at a time: whole runs of a row, which arrive before they are asked for


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
def feed_window(x, k, weights, bias, out, first, last):
    """out[t, b] = bias + x[t, b, :k] @ W, arrays as in multiply_window: each step's sums begin in the caches."""
    T, B, N = out.shape
    X = x.shape[2]
    panels = N // (PANEL_BYTES // out.itemsize)
    for t in range(T):
        row = t * B + first
        repeat_bias(bias, out[t : t + 1], first, last)
        product(x, row * X, X, last - first, k, weights, k, panels, out, row * N, N, 1)


@kernel
def weight_gradient(x, k, d_out, offset, gradient, d_bias, scratch, accumulate, first, last):
    """dW (+)= x^T d_out over all steps and rows, for panels [first, last) from column `offset` on; d_bias likewise.

    x (T, B, X), of which k columns are used; d_out (T, B, N); gradient: panels of k rows, overwritten unless
    `accumulate` is not 0; d_bias (N,); scratch (GROUP, BLOCK, width). Rows are added in one fixed order, whatever the
    panels.
    """
    T, B, N = d_out.shape
    X = x.shape[2]
    zero = d_out.dtype.type(0)
    item = size_of(zero)
    width = PANEL_BYTES // item
    lanes = REGISTER_BYTES // item
    if accumulate == 0:
        for column in range(offset + first * width, offset + last * width, lanes):
            store(d_bias, column, splat(zero))
    for begin in range(0, T * B, BLOCK):
        rows = min(BLOCK, T * B - begin)
        left, held = address(x, begin * X), 1 if begin > 0 else accumulate
        for p in range(first, last, GROUP):
            group = min(GROUP, last - p) * width
            column = offset + p * width
            for r in range(rows):
                at = (begin + r) * N + column
                for j in range(0, group, lanes):
                    value = load(d_out, at + j)
                    store(d_bias, column + j, load(d_bias, column + j) + value)
                    store(scratch, (j // width * BLOCK + r) * width + j % width, value)
            for q in range(group // width):
                panel, place = address(scratch, q * BLOCK * width), address(gradient, (p + q) * k * width)
                tile_rows(zero, left, item, X * item, k, panel, rows, place, PANEL_BYTES, held)


@kernel
def weight_gradient_halved(x, k, d_out, offset, gradient, d_bias, scratch, accumulate, first, last):
    """As weight_gradient, both factors rounded to bfloat16; scratch (BLOCK / 2, GROUP * width + X) words.

    Rows of x and d_out are taken in pairs (r, r + 1); the bias is summed from float32.
    """
    T, B, N = d_out.shape
    X = x.shape[2]
    word, zero = scratch.dtype.type(0), d_out.dtype.type(0)
    width, lanes = PANEL_BYTES // 4, REGISTER_BYTES // 4
    nothing = splat(zero)
    panels, left = address(scratch, 0), address(scratch, GROUP * (BLOCK // 2) * width)
    if accumulate == 0:
        for column in range(offset + first * width, offset + last * width, lanes):
            store(d_bias, column, nothing)
    for begin in range(0, T * B, BLOCK):
        rows = min(BLOCK, T * B - begin)
        pairs = (rows + 1) // 2
        for i in range(pairs):
            at = (begin + 2 * i) * X
            for j in range(0, X, lanes):
                high = load(x, at + X + j) if 2 * i + 1 < rows else nothing
                store_pairs(left + (i * X + j) * 4, load(x, at + j), high)
        for p in range(first, last, GROUP):
            group = min(GROUP, last - p) * width
            for i in range(pairs):
                at = (begin + 2 * i) * N + offset + p * width
                for j in range(0, group, lanes):
                    low = load(d_out, at + j)
                    high = load(d_out, at + N + j) if 2 * i + 1 < rows else nothing
                    column = offset + p * width + j
                    store(d_bias, column, load(d_bias, column) + low + high)
                    store_pairs(panels + (j // width * (BLOCK // 2) + i) * PANEL_BYTES + j % width * 4, low, high)
            for q in range(group // width):
                panel, place = panels + q * (BLOCK // 2) * PANEL_BYTES, address(gradient, (p + q) * k * width)
                tile_rows(word, left, 4, X * 4, k, panel, pairs, place, PANEL_BYTES, 1 if begin > 0 else accumulate)
