"""Compile and start-up times of the commands: the first use with an empty cache folder, and a process after that."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.table import Table
from tests.benchmarks.turns import ROOT

FOLDERS = 3  # at most: empty cache folders that a cell's kernels are compiled into
CELLS = ("lstm", "gru")
COLUMNS = Table(("seconds", 44), ("first use", 12), ("compiling", 12), ("after that", 13))

# The command line, with a word on stdout as soon as one window has been learned from.
TRAIN = """
from gencli.cli.main import run
from gencli.network import Network

def learn(self, *arguments, **options):
    losses = whole(self, *arguments, **options)
    Network.learn = whole
    print("learned", flush=True)
    return losses

whole, Network.learn = Network.learn, learn
run()
"""
SAMPLE = "from gencli.cli.main import run; run()"


@dataclass(frozen=True)
class Ran:
    """Seconds from the start of a process to its first line on stdout, and to its end."""

    first_line: float
    whole: float


def run_command(program: str, folder: Path, cache: Path, *arguments: str) -> Ran:
    """Run a command line in `folder`, machine code in `cache`."""
    variables = {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    began = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as told,
        subprocess.Popen(
            [sys.executable, "-P", "-c", program, *arguments], env={**os.environ, **variables}, cwd=folder,
            stdout=subprocess.PIPE, stderr=told, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        first_line = time.perf_counter() - began
        process.stdout.read()
        process.wait()
        whole = time.perf_counter() - began
        if process.returncode != 0:
            told.seek(0)
            raise RuntimeError(f"gencli {' '.join(arguments)}: exit code {process.returncode}\n{told.read()}")
    return Ran(first_line, whole)


def train(folder: Path, cell: str) -> tuple[Ran, Ran, float]:
    """Training on a tiny corpus, evaluation and samples included: at first, again, and what compiling took."""
    names = (ROOT / "corpora" / "dinosaurs.txt").read_text(encoding="utf-8").splitlines()
    (folder / "names.txt").write_text("\n".join(names[::24]) + "\n", encoding="utf-8")
    options = ("--cell", cell, "--max-steps", "10", "--metrics", "steps.jsonl", "-q")
    with tempfile.TemporaryDirectory() as cache:
        command = (TRAIN, folder, Path(cache), "train", "names.txt", "-o", "model.safetensors", *options)
        first = run_command(*command)
        record = json.loads((folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()[0])
        return first, run_command(*command), record["compile_seconds"]


def sample(folder: Path) -> tuple[Ran, Ran]:
    """Ten samples of the model that `train` left in the folder: at first, and again."""
    with tempfile.TemporaryDirectory() as cache:
        command = (SAMPLE, folder, Path(cache), "sample", "model.safetensors", "-n", "10", "--seed", "1")
        return run_command(*command), run_command(*command)


def measure(cell: str, rounds: int) -> dict[str, tuple[float, float | None, float]]:
    """By what is waited for: medians of seconds at first, of them compiling where told, and in a process after that."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(min(rounds, FOLDERS)):
        with tempfile.TemporaryDirectory() as name:
            trained, again, compiling = train(Path(name), cell)
            sampled, sampled_again = sample(Path(name))
        for what, times in (
            ("train, until the first step is done", (trained.first_line, 0.0, again.first_line)),
            ("train, 10 steps, evaluation, samples", (trained.whole, compiling, again.whole)),
            ("sample -n 10", (sampled.whole, 0.0, sampled_again.whole)),
        ):
            found.setdefault(what, []).append(times)
    medians = {}
    for what, seconds in found.items():
        first, compiling, after = (statistics.median(column) for column in zip(*seconds, strict=True))
        medians[what] = (first, compiling or None, after)
    return medians


def section(rounds: int) -> Iterator[str]:
    """Some lines a cell."""
    yield "First use of a cell (empty cache folder) and a process after that: seconds from the command's start;"
    yield "default settings, a small corpus; training and sampling begin with a folder each"
    yield COLUMNS.head()
    for cell in CELLS:
        for what, (first, compiling, again) in measure(cell, rounds).items():
            told = None if compiling is None else f"{compiling:.2f}"
            yield COLUMNS.line(f"{cell.upper()} {what}", f"{first:.2f}", told, f"{again:.2f}")
