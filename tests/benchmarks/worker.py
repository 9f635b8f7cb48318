"""One side of the comparison in a process of its own: reads a job a line as JSON, runs it, answers with a rate.

Run by tests.benchmarks.compare; the first argument is `ours` or `theirs`.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module

import numpy as np

from tests.benchmarks.jobs import Job


def main() -> None:
    """Answer each job with the median tokens per second of `seconds` of it, after a warm-up."""
    side = import_module(f"tests.benchmarks.{sys.argv[1]}")
    before, run = None, None
    for line in sys.stdin:
        order = json.loads(line)
        job = Job(**order["job"])
        if job != before:
            before, run = job, getattr(side, job.task)(job)
            run()
            run()
        rates = []
        end = time.perf_counter() + order["seconds"]
        while time.perf_counter() < end or len(rates) < 2:
            began = time.perf_counter()
            tokens = run()
            rates.append(tokens / (time.perf_counter() - began))
        sys.stdout.write(json.dumps(float(np.median(rates))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
