"""Table look-up in place of a product with one-hot vectors, and its gradient."""

from __future__ import annotations

from gencli.kernels.compile import kernel
from gencli.kernels.vector import REGISTER_BYTES, load, splat, store


@kernel
def look_up(ids, keep, table, side, side_table, bias, gates, first, last):
    """gates[t, b] = bias + keep[t, b] * table[ids[t, b]] + sum over f of side_table[side[f, t, b]], rows [first, last).

    ids (T, B), keep (T + 1, B), table (V, N), side (F, T, B) rows of side_table (S, N), bias (N,), gates (T, B, N).
    """
    T, B, N = gates.shape
    lanes = REGISTER_BYTES // gates.itemsize
    for t in range(T):
        for b in range(first, last):
            at, row, kept = (t * B + b) * N, ids[t, b] * N, keep[t, b]
            if kept != 0:
                for j in range(0, N, lanes):
                    store(gates, at + j, load(bias, j) + load(table, row + j))
            else:
                for j in range(0, N, lanes):
                    store(gates, at + j, load(bias, j))
            for f in range(side.shape[0]):
                row = side[f, t, b] * N
                for j in range(0, N, lanes):
                    store(gates, at + j, load(gates, at + j) + load(side_table, row + j))


@kernel
def look_up_gradient(ids, keep, d_gates, d_table, first, last):
    """d_table[v] += sum of d_gates over the steps whose id is v and whose keep is not 0; columns [first, last)."""
    T, B, N = d_gates.shape
    lanes = REGISTER_BYTES // d_gates.itemsize
    for t in range(T):
        for b in range(B):
            if keep[t, b] != 0:
                at, row = (t * B + b) * N, ids[t, b] * N
                for j in range(first, last, lanes):
                    store(d_table, row + j, load(d_table, row + j) + load(d_gates, at + j))


@kernel
def repeat_bias(bias, out, first, last):
    """out[t, b] = bias for rows [first, last) of out (T, B, N)."""
    T, B, N = out.shape
    lanes = REGISTER_BYTES // out.itemsize
    for t in range(T):
        for b in range(first, last):
            at = (t * B + b) * N
            for j in range(0, N, lanes):
                store(out, at + j, load(bias, j))


@kernel
def repeat_bias_gradient(d_out, d_bias, first, last):
    """d_bias = sum of d_out (T, B, N) over all steps and rows, columns [first, last)."""
    T, B, N = d_out.shape
    lanes = REGISTER_BYTES // d_out.itemsize
    for j in range(first, last, lanes):
        store(d_bias, j, splat(d_out.dtype.type(0)))
    for row in range(T * B):
        for j in range(first, last, lanes):
            store(d_bias, j, load(d_bias, j) + load(d_out, row * N + j))
