"""What the LSTMs have in common once their gates are known: one register of a row forward, and one backward."""

from __future__ import annotations

from gencli.kernels.activations import tanh
from gencli.kernels.compile import inlined
from gencli.kernels.vector import load, store


@inlined
def remember(active, gates, g, Hp, extra, h_at, output, state, memory, s, following, kept):
    """Store the gates (u, f, o, c~), tanh(c'), a', and the state and memory that enter the step after."""
    u, f, o, candidate = active
    c = u * candidate + f * load(memory, s)
    h = tanh(c)
    store(gates, g, u)
    store(gates, g + Hp, f)
    store(gates, g + 2 * Hp, o)
    store(gates, g + 3 * Hp, candidate)
    store(extra, h_at, h)
    store(output, s, o * h)
    store(state, following, o * h * kept)
    store(memory, following, c * kept)


@inlined
def gate_gradients(gates, g, Hp, h, before, da, dc_after):
    """Put the gradients before activation in place of the activated gates; gives those of c, u, f and o.

    h is tanh(c'), `before` c, da the gradient of a', dc_after what the step after returns to c'.
    """
    u, f = load(gates, g), load(gates, g + Hp)
    o, candidate = load(gates, g + 2 * Hp), load(gates, g + 3 * Hp)
    dc = dc_after + da * o * (1.0 - h * h)
    du = dc * candidate * u * (1.0 - u)
    df = dc * before * f * (1.0 - f)
    do = da * h * o * (1.0 - o)
    store(gates, g, du)
    store(gates, g + Hp, df)
    store(gates, g + 2 * Hp, do)
    store(gates, g + 3 * Hp, dc * u * (1.0 - candidate * candidate))
    return dc * f, du, df, do
