"""Drawing a token from logits: temperature, top-k, top-p, one uniform number a row."""

from __future__ import annotations

import math

import numpy as np

from gencli.kernels.activations import exp_scalar
from gencli.kernels.compile import inlined, kernel


@inlined
def _keep_likeliest(weights, ranks, goal, by_mass):
    """Zero all but the likeliest weights: as few, by falling rank, as together reach `goal`; ties to lower ids.

    What is added up is each weight itself, or 1 for each that is not zero. The lowest rank kept is found by bisection.
    """
    low, high = np.int64(ranks[0]), np.int64(ranks[0])
    for i in range(weights.size):
        low, high = min(low, ranks[i]), max(high, ranks[i])
    while low < high:
        middle = (low + high + 1) >> 1
        reached = 0.0
        for i in range(weights.size):
            if ranks[i] >= middle and weights[i] > 0:
                reached += weights[i] if by_mass else 1.0
        if reached >= goal:
            low = middle
        else:
            high = middle - 1
    for i in range(weights.size):
        if ranks[i] > low and weights[i] > 0:
            goal -= weights[i] if by_mass else 1.0
    for i in range(weights.size):
        if ranks[i] < low or (ranks[i] == low and goal <= 0):
            weights[i] = 0.0
        elif ranks[i] == low and weights[i] > 0:
            goal -= weights[i] if by_mass else 1.0


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
def pick(logits, handicap, temperature, top_k, top_p, uniforms, weights, ranks, tokens, log_probabilities):
    """tokens[b]: drawn from softmax(l / temperature), l = logits[b] + handicap[b], kept to its top_k likeliest ids and
    of those to the likeliest that have the share top_p.

    logits (B, N) and handicap (B, V), float32; a handicap of -inf bans an id. Temperature 0: the likeliest, ties to the
    lower id; top_k 0 and top_p 1: all. The token is the first, by id, whose cumulative share exceeds uniforms[b]; where
    tokens[b] is not negative it is taken as it stands. log_probabilities[b] is the token's log-probability under the
    model itself: temperature 1, no handicap. For the kernel's own use: weights (V,) float64, ranks (V,) int32.
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
            if 0 < top_k < V or top_p < 1.0:
                for i in range(V):  # whole numbers in the order of the logits
                    bits = np.float32(logits[b, i] + handicap[b, i]).view(np.int32)
                    ranks[i] = bits if bits >= 0 else bits ^ np.int32(0x7FFFFFFF)
            for by_mass in (False, True):
                goal = float(top_k)
                if by_mass:
                    goal = 0.0
                    for i in range(V):
                        goal += weights[i] * top_p
                if (by_mass and top_p < 1.0) or (not by_mass and 0 < top_k < V):
                    _keep_likeliest(weights, ranks, goal, by_mass)
            token = _draw(weights, uniforms[b], best)
        tokens[b] = token
        log_probabilities[b] = logits[b, token] - model_top - math.log(mass)
