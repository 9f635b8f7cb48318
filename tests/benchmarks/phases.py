"""A table of where a training step's time goes, phase by phase, for one thread."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from gencli.kernels.bfloat16 import SUPPORTED
from tests.benchmarks.blas import peak
from tests.benchmarks.clocks import ORDER, STEP
from tests.benchmarks.jobs import LSTM_128, LSTM_256, LSTM_512, Job
from tests.benchmarks.table import Table
from tests.benchmarks.turns import Contender, interleave

DROPPED = 0.2  # the compared networks drop nothing; here the phase is to show
JOBS = tuple(
    replace(job, threads=1, dropout=DROPPED, halved=halved)
    for job in (LSTM_128, LSTM_256, LSTM_512)
    for halved in ((False, True) if SUPPORTED else (False,))
)
REST, IDEAL = "the rest", "useful work at peak"
COLUMNS = Table(("ms, share of the step", 25), *((f"H{j.H} {'bf16' if j.halved else 'f32'}", 13) for j in JOBS))


def seconds_by_phase(rounds: int) -> dict[Job, dict[str, float]]:
    """Medians of the rounds; what no phase accounts for is REST, useful work at numpy's speed of one thread IDEAL."""
    sides: dict[Job | None, Contender] = {job: Contender("clocks", job, question="processor time") for job in JOBS}
    sides[None] = replace(peak(1), question="processor time")
    answers = interleave(sides, rounds)
    speed = statistics.median(answers[None])
    found = {}
    for job in JOBS:
        spent = {name: statistics.median(turn[name] for turn in answers[job]) for name in (*ORDER, STEP)}
        spent[REST] = spent[STEP] - sum(spent[name] for name in ORDER)
        spent[IDEAL] = job.T * job.B * job.flops / speed
        found[job] = spent
    return found


def section(rounds: int) -> Iterator[str]:
    """One column a network and precision."""
    shapes = ", ".join(f"H{job.H} B{job.B} T{job.T}" for job in (LSTM_128, LSTM_256, LSTM_512))
    yield f"Where a training step's time goes: LSTM V{LSTM_128.V} L{LSTM_128.L}, {shapes}; one thread's own"
    yield f"time, dropout {DROPPED}. Look-up: the first layer's input, and its gradient; softmax: its products too;"
    yield "recurrent products: timed apart, alone; gates: what the cell's kernels take beyond them."
    yield COLUMNS.head()
    found = seconds_by_phase(rounds)
    for name in (*ORDER, REST, STEP, IDEAL):
        cells = [f"{spent[name] * 1e3:.2f} {spent[name] / spent[STEP]:4.0%}" for spent in found.values()]
        yield COLUMNS.line(name, *cells)
