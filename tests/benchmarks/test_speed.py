"""gencli must keep ahead of PyTorch's own cells on the same machine. Timings: `pytest -m benchmark`."""

from __future__ import annotations

import pytest

from gencli.kernels.bfloat16 import SUPPORTED
from tests.benchmarks.compare import compare
from tests.benchmarks.jobs import SAMPLING, SCORING, TRAINING, Job

FLOORS = dict(zip(TRAINING, ((2.0, 0.0), (1.45, 1.9), (1.5, 2.3), (1.4, 2.5), (2.2, 3.0), (2.0, 2.8)), strict=True))
FLOORS |= {SAMPLING[0]: (40.0, 0.0), SAMPLING[1]: (10.0, 18.0), SCORING[0]: (1.0, 2.0), SCORING[1]: (1.0, 2.0)}


@pytest.mark.benchmark
@pytest.mark.parametrize("job", FLOORS, ids=str)
def test_ahead_of_pytorch(job: Job) -> None:
    pytest.importorskip("torch")
    (row,) = compare((job,), rounds=3, halved=SUPPORTED)
    full, halved = FLOORS[job]
    ratio = row.ratio()
    assert ratio is not None
    assert ratio >= full, f"{job}: {ratio:.2f}"
    if SUPPORTED:
        ratio = row.ratio(halved=True)
        assert ratio is not None
        assert ratio >= halved, f"{job}, bfloat16: {ratio:.2f}"
