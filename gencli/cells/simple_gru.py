"""The simplified gated recurrent unit, without a relevance gate.

G_u = sigma(W_u [c, x] + b_u); c~ = tanh(W_c [c, x] + b_c); c' = G_u * c~ + (1 - G_u) * c; a = c.
Gates in the order u, c~.
"""

from __future__ import annotations

from gencli.cells.cell import LANE_BYTES, Cell, RecurrentProduct
from gencli.kernels.activations import sigmoid, tanh
from gencli.kernels.compile import kernel
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import load, store


@kernel
def forward(gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, first, last):
    """Run rows [first, last) through all steps; arrays as in cells/cell.py, `recurrent` in panels."""
    T, B, N = gates.shape
    Hp = N // 2
    lanes = LANE_BYTES // gates.itemsize
    panels = N // (PANEL_BYTES // gates.itemsize)
    for t in range(T):
        row = t * B + first
        product(state, row * Hp, Hp, last - first, hidden_size, recurrent, hidden_size, panels, gates, row * N, N, 1)
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            kept = keep[t + 1, b]
            for j in range(0, Hp, lanes):
                u = sigmoid(load(gates, g + j))
                candidate = tanh(load(gates, g + Hp + j))
                c = load(state, s + j)
                c = u * (candidate - c) + c
                store(gates, g + j, u)
                store(gates, g + Hp + j, candidate)
                store(output, s + j, c)
                store(state, s + B * Hp + j, c * kept)


@kernel
def backward(gates, recurrent_t, peephole, keep, state, memory, extra, d_output, d_carry, settings, first, last):
    """Gradients before activation, into `gates`; dc reaches the step before through (1 - u) and through both gates."""
    T, B, N = gates.shape
    Hp = N // 2
    lanes = LANE_BYTES // gates.itemsize
    panels = Hp // (PANEL_BYTES // gates.itemsize)
    d_state = d_carry[0]
    d_state[first:last] = 0
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            kept = keep[t + 1, b]
            for j in range(0, Hp, lanes):
                u, candidate = load(gates, g + j), load(gates, g + Hp + j)
                c = load(state, s + j)
                dc = load(d_output, s + j) + load(d_state, b * Hp + j) * kept
                store(gates, g + j, dc * (candidate - c) * u * (1.0 - u))
                store(gates, g + Hp + j, dc * u * (1.0 - candidate * candidate))
                store(d_state, b * Hp + j, dc * (1.0 - u))
        row = (t * B + first) * N
        product(gates, row, N, last - first, N, recurrent_t, N, panels, d_state, first * Hp, Hp, 1)


CELL = Cell(2, (RecurrentProduct("state", 0, 2),), forward, backward)
