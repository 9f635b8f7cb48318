"""One softmax over all ids: logits, losses, their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import NetworkConfig
from gencli.kernels.columns import add_columns, gather_columns
from gencli.kernels.dense import multiply_window
from gencli.kernels.heads import FullHead
from gencli.kernels.softmax import softmax_loss, token_losses
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded
from gencli.layers.packed import PackedWeights
from gencli.parameters import Layout

Array = NDArray[Any]
READ_ROWS = 48  # rows whose logits are formed at a time where none are kept


class SoftmaxOutput:
    """y = softmax(W_y a + b_y) over V ids, padded to Vp columns."""

    tie_phases = 1  # calls of `tie_gradient` that a tied embedding needs, all shares of one before any of the next

    def __init__(self, config: NetworkConfig, layout: Layout, flat: Array, halved: bool) -> None:
        self.hidden_size, self.vocabulary_size = config.hidden_size, config.vocabulary_size
        self.columns = padded(self.vocabulary_size, layout.dtype)
        self.width = padded(self.hidden_size, layout.dtype)
        shape = (self.hidden_size, self.columns, self.width, halved)
        self.weight = PackedWeights(layout.view(flat, "output.weight"), *shape)
        self.bias = layout.view(flat, "output.bias")
        self.allocate(0, 0)

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        self.d_logits = np.zeros((T, B, self.columns), self.bias.dtype)

    def packed(self) -> dict[str, PackedWeights]:
        """By tensor what products read."""
        return {"output.weight": self.weight}

    def begin_learning(self) -> None:
        """Make room for the transpose."""
        self.weight.begin_learning()

    def begin(self, targets: Array, weights: Array) -> None:
        """Nothing to prepare for a window's targets."""

    def loss(
        self, x: Array, targets: Array, weights: Array, scale: float, losses: Array, first: int, last: int
    ) -> None:
        """losses (T, B) = -log p(target), and the gradient of their weighted sum times scale, into d_logits."""
        T, H, V = len(targets), self.hidden_size, self.vocabulary_size
        d_logits, factor = self.d_logits[:T], self.bias.dtype.type(scale)
        softmax_loss(
            x[:T], H, self.weight.forward, self.bias, V, targets, weights, factor, losses, d_logits, first, last
        )

    def backward(self, d_below: Array, T: int, first: int, last: int) -> None:
        """Write the gradient of the last layer's output to d_below (T, B, Hp)."""
        multiply_window(self.d_logits[:T], self.columns, self.weight.backward, d_below[:T], 0, first, last)

    def gradient(
        self, layout: Layout, gradient: Array, x: Array, T: int, scratch: Array, share: int, shares: int
    ) -> None:
        """Gradients of weight and bias, one share of the columns."""
        d_weight, d_bias = layout.view(gradient, "output.weight"), layout.view(gradient, "output.bias")
        columns = (0, self.columns)
        self.weight.gradient(x[:T], self.d_logits[:T], columns, d_weight, d_bias, scratch, share, shares)

    def head(self) -> FullHead:
        """What compiled steps read."""
        return FullHead(self.weight.forward, self.bias)

    def token_losses(self, x: Array, targets: Array, losses: Array, first: int, last: int) -> None:
        """losses[i] = -log p(targets[i]) of x (1, n, Hp) for i in [first, last), nothing kept for gradients."""
        logits = np.zeros((READ_ROWS, self.columns), self.bias.dtype)
        head = (self.weight.forward, self.bias, self.vocabulary_size)
        token_losses(x, self.hidden_size, *head, targets, losses, logits, first, last)

    def begin_vectors(self, ids: Array) -> None:
        """Nothing to prepare for the columns of these ids."""

    def vectors(self, ids: Array, out: Array, share: int, shares: int) -> None:
        """The columns of ids (n,) as rows of out (1, n, Hp), one share of them."""
        gather_columns(self.weight.weights, self.hidden_size, ids, out, *bounds(len(ids), share, shares))

    def tie_gradient(
        self, phase: int, ids: Array, d_vectors: Array, layout: Layout, gradient: Array, scratch: Array,
        share: int, shares: int,
    ) -> None:  # fmt: skip
        """Add the gradients d_vectors (1, n, Hp) of the columns of distinct ids (n,), one share of the units."""
        d_weight = layout.view(gradient, "output.weight")
        add_columns(d_vectors, self.hidden_size, ids, d_weight, *bounds(self.hidden_size, share, shares))
