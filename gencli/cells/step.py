"""One step of a whole network in compiled code, the states of one step kept; reading and writing are made of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple, get_args

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from gencli.cells.cell import Cell
from gencli.config import CellName
from gencli.kernels.compile import OPTIONS, pasted
from gencli.kernels.dense import feed_window, multiply_window
from gencli.kernels.heads import AdaptiveHead, FullHead, scratch_columns
from gencli.kernels.lookup import look_up
from gencli.kernels.tile import padded

Array = NDArray[Any]


class Weights(NamedTuple):
    """All that a step reads: L layers of N = G * Hp columns, V ids padded to Vp columns."""

    recurrent: Array  # (L, ...) panels
    input: Array  # (L - 1, ...) panels; the first layer has none
    bias: Array  # (L, N)
    peephole: Array  # (L, 3, Hp)
    table: Array  # (V, N)
    side_table: Array  # (S, N)
    vectors: Array | None  # (V, Ep), where the first layer's input enters by a product
    first_input: Array  # panels of E rows; empty where it does not
    embedding_size: int  # E
    head: FullHead | AdaptiveHead
    hidden_size: int
    relu: int


class Work(NamedTuple):
    """Arrays that a call needs for itself."""

    gates: Array  # (1, B, N)
    extra: Array  # (1, B, X * Hp), see cells/cell.py
    x: Array  # (1, B, Ep)
    no_bias: Array  # (Ep,) zeros
    nothing: Array  # (2, B) zeros
    no_side: Array  # (0, 1, 1) int32
    output: Array  # (1, B, Hp)
    scratch: Array  # (B, ...), see kernels/heads.py
    logits: Array  # (1, B, Vp)
    keep: Array  # (2, B)
    ids: Array  # (1, B) int32
    side: Array  # (F, 1, B) int32
    drawn: Array  # (B,) int32
    told: Array  # (B,) float64
    chance: Array  # (B,) float64
    position: Array  # (B,) uint64
    weights: Array  # (V,) float64
    ranks: Array  # (V,) int32


def workspace(weights: Weights, cell: Cell, vocabulary_size: int, width: int, rows: int, sides: int) -> Work:
    """Arrays for `rows` rows of `width` padded units, with so many side ids each."""
    dtype, N = weights.bias.dtype, weights.bias.shape[1]
    units = 0 if weights.vectors is None else weights.vectors.shape[1]
    return Work(
        gates=np.zeros((1, rows, N), dtype),
        extra=np.zeros((1, rows, max(cell.extra_width, 1) * width), dtype),
        output=np.zeros((1, rows, width), dtype),
        x=np.zeros((1, rows, units), dtype),
        no_bias=np.zeros(units, dtype),
        nothing=np.zeros((2, rows), dtype),
        no_side=np.zeros((0, 1, 1), np.int32),
        scratch=np.zeros((rows, scratch_columns(weights.head)), dtype),
        logits=np.zeros((1, rows, padded(vocabulary_size, dtype)), dtype),
        keep=np.ones((2, rows), dtype),
        ids=np.zeros((1, rows), np.int32),
        side=np.zeros((sides, 1, rows), np.int32),
        drawn=np.zeros(rows, np.int32),
        told=np.zeros(rows),
        chance=np.zeros(rows),
        position=np.zeros(rows, np.uint64),
        weights=np.zeros(vocabulary_size),
        ranks=np.zeros(vocabulary_size, np.int32),
    )


def tag_of(name: str) -> tuple[int, ...]:
    """A tuple whose length, and so its type in compiled code, names a cell."""
    return (0,) * (1 + get_args(CellName).index(name))


def _forward(cell, weights, layer, work, state, memory, first, last):
    raise NotImplementedError("only compiled code calls this")


@overload(_forward, inline="never", jit_options=OPTIONS)
def _forward_of(cell, weights, layer, work, state, memory, first, last):
    """The forward kernel of the cell that a tag's type names."""
    name = get_args(CellName)[cell.count - 1]
    forward = import_module(f"gencli.cells.{name.replace('-', '_')}").CELL.forward

    def run(cell, weights, layer, work, state, memory, first, last):
        """One step of rows [first, last)."""
        inner = (weights.recurrent[layer], weights.peephole[layer], work.keep, state, memory)
        size, relu = weights.hidden_size, weights.relu
        forward(work.gates, *inner, work.extra, work.output, size, relu, first, last)

    return run


def _first_input(weights, work, first, last):
    raise NotImplementedError("only compiled code calls this")


def _from_table(weights, work, first, last):
    tables = (weights.table, work.side, weights.side_table)
    look_up(work.ids, work.keep, *tables, weights.bias[0], work.gates, first, last)


def _from_vectors(weights, work, first, last):
    tables = (weights.table, work.side, weights.side_table)
    look_up(work.ids, work.nothing, *tables, weights.bias[0], work.gates, first, last)
    tables = (weights.vectors, work.no_side, weights.vectors)
    look_up(work.ids, work.keep, *tables, work.no_bias, work.x, first, last)
    multiply_window(work.x, weights.embedding_size, weights.first_input, work.gates, 1, first, last)


@overload(_first_input, inline="never", jit_options=OPTIONS)
def _first_input_of(weights, work, first, last):
    """Only the way that the network has is compiled."""
    vectors = weights.types[weights.fields.index("vectors")]
    return _from_table if isinstance(vectors, types.NoneType) else _from_vectors


@pasted
def step(cell, weights, work, state, memory, first, last):
    """Rows [first, last) through all layers: work.ids and work.side in, work.output out; state and memory move on.

    work.keep[0] is 0 where the step begins a document, work.keep[1] where the next one does.
    """
    for i in range(weights.bias.shape[0]):
        if i == 0:
            _first_input(weights, work, first, last)
        else:
            inner = (weights.hidden_size, weights.input[i - 1], weights.bias[i])
            feed_window(work.output, *inner, work.gates, first, last)
        _forward(cell, weights, i, work, state[i], memory[i], first, last)
        for b in range(first, last):
            for j in range(state.shape[3]):
                state[i, 0, b, j] = state[i, 1, b, j]
            for j in range(memory.shape[3]):
                memory[i, 0, b, j] = memory[i, 1, b, j]
