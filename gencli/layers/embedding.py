"""The input side of the first layer: rows of tables added up, or the token's vector, which a product takes on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.kernels.lookup import look_up, look_up_gradient
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded, panel_width
from gencli.layers.window import WindowInput
from gencli.parameters import Layout

Array = NDArray[Any]


class TableEmbedding:
    """Look-up of tokens (V, N) and side ids (S, N), N = G * Hp, the tables of all side inputs stacked."""

    vectors: Array | None = None  # the input enters by no product

    def __init__(self, layout: Layout, flat: Array, side_table: Array, bias: Array) -> None:
        self.table, self.side_table, self.bias = layout.view(flat, "tokens.table"), side_table, bias

    def allocate(self, T: int, B: int) -> None:
        """Nothing of its own."""

    def begin(self, fed: WindowInput) -> None:
        """Nothing to prepare."""

    def forward(self, fed: WindowInput, gates: Array, first: int, last: int) -> None:
        """Write bias + token row + side rows to gates (T, B, N), rows [first, last) of the batch."""
        look_up(fed.ids, fed.keep, self.table, fed.side, self.side_table, self.bias, gates, first, last)

    def gradient(
        self, fed: WindowInput, layout: Layout, gradient: Array, share: int, shares: int, d_gates: Array
    ) -> None:
        """Gradient of the token table, the columns of one share."""
        d_table = layout.view(gradient, "tokens.table")
        first, last = column_share(d_table, share, shares)
        d_table[:, first:last] = 0
        look_up_gradient(fed.ids, fed.keep, d_gates, d_table, first, last)


class VectorEmbedding:
    """A vector of E units for each token; x (T, B, Ep) is what the first layer's product reads."""

    def __init__(self, layout: Layout, flat: Array, side_table: Array, bias: Array, size: int) -> None:
        self.side_table, self.bias = side_table, bias
        self.width = padded(size, layout.dtype)
        self._no_bias = np.zeros(self.width, layout.dtype)
        self._no_side = np.zeros((0, 1, 1), np.int32)
        self.table = np.zeros((1, len(bias)), layout.dtype)  # not read
        self.vectors = self.find_vectors(layout, flat)
        self.allocate(0, 0)

    def find_vectors(self, layout: Layout, flat: Array) -> Array:
        """The vectors (V, Ep) that ids name."""
        return layout.view(flat, "tokens.vectors")

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        self.x, self.d_x = (np.zeros((T, B, self.width), self.bias.dtype) for _ in range(2))

    def begin(self, fed: WindowInput) -> None:
        """Say which rows of `vectors` the window reads."""
        self.ids = fed.ids

    def forward(self, fed: WindowInput, gates: Array, first: int, last: int) -> None:
        """Write bias + side rows to gates (T, B, N) and the vectors to x, zero where a document begins."""
        nothing = np.zeros_like(fed.keep)
        look_up(fed.ids, nothing, self.table, fed.side, self.side_table, self.bias, gates, first, last)
        x = self.x[: len(fed.ids)]
        look_up(self.ids, fed.keep, self.vectors, self._no_side, self.vectors, self._no_bias, x, first, last)

    def gradient(
        self, fed: WindowInput, layout: Layout, gradient: Array, share: int, shares: int, d_gates: Array
    ) -> None:
        """Gradient of the vectors, the columns of one share."""
        self.add_up(fed, layout.view(gradient, "tokens.vectors"), share, shares)

    def add_up(self, fed: WindowInput, d_vectors: Array, share: int, shares: int) -> None:
        """d_vectors = what all steps give to each vector, the columns of one share."""
        first, last = column_share(d_vectors, share, shares)
        d_vectors[:, first:last] = 0
        look_up_gradient(self.ids, fed.keep, self.d_x[: len(fed.ids)], d_vectors, first, last)


def column_share(table: Array, share: int, shares: int) -> tuple[int, int]:
    """The columns [first, last) of a table that belong to a share: whole panels."""
    width = panel_width(table.dtype)
    first, last = (n * width for n in bounds(table.shape[1] // width, share, shares))
    return first, last


def side_gradient(fed: WindowInput, d_gates: Array, d_side: Array, share: int, shares: int) -> None:
    """Gradient of the stacked side tables (S, N), the columns of one share."""
    first, last = column_share(d_side, share, shares)
    d_side[:, first:last] = 0
    always = np.ones_like(fed.keep)
    for ids in fed.side:
        look_up_gradient(ids, always, d_gates, d_side, first, last)


def side_tables(layout: Layout, flat: Array) -> Array:
    """All side tables, which lie one after another in a flat vector, as one (S, N) table."""
    names = [name for name in layout.tensors if name.startswith("side.")]
    columns = len(layout.view(flat, "layers.0.bias"))
    if not names:
        return np.zeros((0, columns), layout.dtype)
    stacked: Array = flat[layout.places[names[0]].start : layout.places[names[-1]].stop]
    return stacked.reshape(-1, columns)
