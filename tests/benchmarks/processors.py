"""The code for narrower processors, beside what OpenBLAS has for them.

Numba is told that the processor is another, and OpenBLAS by OPENBLAS_CORETYPE to use its kernels for it. Where numpy
was built with another library that variable does nothing: numpy's figure is then the same for both processors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gencli.kernels.compile import processor
from tests.benchmarks.blas import peak
from tests.benchmarks.compare import OURS, PEAK, Row
from tests.benchmarks.jobs import LSTM_256, LSTM_512, STEPWISE, Job
from tests.benchmarks.table import Table, giga, percent
from tests.benchmarks.turns import Contender, interleave
from tests.test_processors import AVX2


@dataclass(frozen=True)
class Path:
    """A processor's name to Numba, the features it must have, and its name to OpenBLAS; the host's own is empty."""

    title: str
    name: str = ""
    features: str = ""
    core: str | None = None

    @property
    def missing(self) -> set[str]:
        """Features of it that this processor lacks."""
        return {feature[1:] for feature in self.features.split(",") if feature} - processor()[1]

    @property
    def ours(self) -> tuple[tuple[str, str], ...]:
        """What makes Numba compile for it."""
        pairs = (("NUMBA_CPU_NAME", self.name), ("NUMBA_CPU_FEATURES", self.features))
        return tuple(pair for pair in pairs if pair[1])


HOST, HASWELL = Path("host"), Path("AVX2", "haswell", AVX2, "Haswell")
JOBS = (*STEPWISE, LSTM_256, LSTM_512)
COLUMNS = Table(("GFLOP/s, float32", 42), ("threads", 9), (OURS, 10), ("OpenBLAS", 11), ("share", 8))


def measure(path: Path, job: Job, rounds: int) -> Row:
    """The job by gencli's code for that processor, and numpy's large product by OpenBLAS's."""
    sides = {OURS: Contender("ours", job, path.ours), PEAK: peak(job.threads, path.core)}
    return Row(job, interleave(sides, rounds))


def section(rounds: int) -> Iterator[str]:
    """One line a processor and job."""
    yield "Processors: useful arithmetic of gencli's own code for each, and OpenBLAS's kernels for it at a large square"
    yield "product with as many threads. A product alone is an LSTM's recurrent one, step by step through a window."
    yield COLUMNS.head()
    for path in (HOST, HASWELL):
        if path.missing:
            yield f"{path.title}: not run, this processor lacks {', '.join(sorted(path.missing))}"
            continue
        for job in JOBS:
            row = measure(path, job, rounds)
            speed = row.rate(OURS) if job.task == "product" else row.useful(OURS)
            share = row.ratio(OURS, PEAK) if job.task == "product" else row.share_of_peak(OURS)
            cells = (str(job.threads), giga(speed), giga(row.rate(PEAK)), percent(share))
            yield COLUMNS.line(f"{path.title}: {job}", *cells)
