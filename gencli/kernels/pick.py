"""Drawing a token from logits: temperature, top-k, top-p, one uniform number a row."""

from __future__ import annotations

import math

import numpy as np

from gencli.kernels.compile import inlined, kernel


@inlined
def _keep_likeliest(weights, count, share):
    """Zero all but the likeliest weights: at most `count`, as few as reach `share` of those; ties to lower ids."""
    kept = np.zeros(weights.size, np.bool_)
    chosen = np.empty(count, np.int64)
    mass = 0.0
    for n in range(count):
        best = -1
        for i in range(weights.size):
            if not kept[i] and (best < 0 or weights[i] > weights[best]):
                best = i
        kept[best] = True
        chosen[n] = best
        mass += weights[best]
    sum_so_far, n = 0.0, 0
    while n < count and (n == 0 or sum_so_far < share * mass):
        sum_so_far += weights[chosen[n]]
        n += 1
    for rest in range(n, count):
        kept[chosen[rest]] = False
    for i in range(weights.size):
        if not kept[i]:
            weights[i] = 0.0


@kernel
def pick(logits, vocabulary_size, banned, temperature, top_k, top_p, uniforms, tokens, log_probabilities):
    """tokens[b]: drawn from softmax(logits[b] / temperature), kept to the top_k likeliest and the top_p share of those.

    logits (B, N), float32; banned (V,) bool: never drawn; temperature 0: the likeliest, ties to the lower id; top_k 0
    and top_p 1: all. The token is the first, by id, whose cumulative share exceeds uniforms[b]. log_probabilities[b] is
    the token's log-probability under the model itself: temperature 1, nothing kept back.
    """
    weights = np.empty(vocabulary_size, np.float64)
    for b in range(logits.shape[0]):
        top, model_top, best = -np.inf, -np.inf, -1
        for i in range(vocabulary_size):
            model_top = max(model_top, logits[b, i])
            if not banned[i] and (best < 0 or logits[b, i] > top):
                top, best = logits[b, i], i
        mass = 0.0
        for i in range(vocabulary_size):
            mass += math.exp(logits[b, i] - model_top)
        token = best
        if temperature > 0:
            for i in range(vocabulary_size):
                weights[i] = 0.0 if banned[i] else math.exp((logits[b, i] - top) / temperature)
            count = vocabulary_size if top_k == 0 else min(top_k, vocabulary_size)
            if count < vocabulary_size or top_p < 1.0:
                _keep_likeliest(weights, count, top_p)
            goal = 0.0
            for i in range(vocabulary_size):
                goal += weights[i]
            goal *= uniforms[b]
            reached = 0.0
            for i in range(vocabulary_size):
                reached += weights[i]
                if weights[i] > 0:
                    token = i
                    if reached > goal:
                        break
        tokens[b] = token
        log_probabilities[b] = logits[b, token] - model_top - math.log(mass)
