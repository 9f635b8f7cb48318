"""`python -m tests.benchmarks`: gencli on this machine, now, beside PyTorch and beside what the processor can do."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from gencli.kernels.compile import processor
from tests.benchmarks import inference, memory, phases, processors, start, threads, training, words
from tests.benchmarks.blas import CORE

SECTIONS: dict[str, Callable[[int], Iterator[str]]] = {
    "train": training.section,
    "words": words.section,
    "sample": inference.sampling,
    "score": inference.scoring,
    "phases": phases.section,
    "threads": threads.section,
    "memory": memory.section,
    "start": start.section,
    "processors": processors.section,
}
ROUNDS = 5
BUSY = 0.3  # a load above it is somebody else's work


def processor_name() -> str:
    """The processor as the system names it, and as Numba does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.machine()} ({processor()[0]}), {os.cpu_count()} processors"


def header() -> Iterator[str]:
    """The machine and the versions that the figures are of."""
    names = ["numpy", "numba", "llvmlite"] + (["torch"] if find_spec("torch") else [])
    versions = [f"{name} {version(name)}" for name in names]
    yield processor_name()
    yield f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {', '.join(versions)}"
    if os.environ.get(CORE):
        yield f"{CORE}={os.environ[CORE]} is set here; numpy's peak is measured without it."
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > BUSY:
        yield f"The machine was busy before this began: a load of {load:.1f}. Figures are lower than they could be."


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all unless named")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each contender (default %(default)s)")
    told = parser.parse_args()
    unknown = [name for name in told.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such section; there are {', '.join(SECTIONS)}")
    if told.rounds < 1:
        parser.error(f"--rounds {told.rounds}: must be at least 1")
    return told


def main() -> None:
    """Print the sections asked for, a line as soon as it is measured."""
    told = parse()
    began = time.perf_counter()
    for line in header():
        print(line)
    for name in told.sections or SECTIONS:
        print(flush=True)
        for line in SECTIONS[name](told.rounds):
            print(line, flush=True)
    print(f"\n{told.rounds} rounds, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
