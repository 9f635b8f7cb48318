"""Many tokens of many samples in one compiled call: state update, temperature, truncation and draw, step after step."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple, get_args

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from gencli.config import CellName
from gencli.kernels.compile import inlined, kernel
from gencli.kernels.counter import uniforms
from gencli.kernels.dense import multiply_window
from gencli.kernels.lookup import look_up, repeat_bias
from gencli.kernels.pick import pick
from gencli.kernels.softmax import write_logits

Array = NDArray[Any]


class Weights(NamedTuple):
    """All that a step reads: L layers of N = G * Hp columns, V ids padded to Vp columns."""

    recurrent: Array  # (L, ...) panels
    input: Array  # (L, ...) panels; the first layer's are not read
    bias: Array  # (L, N)
    peephole: Array  # (L, 3, Hp)
    table: Array  # (V, N)
    output: Array  # panels
    output_bias: Array  # (Vp,)
    hidden_size: int
    relu: int


class Rule(NamedTuple):
    """How a token is drawn; see kernels/pick.py."""

    banned: Array  # (V,) bool
    temperature: float
    top_k: int
    top_p: float
    key: Any  # uint64; names the random numbers together with a sample's number and a token's position
    eos: int


class Rows(NamedTuple):
    """B samples under way. Rows 0 ... active - 1 hold those that have not ended, in any order."""

    state: Array  # (L, 2, B, Hp) before and after a step
    memory: Array  # (L, 2, B, Hp)
    logits: Array  # (1, B, Vp) of the token to be drawn next
    place: Array  # (B,) int64, which of the outputs' rows a sample writes to
    number: Array  # (B,) uint64, the sample's number


class Work(NamedTuple):
    """Arrays that a call needs for itself."""

    gates: Array  # (1, B, N)
    extra: Array  # (1, B, Hp)
    output: Array  # (1, B, Hp)
    keep: Array  # (2, B) ones
    ids: Array  # (1, B) int32
    side: Array  # (0, 1, B) int32
    drawn: Array  # (B,) int32
    told: Array  # (B,) float64
    chance: Array  # (B,) float64
    position: Array  # (B,) uint64


def tag_of(name: str) -> tuple[int, ...]:
    """A tuple whose length, and so its type in compiled code, names a cell."""
    return (0,) * (1 + get_args(CellName).index(name))


def _forward(cell, gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, last):
    raise NotImplementedError("only compiled code calls this")


@overload(_forward, inline="never")
def _forward_of(cell, gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, last):
    """The forward kernel of the cell that a tag's type names."""
    name = get_args(CellName)[cell.count - 1]
    forward = import_module(f"gencli.cells.{name.replace('-', '_')}").CELL.forward

    def run(cell, gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, last):
        """One step of rows [0, last)."""
        forward(gates, recurrent, peephole, keep, state, memory, extra, output, hidden_size, relu, 0, last)

    return run


@inlined
def _copy_row(array, layer, time, row, to_time, to_row):
    """array[layer, to_time, to_row] = array[layer, time, row]."""
    for j in range(array.shape[3]):
        array[layer, to_time, to_row, j] = array[layer, time, row, j]


@kernel
def generate(cell, weights, rule, rows, work, begin, active, tokens, told):
    """Draw tokens at positions begin, begin + 1, ... for rows [0, active) until all have ended or `tokens` is full.

    `cell` is the cell's tag, so that one cell alone is compiled. tokens (n, S) int32 and told (n, S) float64,
    log-probabilities under the model, are written at each row's place; a sample that draws <EOS> ends. Gives the
    number of rows still under way, now the first ones.
    """
    layers = weights.bias.shape[0]
    for step in range(tokens.shape[1]):
        for b in range(active):
            work.position[b] = np.uint64(begin + step)
        uniforms(rule.key, rows.number[:active], work.position, work.chance)
        limits = (rule.temperature, rule.top_k, rule.top_p)
        pick(rows.logits[0, :active], rule.banned.size, rule.banned, *limits, work.chance, work.drawn, work.told)
        b = 0
        while b < active:
            tokens[rows.place[b], step] = work.drawn[b]
            told[rows.place[b], step] = work.told[b]
            if work.drawn[b] == rule.eos:
                active -= 1  # the last row takes the place of the one that ended
                work.drawn[b], work.told[b] = work.drawn[active], work.told[active]
                rows.place[b], rows.number[b] = rows.place[active], rows.number[active]
                for i in range(layers):
                    _copy_row(rows.state, i, 0, active, 0, b)
                    _copy_row(rows.memory, i, 0, active, 0, b)
            else:
                b += 1
        if active == 0:
            break
        for b in range(active):
            work.ids[0, b] = work.drawn[b]
        for i in range(layers):
            if i == 0:
                look_up(
                    work.ids, work.keep, weights.table, work.side, weights.table, weights.bias[0], work.gates, 0, active
                )
            else:
                repeat_bias(weights.bias[i], work.gates, 0, active)
                multiply_window(work.output, weights.hidden_size, weights.input[i], work.gates, 1, 0, active)
            inner = (weights.recurrent[i], weights.peephole[i], work.keep, rows.state[i], rows.memory[i])
            _forward(cell, work.gates, *inner, work.extra, work.output, weights.hidden_size, weights.relu, active)
            for b in range(active):
                _copy_row(rows.state, i, 1, b, 0, b)
                _copy_row(rows.memory, i, 1, b, 0, b)
        write_logits(work.output, weights.hidden_size, weights.output, weights.output_bias, rows.logits, 0, active)
    return active
