"""What a second thread brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.benchmarks.compare import OURS, OURS_16, THEIRS, Row, contenders
from tests.benchmarks.jobs import LSTM_256, THREADS
from tests.benchmarks.table import Table, count, times
from tests.benchmarks.turns import interleave, ratio

NAMES = (OURS, OURS_16, THEIRS)
COLUMNS = Table(("", 24), *((name, 14) for name in NAMES))


def measure(rounds: int, names: tuple[str, ...] = NAMES) -> tuple[Row, Row]:
    """The same training by one thread and by THREADS of them, in the same rounds."""
    jobs = [replace(LSTM_256, threads=threads) for threads in (1, THREADS)]
    sides = {(job, name): one for job in jobs for name, one in contenders(job).items() if name in names}
    rates = interleave(sides, rounds)
    one, all_of_them = (Row(job, {name: found for (of, name), found in rates.items() if of == job}) for job in jobs)
    return one, all_of_them


def gains(one: Row, all_of_them: Row) -> dict[str, float]:
    """By contender: how many times as fast more threads are."""
    return {name: ratio(all_of_them.rates[name], rates) for name, rates in one.rates.items()}


def section(rounds: int) -> Iterator[str]:
    """One line a number of threads, and the ratios."""
    yield f"Threads: training {LSTM_256}, tokens a second; the ratio is the median of the rounds' own"
    yield COLUMNS.head()
    rows = measure(rounds)
    for row in rows:
        yield COLUMNS.line(f"threads {row.job.threads}", *(count(row.rate(name)) for name in NAMES))
    found = gains(*rows)
    yield COLUMNS.line("ratio", *(times(found.get(name)) for name in NAMES))
