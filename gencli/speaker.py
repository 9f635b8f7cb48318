"""A network that writes: samples side by side, many tokens a call, rows shared out among the threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.stream import Rows, Rule, Weights, Work, generate, tag_of
from gencli.kernels.threads import bounds
from gencli.layers.window import State
from gencli.network import Network

Array = NDArray[Any]
ROWS_A_THREAD = 8  # fewer are not worth waking a thread for


def stacked_weights(network: Network) -> Weights:
    """The network's weights as the sampling kernel reads them: one array for each kind, layers one upon the other."""
    layers = network.layers
    recurrent = np.stack([layer.recurrent.forward for layer in layers])
    inputs = [layer.input.forward for layer in layers if layer.input is not None]
    first = np.zeros((1, inputs[0].size if inputs else 1), recurrent.dtype)  # not read
    return Weights(
        recurrent=recurrent,
        input=np.concatenate([first, *(weights[None] for weights in inputs)]),
        bias=np.stack([layer.bias for layer in layers]),
        peephole=np.stack([layer.peephole for layer in layers]),
        table=network.embedding.table,
        output=network.output.weight.forward,
        output_bias=network.output.bias,
        hidden_size=network.config.hidden_size,
        relu=layers[0].relu,
    )


class Speaker:
    """Samples under way from one state. `numbers` names them: what a sample draws depends on its number alone."""

    def __init__(self, network: Network, rule: Rule, state: State, logits: Array, numbers: Array) -> None:
        self.network, self.rule = network, rule
        self.weights = stacked_weights(network)
        self.position = 0
        shares = max(1, min(network.team.size, len(numbers) // ROWS_A_THREAD))
        parts = [bounds(len(numbers), share, shares) for share in range(shares)]
        self._rows = [self._begin(state, logits, numbers, *part) for part in parts]
        self._active = [last - first for first, last in parts]
        self._work = [self._workspace(count) for count in self._active]
        self._count = len(numbers)

    def _begin(self, state: State, logits: Array, numbers: Array, first: int, last: int) -> Rows:
        """Rows [first, last), all in the same state before the same logits (V,)."""
        layers, _, width = state.hidden.shape
        count, dtype = last - first, state.hidden.dtype
        hidden = np.zeros((layers, 2, count, width), dtype)
        memory = np.zeros((layers, 2, count, width), dtype)
        hidden[:, 0], memory[:, 0] = state.hidden, state.memory
        wide = np.zeros((1, count, self.network.output.columns), dtype)
        wide[0, :, : len(logits)] = logits
        return Rows(hidden, memory, wide, np.arange(first, last), numbers[first:last].astype(np.uint64))

    def _workspace(self, count: int) -> Work:
        """Arrays for `count` rows."""
        dtype, layer = self.network.layout.dtype, self.network.layers[0]
        return Work(
            gates=np.zeros((1, count, layer.columns), dtype),
            extra=np.zeros((1, count, layer.width), dtype),
            output=np.zeros((1, count, layer.width), dtype),
            keep=np.ones((2, count), dtype),
            ids=np.zeros((1, count), np.int32),
            side=np.zeros((0, 1, count), np.int32),
            drawn=np.zeros(count, np.int32),
            told=np.zeros(count),
            chance=np.zeros(count),
            position=np.zeros(count, np.uint64),
        )

    @property
    def under_way(self) -> int:
        """Samples that have not ended."""
        return sum(self._active)

    def advance(self, steps: int) -> tuple[Array, Array]:
        """Up to `steps` more tokens (n, steps) of every sample, and their log-probabilities; -1 where it has ended."""
        tokens = np.full((self._count, steps), -1, np.int32)
        told = np.zeros((self._count, steps))

        def job(share: int, shares: int) -> None:
            """One thread's rows; threads beyond the shares have none."""
            if share < len(self._rows) and self._active[share]:
                rest = (self.position, self._active[share], tokens, told)
                cell = tag_of(self.network.config.cell)
                rows, work = self._rows[share], self._work[share]
                self._active[share] = generate(cell, self.weights, self.rule, rows, work, *rest)

        if len(self._rows) == 1:
            job(0, 1)
        else:
            self.network.team.run(job)
        self.position += steps
        return tokens, told

    def end(self, places: set[int]) -> None:
        """Let these samples end here."""
        for share, rows in enumerate(self._rows):
            active = self._active[share]
            kept = [row for row in range(active) if int(rows.place[row]) not in places]
            if len(kept) < active:
                count = len(kept)
                for array in (rows.place, rows.number):
                    array[:count] = array[kept]
                rows.state[:, 0, :count], rows.memory[:, 0, :count] = rows.state[:, 0, kept], rows.memory[:, 0, kept]
                rows.logits[0, :count] = rows.logits[0, kept]
                self._active[share] = count
