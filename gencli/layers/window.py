"""The arrays of one window of T steps and B rows, made once and used again for every window that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class WindowInput:
    """What one window feeds the network: arrays as the kernels want them.

    ids (T, B) int32; keep (T + 1, B), 0 where a document begins; side (F, T, B) int32 rows of the stacked side tables.
    """

    ids: Array
    keep: Array
    side: Array


class State:
    """Hidden state and memory of every layer between two windows: (L, B, Hp) each, zero at first."""

    def __init__(self, layers: int, rows: int, width: int, dtype: Any) -> None:
        self.hidden = np.zeros((layers, rows, width), dtype)
        self.memory = np.zeros((layers, rows, width), dtype)

    def copy(self) -> State:
        """An independent copy."""
        twin = State(0, 0, 0, self.hidden.dtype)
        twin.hidden, twin.memory = self.hidden.copy(), self.memory.copy()
        return twin


def window_input(inputs: Array, starts: Array, side: Array, offsets: Array, dtype: Any) -> WindowInput:
    """What a batch feeds: ids cleared where a document begins, side ids moved to their tables' rows."""
    T, B = inputs.shape
    keep = np.ones((T + 1, B), dtype)
    keep[:T][starts] = 0
    stacked = np.ascontiguousarray(side + offsets[:, None, None], dtype=np.int32)
    return WindowInput(np.ascontiguousarray(np.where(starts, 0, inputs), dtype=np.int32), keep, stacked)
