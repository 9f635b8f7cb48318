"""One softmax over a large vocabulary: rows in blocks, so that the logits of a window never stand all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.kernels.dense import multiply_window
from gencli.kernels.softmax import softmax_loss
from gencli.kernels.threads import Team, bounds
from gencli.layers.output import SoftmaxOutput
from gencli.parameters import Layout

Array = NDArray[Any]
BLOCK_ROWS = 256  # their logits, for 17,000 words, take 18 MB


class BlockSoftmax(SoftmaxOutput):
    """As SoftmaxOutput, but losses and all gradients in one call, between the passes of the layers."""

    def allocate(self, T: int, B: int) -> None:
        """Room for one block."""
        self.d_logits = np.zeros((1, min(T * B, BLOCK_ROWS), self.columns), self.bias.dtype)

    def learn(
        self, team: Team, x: Array, targets: Array, weights: Array, scale: float, losses: Array, d_below: Array,
        layout: Layout, gradient: Array, scratch: list[Array],
    ) -> None:  # fmt: skip
        """Losses (T, B), the gradient of x (T, B, Hp) in d_below, and those of weight and bias."""
        rows = targets.size
        x, d_below = x.reshape(1, rows, -1), d_below.reshape(1, rows, -1)
        flat = [array.reshape(1, rows) for array in (targets, weights, losses)]
        d_weight, d_bias = layout.view(gradient, "output.weight"), layout.view(gradient, "output.bias")
        factor, H, V = self.bias.dtype.type(scale), self.hidden_size, self.vocabulary_size
        for begin in range(0, rows, BLOCK_ROWS):
            here = slice(begin, min(begin + BLOCK_ROWS, rows))
            count = here.stop - begin
            below, d_logits, d_x = x[:, here], self.d_logits[:, :count], d_below[:, here]
            told = [array[:, here] for array in flat]

            def by_rows(share: int, shares: int) -> None:
                """Losses and gradients of one share of the block's rows."""
                part = bounds(count, share, shares)  # noqa: B023  run before the block changes
                head = (self.weight.forward, self.bias, V)
                target, weight, loss = told  # noqa: B023
                softmax_loss(below, H, *head, target, weight, factor, loss, d_logits, *part)  # noqa: B023
                multiply_window(d_logits, self.columns, self.weight.backward, d_x, 0, *part)  # noqa: B023

            def by_columns(share: int, shares: int) -> None:
                """Gradients of one share of the weights' columns."""
                rest = (scratch[share], share, shares, int(begin > 0))  # noqa: B023
                self.weight.gradient(below, d_logits, (0, self.columns), d_weight, d_bias, *rest)  # noqa: B023

            team.run(by_rows)
            team.run(by_columns)
