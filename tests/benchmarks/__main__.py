"""`python -m tests.benchmarks`: training speed beside PyTorch's, on this machine, now."""

from __future__ import annotations

import platform
from importlib.metadata import version
from importlib.util import find_spec

from gencli.kernels.compile import processor
from tests.benchmarks.compare import compare
from tests.benchmarks.worker import THREADS


def main() -> None:
    """Print the table."""
    names = ["numba", "numpy"] + (["torch"] if find_spec("torch") else [])
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{processor()[0]}, {THREADS} threads, Python {platform.python_version()}, {versions}")
    print("Training: forward, backward, clipping, AdamW; medians of interleaved rounds, tokens a second.\n")
    print(f"{'shape':28}{'gencli':>12} {'PyTorch':>12} {'ratio':>8}")
    for row in compare():
        print(row)


if __name__ == "__main__":
    main()
