"""Training steps beside PyTorch's, and their useful arithmetic beside numpy's matrix product."""

from __future__ import annotations

from collections.abc import Iterator

from gencli.kernels.bfloat16 import SUPPORTED
from tests.benchmarks.compare import CAPTION, OURS, OURS_16, PEAK, THEIRS, THEIRS_16, Row, compare
from tests.benchmarks.jobs import SQUARE, TRAINING
from tests.benchmarks.table import Table, count, giga, percent, times

SPEED = Table(
    ("", 24), (OURS, 11), (OURS_16, 12), (THEIRS, 10), (THEIRS_16, 10),
    ("f32/f32", 9), ("bf16/f32", 10), ("bf16/autocast", 15),
)  # fmt: skip
WORK = Table(("", 24), (PEAK, 11), (OURS, 12), ("of peak", 10), (OURS_16, 15), ("of peak", 10))


def speed_line(row: Row) -> str:
    """Tokens a second, and ratios to PyTorch."""
    rates = [count(row.rate(name)) for name in (OURS, OURS_16, THEIRS, THEIRS_16)]
    pairs = ((OURS, THEIRS), (OURS_16, THEIRS), (OURS_16, THEIRS_16))
    return SPEED.line(str(row.job), *rates, *(times(row.ratio(*pair)) for pair in pairs))


def work_line(row: Row) -> str:
    """Useful arithmetic, and its share of the peak."""
    cells = [giga(row.rate(PEAK))]
    for name in (OURS, OURS_16):
        cells += [giga(row.useful(name)), percent(row.share_of_peak(name))]
    return WORK.line(str(row.job), *cells)


def section(rounds: int) -> Iterator[str]:
    """Both tables, of the same rounds."""
    threads = TRAINING[0].threads
    yield f"Training: forward, backward, clipping, AdamW; tokens a second, {threads} threads each"
    yield CAPTION
    yield SPEED.head()
    rows = []
    for job in TRAINING:
        (row,) = compare((job,), rounds, against_peak=True)
        rows.append(row)
        yield speed_line(row)
    yield ""
    yield f"Useful arithmetic of these steps, GFLOP/s; numpy: float32 product of {SQUARE} x {SQUARE}, same rounds,"
    yield f"{threads} threads. What counts are products, without the first layer's input: that is a look-up."
    yield WORK.head()
    for row in rows:
        yield work_line(row)
    if not SUPPORTED:
        yield "This processor has no bfloat16 dot products (AVX512_BF16)."
