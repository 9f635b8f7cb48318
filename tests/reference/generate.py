"""How a text is written, a token at a time: penalties and bans, then the draw, then what is remembered.

Token n of a sample (n counts from the end of its prompt) is drawn from the logits of what stands before it, less
`penalty` for each id that stands among the last `remembered` tokens, the prompt's included; `eos` is banned while
n < min_length, and `banned` ids always are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.reference import counter, pick

Array = NDArray[np.float64]


class Rule(NamedTuple):
    """What shapes a draw."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    eos: int = 0
    min_length: int = 0
    penalty: float = 0.0
    banned: tuple[int, ...] = ()
    remembered: int = 64


def handicapped(logits: Array, before: Sequence[int], n: int, rule: Rule) -> Array:
    """What token n is drawn from, `before` being all that stands before it in its document."""
    z = np.array(logits, np.float64)
    for token in set(before[max(0, len(before) - rule.remembered) :]):
        z[token] -= rule.penalty
    if n < rule.min_length:
        z[rule.eos] = -np.inf
    z[list(rule.banned)] = -np.inf
    return z


def choice(logits: Array, rule: Rule, uniform: float) -> tuple[int, float]:
    """The token, and how far `uniform` (at temperature 0: the best logit) is from choosing another.

    Not all is seen: a cut by top_k or top_p may be closer.
    """
    if rule.temperature == 0:
        first, second = np.sort(logits)[::-1][:2]
        return int(np.argmax(logits)), float(first - second)
    y = pick.distribution(logits, rule.temperature, rule.top_k, rule.top_p)
    return pick.pick(y, uniform), float(np.abs(np.cumsum(y)[:-1] - uniform).min())


def write(
    logits_after: Callable[[list[int]], Array], rule: Rule, key: int, number: int, prompt: Sequence[int], longest: int
) -> tuple[list[int], list[float]]:
    """The tokens of sample `number` after its prompt, up to <EOS> or `longest`, and how clear each choice was."""
    tokens = list(prompt)
    margins: list[float] = []
    while len(margins) < longest:
        n = len(margins)
        z = handicapped(logits_after(tokens), tokens, n, rule)
        token, margin = choice(z, rule, counter.uniform(key, number, n))
        tokens.append(token)
        margins.append(margin)
        if token == rule.eos:
            break
    return tokens[len(prompt) :], margins
