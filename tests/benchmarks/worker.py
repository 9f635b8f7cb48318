"""One contender in a process of its own: does its job when asked, and answers in JSON, a line each.

Run by tests.benchmarks.turns: the arguments are a module of tests.benchmarks and a job; questions come on stdin.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from tests.benchmarks.jobs import Job

Run = Callable[[], float]


def resident_peak() -> int:
    """The most bytes of memory that this process has had.

    Linux's figure in getrusage can be that of the process that started this one: it outlives exec. VmHWM cannot.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    from resource import RUSAGE_SELF, getrusage

    peak = getrusage(RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rate(run: Run, seconds: float) -> float:
    """What the job counts (tokens, or floating-point operations) a second: the median of `seconds` of runs."""
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 2:
        began = time.perf_counter()
        done = run()
        rates.append(done / (time.perf_counter() - began))
    return float(np.median(rates))


def main() -> None:
    """Prepare the job, run it twice, then answer until the questions end."""
    side, job = import_module(f"tests.benchmarks.{sys.argv[1]}"), Job(**json.loads(sys.argv[2]))
    imported = resident_peak()
    run: Run = getattr(side, job.task)(job)
    run()
    run()
    for line in sys.stdin:
        question, seconds = json.loads(line)
        match question:
            case "ready":
                answer: object = None
            case "rate":
                answer = rate(run, seconds)
            case "memory":
                run()
                answer = [imported, resident_peak()]
            case "processor time":
                answer = side.processor_time(run, seconds)
            case _:
                raise ValueError(f"{question}: no such question")
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
