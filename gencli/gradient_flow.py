"""How far a gradient reaches: its norm by distance back in time, by the network's own backward pass.

The distance k lies between a step t, whose loss it is, and the state after step t - k. Measured is the gradient of
loss_t with respect to the whole state there: the hidden state of every layer and, for cells that have one, the memory
cell. At k = 0 only the hidden state of the last layer has one. How the norm falls or grows with k is what Pascanu et
al. 2013 (section 2.1) call vanishing and exploding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.kernels.dense import multiply_window
from gencli.layers.recurrent import RecurrentLayer
from gencli.layers.window import State
from gencli.network import Network

Array = NDArray[Any]
_STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70)


def distances_up_to(longest: int) -> tuple[int, ...]:
    """0 and about ten distances to each power of ten, none above `longest`."""
    every = {0, *_STEPS, *(10 * k for k in _STEPS), *(100 * k for k in _STEPS)}
    return tuple(k for k in sorted(every) if k <= longest)


@dataclass(frozen=True)
class Flow:
    """What is left of a gradient at each of some rising distances, the first of which is 0.

    shares: the mean norm over all places that reach so far, by the mean norm at distance 0 of the same places.
    places: how many those are; distances that no document reaches are left out.
    """

    distances: tuple[int, ...]
    shares: tuple[float, ...]
    places: tuple[int, ...]

    def share(self, distance: int) -> float:
        """What is left at a distance; NaN where it was not measured."""
        return dict(zip(self.distances, self.shares, strict=True)).get(distance, math.nan)


def measure_flow(network: Network, windows: Iterable[Any], distances: Sequence[int]) -> Flow:
    """The flow from the last step of each row of consecutive windows, batches whose rows go on where they ended.

    `network` drops nothing. Only places count whose document reaches back far enough, within their window.
    """
    norms, bases = (dict.fromkeys(distances, 0.0) for _ in range(2))
    places = dict.fromkeys(distances, 0)
    state: State | None = None
    for window in windows:
        T, B = window.inputs.shape
        state = network.state(B) if state is None else state
        last = replace(window, weights=window.weights * (np.arange(T) == T - 1)[:, None])
        d_output = network.output_gradient(last, state)
        base = _norm([d_output[-1]])
        reach = np.where(window.weights[-1] > 0, reaches(window.starts), -1)
        for k in distances:
            there = reach >= k
            if there.any():
                found = base if k == 0 else _norm(state_gradients(network, window.starts, d_output, k))
                norms[k] += float(found[there].sum())
                bases[k] += float(base[there].sum())
                places[k] += int(there.sum())
    measured = tuple(k for k in distances if bases[k] > 0)
    return Flow(measured, tuple(norms[k] / bases[k] for k in measured), tuple(places[k] for k in measured))


def reaches(starts: Array) -> Array:
    """(B,) how many steps back from the last one of a window the state is its document's own; starts (T, B)."""
    since = np.argmax(starts[::-1], axis=0)  # steps from the last start to the window's end
    return np.where(starts.any(axis=0), since, len(starts))


def _norm(parts: Sequence[Array]) -> Array:
    """(B,) the norm of a gradient in parts of (B, units) each."""
    squares = [np.square(part, dtype=np.float64).sum(axis=-1) for part in parts]
    norms: Array = np.sqrt(np.sum(squares, axis=0))
    return norms


def state_gradients(network: Network, starts: Array, d_output: Array, distance: int) -> list[Array]:
    """The gradients, (B, Hp) each, with respect to the state that is `distance` >= 1 steps older than a window's last.

    Layer by layer from the first: that of the hidden state, then that of the memory for cells that have one. `starts`
    (T, B) are the window's; `d_output` (T, B, Hp) is what `Network.output_gradient`, the network's latest pass, gave.
    """
    T, B = starts.shape
    keep = np.ones((distance + 1, B), network.layout.dtype)
    keep[:-1][starts[T - distance :]] = 0
    d_below = d_output[T - distance :].copy()
    found: list[Array] = []
    for layer in reversed(network.layers):
        gates, carried = _step_back(layer, keep, d_below, T)
        found = carried + found
        if layer.index > 0 and layer.input is not None:
            multiply_window(gates, layer.columns, layer.input.backward, d_below, 0, 0, B)
    return found


def _step_back(layer: RecurrentLayer, keep: Array, d_output: Array, T: int) -> tuple[Array, list[Array]]:
    """A layer's backward pass over the last steps of its window of T: the gates' gradients, and what it hands on."""
    (steps, B), cell = d_output.shape[:2], layer.cell
    here, around = slice(T - steps, T), slice(T - steps, T + 1)
    gates, d_carry = layer.gates[here].copy(), np.zeros_like(layer.d_carry)
    memory = layer.memory[around] if cell.has_memory else layer.memory
    extra = layer.extra[here].copy() if cell.extra_width else layer.extra
    arrays = (keep, layer.state[around], memory, extra, d_output, d_carry)
    cell.backward(gates, layer.recurrent.backward, layer.peephole, *arrays, (layer.hidden_size, layer.relu), 0, B)
    d_carry[:, keep[0] == 0] = 0  # the kernels hand it on whatever starts at their first step
    return gates, [d_carry[0], d_carry[1]] if cell.has_memory else [d_carry[0]]
