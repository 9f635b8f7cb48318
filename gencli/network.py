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
from gencli.kernels.heads import head_logits
from gencli.kernels.threads import Job, Team, bounds
from gencli.layers.adaptive import AdaptiveSoftmax
from gencli.layers.block_softmax import BlockSoftmax
from gencli.layers.embedding import TableEmbedding, VectorEmbedding, side_tables
from gencli.layers.learning import Learning, Parts
from gencli.layers.output import SoftmaxOutput
from gencli.layers.packed import PackedWeights
from gencli.layers.recurrent import RecurrentLayer
from gencli.layers.stacked import Embedding, Softmax, stack_weights
from gencli.layers.tied import TiedEmbedding
from gencli.layers.window import State, window_input
from gencli.parameters import Layout, initial_values

Array = NDArray[Any]
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
        self._packed = self._find_packed()
        self._stale = True  # weights derived from parameters for reading are not of the present ones
        self._learning = Learning(Parts(config, self.layout, self.layers, self.embedding, self.output), self.flat, team)

    def _embedding(self) -> Embedding:
        """The input side that the settings ask for."""
        own = (self.layout, self.flat, side_tables(self.layout, self.flat), self.layers[0].bias)
        if self.config.tied:
            return TiedEmbedding(*own, self.output)
        return VectorEmbedding(*own, self.config.embedding_size) if self.config.embedding_size else TableEmbedding(*own)

    def _find_packed(self) -> list[tuple[int, PackedWeights]]:
        """What products read of the parameters, each with its place in the flat vector."""
        found = self.output.packed()
        for layer in self.layers:
            found |= layer.packed()
        return [(self.layout.places[name].start, weights) for name, weights in found.items()]

    def reader(self, flat: Array | None = None) -> Network:
        """A second network that reads and writes in full precision, on the same parameters or on others (size,)."""
        return Network(self.config, self.team, self.layout.dtype, self.flat if flat is None else flat)

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
        self.team.run(lambda share, shares: self.pack_part(*self.layout.part(share, shares)))
        self.packed_anew()

    def pack_part(self, first: int, last: int) -> None:
        """Renew it of the flat vector's elements [first, last), a `Layout.part` of them."""
        for place, weights in self._packed:
            weights.pack(*weights.panels_within(first - place, last - place))

    def packed_anew(self) -> None:
        """Note that all parts have been packed."""
        self._stale = True

    def state(self, rows: int) -> State:
        """A zero state for batches of `rows` rows."""
        return State(self.config.layers, rows, self.layers[0].width, self.layout.dtype)

    def begin_learning(self) -> None:
        """Make what only learning needs: the gradient's vector and the transposed weights."""
        self.gradient = self.layout.new()
        for layer in self.layers:
            layer.begin_learning()
        self.output.begin_learning()
        self._packed = self._find_packed()
        self.pack()

    def learn(self, batch: Batch, state: State, key: int) -> Array:
        """Losses (T, B) of a batch in nats, and in `gradient` that of their weighted mean; `state` moves on.

        `key` names the dropout masks: the same key, the same masks, whatever the threads. A network that learns with
        weight dropout reads by its `reader` alone.
        """
        if self.gradient.size == 0:
            self.begin_learning()
        fed = window_input(batch.inputs, batch.starts, batch.side, self.side_offsets, self.layout.dtype)
        targets = np.ascontiguousarray(batch.targets, np.int32)
        return self._learning.run(fed, targets, batch.weights.astype(self.layout.dtype), state, key, self.gradient)

    def output_gradient(self, batch: Batch, state: State) -> Array:
        """(T, B, Hp) the gradient of a batch's weighted mean loss with respect to the last layer's outputs.

        The layers keep all that their backward passes read; `state` moves on. For networks without dropout.
        """
        if self.gradient.size == 0:
            self.begin_learning()
        fed = window_input(batch.inputs, batch.starts, batch.side, self.side_offsets, self.layout.dtype)
        targets = np.ascontiguousarray(batch.targets, np.int32)
        weights = batch.weights.astype(self.layout.dtype)
        return self._learning.read_ahead(fed, targets, weights, state, self.gradient)

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
            vectors = self.embedding.all_vectors(self.config.vocabulary_size, self.team)
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
        return workspace(self.weights, self.cell, self.config.vocabulary_size, width, rows, sides)

    def read(self, ids: Array, state: State) -> Array:
        """Logits (P + 1, V) of each next token as ids (P,) are read from a document's beginning; one row."""
        inputs = np.concatenate([np.zeros(1, np.int32), ids])[:, None]
        starts = np.zeros_like(inputs, np.bool_)
        starts[0] = True
        return self.logits(inputs, starts, np.zeros((0, len(inputs), 1), np.int32), state)[:, 0]
