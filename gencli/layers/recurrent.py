"""One recurrent layer: the arrays of its window, its passes over rows, its weight gradients by columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.cell import Cell
from gencli.config import NetworkConfig
from gencli.kernels.dense import multiply_window
from gencli.kernels.lookup import repeat_bias
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded, panel_width
from gencli.layers.packed import PackedWeights
from gencli.parameters import Layout

Array = NDArray[Any]


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
        self.input = PackedWeights(layout.view(flat, f"layers.{index}.input"), *shape) if index > 0 else None
        self.bias = layout.view(flat, f"layers.{index}.bias")
        self.peephole = (
            layout.view(flat, f"layers.{index}.peephole") if cell.peephole_gradient else np.zeros((3, 1), dtype)
        )
        self.unused_bias = np.zeros(self.columns, dtype)  # what the input's product sums once more
        self.dtype = dtype
        self.allocate(0, 0)

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        dtype, Hp = self.dtype, self.width
        self.gates = np.zeros((T, B, self.columns), dtype)
        self.state = np.zeros((T + 1, B, Hp), dtype)
        self.memory = np.zeros((T + 1, B, Hp) if self.cell.has_memory else (1, 1, 1), dtype)
        self.extra = np.zeros((T, B, Hp) if self.cell.has_extra else (1, 1, 1), dtype)
        self.output = np.zeros((T, B, Hp), dtype)
        self.d_carry = np.zeros((2, B, Hp), dtype)

    def pack(self, share: int, shares: int) -> None:
        """Renew what products read of the weights, one share."""
        self.recurrent.pack(share, shares)
        if self.input is not None:
            self.input.pack(share, shares)

    def feed(self, below: Array, T: int, first: int, last: int) -> None:
        """Write bias + below @ W to the gates: the input side of any layer but the first."""
        assert self.input is not None
        gates = self.gates[:T]
        repeat_bias(self.bias, gates, first, last)
        multiply_window(below[:T], self.hidden_size, self.input.forward, gates, 1, first, last)

    def forward(self, keep: Array, T: int, first: int, last: int) -> None:
        """Run the cell over T steps for rows [first, last); state[0] and memory[0] hold what enters the window."""
        weights = (self.recurrent.forward, self.peephole)
        arrays = (self.gates[:T], *weights, keep, self.state, self.memory, self.extra, self.output)
        self.cell.forward(*arrays, self.hidden_size, self.relu, first, last)

    def backward(self, keep: Array, d_output: Array, T: int, first: int, last: int) -> None:
        """Turn the gates into their gradients, given d_output (T, B, Hp)."""
        weights = (self.recurrent.backward, self.peephole)
        arrays = (self.gates[:T], *weights, keep, self.state, self.memory, self.extra)
        self.cell.backward(*arrays, d_output, self.d_carry, self.relu, first, last)

    def feed_back(self, d_below: Array, T: int, first: int, last: int) -> None:
        """Write the gradient of the layer below's output to d_below (T, B, Hp)."""
        assert self.input is not None
        multiply_window(self.gates[:T], self.columns, self.input.backward, d_below[:T], 0, first, last)

    def gradient(
        self, layout: Layout, gradient: Array, below: Array | None, T: int, scratch: Array, share: int, shares: int
    ) -> None:
        """Gradients of recurrent and input weights, bias and peepholes: one share of the columns of each."""
        name, width = f"layers.{self.index}", panel_width(gradient.dtype)
        d_recurrent, d_bias = layout.view(gradient, f"{name}.recurrent"), layout.view(gradient, f"{name}.bias")
        gates, rest = self.gates[:T], (scratch, share, shares)
        for product in self.cell.products:
            source = (self.state if product.source == "state" else self.extra)[:T]
            columns = (product.first * self.width, product.last * self.width)
            self.recurrent.gradient(source, gates, columns, d_recurrent, d_bias, *rest)
        if below is not None and self.input is not None:
            d_input = layout.view(gradient, f"{name}.input")
            self.input.gradient(below[:T], gates, (0, self.columns), d_input, self.unused_bias, *rest)
        if self.cell.peephole_gradient is not None:
            part = bounds(self.width // width, share, shares)
            d_peephole = layout.view(gradient, f"{name}.peephole")
            self.cell.peephole_gradient(gates, self.memory, d_peephole, part[0] * width, part[1] * width)
