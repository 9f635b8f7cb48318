"""The cheapest way through a row of choices: each choice has a cost, and so has each move between neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.int64]  # whole numbers: the same path on every machine
FORBIDDEN = 10**9  # more than any path of allowed choices costs


def cheapest_path(costs: Sequence[Costs], moves: Sequence[Costs]) -> list[int]:
    """The choice at each of n places (Viterbi's algorithm); of equals, those with the lower numbers from the end on.

    costs[i] (K_i,) of the choices at place i; moves[i] (K_i, K_i+1) of going on to place i + 1; n - 1 of them.
    """
    if not costs:
        return []
    reached = costs[0]
    came_from: list[NDArray[np.intp]] = []
    for cost, move in zip(costs[1:], moves, strict=True):
        total = reached[:, None] + move
        came_from.append(total.argmin(axis=0))
        reached = total.min(axis=0) + cost
    path = [int(reached.argmin())]
    for origins in reversed(came_from):
        path.append(int(origins[path[-1]]))
    return path[::-1]
