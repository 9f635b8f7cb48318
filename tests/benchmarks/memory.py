"""The most memory that training takes, in fresh processes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from tests.benchmarks.compare import THEIRS, contenders
from tests.benchmarks.jobs import LSTM_512
from tests.benchmarks.table import Table, percent
from tests.benchmarks.turns import Worker

COLUMNS = Table(("MB", 20), ("imported", 12), ("peak", 10), (f"of {THEIRS}'s", 16))
PROCESSES = 3  # at most, of each


def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """By contender: bytes after importing, and at the peak of some training steps."""
    found = {}
    for name, contender in contenders(LSTM_512).items():
        if contender.side == "ours":
            with Worker(contender):  # it may have to compile, which takes memory of its own
                pass
        answers = []
        for _ in range(min(rounds, PROCESSES)):
            with Worker(replace(contender, question="memory")) as worker:
                answers.append(worker.ask())
        imported, peak = (statistics.median(column) for column in zip(*answers, strict=True))
        found[name] = (imported, peak)
    return found


def section(rounds: int) -> Iterator[str]:
    """One line a contender."""
    yield f"Peak memory of a process that trains {LSTM_512} (interpreter and libraries included; VmHWM)"
    yield COLUMNS.head()
    found = measure(rounds)
    for name, (imported, peak) in found.items():
        share = percent(peak / found[THEIRS][1]) if THEIRS in found else None
        yield COLUMNS.line(name, f"{imported / 1e6:.0f}", f"{peak / 1e6:.0f}", share)
