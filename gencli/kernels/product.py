"""Products of some rows with weights in panels: full precision, or both factors rounded to bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from gencli.kernels.bfloat16 import load_at, stack_bytes, store_neighbours
from gencli.kernels.compile import OPTIONS, inlined, kernel
from gencli.kernels.tile import DEPTH, FEW, PANEL_BYTES, size_of, tile_few, tile_panels, tile_rows
from gencli.kernels.vector import REGISTER_BYTES, address

CHUNK_ROWS = 48  # rows rounded to bfloat16 at a time, on the stack
CHUNK_BYTES = CHUNK_ROWS * DEPTH * 4
ZERO = np.float32(0)


@kernel
def full_product(like, x, x_row, m, k, weights, panel_rows, count, out, out_row, accumulate):
    """As `product`, of addresses, row lengths in bytes: panel by panel, k in blocks; `like` has the weights' type."""
    item = size_of(like)
    panel_step = panel_rows * PANEL_BYTES
    if m == 1:
        for done in range(0, k, DEPTH):
            depth, held = min(DEPTH, k - done), accumulate if done == 0 else 1
            tile_panels(like, x + done * item, weights + done * PANEL_BYTES, panel_step, depth, count, out, held)
        return
    for _ in range(count):
        for done in range(0, k, DEPTH):
            depth, held = min(DEPTH, k - done), accumulate if done == 0 else 1
            panel = weights + done * PANEL_BYTES
            tile_rows(like, x + done * item, x_row, item, m, panel, depth, out, out_row, held)
        weights += panel_step
        out += PANEL_BYTES


@kernel
def halved_product(like, x, x_row, m, k, weights, panel_rows, count, out, out_row, accumulate):
    """As `full_product`, of weights in pairs of bfloat16: rows in chunks, rounded once for all panels."""
    rounded = stack_bytes(CHUNK_BYTES)
    panel_step = (panel_rows + 1) // 2 * PANEL_BYTES
    for begin in range(0, m, CHUNK_ROWS):
        rows = min(CHUNK_ROWS, m - begin)
        done, held = 0, accumulate
        while done < k:
            depth = min(2 * DEPTH, k - done)
            pairs = (depth + 1) // 2
            left = x + begin * x_row + done * 4
            for i in range(rows):
                for j in range(0, depth, REGISTER_BYTES // 4):
                    value = load_at(left + i * x_row + j * 4, ZERO)
                    store_neighbours(rounded + i * DEPTH * 4 + j * 2, value)
            panel = weights + done // 2 * PANEL_BYTES
            column = out + begin * out_row
            if rows == 1:
                tile_panels(like, rounded, panel, panel_step, pairs, count, column, held)
            elif rows == FEW:
                tile_few(like, rounded, DEPTH * 4, panel, panel_step, pairs, count, column, out_row, held)
            else:
                for _ in range(count):
                    tile_rows(like, rounded, DEPTH * 4, 4, rows, panel, pairs, column, out_row, held)
                    panel += panel_step
                    column += PANEL_BYTES
            held = 1
            done += depth


def _product(like: Any, *arguments: Any) -> None:
    raise NotImplementedError("only compiled code calls this")


@overload(_product, inline="never", jit_options=OPTIONS)
def _product_of_type(like, x, x_row, m, k, weights, panel_rows, count, out, out_row, accumulate):
    """The product of the type of the number `like`."""
    product_of_type = halved_product if like == types.uint32 else full_product

    def run(like, x, x_row, m, k, weights, panel_rows, count, out, out_row, accumulate):
        """One call."""
        product_of_type(like, x, x_row, m, k, weights, panel_rows, count, out, out_row, accumulate)

    return run


def stored_rows(weights: Any, rows: Any) -> Any:
    """Rows that `rows` rows of a panel take in an array of weights: half as many where pairs share a word."""
    raise NotImplementedError("only compiled code calls this")


@overload(stored_rows, inline="never")
def _stored_rows(weights, rows):
    if weights.dtype == types.uint32:
        return lambda weights, rows: (rows + 1) // 2
    return lambda weights, rows: rows


@inlined
def product(x, x_at, x_row, m, k, weights, panel_rows, count, out, out_at, out_row, accumulate):
    """out (m, count * width) (+)= x (m, k) @ W, with W in `count` panels of `panel_rows` rows.

    Places (`_at`) and row lengths (`_row`) are in elements of the C-contiguous arrays; x and out must not overlap.
    Weights of uint32 are pairs of bfloat16, rows (2 i, 2 i + 1) in one word; x is rounded on the way, and its rows
    then reach whole registers.
    """
    item = x.itemsize
    held = (address(weights, 0), panel_rows, count, address(out, out_at), out_row * item, accumulate)
    _product(weights.dtype.type(0), address(x, x_at), x_row * item, m, k, *held)
