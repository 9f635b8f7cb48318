"""gencli and PyTorch train in turn on the same shapes, each in a process of its own; medians of interleaved rounds."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

SHAPES = (
    ("lstm", 27, 64, 1, 32, 32),
    ("lstm", 65, 128, 2, 50, 50),
    ("lstm", 65, 256, 2, 64, 64),
    ("lstm", 65, 512, 2, 64, 64),
    ("gru", 65, 256, 2, 64, 64),
    ("rnn", 65, 256, 2, 64, 64),
)


@dataclass(frozen=True)
class Row:
    """One line of the table; rates in tokens a second."""

    shape: tuple[str, int, int, int, int, int]  # cell, V, H, L, B, T
    gencli: float
    torch: float | None

    @property
    def ratio(self) -> float | None:
        """gencli's rate over PyTorch's."""
        return self.gencli / self.torch if self.torch else None

    def __str__(self) -> str:
        cell, V, H, L, B, T = self.shape
        torch = f"{self.torch:12,.0f} {self.ratio:7.2f}x" if self.torch else "   (no torch)"
        return f"{cell.upper():5} V{V} H{H} L{L} B{B} T{T}".ljust(28) + f"{self.gencli:12,.0f} {torch}"


class Worker:
    """A process that trains when asked."""

    def __init__(self, side: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.worker", side]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rate(self, shape: tuple[str, int, int, int, int, int], seconds: float) -> float:
        """Tokens a second over about `seconds` of training."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        keys = ("cell", "V", "H", "L", "B", "T")
        self.process.stdin.write(json.dumps({**dict(zip(keys, shape, strict=True)), "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def compare(shapes: tuple[tuple[str, int, int, int, int, int], ...] = SHAPES, rounds: int = 5) -> list[Row]:
    """The table's rows; PyTorch's column is empty where it is not installed."""
    sides = [Worker("gencli")] + ([Worker("torch")] if find_spec("torch") else [])
    rows = []
    for shape in shapes:
        rates = [[side.rate(shape, 0.8) for side in sides] for _ in range(rounds)]
        medians = [statistics.median(column) for column in zip(*rates, strict=True)]
        rows.append(Row(shape, medians[0], medians[1] if len(sides) > 1 else None))
    for side in sides:
        side.close()
    return rows
