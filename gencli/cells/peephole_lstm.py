"""LSTM with peepholes: the previous c also enters u, f and o, unit by unit (Gers & Schmidhuber 2000).

As lstm, with p_u * c, p_f * c and p_o * c added before the three sigmas. The output gate too sees the c from before the
step. `peephole` (3, Hp) holds the diagonal weights in the order u, f, o.
"""

from __future__ import annotations

from gencli.cells.cell import LANE_BYTES, Cell, RecurrentProduct
from gencli.cells.lstm_row import gate_gradients, remember
from gencli.kernels.activations import sigmoid, tanh
from gencli.kernels.compile import kernel
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import load, splat, store


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
                before = load(memory, s + j)
                u = sigmoid(load(gates, g + j) + load(peephole, j) * before)
                f = sigmoid(load(gates, g + Hp + j) + load(peephole, Hp + j) * before)
                o = sigmoid(load(gates, g + 2 * Hp + j) + load(peephole, 2 * Hp + j) * before)
                candidate = tanh(load(gates, g + 3 * Hp + j))
                places = (output, state, memory, s + j, s + B * Hp + j, kept)
                remember((u, f, o, candidate), gates, g + j, Hp, extra, s + j, *places)


@kernel
def backward(gates, recurrent_t, peephole, keep, state, memory, extra, d_output, d_carry, settings, first, last):
    """Gradients before activation, into `gates`; dc also goes back through the three peepholes."""
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
                dc, du, df, do = gate_gradients(gates, g + j, Hp, h, before, da, after)
                peeped = du * load(peephole, j) + df * load(peephole, Hp + j) + do * load(peephole, 2 * Hp + j)
                store(d_memory, b * Hp + j, dc + peeped)
        row = (t * B + first) * N
        product(gates, row, N, last - first, N, recurrent_t, N, panels, d_state, first * Hp, Hp, 0)


@kernel
def peephole_gradient(gates, memory, d_peephole, first, last):
    """d_peephole[i, j] = sum over steps and rows of gate i's gradient times the c before, columns [first, last)."""
    T, B, N = gates.shape
    Hp = N // 4
    lanes = LANE_BYTES // gates.itemsize
    for i in range(3):
        for j in range(first, last, lanes):
            total = splat(gates.dtype.type(0))
            for row in range(T * B):
                total = total + load(gates, row * N + i * Hp + j) * load(memory, row * Hp + j)
            store(d_peephole, i * Hp + j, total)


CELL = Cell(
    4,
    (RecurrentProduct("state", 0, 4),),
    forward,
    backward,
    has_memory=True,
    extra_width=1,
    forget_gate=1,
    peephole_gradient=peephole_gradient,
)
