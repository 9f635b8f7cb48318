"""One recurrent layer: the arrays of its window, its passes over rows, its weight gradients by columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.cell import Cell
from gencli.config import NetworkConfig
from gencli.kernels.dense import BLOCK, multiply_window, transpose_panels, weight_gradient
from gencli.kernels.lookup import repeat_bias
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded, panel_width
from gencli.parameters import Layout

Array = NDArray[Any]


class RecurrentLayer:
    """Layer number `index` of a network; the first layer's input comes from the embedding, already in `gates`.

    Shapes: T steps, B rows, Hp padded units, N = G * Hp.
    """

    def __init__(self, config: NetworkConfig, cell: Cell, layout: Layout, flat: Array, index: int) -> None:
        dtype = layout.dtype
        self.cell, self.config, self.index = cell, config, index
        self.hidden_size = config.hidden_size
        self.width = padded(self.hidden_size, dtype)
        self.columns = cell.gates * self.width
        self.relu = cell.activations.index(config.activation) if config.activation in cell.activations else 0
        self.recurrent = layout.view(flat, f"layers.{index}.recurrent")
        self.input = layout.view(flat, f"layers.{index}.input") if index > 0 else None
        self.bias = layout.view(flat, f"layers.{index}.bias")
        self.peephole = (
            layout.view(flat, f"layers.{index}.peephole") if cell.peephole_gradient else np.zeros((3, 1), dtype)
        )
        self.recurrent_t = np.zeros(self.width * self.columns, dtype)
        self.input_t = np.zeros(self.width * self.columns if index > 0 else 0, dtype)
        self.allocate(0, 0)

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        dtype, Hp = self.recurrent.dtype, self.width
        self.gates = np.zeros((T, B, self.columns), dtype)
        self.state = np.zeros((T + 1, B, Hp), dtype)
        self.memory = np.zeros((T + 1, B, Hp) if self.cell.has_memory else (1, 1, 1), dtype)
        self.extra = np.zeros((T, B, Hp) if self.cell.has_extra else (1, 1, 1), dtype)
        self.output = np.zeros((T, B, Hp), dtype)
        self.d_carry = np.zeros((2, B, Hp), dtype)

    def transpose(self, share: int, shares: int) -> None:
        """Pack the transposed weights that the backward pass reads, one share of the panels."""
        first, last = bounds(self.width // panel_width(self.recurrent.dtype), share, shares)
        transpose_panels(self.recurrent, self.hidden_size, self.columns, self.recurrent_t, first, last)
        if self.input is not None:
            transpose_panels(self.input, self.hidden_size, self.columns, self.input_t, first, last)

    def feed(self, below: Array, T: int, first: int, last: int) -> None:
        """Write bias + below @ W to the gates: the input side of any layer but the first."""
        gates = self.gates[:T]
        repeat_bias(self.bias, gates, first, last)
        multiply_window(below[:T], self.hidden_size, self.input, gates, 1, first, last)

    def forward(self, keep: Array, T: int, first: int, last: int) -> None:
        """Run the cell over T steps for rows [first, last); state[0] and memory[0] hold what enters the window."""
        arrays = (self.gates[:T], self.recurrent, self.peephole, keep, self.state, self.memory, self.extra, self.output)
        self.cell.forward(*arrays, self.hidden_size, self.relu, first, last)

    def backward(self, keep: Array, d_output: Array, T: int, first: int, last: int) -> None:
        """Turn the gates into their gradients, given d_output (T, B, Hp)."""
        arrays = (self.gates[:T], self.recurrent_t, self.peephole, keep, self.state, self.memory, self.extra)
        self.cell.backward(*arrays, d_output, self.d_carry, self.relu, first, last)

    def feed_back(self, d_below: Array, T: int, first: int, last: int) -> None:
        """Write the gradient of the layer below's output to d_below (T, B, Hp)."""
        multiply_window(self.gates[:T], self.columns, self.input_t, d_below[:T], 0, first, last)

    def gradient(
        self, layout: Layout, gradient: Array, below: Array | None, T: int, scratch: Array, share: int, shares: int
    ) -> None:
        """Gradients of recurrent and input weights, bias and peepholes: one share of the columns of each."""
        name, width = f"layers.{self.index}", panel_width(gradient.dtype)
        d_recurrent, d_bias = layout.view(gradient, f"{name}.recurrent"), layout.view(gradient, f"{name}.bias")
        gates, H = self.gates[:T], self.hidden_size
        for product in self.cell.products:
            source = (self.state if product.source == "state" else self.extra)[:T]
            offset = product.first * self.width
            panels = (product.last - product.first) * self.width // width
            target = d_recurrent[offset * H : offset * H + panels * width * H]
            weight_gradient(source, H, gates, offset, target, d_bias, scratch[:BLOCK], *bounds(panels, share, shares))
        if below is not None:
            d_input, unused = layout.view(gradient, f"{name}.input"), scratch[BLOCK:].reshape(-1)
            part = bounds(self.columns // width, share, shares)
            weight_gradient(below[:T], H, gates, 0, d_input, unused, scratch[:BLOCK], *part)
        if self.cell.peephole_gradient is not None:
            part = bounds(self.width // width, share, shares)
            d_peephole = layout.view(gradient, f"{name}.peephole")
            self.cell.peephole_gradient(gates, self.memory, d_peephole, part[0] * width, part[1] * width)
