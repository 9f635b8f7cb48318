"""The basic recurrent cell: a' = tanh(W_a [a, x] + b_a), or relu in place of tanh (Elman 1990)."""

from __future__ import annotations

from gencli.cells.cell import LANE_BYTES, Cell, RecurrentProduct
from gencli.kernels.activations import tanh
from gencli.kernels.compile import kernel
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import larger, load, positive, splat, store


@kernel
def forward(gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, first, last):
    """Run rows [first, last) through all steps; arrays as in cells/cell.py, `recurrent` in panels."""
    T, B, N = gates.shape
    lanes = LANE_BYTES // gates.itemsize
    panels = N // (PANEL_BYTES // gates.itemsize)
    zero = splat(gates.dtype.type(0))
    for t in range(T):
        row = (t * B + first) * N
        product(state, row, N, last - first, hidden_size, recurrent, hidden_size, panels, gates, row, N, 1)
        for b in range(first, last):
            at = (t * B + b) * N
            kept = keep[t + 1, b]
            for j in range(at, at + N, lanes):
                z = load(gates, j)
                a = larger(zero, z) if relu else tanh(z)
                store(gates, j, a)
                store(output, j, a)
                store(state, j + B * N, a * kept)


@kernel
def backward(gates, recurrent_t, peephole, keep, state, memory, extra, d_output, d_carry, settings, first, last):
    """Gradient before activation, into `gates`: dz = (d_output + d_state) * (1 - a^2), or where a > 0 for relu."""
    T, B, N = gates.shape
    lanes = LANE_BYTES // gates.itemsize
    panels = N // (PANEL_BYTES // gates.itemsize)
    d_state = d_carry[0]
    d_state[first:last] = 0
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at = (t * B + b) * N
            kept = keep[t + 1, b]
            for j in range(0, N, lanes):
                a = load(gates, at + j)
                da = load(d_output, at + j) + load(d_state, b * N + j) * kept
                dz = da * positive(a) if settings[1] else da * (1.0 - a * a)
                store(gates, at + j, dz)
        row = (t * B + first) * N
        product(gates, row, N, last - first, N, recurrent_t, N, panels, d_state, first * N, N, 0)


CELL = Cell(1, (RecurrentProduct("state", 0, 1),), forward, backward, activations=("tanh", "relu"))
