"""Training must not be slower than PyTorch's own cells on the same machine. A timing: `pytest -m benchmark`."""

from __future__ import annotations

import pytest

from tests.benchmarks.compare import SHAPES, compare


@pytest.mark.benchmark
@pytest.mark.parametrize("shape", SHAPES)
def test_training_keeps_up_with_pytorch(shape: tuple[str, int, int, int, int, int]) -> None:
    pytest.importorskip("torch")
    (row,) = compare((shape,), rounds=3)
    assert row.ratio is not None
    assert row.ratio >= 1.0, str(row)
