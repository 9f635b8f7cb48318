"""Contenders take turns, each in a process of its own, so that what disturbs the machine disturbs them alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.benchmarks.jobs import Job

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 0.6  # of each turn

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Contender:
    """Who does what: `side` is a module here with a function for the job's task.

    `environment`: variables of its process beside this one's; None takes one away.
    `question`: what is asked of its process, one of those in tests/benchmarks/worker.py.
    """

    side: str
    job: Job
    environment: tuple[tuple[str, str | None], ...] = ()
    question: str = "rate"


class Worker:
    """A contender's process; a context manager. Ready to answer, everything compiled, once it is entered."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        job = json.dumps(asdict(contender.job))
        environment = {**os.environ, **dict(contender.environment)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", contender.side, job],
            env={name: value for name, value in environment.items() if value is not None}, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        try:
            self.ask("ready")
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.process.kill()
        self.process.communicate()

    def ask(self, question: str | None = None) -> Any:
        """The answer to a question, the contender's own unless told, after about SECONDS of the job."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps([question or self.contender.question, SECONDS]) + "\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.contender}: its process ended; the reason stands above")
        return json.loads(answer)


def interleave(contenders: Mapping[Key, Contender], rounds: int) -> dict[Key, list[Any]]:
    """Each contender's answers, one a round. They start one after the other; every other round goes backwards."""
    with ExitStack() as stack:
        workers = {key: stack.enter_context(Worker(contender)) for key, contender in contenders.items()}
        answers: dict[Key, list[Any]] = {key: [] for key in contenders}
        for n in range(rounds):
            for key in list(workers)[:: 1 if n % 2 == 0 else -1]:
                answers[key].append(workers[key].ask())
    return answers


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' ratios: what slows a whole round down leaves them as they are."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))
