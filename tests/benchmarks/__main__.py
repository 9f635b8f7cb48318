"""`python -m tests.benchmarks`: gencli beside PyTorch on this machine, now: training, sampling, scoring."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from gencli.kernels.bfloat16 import SUPPORTED
from gencli.kernels.compile import processor
from tests.benchmarks.compare import Row, compare
from tests.benchmarks.jobs import SAMPLING, SCORING, THREADS, TRAINING, Job


def useful_flops(job: Job) -> float:
    """Multiplications and additions a token that training cannot do without: the first layer's input is a look-up."""
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[job.cell]
    forward = gates * job.H * job.H * (2 * job.L - 1) + job.H * job.V
    return 6.0 * forward


def product_peak() -> float:
    """NumPy's float32 product of large squares, GFLOP/s with all threads."""
    n = 2048
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    best = 0.0
    for _ in range(6):
        began = time.perf_counter()
        a @ a
        best = max(best, 2 * n**3 / (time.perf_counter() - began) / 1e9)
    return best


def line(row: Row, peak: float) -> str:
    """One line of the table."""
    cells = [f"{row.job!s:36}"]
    for kind in (("ours", False), ("ours", True), ("theirs", False), ("theirs", True)):
        cells.append(f"{row.rates[kind]:11,.0f}" if kind in row.rates else f"{'-':>11}")
    for halved in (False, True):
        ratio = row.ratio(halved)
        cells.append(f"{ratio:6.2f}x" if ratio else f"{'-':>7}")
    if row.job.task == "train":
        cells.append(f"{row.rates['ours', False] * useful_flops(row.job) / 1e9 / peak:7.0%}")
    return " ".join(cells)


def main() -> None:
    """Print the table."""
    names = ["numba", "numpy"] + (["torch"] if find_spec("torch") else [])
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    peak = product_peak()
    print(f"{processor()[0]}, {THREADS} threads, Python {platform.python_version()}, {versions}")
    print(
        f"numpy's float32 product of 2048 x 2048: {peak:.0f} GFLOP/s. Tokens a second, medians of interleaved rounds."
    )
    print("16: products in bfloat16, PyTorch's autocast; ratios to PyTorch's float32; of peak: float32 useful work.\n")
    print(f"{'':36} {'gencli':>11} {'gencli 16':>11} {'PyTorch':>11} {'PyTorch 16':>11} {'ratio':>7} {'16':>7} of peak")
    for jobs in (TRAINING, SAMPLING, SCORING):
        for row in compare(jobs, halved=SUPPORTED):
            print(line(row, peak), flush=True)


if __name__ == "__main__":
    main()
