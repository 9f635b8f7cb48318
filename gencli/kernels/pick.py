"""Drawing a token from logits: temperature, truncation, one uniform number a row."""

from __future__ import annotations

import math

import numpy as np

from gencli.kernels.activations import exp_scalar
from gencli.kernels.compile import inlined, kernel
from gencli.kernels.truncate import truncate


@inlined
def _draw(weights, uniform, likeliest):
    """The first id whose cumulative share of the weights exceeds `uniform`."""
    goal = 0.0
    for i in range(weights.size):
        goal += weights[i]
    goal *= uniform
    token, reached = likeliest, 0.0
    for i in range(weights.size):
        reached += weights[i]
        if weights[i] > 0:
            token = i
            if reached > goal:
                break
    return token


@kernel
def pick(logits, handicap, temperature, limits, uniforms, weights, ranks, tokens, log_probabilities):
    """tokens[b]: drawn from softmax(l / temperature), l = logits[b] + handicap[b], kept to its top_k likeliest ids and
    of those to the likeliest that have the share top_p, where `limits` is a Truncation; all, where it is None.

    logits (B, N) and handicap (B, V), float32; a handicap of -inf bans an id. Temperature 0: the likeliest, ties to the
    lower id. The token is the first, by id, whose cumulative share exceeds uniforms[b]; where tokens[b] is not negative
    it is taken as it stands. log_probabilities[b] is the token's log-probability under the model itself: temperature 1,
    no handicap. For the kernel's own use: weights (V,) float64, ranks (V,) int32.
    """
    V = weights.size
    for b in range(logits.shape[0]):
        top, model_top, best = -np.inf, -np.inf, 0
        for i in range(V):
            model_top = max(model_top, logits[b, i])
            if logits[b, i] + handicap[b, i] > top:
                top, best = logits[b, i] + handicap[b, i], i
        for i in range(V):
            weights[i] = exp_scalar(logits[b, i] - model_top)
        mass = 0.0
        for i in range(V):
            mass += weights[i]
        token = tokens[b]
        if token < 0 and temperature == 0:
            token = best
        if token < 0:
            for i in range(V):
                adjusted = logits[b, i] + handicap[b, i]
                weights[i] = exp_scalar((adjusted - top) / temperature) if adjusted > -np.inf else 0.0
            truncate(limits, logits[b], handicap[b], weights, ranks)
            token = _draw(weights, uniforms[b], best)
        tokens[b] = token
        log_probabilities[b] = logits[b, token] - model_top - math.log(mass)
