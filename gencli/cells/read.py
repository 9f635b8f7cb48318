"""Reading given tokens: how probable each is, or all logits, in one compiled call a window."""

from __future__ import annotations

from gencli.cells.step import step
from gencli.kernels.compile import kernel
from gencli.kernels.softmax import token_losses, write_logits


@kernel
def read(cell, weights, work, state, memory, ids, keep, side, targets, losses, logits, first, last):
    """Read a window for rows [first, last): losses[t, b] = -log p(targets[t, b]), or all logits where there is room.

    ids, targets, losses (T, B), keep (T + 1, B), side (F, T, B); logits (T, B, Vp), or (0, B, Vp) to get the losses.
    state and memory (L, 2, B, Hp) move on in [:, 0].
    """
    for t in range(ids.shape[0]):
        for b in range(first, last):
            work.ids[0, b] = ids[t, b]
            work.keep[0, b], work.keep[1, b] = keep[t, b], keep[t + 1, b]
            for f in range(side.shape[0]):
                work.side[f, 0, b] = side[f, t, b]
        step(cell, weights, work, state, memory, first, last)
        head = (work.output, weights.hidden_size, weights.output, weights.output_bias)
        if logits.shape[0] == 0:
            V = work.weights.size
            token_losses(*head, V, targets[t : t + 1], losses[t : t + 1], work.logits, first, last)
        else:
            write_logits(*head, logits[t : t + 1], first, last)
