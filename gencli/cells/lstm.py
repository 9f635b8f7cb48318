"""Long short-term memory with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

G_u, G_f, G_o = sigma(W [a, x] + b); c~ = tanh(W_c [a, x] + b_c); c' = G_u * c~ + G_f * c; a' = G_o * tanh(c').
Gates in the order u, f, o, c~; `extra` keeps tanh(c').
"""

from __future__ import annotations

from gencli.cells.cell import LANE_BYTES, Cell, RecurrentProduct
from gencli.cells.lstm_row import gate_gradients, remember
from gencli.kernels.activations import sigmoid, tanh
from gencli.kernels.compile import kernel
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import load, store


@kernel
def forward(gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, first, last):
    """Run rows [first, last) through all steps; arrays as in cells/cell.py, `recurrent` in panels."""
    T, B, N = gates.shape
    Hp = N // 4
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
                f = sigmoid(load(gates, g + Hp + j))
                o = sigmoid(load(gates, g + 2 * Hp + j))
                candidate = tanh(load(gates, g + 3 * Hp + j))
                places = (output, state, memory, s + j, s + B * Hp + j, kept)
                remember((u, f, o, candidate), gates, g + j, Hp, extra, s + j, *places)


@kernel
def backward(gates, recurrent_t, peephole, keep, state, memory, extra, d_output, d_carry, settings, first, last):
    """Gradients before activation, into `gates`; da and dc go from step to step in d_carry."""
    T, B, N = gates.shape
    Hp = N // 4
    lanes = LANE_BYTES // gates.itemsize
    panels = Hp // (PANEL_BYTES // gates.itemsize)
    d_state, d_memory = d_carry[0], d_carry[1]
    d_carry[:, first:last] = 0
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            kept = keep[t + 1, b]
            for j in range(0, Hp, lanes):
                da = load(d_output, s + j) + load(d_state, b * Hp + j) * kept
                after = load(d_memory, b * Hp + j) * kept
                h, before = load(extra, s + j), load(memory, s + j)
                dc, _, _, _ = gate_gradients(gates, g + j, Hp, h, before, da, after)
                store(d_memory, b * Hp + j, dc)
        row = (t * B + first) * N
        product(gates, row, N, last - first, N, recurrent_t, N, panels, d_state, first * Hp, Hp, 0)


CELL = Cell(4, (RecurrentProduct("state", 0, 4),), forward, backward, has_memory=True, extra_width=1, forget_gate=1)
