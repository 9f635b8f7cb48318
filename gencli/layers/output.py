"""The dense softmax on top: logits, losses, their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import NetworkConfig
from gencli.kernels.dense import BLOCK, multiply_window, transpose_panels, weight_gradient
from gencli.kernels.softmax import softmax_loss, token_losses, write_logits
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded, panel_width
from gencli.parameters import Layout

Array = NDArray[Any]


class SoftmaxOutput:
    """y = softmax(W_y a + b_y) over V ids, padded to Vp columns."""

    def __init__(self, config: NetworkConfig, layout: Layout, flat: Array) -> None:
        self.hidden_size, self.vocabulary_size = config.hidden_size, config.vocabulary_size
        self.columns = padded(self.vocabulary_size, layout.dtype)
        self.width = padded(self.hidden_size, layout.dtype)
        self.weight, self.bias = layout.view(flat, "output.weight"), layout.view(flat, "output.bias")
        self.weight_t = np.zeros(self.width * self.columns, layout.dtype)
        self.allocate(0, 0)

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        self.d_logits = np.zeros((T, B, self.columns), self.weight.dtype)

    def transpose(self, share: int, shares: int) -> None:
        """Pack the transposed weights, one share of the panels."""
        part = bounds(self.width // panel_width(self.weight.dtype), share, shares)
        transpose_panels(self.weight, self.hidden_size, self.columns, self.weight_t, *part)

    def loss(
        self, x: Array, targets: Array, weights: Array, scale: float, losses: Array, first: int, last: int
    ) -> None:
        """losses (T, B) = -log p(target), and the gradient of their weighted sum times scale, into d_logits."""
        T, H, V = len(targets), self.hidden_size, self.vocabulary_size
        d_logits, factor = self.d_logits[:T], self.weight.dtype.type(scale)
        softmax_loss(x[:T], H, self.weight, self.bias, V, targets, weights, factor, losses, d_logits, first, last)

    def backward(self, d_below: Array, T: int, first: int, last: int) -> None:
        """Write the gradient of the last layer's output to d_below (T, B, Hp)."""
        multiply_window(self.d_logits[:T], self.columns, self.weight_t, d_below[:T], 0, first, last)

    def gradient(
        self, layout: Layout, gradient: Array, x: Array, T: int, scratch: Array, share: int, shares: int
    ) -> None:
        """Gradients of weight and bias, one share of the columns."""
        d_weight, d_bias = layout.view(gradient, "output.weight"), layout.view(gradient, "output.bias")
        part = bounds(self.columns // panel_width(gradient.dtype), share, shares)
        weight_gradient(x[:T], self.hidden_size, self.d_logits[:T], 0, d_weight, d_bias, scratch[:BLOCK], *part)

    def token_losses(self, x: Array, targets: Array, losses: Array, scratch: Array, first: int, last: int) -> None:
        """losses (T, B) = -log p(target), nothing kept for gradients; scratch (1, B, Vp)."""
        x, V = x[: len(targets)], self.vocabulary_size
        token_losses(x, self.hidden_size, self.weight, self.bias, V, targets, losses, scratch, first, last)

    def logits(self, x: Array, logits: Array, first: int, last: int) -> None:
        """logits (T, B, Vp) of the first T steps of x; columns from V on carry no meaning."""
        write_logits(x[: len(logits)], self.hidden_size, self.weight, self.bias, logits, first, last)
