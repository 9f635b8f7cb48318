"""The pass that learns: forward, losses, backward, gradients of all parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import NetworkConfig
from gencli.kernels.counter import drop_out, mix
from gencli.kernels.threads import Team, bounds
from gencli.kernels.tile import padded
from gencli.layers.block_softmax import BlockSoftmax
from gencli.layers.embedding import VectorEmbedding, side_gradient, side_tables
from gencli.layers.packed import scratch_words
from gencli.layers.recurrent import RecurrentLayer, dropout_factors
from gencli.layers.stacked import Embedding, Softmax
from gencli.layers.tied import TiedEmbedding
from gencli.layers.window import State, WindowInput
from gencli.parameters import Layout

Array = NDArray[Any]
INPUT, WEIGHTS = 1 << 20, 1 << 21  # keep dropout masks of these apart from those of the layers' outputs


@dataclass(frozen=True)
class Parts:
    """What a network is made of."""

    config: NetworkConfig
    layout: Layout
    layers: list[RecurrentLayer]
    embedding: Embedding
    output: Softmax


class Learning:
    """Threads own rows of the passes forward and backward, then columns of the parameters' gradients."""

    def __init__(self, parts: Parts, flat: Array, team: Team) -> None:
        self.parts, self.flat, self.team = parts, flat, team
        self._allocated = (0, 0)

    def run(self, fed: WindowInput, targets: Array, weights: Array, state: State, key: int, gradient: Array) -> Array:
        """Losses (T, B) of a window in nats, and in `gradient` that of their weighted mean; `state` moves on."""
        T, B = targets.shape
        self._prepare(T, B)
        losses = np.zeros((T, B), weights.dtype)
        scale = 1.0 / max(float(weights.sum(dtype=np.float64)), 1.0)
        self._begin(fed, targets, weights, key)
        output, top = self.parts.output, self.parts.layers[-1].output

        def pass_rows(share: int, shares: int) -> None:
            """One thread's rows through the whole window."""
            first, last = bounds(B, share, shares)
            if first == last:
                return
            self._forward(fed, state, T, first, last, key)
            if not isinstance(output, BlockSoftmax):
                output.loss(top, targets, weights, scale, losses, first, last)
                output.backward(self._d_output, T, first, last)
                self._backward(fed, T, first, last, key)

        def return_rows(share: int, shares: int) -> None:
            first, last = bounds(B, share, shares)
            if first < last:
                self._backward(fed, T, first, last, key)

        self.team.run(pass_rows)
        if isinstance(output, BlockSoftmax):
            told, rest = (targets, weights, scale, losses), (self.parts.layout, gradient, self._scratch)
            output.learn(self.team, top[:T], *told, self._d_output[:T], *rest)
            self.team.run(return_rows)
        self.team.run(lambda share, shares: self._gather(fed, gradient, key, share, shares))
        self._tie(gradient)
        return losses

    def read_ahead(self, fed: WindowInput, targets: Array, weights: Array, state: State, gradient: Array) -> Array:
        """As `run` without dropout up to the gradient of the last layer's output, (T, B, Hp), which it gives.

        The layers keep all that their backward passes read.
        """
        T, B = targets.shape
        self._prepare(T, B)
        losses = np.zeros((T, B), weights.dtype)
        scale = 1.0 / max(float(weights.sum(dtype=np.float64)), 1.0)
        self._begin(fed, targets, weights, key=0)
        output, top, d_output = self.parts.output, self.parts.layers[-1].output, self._d_output[:T]
        self._forward(fed, state, T, 0, B, key=0)
        if isinstance(output, BlockSoftmax):
            told, rest = (targets, weights, scale, losses), (self.parts.layout, gradient, self._scratch)
            output.learn(self.team, top[:T], *told, d_output, *rest)
        else:
            output.loss(top, targets, weights, scale, losses, 0, B)
            output.backward(d_output, T, 0, B)
        return d_output

    def _prepare(self, T: int, B: int) -> None:
        """Arrays for a window of T steps and B rows, kept from window to window where they suffice."""
        rows, steps = self._allocated
        if rows != B or steps < T:
            for layer in self.parts.layers:
                layer.allocate(T, B)
            self.parts.output.allocate(T, B)
            self.parts.embedding.allocate(T, B)
            dtype, width = self.parts.layout.dtype, self.parts.layers[0].width
            self._d_output = np.zeros((T, B, width), dtype)
            widest = max(width, padded(self.parts.config.embedding_size, dtype))
            self._scratch = [np.zeros(scratch_words(widest, dtype), np.uint32) for _ in range(self.team.size)]
            self._allocated = (B, T)

    def _forward(self, fed: WindowInput, state: State, T: int, first: int, last: int, key: int) -> None:
        """All layers over one window for rows [first, last); `key` names the dropout masks."""
        if first == last:
            return
        for i, layer in enumerate(self.parts.layers):
            kept = fed.keep[0, first:last, None]
            layer.state[0, first:last] = state.hidden[i, first:last] * kept
            if layer.cell.has_memory:
                layer.memory[0, first:last] = state.memory[i, first:last] * kept
            below = self._below(i)
            if i == 0:
                self.parts.embedding.forward(fed, layer.gates[:T], first, last)
                if below is not None:
                    self._drop(below[:T], key, INPUT, first, last)
                    layer.feed_more(below, T, first, last)
            elif below is not None:
                layer.feed(below, T, first, last)
            layer.forward(fed.keep, T, first, last)
            state.hidden[i, first:last] = layer.state[T, first:last]
            if layer.cell.has_memory:
                state.memory[i, first:last] = layer.memory[T, first:last]
            self._drop(layer.output[:T], key, i, first, last)

    def _below(self, index: int) -> Array | None:
        """What the product of layer `index` reads; None where its input side is a look-up."""
        if index > 0:
            return self.parts.layers[index - 1].output
        return self.parts.embedding.x if isinstance(self.parts.embedding, VectorEmbedding) else None

    def _drop(self, x: Array, key: int, place: int, first: int, last: int) -> None:
        """Dropout of one layer's output, or of its gradient: the same mask for the same key."""
        share = self.parts.config.input_dropout if place == INPUT else self.parts.config.dropout
        if share > 0:
            name = np.uint64(mix(key, place))
            drop_out(x, name, *dropout_factors(share, x.dtype), int(self.parts.config.variational), first, last)

    def _begin(self, fed: WindowInput, targets: Array, weights: Array, key: int) -> None:
        """What a window needs before its first pass."""
        self.parts.output.begin(targets, weights)
        self.parts.embedding.begin(fed)
        tied, dropping = isinstance(self.parts.embedding, TiedEmbedding), self.parts.config.weight_dropout > 0

        def job(share: int, shares: int) -> None:
            """One share of the vectors and of the weights."""
            if isinstance(self.parts.embedding, TiedEmbedding):
                self.parts.embedding.build(share, shares)
            if dropping:
                for layer in self.parts.layers:
                    source = self.parts.layout.view(self.flat, f"layers.{layer.index}.recurrent")
                    layer.drop_weights(source, mix(key, WEIGHTS), share, shares)

        if tied or dropping:
            self.team.run(job)

    def _backward(self, fed: WindowInput, T: int, first: int, last: int, key: int) -> None:
        """All layers backwards for rows [first, last); d_output passes down in place, layer by layer."""
        d_output = self._d_output[:T]
        for i in range(len(self.parts.layers) - 1, -1, -1):
            self._drop(d_output, key, i, first, last)
            self.parts.layers[i].backward(fed.keep, d_output, T, first, last)
            if i > 0:
                self.parts.layers[i].feed_back(d_output, T, first, last)
        if isinstance(self.parts.embedding, VectorEmbedding):
            d_x = self.parts.embedding.d_x[:T]
            self.parts.layers[0].feed_back(d_x, T, first, last)
            self._drop(d_x, key, INPUT, first, last)

    def _gather(self, fed: WindowInput, gradient: Array, key: int, share: int, shares: int) -> None:
        """Gradients of all parameters over the window: one share of the columns of each tensor."""
        T, scratch = len(fed.ids), self._scratch[share]
        for i, layer in enumerate(self.parts.layers):
            layer.gradient(self.parts.layout, gradient, self._below(i), T, mix(key, WEIGHTS), scratch, share, shares)
        d_gates = self.parts.layers[0].gates[:T]
        self.parts.embedding.gradient(fed, self.parts.layout, gradient, share, shares, d_gates)
        side_gradient(fed, d_gates, side_tables(self.parts.layout, gradient), share, shares)
        if not isinstance(self.parts.output, BlockSoftmax):
            self.parts.output.gradient(
                self.parts.layout, gradient, self.parts.layers[-1].output, T, scratch, share, shares
            )

    def _tie(self, gradient: Array) -> None:
        """Give the gradients of tied vectors to the output weights they are columns of."""
        embedding = self.parts.embedding
        if not isinstance(embedding, TiedEmbedding):
            return
        ids = embedding.unique
        d_vectors = embedding.d_vectors[None, : len(ids)]
        for phase in range(self.parts.output.tie_phases):

            def job(share: int, shares: int) -> None:
                inner = (ids, d_vectors, self.parts.layout, gradient, self._scratch[share])
                self.parts.output.tie_gradient(phase, *inner, share, shares)  # noqa: B023  run before the phase changes

            self.team.run(job)
