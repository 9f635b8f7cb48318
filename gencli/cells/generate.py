"""Many tokens of many samples in one compiled call: state update, temperature, truncation and draw, step after step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gencli.cells.step import step
from gencli.kernels.compile import inlined, kernel, pasted
from gencli.kernels.counter import uniforms
from gencli.kernels.heads import head_logits
from gencli.kernels.pick import pick
from gencli.kernels.truncate import Truncation

Array = NDArray[Any]


class Rule(NamedTuple):
    """How a token is drawn; see kernels/pick.py."""

    temperature: float
    limits: Truncation | None
    key: Any  # uint64; names the random numbers together with a sample's number and a token's position
    eos: int
    min_length: int  # <EOS> is banned at positions below
    penalty: float  # taken off the log-probability of a token that stands among the last written, before the draw


class Rows(NamedTuple):
    """B samples under way. Rows 0 ... active - 1 hold those that have not ended, in any order."""

    state: Array  # (L, 2, B, Hp) before and after a step
    memory: Array  # (L, 2, B, Hp)
    ids: Array  # (1, B) int32, the token written last, -1 at a document's beginning
    place: Array  # (B,) int64, which of the outputs' rows a sample writes to
    number: Array  # (B,) uint64, the sample's number
    handicap: Array  # (B, V) added to logits before the draw; -inf bans
    recent: Array  # (B, R) int32, the last tokens written, the one of position p at p % R; -1 for none


@pasted
def _remember(rows, b, token, penalty):
    """Token is now the last one that row b has written, and handicapped; the first of those remembered is forgotten."""
    size = rows.recent.shape[1]
    forgotten, again = rows.recent[b, 0], False
    for n in range(1, size):
        rows.recent[b, n - 1] = rows.recent[b, n]
        again = again or rows.recent[b, n] == forgotten
    rows.recent[b, size - 1] = token
    if forgotten >= 0 and not again and rows.handicap[b, forgotten] > -np.inf:
        rows.handicap[b, forgotten] = 0
    if rows.handicap[b, token] > -np.inf:
        rows.handicap[b, token] = -penalty


@inlined
def _copy_row(array, source, target):
    """array[target] = array[source]."""
    for j in range(array.shape[1]):
        array[target, j] = array[source, j]


@pasted
def _move_row(rows, work, source, target):
    """A sample's row takes another's place."""
    work.drawn[target], work.told[target] = work.drawn[source], work.told[source]
    rows.place[target], rows.number[target] = rows.place[source], rows.number[source]
    for i in range(rows.state.shape[0]):
        _copy_row(rows.state[i, 0], source, target)
        _copy_row(rows.memory[i, 0], source, target)
    _copy_row(rows.handicap, source, target)
    _copy_row(rows.recent, source, target)


@kernel
def generate(cell, weights, rule, rows, work, forced, begin, active, tokens, told):
    """Write tokens at positions begin, begin + 1, ... for rows [0, active) until all have ended or `tokens` is full.

    `cell` is the cell's tag, so that one cell alone is compiled. The first len(forced) tokens are given, the others
    drawn. tokens (n, S) int32 and told (n, S) float64, log-probabilities under the model, are written at each row's
    place; a sample that draws <EOS> ends. Gives the number of rows still under way, now the first ones.
    """
    for n in range(tokens.shape[1]):
        for b in range(active):
            work.ids[0, b] = max(rows.ids[0, b], 0)
            work.keep[0, b] = 1 if rows.ids[0, b] >= 0 else 0
            work.drawn[b] = forced[n] if n < forced.size else -1
            work.position[b] = np.uint64(begin + n)
            if rule.min_length > 0:
                rows.handicap[b, rule.eos] = -np.inf if begin + n < rule.min_length else 0
        step(cell, weights, work, rows.state, rows.memory, 0, active)
        head_logits(work.output, weights.hidden_size, weights.head, work.logits, work.scratch, 0, active)
        uniforms(rule.key, rows.number[:active], work.position, work.chance)
        scratch = (work.weights, work.ranks)
        rest = (rule.limits, work.chance, *scratch, work.drawn, work.told)
        pick(work.logits[0, :active], rows.handicap, rule.temperature, *rest)
        row = 0
        while row < active:
            token = work.drawn[row]
            tokens[rows.place[row], n], told[rows.place[row], n] = token, work.told[row]
            if token == rule.eos:
                active -= 1  # the last row takes the place of the one that ended
                _move_row(rows, work, active, row)
            else:
                rows.ids[0, row] = token
                if rows.recent.shape[1] > 0:
                    _remember(rows, row, token, rule.penalty)
                row += 1
        if active == 0:
            break
    return active
