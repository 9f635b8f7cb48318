"""How the next token is chosen: from logits to probabilities, and from probabilities and a uniform number to an id."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.reference import softmax

Array = NDArray[np.float64]


def distribution(
    logits: Array,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Array:
    """The probabilities (V,) that a token is drawn from, in this order: temperature, top-k, top-p.

    Temperature 0 is greedy: all mass on the first maximum. `top_k` keeps that many of the largest logits; `top_p`
    keeps the smallest set of most probable tokens whose sum, among those that top-k left, reaches p. Equal logits are
    kept from the lowest id up; one token at least is kept. None (also 0 for top_k, 1 or more for top_p) keeps all.
    """
    z = np.asarray(logits, np.float64)
    V = len(z)
    if temperature == 0:
        return np.where(np.arange(V) == np.argmax(z), 1.0, 0.0)

    ranked = np.argsort(-z, kind="stable")  # ids by falling logit, equal ones by rising id
    if top_k:
        ranked = ranked[:top_k]
    with np.errstate(over="ignore"):  # at a tiny temperature all but the maximum go to -inf, which is right
        y = np.exp(softmax.log_softmax((z[ranked] - z.max()) / temperature))

    if top_p is not None and top_p < 1.0:
        kept, total = 0, 0.0
        while kept == 0 or (kept < len(ranked) and total < top_p):
            total += y[kept]
            kept += 1
        ranked, y = ranked[:kept], y[:kept] / total

    probabilities = np.zeros(V)
    probabilities[ranked] = y
    return probabilities


def pick(probabilities: Array, uniform: float) -> int:
    """The first id, counting up, whose cumulative sum exceeds `uniform` in [0, 1).

    Where rounding leaves the whole sum at or below `uniform`, the last id that has any probability.
    """
    total, last = 0.0, 0
    for token, probability in enumerate(probabilities):
        total += probability
        if total > uniform:
            return token
        if probability > 0.0:
            last = token
    return last
