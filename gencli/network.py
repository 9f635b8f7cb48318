"""The network: embedding, a stack of recurrent layers, softmax. Threads own rows of a pass, columns of gradients.

Three passes: `learn` (losses and all gradients); `losses` and `logits` (forward alone, the states of one step kept).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.batches import Batch
from gencli.cells.cell import Cell
from gencli.cells.read import read
from gencli.cells.step import Work, tag_of, workspace
from gencli.config import NetworkConfig
from gencli.kernels.counter import drop_out, mix
from gencli.kernels.heads import head_logits
from gencli.kernels.threads import Job, Team, bounds
from gencli.kernels.tile import padded
from gencli.layers.adaptive import AdaptiveSoftmax
from gencli.layers.block_softmax import BlockSoftmax
from gencli.layers.embedding import TableEmbedding, VectorEmbedding, side_gradient
from gencli.layers.output import SoftmaxOutput
from gencli.layers.packed import scratch_words
from gencli.layers.recurrent import RecurrentLayer, dropout_factors
from gencli.layers.stacked import Embedding, Softmax, stack_weights
from gencli.layers.tied import TiedEmbedding
from gencli.layers.window import State, WindowInput, window_input
from gencli.parameters import Layout, initial_values

Array = NDArray[Any]
INPUT, WEIGHTS = 1 << 20, 1 << 21  # keep dropout masks of these apart from those of the layers' outputs
LARGE_VOCABULARY = 2048  # above it the logits of a window are many times what the caches hold
ROWS_A_THREAD = 8  # fewer are not worth waking a thread for


def _softmax(config: NetworkConfig) -> type[Softmax]:
    """The kind of softmax that fits the vocabulary."""
    if config.cutoffs:
        return AdaptiveSoftmax
    return BlockSoftmax if config.vocabulary_size > LARGE_VOCABULARY else SoftmaxOutput


def cell_named(name: str) -> Cell:
    """The cell of a name in config.CellName: the one in the file of that name."""
    cell: Cell = import_module(f"gencli.cells.{name.replace('-', '_')}").CELL
    return cell


class Network:
    """Parameters, gradients and the passes over them. After changing `flat`, call `pack()` before the next pass."""

    def __init__(
        self,
        config: NetworkConfig,
        team: Team,
        dtype: Any = np.float32,
        flat: Array | None = None,
        halved: bool = False,
    ) -> None:
        self.config, self.team = config, team
        self.cell = cell_named(config.cell)
        self.layout = Layout(config, self.cell, dtype)
        self.flat = self.layout.new() if flat is None else flat
        self.gradient = np.zeros(0, dtype)  # made by the first `learn`
        self.layers = [
            RecurrentLayer(config, self.cell, self.layout, self.flat, i, halved) for i in range(config.layers)
        ]
        sizes = config.side_sizes
        self.side_offsets = np.cumsum([0, *sizes[:-1]])[: len(sizes)].astype(np.int32)
        self.output = _softmax(config)(config, self.layout, self.flat, halved)
        self.embedding = self._embedding()
        self.weights = stack_weights(self.layout, self.flat, self.layers, self.embedding, self.output)
        self._work = self.workspace(0)
        self._stale = True  # weights derived from parameters for reading are not of the present ones
        self._allocated = (0, 0)
        self._scratch = [np.zeros(0, np.uint32)] * team.size

    def _embedding(self) -> Embedding:
        """The input side that the settings ask for."""
        own = (self.layout, self.flat, self._side_tables(self.flat), self.layers[0].bias)
        if self.config.tied:
            return TiedEmbedding(*own, self.output)
        return VectorEmbedding(*own, self.config.embedding_size) if self.config.embedding_size else TableEmbedding(*own)

    def _side_tables(self, flat: Array) -> Array:
        """All side tables, which lie one after another, as one (S, N) table."""
        names = [name for name in self.layout.tensors if name.startswith("side.")]
        if not names:
            return np.zeros((0, self.layers[0].columns), self.layout.dtype)
        places = self.layout.places
        stacked: Array = flat[places[names[0]].start : places[names[-1]].stop]
        return stacked.reshape(-1, self.layers[0].columns)

    def reader(self) -> Network:
        """A second network on the same parameters that reads and writes in full precision."""
        return Network(self.config, self.team, self.layout.dtype, self.flat)

    def initialise(self, seed: int) -> None:
        """Draw initial parameters."""
        self.flat[:] = self.layout.lay(initial_values(self.config, self.cell, seed))
        self.pack()

    def tensors(self) -> dict[str, Array]:
        """Copies of all tensors in their plain shapes."""
        return self.layout.plain(self.flat)

    def load(self, tensors: dict[str, Array]) -> None:
        """Take over plain tensors; ModelFileError where they do not fit."""
        self.flat[:] = self.layout.lay(tensors)
        self.pack()

    def pack(self) -> None:
        """Renew what products read of the parameters."""

        def job(share: int, shares: int) -> None:
            for layer in self.layers:
                layer.pack(share, shares)
            self.output.pack(share, shares)

        self.team.run(job)
        self._stale = True

    def state(self, rows: int) -> State:
        """A zero state for batches of `rows` rows."""
        return State(self.config.layers, rows, self.layers[0].width, self.layout.dtype)

    def _prepare(self, T: int, B: int) -> None:
        """Arrays for a window of T steps and B rows, kept from window to window where they suffice."""
        rows, steps = self._allocated
        if rows != B or steps < T:
            for layer in self.layers:
                layer.allocate(T, B)
            self.output.allocate(T, B)
            self.embedding.allocate(T, B)
            dtype, width = self.layout.dtype, self.layers[0].width
            self._d_output = np.zeros((T, B, width), dtype)
            widest = max(width, padded(self.config.embedding_size, dtype))
            self._scratch = [np.zeros(scratch_words(widest, dtype), np.uint32) for _ in range(self.team.size)]
            self._allocated = (B, T)

    def _forward(self, fed: WindowInput, state: State, T: int, first: int, last: int, key: int) -> None:
        """All layers over one window for rows [first, last); `key` names the dropout masks."""
        if first == last:
            return
        for i, layer in enumerate(self.layers):
            kept = fed.keep[0, first:last, None]
            layer.state[0, first:last] = state.hidden[i, first:last] * kept
            if self.cell.has_memory:
                layer.memory[0, first:last] = state.memory[i, first:last] * kept
            if i == 0:
                self.embedding.forward(fed, layer.gates[:T], first, last)
            else:
                layer.begin(T, first, last)
            below = self._below(i)
            if below is not None:
                if i == 0:
                    self._drop(below[:T], key, INPUT, first, last)
                layer.feed(below, T, first, last)
            layer.forward(fed.keep, T, first, last)
            state.hidden[i, first:last] = layer.state[T, first:last]
            if self.cell.has_memory:
                state.memory[i, first:last] = layer.memory[T, first:last]
            self._drop(layer.output[:T], key, i, first, last)

    def _below(self, index: int) -> Array | None:
        """What the product of layer `index` reads; None where its input side is a look-up."""
        if index > 0:
            return self.layers[index - 1].output
        return self.embedding.x if isinstance(self.embedding, VectorEmbedding) else None

    def _drop(self, x: Array, key: int, place: int, first: int, last: int) -> None:
        """Dropout of one layer's output, or of its gradient: the same mask for the same key."""
        share = self.config.input_dropout if place == INPUT else self.config.dropout
        if share > 0:
            name = np.uint64(mix(key, place))
            drop_out(x, name, *dropout_factors(share, x.dtype), int(self.config.variational), first, last)

    def begin_learning(self) -> None:
        """Make what only learning needs: the gradient's vector and the transposed weights."""
        self.gradient = self.layout.new()
        for layer in self.layers:
            layer.begin_learning()
        self.output.begin_learning()
        self.pack()

    def learn(self, batch: Batch, state: State, key: int) -> Array:
        """Losses (T, B) of a batch in nats, and in `gradient` that of their weighted mean; `state` moves on.

        `key` names the dropout masks: the same key, the same masks, whatever the threads.
        """
        T, B = batch.inputs.shape
        self._prepare(T, B)
        if self.gradient.size == 0:
            self.begin_learning()
        fed = window_input(batch.inputs, batch.starts, batch.side, self.side_offsets, self.layout.dtype)
        weights = batch.weights.astype(self.layout.dtype)
        losses = np.zeros((T, B), self.layout.dtype)
        scale = 1.0 / max(float(weights.sum(dtype=np.float64)), 1.0)
        self._begin(fed, batch.targets, weights, key)
        top = self.layers[-1].output

        def pass_rows(share: int, shares: int) -> None:
            """One thread's rows through the whole window."""
            first, last = bounds(B, share, shares)
            if first == last:
                return
            self._forward(fed, state, T, first, last, key)
            if not self.output.in_blocks:
                self.output.loss(top, batch.targets, weights, scale, losses, first, last)
                self.output.backward(self._d_output, T, first, last)
                self._backward(fed, T, first, last, key)

        def return_rows(share: int, shares: int) -> None:
            first, last = bounds(B, share, shares)
            if first < last:
                self._backward(fed, T, first, last, key)

        def gather(share: int, shares: int) -> None:
            self._gather(fed, T, key, share, shares)

        self.team.run(pass_rows)
        if isinstance(self.output, BlockSoftmax):
            told = (np.ascontiguousarray(batch.targets, np.int32), weights, scale, losses)
            rest = (self.layout, self.gradient, self._scratch)
            self.output.learn(self.team, top[:T], *told, self._d_output[:T], *rest)
            self.team.run(return_rows)
        self.team.run(gather)
        self._tie()
        return losses

    def _begin(self, fed: WindowInput, targets: Array, weights: Array, key: int) -> None:
        """What a window needs before its first pass."""
        self.output.begin(targets, weights)
        self.embedding.begin(fed)
        tied, dropping = isinstance(self.embedding, TiedEmbedding), self.config.weight_dropout > 0

        def job(share: int, shares: int) -> None:
            if isinstance(self.embedding, TiedEmbedding):
                self.embedding.build(share, shares)
            if dropping:
                for layer in self.layers:
                    source = self.layout.view(self.flat, f"layers.{layer.index}.recurrent")
                    layer.drop_weights(source, mix(key, WEIGHTS), share, shares)

        def pack(share: int, shares: int) -> None:
            for layer in self.layers:
                layer.recurrent.pack(share, shares)

        if tied or dropping:
            self.team.run(job)
        if dropping:
            self.team.run(pack)

    def _backward(self, fed: WindowInput, T: int, first: int, last: int, key: int) -> None:
        """All layers backwards for rows [first, last); d_output passes down in place, layer by layer."""
        d_output = self._d_output[:T]
        for i in range(len(self.layers) - 1, -1, -1):
            self._drop(d_output, key, i, first, last)
            self.layers[i].backward(fed.keep, d_output, T, first, last)
            if i > 0:
                self.layers[i].feed_back(d_output, T, first, last)
        if isinstance(self.embedding, VectorEmbedding):
            d_x = self.embedding.d_x[:T]
            self.layers[0].feed_back(d_x, T, first, last)
            self._drop(d_x, key, INPUT, first, last)

    def _gather(self, fed: WindowInput, T: int, key: int, share: int, shares: int) -> None:
        """Gradients of all parameters over the window: one share of the columns of each tensor."""
        scratch, gradient = self._scratch[share], self.gradient
        for i, layer in enumerate(self.layers):
            layer.gradient(self.layout, gradient, self._below(i), T, scratch, share, shares)
            if self.config.weight_dropout > 0:
                d_recurrent = self.layout.view(gradient, f"layers.{i}.recurrent")
                layer.drop_gradient(d_recurrent, mix(key, WEIGHTS), share, shares)
        d_gates = self.layers[0].gates[:T]
        self.embedding.gradient(fed, self.layout, gradient, share, shares, d_gates)
        side_gradient(fed, d_gates, self._side_tables(gradient), share, shares)
        if not self.output.in_blocks:
            self.output.gradient(self.layout, gradient, self.layers[-1].output, T, scratch, share, shares)

    def _tie(self) -> None:
        """Give the gradients of tied vectors to the output weights they are columns of."""
        embedding = self.embedding
        if not isinstance(embedding, TiedEmbedding):
            return
        ids = embedding.unique
        d_vectors = embedding.d_vectors[None, : len(ids)]
        for phase in range(self.output.tie_phases):

            def job(share: int, shares: int) -> None:
                inner = (ids, d_vectors, self.layout, self.gradient, self._scratch[share])
                self.output.tie_gradient(phase, *inner, share, shares)  # noqa: B023  run before the phase changes

            self.team.run(job)

    def losses(self, batch: Batch, state: State) -> Array:
        """Losses (T, B) of a batch in nats, nothing dropped, nothing learned; `state` moves on."""
        outputs = self._read(batch.inputs, batch.starts, batch.side, state)
        losses = np.zeros(batch.inputs.size, self.layout.dtype)
        rows = outputs.reshape(1, len(losses), -1)
        targets = np.ascontiguousarray(batch.targets, np.int32).ravel()

        def job(share: int, shares: int) -> None:
            self.output.token_losses(rows, targets, losses, *bounds(len(losses), share, shares))

        self._share_out(batch.inputs.shape[1], job)
        return losses.reshape(batch.inputs.shape)

    def logits(self, inputs: Array, starts: Array, side: Array, state: State) -> Array:
        """Logits (T, B, V) of a window: inputs (T, B), starts (T, B), side (F, T, B); `state` moves on."""
        outputs = self._read(inputs, starts, side, state)
        T, B = inputs.shape
        logits = np.zeros((T, B, self._work.logits.shape[2]), self.layout.dtype)
        head_logits(outputs, self.config.hidden_size, self.weights.head, logits, self._work.scratch, 0, B)
        return logits[:, :, : self.config.vocabulary_size]

    def _share_out(self, rows: int, job: Job) -> None:
        """Run a job on all threads where there are rows enough."""
        if rows >= 2 * ROWS_A_THREAD:
            self.team.run(job)
        else:
            job(0, 1)

    def begin_reading(self) -> None:
        """Form what compiled steps read and the parameters do not hold as such: the vectors of tied tokens."""
        if self._stale and isinstance(self.embedding, TiedEmbedding):
            vectors = self.embedding.all_vectors(self.config.vocabulary_size)
            self.weights = self.weights._replace(vectors=vectors)
        self._stale = False

    def _read(self, inputs: Array, starts: Array, side: Array, state: State) -> Array:
        """Outputs (T, B, Hp) of the last layer over one window, rows shared out among the threads."""
        T, B = inputs.shape
        self.begin_reading()
        fed = window_input(inputs, starts, side, self.side_offsets, self.layout.dtype)
        if len(self._work.drawn) != B:
            self._work = self.workspace(B)
        hidden, memory = (np.stack([held, held], axis=1) for held in (state.hidden, state.memory))
        kept = fed.keep[0, :, None]
        hidden[:, 0] *= kept
        memory[:, 0] *= kept
        outputs = np.zeros((T, B, self.layers[0].width), self.layout.dtype)
        arrays = (self._work, hidden, memory, fed.ids, fed.keep, fed.side, outputs)

        def job(share: int, shares: int) -> None:
            first, last = bounds(B, share, shares)
            if first < last:
                read(tag_of(self.config.cell), self.weights, *arrays, first, last)

        self._share_out(B, job)
        state.hidden[:], state.memory[:] = hidden[:, 0], memory[:, 0]
        return outputs

    def workspace(self, rows: int) -> Work:
        """What compiled steps of so many rows need for themselves."""
        width, sides = self.layers[0].width, len(self.config.side_sizes)
        return workspace(self.weights, self.config.vocabulary_size, width, rows, sides)

    def read(self, ids: Array, state: State) -> Array:
        """Logits (P + 1, V) of each next token as ids (P,) are read from a document's beginning; one row."""
        inputs = np.concatenate([np.zeros(1, np.int32), ids])[:, None]
        starts = np.zeros_like(inputs, np.bool_)
        starts[0] = True
        return self.logits(inputs, starts, np.zeros((0, len(inputs), 1), np.int32), state)[:, 0]
