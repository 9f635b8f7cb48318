"""LSTM whose recurrent product is divided by its root mean square (RMSNorm: Zhang & Sennrich 2019, section 3).

As lstm, with r / sqrt(mean(r^2) + 1e-5) in place of r = [W_u a, W_f a, W_o a, W_c a], the mean over all 4 H elements
of a row. Of the layer-normalised LSTM (Ba et al. 2016, section 3.1) it keeps what helps most: the recurrent part,
without recentering and without gains. A row of `extra` holds r (N columns), whose gradient takes its place on the way
back, and tanh(c').
"""

from __future__ import annotations

import math

from gencli.cells.cell import LANE_BYTES, Cell, RecurrentProduct
from gencli.cells.lstm_row import gate_gradients, remember
from gencli.kernels.activations import sigmoid, tanh
from gencli.kernels.compile import inlined, kernel
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import fma, load, splat, store, total

EPSILON = 1e-5  # a row of zeros, as at a document's beginning, stays one of zeros


@inlined
def _inner(x, x_at, y, y_at, Hp):
    """The sum of x * y over the 4 Hp elements from two places on, in one fixed order."""
    lanes = LANE_BYTES // x.itemsize
    u = f = o = c = splat(x.dtype.type(0))
    for j in range(0, Hp, lanes):
        u = fma(load(x, x_at + j), load(y, y_at + j), u)
        f = fma(load(x, x_at + Hp + j), load(y, y_at + Hp + j), f)
        o = fma(load(x, x_at + 2 * Hp + j), load(y, y_at + 2 * Hp + j), o)
        c = fma(load(x, x_at + 3 * Hp + j), load(y, y_at + 3 * Hp + j), c)
    return total((u + f) + (o + c))


@kernel
def forward(gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, first, last):
    """Run rows [first, last) through all steps; arrays as in cells/cell.py, `recurrent` in panels."""
    T, B, N = gates.shape
    Hp, E = N // 4, extra.shape[2]
    lanes = LANE_BYTES // gates.itemsize
    panels = N // (PANEL_BYTES // gates.itemsize)
    for t in range(T):
        row = t * B + first
        product(state, row * Hp, Hp, last - first, hidden_size, recurrent, hidden_size, panels, extra, row * E, E, 0)
        for b in range(first, last):
            g, s, e = (t * B + b) * N, (t * B + b) * Hp, (t * B + b) * E
            kept = keep[t + 1, b]
            scale = gates.dtype.type(1.0 / math.sqrt(_inner(extra, e, extra, e, Hp) / (4 * hidden_size) + EPSILON))
            for j in range(0, Hp, lanes):
                u = sigmoid(fma(load(extra, e + j), scale, load(gates, g + j)))
                f = sigmoid(fma(load(extra, e + Hp + j), scale, load(gates, g + Hp + j)))
                o = sigmoid(fma(load(extra, e + 2 * Hp + j), scale, load(gates, g + 2 * Hp + j)))
                candidate = tanh(fma(load(extra, e + 3 * Hp + j), scale, load(gates, g + 3 * Hp + j)))
                places = (output, state, memory, s + j, s + B * Hp + j, kept)
                remember((u, f, o, candidate), gates, g + j, Hp, extra, e + N + j, *places)


@kernel
def backward(gates, recurrent_t, peephole, keep, state, memory, extra, d_output, d_carry, settings, first, last):
    """Gradients before activation, into `gates`, and of r, into `extra`; da and dc go from step to step in d_carry."""
    T, B, N = gates.shape
    Hp, E = N // 4, extra.shape[2]
    lanes = LANE_BYTES // gates.itemsize
    panels = Hp // (PANEL_BYTES // gates.itemsize)
    d_state, d_memory = d_carry[0], d_carry[1]
    d_carry[:, first:last] = 0
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            g, s, e = (t * B + b) * N, (t * B + b) * Hp, (t * B + b) * E
            kept = keep[t + 1, b]
            for j in range(0, Hp, lanes):
                da = load(d_output, s + j) + load(d_state, b * Hp + j) * kept
                after = load(d_memory, b * Hp + j) * kept
                h, before = load(extra, e + N + j), load(memory, s + j)
                dc, _, _, _ = gate_gradients(gates, g + j, Hp, h, before, da, after)
                store(d_memory, b * Hp + j, dc)
            _normalised_gradient(gates, g, extra, e, Hp, 4 * settings[0])
        row = (t * B + first) * E
        product(extra, row, E, last - first, N, recurrent_t, N, panels, d_state, first * Hp, Hp, 0)


@inlined
def _normalised_gradient(gates, g, extra, e, Hp, count):
    """Replace r by its gradient: (dz - n * mean(dz * n)) / root, with n = r / root what dz is the gradient of."""
    lanes = LANE_BYTES // gates.itemsize
    scale = 1.0 / math.sqrt(_inner(extra, e, extra, e, Hp) / count + EPSILON)
    along = gates.dtype.type(_inner(gates, g, extra, e, Hp) / count * scale * scale * scale)
    scale = gates.dtype.type(scale)
    for j in range(0, 4 * Hp, lanes):
        store(extra, e + j, load(gates, g + j) * scale - load(extra, e + j) * along)


CELL = Cell(
    4,
    (RecurrentProduct("state", 0, 4, gradient="extra"),),
    forward,
    backward,
    has_memory=True,
    extra_width=5,
    forget_gate=1,
)
