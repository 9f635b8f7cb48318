"""What NumPy does in the comparison: the float32 product of large matrices, by whatever library it was built with.

OPENBLAS_CORETYPE, which makes OpenBLAS take another processor's kernels, is left out of the environment: a peak is
what this machine can do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from tests.benchmarks.jobs import SQUARE, Job
from tests.benchmarks.turns import Contender

Run = Callable[[], float]
CORE = "OPENBLAS_CORETYPE"
LIBRARIES = ("OPENBLAS", "MKL", "OMP")  # each reads {name}_NUM_THREADS when it starts


def product(job: Job) -> Run:
    """out = x @ w; counts multiplications and additions."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape, dtype=np.float32) for shape in ((job.B, job.H), (job.H, job.V)))
    out = np.empty((job.B, job.V), np.float32)

    def run() -> float:
        for _ in range(job.T):
            np.matmul(x, w, out=out)
        return job.flops

    return run


def processor_time(run: Run, seconds: float) -> float:
    """Operations a second of one thread's own time: the median of `seconds` of products."""
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 2:
        began = time.thread_time()
        done = run()
        rates.append(done / (time.thread_time() - began))
    return statistics.median(rates)


def peak(threads: int, core: str | None = None) -> Contender:
    """The machine's peak with so many threads: a large square product; `core`: by OpenBLAS's kernels for that one."""
    environment: list[tuple[str, str | None]] = [(f"{library}_NUM_THREADS", str(threads)) for library in LIBRARIES]
    job = Job("product", "lstm", SQUARE, SQUARE, 1, SQUARE, threads=threads)
    return Contender("blas", job, (*environment, (CORE, core)))
