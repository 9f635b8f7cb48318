"""The output side: one softmax over all V ids, or the adaptive one of Grave et al. 2017; float64, no tricks.

H: hidden size. Names in `parameters`, of which a network has one set or the other:

    output.weight (H, V)                  output.bias (V,)
    output.head.weight (H, c + K)         output.head.bias (c + K,)
    output.tail.{i}.projection (H, w_i)   output.tail.{i}.weight (w_i, n_i)   output.tail.{i}.bias (n_i,)

The head knows the first c ids, and its column c + i stands for tail i, which holds the next n_i ids behind a projection
to w_i units: p(id) = p(tail | head) * p(id | tail).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.reference import softmax

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]

FEWEST_UNITS = 8  # a tail's projection keeps at least so many


def is_adaptive(parameters: Parameters) -> bool:
    """Whether the output has a head and tails."""
    return "output.head.weight" in parameters


def tails(parameters: Parameters) -> int:
    """K."""
    return sum(name.startswith("output.tail.") and name.endswith(".projection") for name in parameters)


def vocabulary_size(parameters: Parameters) -> int:
    """V."""
    if not is_adaptive(parameters):
        return len(parameters["output.bias"])
    K = tails(parameters)
    return len(parameters["output.head.bias"]) - K + sum(len(parameters[f"output.tail.{i}.bias"]) for i in range(K))


def logits(parameters: Parameters, output: Array) -> Array:
    """(..., V) of outputs (..., H); an adaptive softmax has no other logits than its log-probabilities."""
    if not is_adaptive(parameters):
        return output @ parameters["output.weight"] + parameters["output.bias"]
    K = tails(parameters)
    log_head = softmax.log_softmax(output @ parameters["output.head.weight"] + parameters["output.head.bias"])
    c = log_head.shape[-1] - K
    parts = [log_head[..., :c]]
    for i in range(K):
        name = f"output.tail.{i}"
        units = output @ parameters[f"{name}.projection"]
        log_tail = softmax.log_softmax(units @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"])
        parts.append(log_head[..., c + i : c + i + 1] + log_tail)
    return np.concatenate(parts, axis=-1)


def tied_vectors(parameters: Parameters) -> Array:
    """(V, H): the weights that lead from the H units to each id, through its tail's projection where it has one."""
    if not is_adaptive(parameters):
        return parameters["output.weight"].T
    K = tails(parameters)
    head = parameters["output.head.weight"]
    parts = [head[:, : head.shape[1] - K]]
    parts += [parameters[f"output.tail.{i}.projection"] @ parameters[f"output.tail.{i}.weight"] for i in range(K)]
    return np.concatenate(parts, axis=1).T


def shapes(V: int, H: int, cutoffs: Sequence[int] = ()) -> dict[str, tuple[int, ...]]:
    """The shapes of the output's arrays; the tails begin at the ids `cutoffs`, none without any."""
    if not cutoffs:
        return {"output.weight": (H, V), "output.bias": (V,)}
    entries = cutoffs[0] + len(cutoffs)
    found: dict[str, tuple[int, ...]] = {"output.head.weight": (H, entries), "output.head.bias": (entries,)}
    for i, first in enumerate(cutoffs):
        size = (cutoffs[i + 1] if i + 1 < len(cutoffs) else V) - first
        units = max(H // 2 ** (i + 1), FEWEST_UNITS)
        found[f"output.tail.{i}.projection"] = (H, units)
        found[f"output.tail.{i}.weight"] = (units, size)
        found[f"output.tail.{i}.bias"] = (size,)
    return found
