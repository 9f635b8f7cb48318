"""One recurrent layer: the arrays of its window, its passes over rows, its weight gradients by columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.cell import Cell
from gencli.config import NetworkConfig
from gencli.kernels.counter import drop_out, mix
from gencli.kernels.dense import feed_window, multiply_window
from gencli.kernels.lookup import repeat_bias_gradient
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded, panel_width
from gencli.layers.packed import PackedWeights
from gencli.parameters import Layout

Array = NDArray[Any]


def dropout_factors(share: float, dtype: Any) -> tuple[Any, Any]:
    """What `drop_out` takes for a share of zeros: the threshold of its random words, and 1 / (1 - share)."""
    return np.uint32(min(share * 2.0**32, 2.0**32 - 1)), np.dtype(dtype).type(1.0 / (1.0 - share))


class RecurrentLayer:
    """Layer number `index` of a network; the first layer's input comes from the embedding, already in `gates`.

    Shapes: T steps, B rows, Hp padded units, N = G * Hp.
    """

    def __init__(
        self, config: NetworkConfig, cell: Cell, layout: Layout, flat: Array, index: int, halved: bool
    ) -> None:
        dtype = layout.dtype
        self.cell, self.config, self.index = cell, config, index
        self.hidden_size = config.hidden_size
        self.width = padded(self.hidden_size, dtype)
        self.columns = cell.gates * self.width
        self.relu = cell.activations.index(config.activation) if config.activation in cell.activations else 0
        shape = (self.hidden_size, self.columns, self.width, halved)
        self.recurrent = PackedWeights(layout.view(flat, f"layers.{index}.recurrent"), *shape)
        self.input: PackedWeights | None = None  # none where the layer's input side is a look-up
        below = self.hidden_size if index > 0 else config.embedding_size
        if below > 0:
            weights = layout.view(flat, f"layers.{index}.input")
            self.input = PackedWeights(weights, below, self.columns, padded(below, dtype), halved)
        self.bias = layout.view(flat, f"layers.{index}.bias")
        self.peephole = (
            layout.view(flat, f"layers.{index}.peephole") if cell.peephole_gradient else np.zeros((3, 1), dtype)
        )
        self._dropping = False
        self.unused_bias = np.zeros(self.columns, dtype)  # what the input's product sums once more
        self.dtype = dtype
        self.allocate(0, 0)

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        dtype, Hp = self.dtype, self.width
        self.gates = np.zeros((T, B, self.columns), dtype)
        self.state = np.zeros((T + 1, B, Hp), dtype)
        self.memory = np.zeros((T + 1, B, Hp) if self.cell.has_memory else (1, 1, 1), dtype)
        self.extra = np.zeros((T, B, self.cell.extra_width * Hp) if self.cell.extra_width else (1, 1, 1), dtype)
        self.output = np.zeros((T, B, Hp), dtype)
        self.d_carry = np.zeros((2, B, Hp), dtype)

    def begin_learning(self) -> None:
        """Make what only learning needs."""
        self.recurrent.begin_learning()
        if self.input is not None:
            self.input.begin_learning()
        if self.config.weight_dropout > 0:
            self._dropping = True
            self.recurrent.weights = self.recurrent.weights.copy()
            self.recurrent.forward = self.recurrent.forward if self.recurrent.halved else self.recurrent.weights

    def drop_weights(self, source: Array, key: int, share: int, shares: int) -> None:
        """Take over and pack recurrent weights, some of them zeroed (Merity et al. 2018), one share of the panels."""
        panels = self.columns // panel_width(source.dtype)
        first, last = bounds(panels, share, shares)
        dropped = self.recurrent.weights.reshape(1, panels, -1)
        dropped[0, first:last] = source.reshape(1, panels, -1)[0, first:last]
        self._mask(dropped, key, first, last)
        self.recurrent.pack(first, last)

    def _mask(self, panels: Array, key: int, first: int, last: int) -> None:
        share, scale = dropout_factors(self.config.weight_dropout, panels.dtype)
        drop_out(panels, np.uint64(mix(key, self.index)), share, scale, 0, first, last)

    def packed(self) -> dict[str, PackedWeights]:
        """By tensor what products read and `drop_weights` does not form."""
        name = f"layers.{self.index}"
        found = {} if self._dropping else {f"{name}.recurrent": self.recurrent}
        return found if self.input is None else found | {f"{name}.input": self.input}

    def feed(self, below: Array, T: int, first: int, last: int) -> None:
        """Write bias + below @ W to the gates."""
        assert self.input is not None
        feed_window(below[:T], self.input.k, self.input.forward, self.bias, self.gates[:T], first, last)

    def feed_more(self, below: Array, T: int, first: int, last: int) -> None:
        """Add below @ W to the gates, which hold the bias and more."""
        assert self.input is not None
        multiply_window(below[:T], self.input.k, self.input.forward, self.gates[:T], 1, first, last)

    def forward(self, keep: Array, T: int, first: int, last: int) -> None:
        """Run the cell over T steps for rows [first, last); state[0] and memory[0] hold what enters the window."""
        weights = (self.recurrent.forward, self.peephole)
        arrays = (self.gates[:T], *weights, keep, self.state, self.memory, self.extra, self.output)
        self.cell.forward(*arrays, self.hidden_size, self.relu, first, last)

    def backward(self, keep: Array, d_output: Array, T: int, first: int, last: int) -> None:
        """Turn the gates into their gradients, given d_output (T, B, Hp)."""
        weights = (self.recurrent.backward, self.peephole)
        arrays = (self.gates[:T], *weights, keep, self.state, self.memory, self.extra)
        self.cell.backward(*arrays, d_output, self.d_carry, (self.hidden_size, self.relu), first, last)

    def feed_back(self, d_below: Array, T: int, first: int, last: int) -> None:
        """Write the gradient of what `feed` read to d_below, of its shape."""
        assert self.input is not None
        multiply_window(self.gates[:T], self.columns, self.input.backward, d_below[:T], 0, first, last)

    def gradient(
        self, layout: Layout, gradient: Array, below: Array | None, T: int, key: int, scratch: Array,
        share: int, shares: int,
    ) -> None:  # fmt: skip
        """Gradients of recurrent and input weights, bias and peepholes: one share of the columns of each.

        Recurrent weights that `drop_weights` zeroed under the same key have none.
        """
        name, width = f"layers.{self.index}", panel_width(gradient.dtype)
        d_recurrent, d_bias = layout.view(gradient, f"{name}.recurrent"), layout.view(gradient, f"{name}.bias")
        gates, rest = self.gates[:T], (scratch, share, shares)
        for product in self.cell.products:
            source = (self.state if product.source == "state" else self.extra)[:T]
            columns = (product.first * self.width, product.last * self.width)
            begin, end = (column // width for column in columns)
            first, last = bounds(end - begin, share, shares)  # the panels that this share writes
            if product.gradient == "gates":
                self.recurrent.gradient(source, gates, columns, d_recurrent, d_bias, *rest)
            else:
                self.recurrent.gradient(source, self.extra[:T], columns, d_recurrent, self.unused_bias, *rest)
                repeat_bias_gradient(gates, d_bias, (begin + first) * width, (begin + last) * width)
            if self.config.weight_dropout > 0:
                panels = d_recurrent.reshape(1, self.columns // width, -1)
                self._mask(panels, key, begin + first, begin + last)
        if below is not None and self.input is not None:
            d_input = layout.view(gradient, f"{name}.input")
            self.input.gradient(below[:T], gates, (0, self.columns), d_input, self.unused_bias, *rest)
        if self.cell.peephole_gradient is not None:
            part = bounds(self.width // width, share, shares)
            d_peephole = layout.view(gradient, f"{name}.peephole")
            self.cell.peephole_gradient(gates, self.memory, d_peephole, part[0] * width, part[1] * width)
