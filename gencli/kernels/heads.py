"""Logits of all ids from the last layer's output, whatever the softmax is made of."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba.extending import overload
from numpy.typing import NDArray

from gencli.kernels.compile import OPTIONS, kernel
from gencli.kernels.product import product, stored_rows
from gencli.kernels.softmax import logits_of_rows, normalise
from gencli.kernels.tile import PANEL_BYTES, padded

Array = NDArray[Any]


class FullHead(NamedTuple):
    """One softmax over V ids, padded to Vp columns."""

    weight: Array  # panels
    bias: Array  # (Vp,)


class AdaptiveHead(NamedTuple):
    """Grave et al. 2017, section 4: a head over c ids and K tails, each tail behind a projection to fewer units."""

    weight: Array  # panels
    bias: Array  # padded (c + K,)
    projections: tuple[Array, ...]  # panels, of H rows
    weights: tuple[Array, ...]  # panels
    biases: tuple[Array, ...]
    widths: Array  # (K,) units of each tail
    edges: Array  # (K + 1,) first id of each tail, and V


def _logits(x, x_at, m, hidden_size, head, out, out_at, scratch):
    raise NotImplementedError("only compiled code calls this")


def _full(x, x_at, m, hidden_size, head, out, out_at, scratch):
    logits_of_rows(x, x_at, m, hidden_size, head.weight, head.bias, out, out_at)


def _adaptive(x, x_at, m, hidden_size, head, out, out_at, scratch):
    """Log-probabilities, which are logits too. scratch (m, ...): a row holds the projection, then one softmax."""
    N, S = out.shape[2], scratch.shape[1]
    flat, room = out.reshape(-1), scratch.reshape(-1)
    first = head.edges[0]
    tails = head.edges.size - 1
    wide = scratch.shape[1] - head.bias.size
    for b in range(m):
        logits_of_rows(x, x_at + b * x.shape[2], 1, hidden_size, head.weight, head.bias, scratch, b * S + wide)
        at = b * S + wide
        into = out_at + b * N
        for j in range(first):
            flat[into + j] = room[at + j]
        for k in range(tails):  # kept where the tail's first logit will stand
            flat[into + head.edges[k]] = room[at + first + k]
        top, mass = normalise(scratch, at, head.bias.size, first + tails)
        norm = top + math.log(mass)
        for j in range(first):
            flat[into + j] -= norm
        for k in range(tails):
            begin, end = head.edges[k], head.edges[k + 1]
            share = flat[into + begin] - norm
            columns = head.biases[k].size
            units = head.projections[k].size // stored_rows(head.projections[k], hidden_size)
            place = b * S + S - columns
            left = b * S
            panels = units // (PANEL_BYTES // x.itemsize)
            product(
                x, x_at + b * x.shape[2], x.shape[2], 1, hidden_size, head.projections[k], hidden_size, panels,
                scratch, left, S, 0,
            )  # fmt: skip
            for j in range(columns):
                room[place + j] = head.biases[k][j]
            depth = head.widths[k]
            product(
                scratch, left, S, 1, depth, head.weights[k], depth, columns // (PANEL_BYTES // x.itemsize),
                scratch, place, S, 1,
            )  # fmt: skip
            for j in range(begin, end):
                flat[into + j] = room[place + j - begin]
            top, mass = normalise(scratch, place, columns, end - begin)
            norm_of_tail = top + math.log(mass) - share
            for j in range(begin, end):
                flat[into + j] -= norm_of_tail


@overload(_logits, inline="never", jit_options=OPTIONS)
def _logits_of_head(x, x_at, m, hidden_size, head, out, out_at, scratch):
    return _adaptive if "projections" in head.fields else _full


@kernel
def head_logits(x, hidden_size, head, logits, scratch, first, last):
    """logits[t, b], up to a constant for each, of x[t, b] for rows [first, last): x (T, B, X), logits (T, B, Vp).

    scratch (B, `scratch_columns`) for an adaptive head.
    """
    T, B, N = logits.shape
    for t in range(T):
        row = t * B + first
        _logits(x, row * x.shape[2], last - first, hidden_size, head, logits, row * N, scratch)


def scratch_columns(head: FullHead | AdaptiveHead) -> int:
    """Columns of scratch that `head_logits` needs a row."""
    if isinstance(head, FullHead):
        return 0
    widest = max(len(bias) for bias in (head.bias, *head.biases))
    return widest + max(padded(width, head.bias.dtype) for width in head.widths.tolist())
