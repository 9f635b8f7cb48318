"""The cells, one time step each, written as the equations are printed: float64, no tricks.

B: batch rows, H: hidden size, G: gates of the cell. A state is (a, c), both (B, H): a is the hidden state, which goes
up to the next layer, c the memory cell. The rnn has no memory cell: its c is handed on untouched. The grus have no
hidden state of their own: they read c and return a = c.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = tuple[Array, Array]

# The gates in the order of the G*H columns; each is H columns wide.
GATES: dict[str, tuple[str, ...]] = {
    "rnn": ("a",),
    "simple-gru": ("u", "c~"),
    "gru": ("u", "r", "c~"),
    "lstm": ("u", "f", "o", "c~"),
    "peephole-lstm": ("u", "f", "o", "c~"),
    "rms-lstm": ("u", "f", "o", "c~"),
}

# The gates that the previous c enters through diagonal weights, in the order of the peephole's rows.
PEEPHOLES: dict[str, tuple[str, ...]] = {"peephole-lstm": ("u", "f", "o")}

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
}


def sigma(z: Array) -> Array:
    """The logistic function 1 / (1 + exp(-z)), in a form that cannot overflow."""
    return np.exp(-np.logaddexp(0.0, -z))


def step(
    cell: str,
    state: State,
    x_side: Array,
    recurrent: Array,
    peephole: Array | None = None,
    activation: str = "tanh",
) -> State:
    """The state after one step of the named cell.

    `x_side` (B, G*H) is what the input and the bias contribute to the gates, `recurrent` (H, G*H), `peephole` (3, H)
    for the peephole-lstm alone. `activation` is the rnn's; the gated cells are tanh by definition.
    """
    return STEPS[cell](state, x_side, recurrent, peephole, activation)


def columns(gate: str, cell: str, matrix: Array) -> Array:
    """The H columns of `matrix` (..., G*H) that belong to one gate of the cell."""
    H = matrix.shape[-1] // len(GATES[cell])
    first = GATES[cell].index(gate) * H
    return matrix[..., first : first + H]


def rnn(state: State, x_side: Array, recurrent: Array, peephole: Array | None, activation: str) -> State:
    """a' = g(W_a [a, x] + b_a), with g = tanh or relu."""
    a, c = state
    return ACTIVATIONS[activation](a @ recurrent + x_side), c


def simple_gru(state: State, x_side: Array, recurrent: Array, peephole: Array | None, activation: str) -> State:
    """G_u = sigma(W_u [c, x] + b_u); c~ = tanh(W_c [c, x] + b_c); c' = G_u * c~ + (1 - G_u) * c; a' = c'."""
    _, c = state
    W_u, W_c = (columns(gate, "simple-gru", recurrent) for gate in ("u", "c~"))
    x_u, x_c = (columns(gate, "simple-gru", x_side) for gate in ("u", "c~"))

    G_u = sigma(c @ W_u + x_u)
    c_tilde = np.tanh(c @ W_c + x_c)
    c_new = G_u * c_tilde + (1.0 - G_u) * c
    return c_new, c_new


def gru(state: State, x_side: Array, recurrent: Array, peephole: Array | None, activation: str) -> State:
    """As simple_gru, with G_r = sigma(W_r [c, x] + b_r) and c~ = tanh(W_c [G_r * c, x] + b_c): before the product."""
    _, c = state
    W_u, W_r, W_c = (columns(gate, "gru", recurrent) for gate in ("u", "r", "c~"))
    x_u, x_r, x_c = (columns(gate, "gru", x_side) for gate in ("u", "r", "c~"))

    G_u = sigma(c @ W_u + x_u)
    G_r = sigma(c @ W_r + x_r)
    c_tilde = np.tanh((G_r * c) @ W_c + x_c)
    c_new = G_u * c_tilde + (1.0 - G_u) * c
    return c_new, c_new


def lstm(state: State, x_side: Array, recurrent: Array, peephole: Array | None, activation: str) -> State:
    """G_u, G_f, G_o = sigma(W [a, x] + b); c~ = tanh(W_c [a, x] + b_c);
    c' = G_u * c~ + G_f * c; a' = G_o * tanh(c').
    """
    a, c = state
    W_u, W_f, W_o, W_c = (columns(gate, "lstm", recurrent) for gate in ("u", "f", "o", "c~"))
    x_u, x_f, x_o, x_c = (columns(gate, "lstm", x_side) for gate in ("u", "f", "o", "c~"))

    G_u = sigma(a @ W_u + x_u)
    G_f = sigma(a @ W_f + x_f)
    G_o = sigma(a @ W_o + x_o)
    c_tilde = np.tanh(a @ W_c + x_c)
    c_new = G_u * c_tilde + G_f * c
    return G_o * np.tanh(c_new), c_new


def peephole_lstm(state: State, x_side: Array, recurrent: Array, peephole: Array | None, activation: str) -> State:
    """As lstm, but the previous c also enters u, f and o: element k of c reaches element k of a gate alone."""
    if peephole is None:
        raise ValueError("the peephole-lstm needs its (3, H) peephole weights")
    a, c = state
    p_u, p_f, p_o = peephole
    W_u, W_f, W_o, W_c = (columns(gate, "peephole-lstm", recurrent) for gate in ("u", "f", "o", "c~"))
    x_u, x_f, x_o, x_c = (columns(gate, "peephole-lstm", x_side) for gate in ("u", "f", "o", "c~"))

    G_u = sigma(a @ W_u + p_u * c + x_u)
    G_f = sigma(a @ W_f + p_f * c + x_f)
    G_o = sigma(a @ W_o + p_o * c + x_o)
    c_tilde = np.tanh(a @ W_c + x_c)
    c_new = G_u * c_tilde + G_f * c
    return G_o * np.tanh(c_new), c_new


def rms_lstm(state: State, x_side: Array, recurrent: Array, peephole: Array | None, activation: str) -> State:
    """As lstm, but a W, all gates side by side, is first divided by the root of the mean of its squares plus 1e-5."""
    a, _ = state
    product = a @ recurrent
    scaled = product / np.sqrt(np.mean(product**2, axis=1, keepdims=True) + 1e-5)
    return lstm(state, x_side + scaled, np.zeros_like(recurrent), peephole, activation)


STEPS: dict[str, Callable[[State, Array, Array, Array | None, str], State]] = {
    "rnn": rnn,
    "simple-gru": simple_gru,
    "gru": gru,
    "lstm": lstm,
    "peephole-lstm": peephole_lstm,
    "rms-lstm": rms_lstm,
}
