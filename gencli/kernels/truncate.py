"""Truncation of a distribution before a draw: to its k likeliest ids, or to the likeliest that have a share p."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from gencli.kernels.compile import OPTIONS, inlined


class Truncation(NamedTuple):
    """Where a distribution ends; None in its place ends it nowhere, and then no code for it is compiled."""

    top_k: int  # 0: all
    top_p: float  # 1: all


def truncation(top_k: int, top_p: float) -> Truncation | None:
    """What these two ask for, if anything."""
    return Truncation(top_k, float(top_p)) if top_k > 0 or top_p < 1 else None


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


def truncate(limits, logits, handicap, weights, ranks):
    """Zero the weights (V,) beyond the limits; logits (N,) + handicap (V,) rank the ids, ties to the lower.

    ranks (V,) int32 is for its own use.
    """
    raise NotImplementedError("only compiled code calls this")


def _nowhere(limits, logits, handicap, weights, ranks):
    """All is kept."""


def _somewhere(limits, logits, handicap, weights, ranks):
    """By number first, then by share."""
    for i in range(weights.size):  # whole numbers in the order of the logits
        bits = np.float32(logits[i] + handicap[i]).view(np.int32)
        ranks[i] = bits if bits >= 0 else bits ^ np.int32(0x7FFFFFFF)
    for by_mass in (False, True):
        goal = float(limits.top_k)
        if by_mass:
            goal = 0.0
            for i in range(weights.size):
                goal += weights[i] * limits.top_p
        if (by_mass and limits.top_p < 1.0) or (not by_mass and 0 < limits.top_k < weights.size):
            _keep_likeliest(weights, ranks, goal, by_mass)


@overload(truncate, inline="never", jit_options=OPTIONS)
def _truncate_of(limits, logits, handicap, weights, ranks):
    """Only what is asked for is compiled."""
    return _nowhere if isinstance(limits, types.NoneType) else _somewhere
