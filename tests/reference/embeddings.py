"""The input side of the first layer: what a token adds to the gates before bias and side inputs.

E: units of a token's vector. Names in `parameters`; a network has one set, the tied one no vectors of its own:

    tokens.table (V, G*H)
    tokens.vectors (V, E)   layers.0.input (E, G*H)
                            layers.0.input (H, G*H) and the output's weights (heads.tied_vectors)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tests.reference import heads

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]


def vectors(parameters: Parameters) -> Array:
    """(V, ...): the row of each token, its vector or its row of the table."""
    for name in ("tokens.table", "tokens.vectors"):
        if name in parameters:
            return parameters[name]
    return heads.tied_vectors(parameters)


def contribution(
    parameters: Parameters,
    rows: Array,
    ids: NDArray[np.integer],
    starts: NDArray[np.bool_],
    mask: Array | None = None,
) -> Array:
    """(B, G*H) of ids (B,), `rows` being what `vectors` gives; nothing where a document begins.

    mask (B, E): a multiplier of the vectors (dropout, already divided by 1 - p).
    """
    x = np.where(starts[:, None], 0.0, rows[np.where(starts, 0, ids)])
    if mask is not None:
        x = x * mask
    return x if "tokens.table" in parameters else x @ parameters["layers.0.input"]
