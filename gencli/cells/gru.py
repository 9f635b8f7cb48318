"""The full gated recurrent unit, its relevance gate applied before the product (Cho et al. 2014, section 2.3).

G_u = sigma(W_u [c, x] + b_u); G_r = sigma(W_r [c, x] + b_r); c~ = tanh(W_c [G_r * c, x] + b_c);
c' = G_u * c~ + (1 - G_u) * c; a = c. Gates in the order u, r, c~; `extra` keeps G_r * c.
"""

from __future__ import annotations

from gencli.cells.cell import LANE_BYTES, Cell, RecurrentProduct
from gencli.kernels.activations import sigmoid, tanh
from gencli.kernels.compile import kernel
from gencli.kernels.product import product, stored_rows
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import load, store


@kernel
def forward(gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, first, last):
    """Run rows [first, last) through all steps; arrays as in cells/cell.py, `recurrent` in panels."""
    T, B, N = gates.shape
    Hp = N // 3
    m = last - first
    lanes = LANE_BYTES // gates.itemsize
    panels = Hp // (PANEL_BYTES // gates.itemsize)
    candidate_weights = recurrent[2 * Hp * stored_rows(recurrent, hidden_size) :]
    for t in range(T):
        row = t * B + first
        product(state, row * Hp, Hp, m, hidden_size, recurrent, hidden_size, 2 * panels, gates, row * N, N, 1)
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            for j in range(0, Hp, lanes):
                store(gates, g + j, sigmoid(load(gates, g + j)))
                r = sigmoid(load(gates, g + Hp + j))
                store(gates, g + Hp + j, r)
                store(extra, s + j, r * load(state, s + j))
        out = row * N + 2 * Hp
        product(extra, row * Hp, Hp, m, hidden_size, candidate_weights, hidden_size, panels, gates, out, N, 1)
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            kept = keep[t + 1, b]
            for j in range(0, Hp, lanes):
                candidate = tanh(load(gates, g + 2 * Hp + j))
                c = load(state, s + j)
                c = load(gates, g + j) * (candidate - c) + c
                store(gates, g + 2 * Hp + j, candidate)
                store(output, s + j, c)
                store(state, s + B * Hp + j, c * kept)


@kernel
def backward(gates, recurrent_t, peephole, keep, state, memory, extra, d_output, d_carry, settings, first, last):
    """Gradients before activation, into `gates`; d_carry[1] holds that of G_r * c within a step."""
    T, B, N = gates.shape
    Hp = N // 3
    m = last - first
    lanes = LANE_BYTES // gates.itemsize
    width = PANEL_BYTES // gates.itemsize
    panels = Hp // width
    candidate_weights = recurrent_t[stored_rows(recurrent_t, 2 * Hp) * width :]
    d_state, d_reset = d_carry[0], d_carry[1]
    d_state[first:last] = 0
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            kept = keep[t + 1, b]
            for j in range(0, Hp, lanes):
                u, candidate = load(gates, g + j), load(gates, g + 2 * Hp + j)
                dc = load(d_output, s + j) + load(d_state, b * Hp + j) * kept
                store(gates, g + j, dc * (candidate - load(state, s + j)) * u * (1.0 - u))
                store(gates, g + 2 * Hp + j, dc * u * (1.0 - candidate * candidate))
                store(d_state, b * Hp + j, dc * (1.0 - u))
        row, out = (t * B + first) * N, first * Hp
        product(gates, row + 2 * Hp, N, m, Hp, candidate_weights, N, panels, d_reset, out, Hp, 0)
        for b in range(first, last):
            g, s = (t * B + b) * N, (t * B + b) * Hp
            for j in range(0, Hp, lanes):
                r, d = load(gates, g + Hp + j), load(d_reset, b * Hp + j)
                store(gates, g + Hp + j, d * load(state, s + j) * r * (1.0 - r))
                store(d_state, b * Hp + j, load(d_state, b * Hp + j) + d * r)
        product(gates, row, N, m, 2 * Hp, recurrent_t, N, panels, d_state, out, Hp, 1)


CELL = Cell(3, (RecurrentProduct("state", 0, 2), RecurrentProduct("extra", 2, 3)), forward, backward, extra_width=1)
