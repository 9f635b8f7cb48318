"""The learning rate: a straight climb to its peak, then half a cosine down to a fraction of it."""

from __future__ import annotations

import math


def learning_rate(
    position: float, total: float, peak: float, warmup: float = 0.0, final_fraction: float = 0.1
) -> float:
    """The rate at `position`, which with `total` and `warmup` counts steps (the first is 1) or seconds.

    peak * position / warmup up to `warmup`, where it is `peak`; from there
    peak * (final_fraction + (1 - final_fraction) * (1 + cos(pi * progress)) / 2), where progress runs from 0 at
    `warmup` to 1 at `total`. Past `total` it stays at peak * final_fraction.
    """
    if position < warmup:
        return peak * position / warmup
    if position >= total:
        return peak * final_fraction
    progress = (position - warmup) / (total - warmup)
    return peak * (final_fraction + (1.0 - final_fraction) * (1.0 + math.cos(math.pi * progress)) / 2.0)
