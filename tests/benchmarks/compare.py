"""gencli and PyTorch take turns at the same jobs, each in a process of its own; medians of interleaved rounds."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec

from tests.benchmarks.jobs import Job

SECONDS = 0.6  # of each side in each round


@dataclass(frozen=True)
class Row:
    """One line of a table; rates in tokens a second, by (side, halved)."""

    job: Job
    rates: dict[tuple[str, bool], float]

    def ratio(self, halved: bool = False, against_halved: bool = False) -> float | None:
        """gencli's rate over PyTorch's."""
        ours, theirs = self.rates.get(("ours", halved)), self.rates.get(("theirs", against_halved))
        return ours / theirs if ours and theirs else None


class Worker:
    """A process that does jobs when asked."""

    def __init__(self, side: str) -> None:
        self.side = side
        command = [sys.executable, "-m", "tests.benchmarks.worker", side]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rate(self, job: Job) -> float:
        """Tokens a second over about SECONDS of a job."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"job": asdict(job), "seconds": SECONDS}) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def compare(jobs: Sequence[Job], rounds: int = 5, halved: bool = True) -> list[Row]:
    """A row for each job; PyTorch's rates are missing where it is not installed.

    With `halved` also gencli's bfloat16, and for training PyTorch's bfloat16 autocast.
    """
    sides = ["ours", "theirs"] if find_spec("torch") else ["ours"]
    rows = []
    for job in jobs:
        kinds = [(side, False) for side in sides]
        kinds += [(side, True) for side in sides if halved and (side == "ours" or job.task == "train")]
        workers = {kind: Worker(kind[0]) for kind in kinds}
        measured: dict[tuple[str, bool], list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, worker in workers.items():
                measured[kind].append(worker.rate(replace(job, halved=kind[1])))
        for worker in workers.values():
            worker.close()
        rows.append(Row(job, {kind: statistics.median(rates) for kind, rates in measured.items()}))
    return rows
