"""Writing and reading with a model, beside PyTorch's usual ways of doing so."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.compare import CAPTION, OURS, OURS_16, THEIRS, Row, compare
from tests.benchmarks.jobs import LINES, MANY_STREAMS, ONE_STREAM, SAMPLING, SCORING, THREADS
from tests.benchmarks.table import Table, count, times
from tests.benchmarks.turns import ratio

COLUMNS = Table(("", 30), (OURS, 12), (OURS_16, 14), (THEIRS, 12), ("f32/f32", 10), ("bf16/f32", 11))


def line(row: Row) -> str:
    """Tokens a second, and ratios to PyTorch."""
    rates = [count(row.rate(name)) for name in (OURS, OURS_16, THEIRS)]
    return COLUMNS.line(str(row.job), *rates, times(row.ratio(OURS, THEIRS)), times(row.ratio(OURS_16, THEIRS)))


def gain_of_many(rows: list[Row]) -> dict[str, float]:
    """By contender: tokens a second of many streams over those of one, the same network, the same rounds."""
    one, many = (next(row for row in rows if row.job == job) for job in (ONE_STREAM, MANY_STREAMS))
    return {name: ratio(many.rates[name], one.rates[name]) for name in one.rates}


def sampling(rounds: int) -> Iterator[str]:
    """One stream and many."""
    yield f"Sampling: tokens a second, temperature 0.8; many streams with {THREADS} threads"
    yield CAPTION
    yield COLUMNS.head()
    rows = compare(SAMPLING, rounds)
    yield from map(line, rows)
    gains = gain_of_many(rows)
    cells = [f"{gains[name]:.1f}x" if name in gains else None for name in (OURS, OURS_16, THEIRS)]
    yield COLUMNS.line(f"{MANY_STREAMS.B} streams over one, H{MANY_STREAMS.H}", *cells)


def scoring(rounds: int) -> Iterator[str]:
    """Lines of unequal length."""
    yield f"Scoring {LINES:,} lines of 5 to 60 symbols: tokens a second, {THREADS} threads each;"
    yield "PyTorch reads them sorted by length, padded, 64 at a time"
    yield CAPTION
    yield COLUMNS.head()
    for job in SCORING:
        yield from map(line, compare((job,), rounds))
