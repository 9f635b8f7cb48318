"""Reading given tokens in one compiled call a window."""

from __future__ import annotations

from gencli.cells.step import step
from gencli.kernels.compile import kernel


@kernel
def read(cell, weights, work, state, memory, ids, keep, side, outputs, first, last):
    """Read a window for rows [first, last): outputs (T, B, Hp) of the last layer.

    ids (T, B), keep (T + 1, B), side (F, T, B); state and memory (L, 2, B, Hp) move on in [:, 0].
    """
    for t in range(ids.shape[0]):
        for b in range(first, last):
            work.ids[0, b] = ids[t, b]
            work.keep[0, b], work.keep[1, b] = keep[t, b], keep[t + 1, b]
            for f in range(side.shape[0]):
                work.side[f, 0, b] = side[f, t, b]
        step(cell, weights, work, state, memory, first, last)
        for b in range(first, last):
            for j in range(outputs.shape[2]):
                outputs[t, b, j] = work.output[0, b, j]
