"""gencli beside PyTorch: who takes part in the comparison of a job, and what comes out of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from gencli.kernels.bfloat16 import SUPPORTED
from tests.benchmarks.blas import peak
from tests.benchmarks.jobs import Job
from tests.benchmarks.turns import Contender, interleave, ratio

OURS, OURS_16, THEIRS, THEIRS_16, PEAK = "gencli", "gencli bf16", "PyTorch", "autocast", "numpy"
CAPTION = (
    "bf16: products in bfloat16; autocast: PyTorch's bfloat16. Medians of interleaved rounds;\n"
    "ratios are medians of the rounds' own."
)


@dataclass(frozen=True)
class Row:
    """What was measured of one job: by contender, tokens a second in each round (of PEAK, operations a second)."""

    job: Job
    rates: dict[str, list[float]]

    def rate(self, contender: str) -> float | None:
        """The median of the rounds; None where that contender did not take part."""
        return statistics.median(self.rates[contender]) if contender in self.rates else None

    def ratio(self, above: str, below: str) -> float | None:
        """How many times as fast as `below` is `above`."""
        if above not in self.rates or below not in self.rates:
            return None
        return ratio(self.rates[above], self.rates[below])

    def useful(self, contender: str) -> float | None:
        """Useful floating-point operations a second."""
        rate = self.rate(contender)
        return None if rate is None else rate * self.job.flops

    def share_of_peak(self, contender: str) -> float | None:
        """Useful operations over numpy's large product in the same rounds."""
        times = self.ratio(contender, PEAK)
        return None if times is None else times * self.job.flops


def contenders(job: Job, against_peak: bool = False) -> dict[str, Contender]:
    """All who take part; autocast only in training, which is what it is for.

    PyTorch is missing where it is not installed, bfloat16 where the processor has no such products.
    """
    halved = replace(job, halved=True)
    taking_part = {OURS: Contender("ours", job)}
    if SUPPORTED:
        taking_part[OURS_16] = Contender("ours", halved)
    if find_spec("torch"):
        taking_part[THEIRS] = Contender("theirs", job)
        if SUPPORTED and job.task == "train":
            taking_part[THEIRS_16] = Contender("theirs", halved)
    if against_peak:
        taking_part[PEAK] = peak(job.threads)
    return taking_part


def compare(jobs: Sequence[Job], rounds: int, against_peak: bool = False) -> list[Row]:
    """A row for each job, all of them in the same rounds; with `against_peak` numpy's product takes part too."""
    everyone = {(job, name): one for job in jobs for name, one in contenders(job, against_peak).items()}
    rates = interleave(everyone, rounds)
    return [Row(job, {name: found for (of, name), found in rates.items() if of == job}) for job in jobs]
