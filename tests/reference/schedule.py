"""The learning rate: a straight climb to its peak, then a straight way down to a fraction of it."""

from __future__ import annotations


def learning_rate(
    position: float, total: float, peak: float, warmup: float = 0.0, final_fraction: float = 0.1
) -> float:
    """The rate at `position`, which with `total` and `warmup` counts steps (the first is 1) or seconds.

    peak * position / warmup up to `warmup`, where it is `peak`; then the straight line to peak * final_fraction at
    `total`, where it stays.
    """
    if position < warmup:
        return peak * position / warmup
    if position >= total:
        return peak * final_fraction
    return (peak * (total - position) + peak * final_fraction * (position - warmup)) / (total - warmup)
