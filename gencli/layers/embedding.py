"""The input side of the first layer: rows of tables, added up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.kernels.lookup import look_up, look_up_gradient
from gencli.kernels.threads import bounds
from gencli.kernels.tile import panel_width
from gencli.layers.window import WindowInput

Array = NDArray[Any]


class Embedding:
    """Look-up of tokens (V, N) and side ids (S, N), N = G * Hp, the tables of all side inputs stacked."""

    def __init__(self, table: Array, side_table: Array, bias: Array) -> None:
        self.table, self.side_table, self.bias = table, side_table, bias

    def forward(self, fed: WindowInput, gates: Array, first: int, last: int) -> None:
        """Write bias + token row + side rows to gates (T, B, N), rows [first, last) of the batch."""
        look_up(fed.ids, fed.keep, self.table, fed.side, self.side_table, self.bias, gates, first, last)

    def gradient(
        self, fed: WindowInput, d_gates: Array, d_table: Array, d_side: Array, share: int, shares: int
    ) -> None:
        """Gradients of both tables, the columns of one share; the bias has its own from the recurrent product."""
        width = panel_width(d_gates.dtype)
        first, last = (n * width for n in bounds(d_gates.shape[2] // width, share, shares))
        d_table[:, first:last] = 0
        look_up_gradient(fed.ids, fed.keep, d_gates, d_table, first, last)
        d_side[:, first:last] = 0
        always = np.ones_like(fed.keep)
        for ids in fed.side:
            look_up_gradient(ids, always, d_gates, d_side, first, last)
