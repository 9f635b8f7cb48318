"""Training steps over a large vocabulary beside PyTorch's full softmax: our full softmax, and our adaptive one."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.compare import CAPTION, OURS, OURS_16, THEIRS, Row, compare
from tests.benchmarks.jobs import ADAPTIVE_WORDS, FULL_WORDS
from tests.benchmarks.table import Table, count, times

TABLE = Table(("", 37), (OURS, 11), (OURS_16, 12), (THEIRS, 10), ("f32/f32", 9), ("bf16/f32", 10))


def line(row: Row) -> str:
    """Tokens a second, and ratios to PyTorch's full softmax."""
    rates = [count(row.rate(name)) for name in (OURS, OURS_16, THEIRS)]
    return TABLE.line(str(row.job), *rates, *(times(row.ratio(name, THEIRS)) for name in (OURS, OURS_16)))


def section(rounds: int) -> Iterator[str]:
    """The table; PyTorch's side is the full softmax in both lines."""
    yield "Words: tied vectors, ids as frequent as words; PyTorch with its full softmax, tokens a second"
    yield CAPTION
    yield TABLE.head()
    for job in (FULL_WORDS, ADAPTIVE_WORDS):
        (row,) = compare((job,), rounds)
        yield line(row)
