"""What is compared, and the data that both sides use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

THREADS = 2
LEARNING_RATE = 1e-3
SAMPLED = 50  # tokens a stream in one run of a sampling job
LINES = 10_000


@dataclass(frozen=True)
class Job:
    """A task on a network: V symbols, L layers of H units, B rows, T steps; `halved`: products in bfloat16."""

    task: Literal["train", "sample", "score"]
    cell: str
    V: int
    H: int
    L: int
    B: int
    T: int = 1
    halved: bool = False

    def __str__(self) -> str:
        rows = f"B{self.B} T{self.T}" if self.task == "train" else f"streams {self.B}" if self.task == "sample" else ""
        return f"{self.task} {self.cell.upper()} V{self.V} H{self.H} L{self.L} {rows}".rstrip()


TRAINING = (
    Job("train", "lstm", 27, 64, 1, 32, 32),
    Job("train", "lstm", 65, 128, 2, 50, 50),
    Job("train", "lstm", 65, 256, 2, 64, 64),
    Job("train", "lstm", 65, 512, 2, 64, 64),
    Job("train", "gru", 65, 256, 2, 64, 64),
    Job("train", "rnn", 65, 256, 2, 64, 64),
)
SAMPLING = (
    Job("sample", "lstm", 65, 64, 1, 1),
    Job("sample", "lstm", 65, 256, 2, 1),
    Job("sample", "lstm", 65, 256, 2, 256),
)
SCORING = (Job("score", "lstm", 65, 128, 1, 64), Job("score", "lstm", 65, 256, 2, 64))


def lines(V: int) -> list[Any]:
    """LINES lines of 5 to 60 random symbols."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, V, n) for n in rng.integers(5, 61, LINES)]
