"""Tokens' vectors tied to the output weights (Press & Wolf 2017; with an adaptive softmax, Baevski & Auli 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.kernels.threads import Team
from gencli.layers.adaptive import AdaptiveSoftmax
from gencli.layers.embedding import VectorEmbedding
from gencli.layers.output import SoftmaxOutput
from gencli.layers.window import WindowInput
from gencli.parameters import Layout

Array = NDArray[Any]


class TiedEmbedding(VectorEmbedding):
    """As VectorEmbedding; `vectors` (U, Ep) holds those of the U distinct ids of a window alone.

    `build` must run on all shares between `begin` and `forward`; `return_gradient` after the output's own gradient.
    """

    def __init__(
        self, layout: Layout, flat: Array, side_table: Array, bias: Array, output: SoftmaxOutput | AdaptiveSoftmax
    ) -> None:
        self.output = output
        super().__init__(layout, flat, side_table, bias, output.hidden_size)
        self.d_vectors = np.zeros((0, self.width), layout.dtype)

    def find_vectors(self, layout: Layout, flat: Array) -> Array:
        """None until a window names its ids."""
        return np.zeros((0, self.width), layout.dtype)

    def begin(self, fed: WindowInput) -> None:
        """Find the window's distinct ids."""
        unique, inverse = np.unique(fed.ids, return_inverse=True)
        self.unique, self.ids = unique.astype(np.int32), inverse.reshape(fed.ids.shape).astype(np.int32)
        if len(self.vectors) < len(unique):
            self.vectors, self.d_vectors = (
                np.zeros((len(fed.ids.flat), self.width), self.bias.dtype) for _ in range(2)
            )
        self.output.begin_vectors(self.unique)

    def build(self, share: int, shares: int) -> None:
        """Take the columns out, one share of the ids."""
        self.output.vectors(self.unique, self.vectors[None], share, shares)

    def gradient(
        self, fed: WindowInput, layout: Layout, gradient: Array, share: int, shares: int, d_gates: Array
    ) -> None:
        """Add up each vector's gradient, the columns of one share."""
        self.add_up(fed, self.d_vectors[: len(self.unique)], share, shares)

    def all_vectors(self, count: int, team: Team) -> Array:
        """The vectors (V, Ep) of all ids, as parameters are now."""
        everything = np.zeros((1, count, self.width), self.bias.dtype)
        ids = np.arange(count, dtype=np.int32)
        self.output.begin_vectors(ids)
        team.run(lambda share, shares: self.output.vectors(ids, everything, share, shares))
        vectors: Array = everything[0]
        return vectors
