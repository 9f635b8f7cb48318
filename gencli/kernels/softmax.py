"""Softmax and cross-entropy over logits, one step's rows at a time."""

from __future__ import annotations

import math

import numpy as np

from gencli.kernels.activations import exp
from gencli.kernels.compile import inlined, kernel
from gencli.kernels.product import product
from gencli.kernels.tile import PANEL_BYTES
from gencli.kernels.vector import REGISTER_BYTES, larger, largest, load, splat, store, total


@inlined
def logits_of_rows(x, x_at, m, hidden_size, weights, bias, out, out_at):
    """out rows = x rows @ W + bias: m rows of len(bias) columns from flat `out_at` on."""
    N, X = bias.size, x.shape[2]
    lanes = REGISTER_BYTES // out.itemsize
    panels = N // (PANEL_BYTES // out.itemsize)
    for b in range(m):
        for j in range(0, N, lanes):
            store(out, out_at + b * N + j, load(bias, j))
    product(x, x_at, X, m, hidden_size, weights, hidden_size, panels, out, out_at, N, 1)


@inlined
def normalise(logits, at, N, vocabulary_size):
    """Turn the row of logits at flat `at` into exp(logit - max), zero past the vocabulary; gives (max, their sum)."""
    lanes = REGISTER_BYTES // logits.itemsize
    flat = logits.reshape(-1)
    for j in range(vocabulary_size, N):
        flat[at + j] = -np.inf
    highest = load(logits, at)
    for j in range(lanes, N, lanes):
        highest = larger(highest, load(logits, at + j))
    top = largest(highest)
    sums = splat(logits.dtype.type(0))
    for j in range(0, N, lanes):
        e = exp(load(logits, at + j) - top)
        store(logits, at + j, e)
    for j in range(vocabulary_size, N):
        flat[at + j] = 0
    for j in range(0, N, lanes):
        sums = sums + load(logits, at + j)
    return top, total(sums)


@kernel
def softmax_loss(x, hidden_size, weights, bias, vocabulary_size, targets, weight, scale, losses, d_logits, first, last):
    """losses[t, b] = -log softmax(x W + b)[target], and d_logits = scale * weight * (softmax - one-hot).

    x (T, B, X); weights in panels; targets, weight, losses (T, B); d_logits (T, B, N), zero past the vocabulary.
    """
    T, B, N = d_logits.shape
    lanes = REGISTER_BYTES // d_logits.itemsize
    flat = d_logits.reshape(-1)
    for t in range(T):
        row = t * B + first
        logits_of_rows(x, row * x.shape[2], last - first, hidden_size, weights, bias, d_logits, row * N)
        for b in range(first, last):
            at, target = (t * B + b) * N, targets[t, b]
            logit = flat[at + target]
            top, mass = normalise(d_logits, at, N, vocabulary_size)
            losses[t, b] = math.log(mass) + (top - logit)
            factor = scale * weight[t, b]
            share = factor / mass
            for j in range(0, N, lanes):
                store(d_logits, at + j, load(d_logits, at + j) * share)
            flat[at + target] -= factor


@kernel
def token_losses(x, hidden_size, weights, bias, vocabulary_size, targets, losses, scratch, first, last):
    """As softmax_loss, without gradients and for rows in one run: losses[i] = -log p(targets[i]), i in [first, last).

    x (1, n, X); targets, losses (n,); scratch (R, N) holds the logits of R rows at a time.
    """
    R, N = scratch.shape
    flat = scratch.reshape(-1)
    for begin in range(first, last, R):
        rows = min(R, last - begin)
        logits_of_rows(x, begin * x.shape[2], rows, hidden_size, weights, bias, scratch, 0)
        for i in range(rows):
            logit = flat[i * N + targets[begin + i]]
            top, mass = normalise(scratch, i * N, N, vocabulary_size)
            losses[begin + i] = math.log(mass) + (top - logit)


@kernel
def write_logits(x, hidden_size, weights, bias, logits, first, last):
    """logits[t, b] = x[t, b] W + b for rows [first, last): logits (T, B, N)."""
    T, B, N = logits.shape
    for t in range(T):
        row = t * B + first
        logits_of_rows(x, row * x.shape[2], last - first, hidden_size, weights, bias, logits, row * N)
