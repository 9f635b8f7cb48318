"""The dense softmax on top: logits, losses, their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import NetworkConfig
from gencli.kernels.dense import multiply_window
from gencli.kernels.softmax import softmax_loss
from gencli.kernels.tile import padded
from gencli.layers.packed import PackedWeights
from gencli.parameters import Layout

Array = NDArray[Any]


class SoftmaxOutput:
    """y = softmax(W_y a + b_y) over V ids, padded to Vp columns."""

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

    def pack(self, share: int, shares: int) -> None:
        """Renew what products read of the weights, one share."""
        self.weight.pack(share, shares)

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
