"""The adaptive softmax (Grave et al. 2017): a head over the frequent ids and one entry for each tail of rarer ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import NetworkConfig
from gencli.kernels.columns import add_columns, add_rows, gather_columns, gather_rows
from gencli.kernels.dense import multiply_window
from gencli.kernels.heads import AdaptiveHead
from gencli.kernels.softmax import softmax_loss, token_losses
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded
from gencli.layers.output import READ_ROWS
from gencli.layers.packed import PackedWeights
from gencli.parameters import Layout, tail_widths

Array = NDArray[Any]


class Tail:
    """Ids [first, last) behind a projection of the H units to fewer; arrays of n rows whose targets they are."""

    def __init__(self, config: NetworkConfig, layout: Layout, flat: Array, number: int, halved: bool) -> None:
        dtype, H = layout.dtype, config.hidden_size
        edges = (*config.cutoffs, config.vocabulary_size)
        self.first, self.last = edges[number : number + 2]
        self.units = tail_widths(config)[number]
        self.name, self.width, self.input_width = f"output.tail.{number}", padded(self.units, dtype), padded(H, dtype)
        self.columns = padded(self.last - self.first, dtype)
        projection, weight = (layout.view(flat, f"{self.name}.{kind}") for kind in ("projection", "weight"))
        self.projection = PackedWeights(projection, H, self.width, self.input_width, halved)
        self.weight = PackedWeights(weight, self.units, self.columns, self.width, halved)
        self.bias = layout.view(flat, f"{self.name}.bias")
        self.unused_bias = np.zeros(self.width, dtype)
        self.entry = config.cutoffs[0] + number  # its column in the head
        self._room = -1
        self.choose(np.zeros((0, 0), np.int32), np.zeros((0, 0), dtype))

    def choose(self, targets: Array, weights: Array) -> None:
        """Take the steps whose targets (T, B) are this tail's, in the order of rows, then steps."""
        self.rows, self.steps = np.nonzero((self.first <= targets.T) & (self.last > targets.T))
        n = len(self.rows)
        self.targets = (targets[self.steps, self.rows] - self.first).astype(np.int32)[None]
        self.weights = weights[self.steps, self.rows][None]
        if n > self._room:
            dtype = self.bias.dtype
            self._room = n + n // 4
            self._x, self._d_x = (np.zeros((1, self._room, self.input_width), dtype) for _ in range(2))
            self._p, self._d_p = (np.zeros((1, self._room, self.width), dtype) for _ in range(2))
            self._d_logits = np.zeros((1, self._room, self.columns), dtype)
        self.x, self.d_x, self.p, self.d_p = (a[:, :n] for a in (self._x, self._d_x, self._p, self._d_p))
        self.d_logits, self.losses = self._d_logits[:, :n], np.zeros((1, n), self.bias.dtype)

    def part(self, first: int, last: int) -> tuple[int, int]:
        """Which of the chosen steps belong to rows [first, last)."""
        begin, end = np.searchsorted(self.rows, (first, last))
        return int(begin), int(end)


class AdaptiveSoftmax:
    """Offers what SoftmaxOutput does. `begin` must be called with a window's targets before the pass over its rows."""

    tie_phases = 2

    def __init__(self, config: NetworkConfig, layout: Layout, flat: Array, halved: bool) -> None:
        self.hidden_size, self.vocabulary_size = config.hidden_size, config.vocabulary_size
        dtype = layout.dtype
        self.size = config.cutoffs[0]
        self.entries = self.size + len(config.cutoffs)
        self.columns, self.width = padded(self.entries, dtype), padded(self.hidden_size, dtype)
        weight = layout.view(flat, "output.head.weight")
        self.weight = PackedWeights(weight, self.hidden_size, self.columns, self.width, halved)
        self.bias = layout.view(flat, "output.head.bias")
        self.tails = [Tail(config, layout, flat, i, halved) for i in range(len(config.cutoffs))]
        self.allocate(0, 0)

    def packed(self) -> dict[str, PackedWeights]:
        """By tensor what products read."""
        found = {"output.head.weight": self.weight}
        for tail in self.tails:
            found |= {f"{tail.name}.projection": tail.projection, f"{tail.name}.weight": tail.weight}
        return found

    def allocate(self, T: int, B: int) -> None:
        """Arrays for windows of T steps and B rows."""
        self.d_logits = np.zeros((T, B, self.columns), self.bias.dtype)

    def begin_learning(self) -> None:
        """Make room for the transposes."""
        for weights in self.packed().values():
            weights.begin_learning()

    def head_targets(self, targets: Array) -> Array:
        """Targets as the head knows them: tails by their entry."""
        edges = np.array([tail.first for tail in self.tails])
        tail = np.searchsorted(edges, targets, side="right")
        return np.where(tail > 0, self.size + tail - 1, targets).astype(np.int32)

    def begin(self, targets: Array, weights: Array) -> None:
        """Note a window's targets and weights (T, B)."""
        self.targets = self.head_targets(targets)
        for tail in self.tails:
            tail.choose(targets, weights)

    def loss(
        self, x: Array, targets: Array, weights: Array, scale: float, losses: Array, first: int, last: int
    ) -> None:
        """losses (T, B) = -log p(target), and the gradient of their weighted sum times scale, into the d_logits."""
        T, H, factor = len(targets), self.hidden_size, self.bias.dtype.type(scale)
        head = (self.weight.forward, self.bias, self.entries, self.targets, weights, factor)
        softmax_loss(x[:T], H, *head, losses, self.d_logits[:T], first, last)
        for tail in self.tails:
            part = tail.part(first, last)
            gather_rows(x, tail.steps, tail.rows, tail.x, *part)
            multiply_window(tail.x, H, tail.projection.forward, tail.p, 0, *part)
            own = (tail.weight.forward, tail.bias, tail.last - tail.first, tail.targets, tail.weights, factor)
            softmax_loss(tail.p, tail.units, *own, tail.losses, tail.d_logits, *part)
            here = slice(*part)
            losses[tail.steps[here], tail.rows[here]] += tail.losses[0, here]

    def backward(self, d_below: Array, T: int, first: int, last: int) -> None:
        """Write the gradient of the last layer's output to d_below (T, B, Hp)."""
        multiply_window(self.d_logits[:T], self.columns, self.weight.backward, d_below[:T], 0, first, last)
        for tail in self.tails:
            part = tail.part(first, last)
            multiply_window(tail.d_logits, tail.columns, tail.weight.backward, tail.d_p, 0, *part)
            multiply_window(tail.d_p, tail.width, tail.projection.backward, tail.d_x, 0, *part)
            add_rows(tail.d_x, tail.steps, tail.rows, d_below, *part)

    def gradient(
        self, layout: Layout, gradient: Array, x: Array, T: int, scratch: Array, share: int, shares: int
    ) -> None:
        """Gradients of all weights and biases, one share of the columns of each."""
        rest = (scratch, share, shares)
        d_weight, d_bias = (layout.view(gradient, f"output.head.{kind}") for kind in ("weight", "bias"))
        self.weight.gradient(x[:T], self.d_logits[:T], (0, self.columns), d_weight, d_bias, *rest)
        for tail in self.tails:
            d_projection, d_weight, d_bias = (
                layout.view(gradient, f"{tail.name}.{kind}") for kind in ("projection", "weight", "bias")
            )
            tail.weight.gradient(tail.p, tail.d_logits, (0, tail.columns), d_weight, d_bias, *rest)
            tail.projection.gradient(tail.x, tail.d_p, (0, tail.width), d_projection, tail.unused_bias, *rest)

    def head(self) -> AdaptiveHead:
        """What compiled steps read."""
        return AdaptiveHead(
            self.weight.forward,
            self.bias,
            tuple(tail.projection.forward for tail in self.tails),
            tuple(tail.weight.forward for tail in self.tails),
            tuple(tail.bias for tail in self.tails),
            np.array([tail.units for tail in self.tails]),
            np.array([*(tail.first for tail in self.tails), self.vocabulary_size]),
        )

    def token_losses(self, x: Array, targets: Array, losses: Array, first: int, last: int) -> None:
        """losses[i] = -log p(targets[i]) of x (1, n, Hp) for i in [first, last), nothing kept for gradients."""
        H, dtype = self.hidden_size, self.bias.dtype
        logits = np.zeros((READ_ROWS, self.columns), dtype)
        head = (self.weight.forward, self.bias, self.entries, self.head_targets(targets), losses, logits)
        token_losses(x, H, *head, first, last)
        for tail in self.tails:
            chosen = np.flatnonzero((tail.first <= targets[first:last]) & (targets[first:last] < tail.last)) + first
            n = len(chosen)
            rows = np.ascontiguousarray(x[:, chosen])
            p, own = np.zeros((1, n, tail.width), dtype), np.zeros(n, dtype)
            multiply_window(rows, H, tail.projection.forward, p, 0, 0, n)
            wanted = (targets[chosen] - tail.first).astype(np.int32)
            room = np.zeros((READ_ROWS, tail.columns), dtype)
            head = (tail.weight.forward, tail.bias, tail.last - tail.first, wanted, own, room)
            token_losses(p, tail.units, *head, 0, n)
            losses[chosen] += own

    def begin_vectors(self, ids: Array) -> None:
        """Divide ascending ids (n,) among head and tails, whose vectors are asked for next."""
        edges = [0, *np.searchsorted(ids, [tail.first for tail in self.tails]).tolist(), len(ids)]
        self._parts = [slice(begin, end) for begin, end in pairwise(edges)]
        self._columns = [
            np.zeros((2, 1, part.stop - part.start, tail.width), self.bias.dtype)  # columns, and their gradients
            for tail, part in zip(self.tails, self._parts[1:], strict=True)
        ]

    def vectors(self, ids: Array, out: Array, share: int, shares: int) -> None:
        """The vectors of ids (n,) as rows of out (1, n, Hp), one share: a tail's columns through its projection's
        transpose, which is formed here where only reading goes on.
        """
        part = self._parts[0]
        count = part.stop
        gather_columns(self.weight.weights, self.hidden_size, ids[part], out[:, part], *bounds(count, share, shares))
        for tail, part, (columns, _) in zip(self.tails, self._parts[1:], self._columns, strict=True):
            own = bounds(part.stop - part.start, share, shares)
            gather_columns(tail.weight.weights, tail.units, ids[part] - np.int32(tail.first), columns, *own)
            multiply_window(columns, tail.width, tail.projection.turned(), out[:, part], 0, *own)

    def tie_gradient(
        self, phase: int, ids: Array, d_vectors: Array, layout: Layout, gradient: Array, scratch: Array,
        share: int, shares: int,
    ) -> None:  # fmt: skip
        """Add what the vectors of distinct ids (n,) receive, d_vectors (1, n, Hp), one share."""
        H = self.hidden_size
        if phase == 0:
            part = self._parts[0]
            d_head = layout.view(gradient, "output.head.weight")
            add_columns(d_vectors[:, part], H, ids[part], d_head, *bounds(H, share, shares))
        for tail, part, (columns, d_columns) in zip(self.tails, self._parts[1:], self._columns, strict=True):
            if part.stop == part.start:
                continue
            d = d_vectors[:, part]
            if phase == 0:
                own = bounds(part.stop - part.start, share, shares)
                multiply_window(d, H, tail.projection.forward, d_columns, 0, *own)
                d_projection = layout.view(gradient, f"{tail.name}.projection")
                rest = (scratch, share, shares, 1)
                tail.projection.gradient(d, columns, (0, tail.width), d_projection, tail.unused_bias, *rest)
            else:
                d_weight = layout.view(gradient, f"{tail.name}.weight")
                inner = ids[part] - np.int32(tail.first)
                add_columns(d_columns, tail.units, inner, d_weight, *bounds(tail.units, share, shares))
