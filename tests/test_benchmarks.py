"""The benchmarks themselves: that they count right, name every kernel of a training step, and fail aloud."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.benchmarks import clocks, turns
from tests.benchmarks.blas import peak
from tests.benchmarks.clocks import DROPOUT, GATES, GRADIENTS, LOOK_UP, ORDER, STEP
from tests.benchmarks.compare import OURS, PEAK, Row
from tests.benchmarks.jobs import Job
from tests.benchmarks.table import Table
from tests.benchmarks.turns import ROOT, Contender, Worker, interleave, ratio

TINY = Job("train", "lstm", 5, 8, 2, 4, 3, threads=1, dropout=0.2)
SMALL_PRODUCT = Job("product", "lstm", 64, 32, 1, 16, threads=1)


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SECONDS", 0.01)


def test_useful_arithmetic_is_that_of_products_forward_and_twice_back() -> None:
    forward = 2 * (4 * 3 * 3 * 3) + 2 * (3 * 7)  # recurrent, between layers, recurrent; output
    assert Job("train", "lstm", 7, 3, 2, 1).flops == 3 * forward
    assert Job("product", "lstm", 5, 3, 1, 2, 4).flops == 4 * 2 * 2 * 3 * 5


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([10.0, 1.0, 6.0], [5.0, 0.25, 2.0]) == 3.0
    row = Row(TINY, {OURS: [10.0, 1.0, 6.0], PEAK: [5.0, 0.25, 2.0]})
    assert row.ratio(OURS, PEAK) == 3.0
    assert row.share_of_peak(OURS) == 3.0 * TINY.flops
    assert row.ratio(OURS, "nobody") is None


def test_cells_stand_under_their_names() -> None:
    table = Table(("job", 6), ("rate", 7), ("ratio", 8))
    assert table.head() == "job      rate   ratio"
    assert table.line("a", None, "2.00x") == "a           -   2.00x"


def test_the_peak_is_the_machines_own_unless_told() -> None:
    assert dict(peak(2).environment) == {
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "2"),
        "OPENBLAS_CORETYPE": None,
    }
    assert dict(peak(1, "Haswell").environment)["OPENBLAS_CORETYPE"] == "Haswell"


def test_contenders_answer_once_a_round() -> None:
    answers = interleave({"ours": Contender("ours", SMALL_PRODUCT), "numpy": Contender("blas", SMALL_PRODUCT)}, 3)
    assert {name: len(rates) for name, rates in answers.items()} == {"ours": 3, "numpy": 3}
    assert all(rate > 0 for rates in answers.values() for rate in rates)


def test_the_peak_of_memory_is_the_processs_own() -> None:
    held = bytearray(1 << 29)  # counts as this process's peak, which a child could inherit
    held[:: 1 << 12] = b"x" * (1 << 17)
    with Worker(Contender("blas", SMALL_PRODUCT, question="memory")) as worker:
        imported, most = worker.ask()
    assert 1 << 20 < imported <= most < len(held)


def test_a_process_that_ends_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="its process ended"):
        interleave({"numpy": Contender("blas", replace(TINY, task="score"))}, 1)
    assert "has no attribute 'score'" in capfd.readouterr().err


def test_every_kernel_of_a_training_step_has_a_phase() -> None:
    with Worker(Contender("clocks", TINY, question="processor time")) as worker:
        found = worker.ask()
    assert list(found) == [*ORDER, STEP]
    assert all(found[name] > 0 for name in ORDER if name != GATES)  # a difference of two clocks
    assert found[LOOK_UP] + found[GRADIENTS] + found[DROPOUT] < found[STEP]


def test_a_kernel_that_has_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clocks.PHASES, "no_such_kernel", GATES)
    with pytest.raises(LookupError, match="no kernels of these names in gencli: no_such_kernel"):
        clocks.wrap_kernels({})


def test_a_kernel_without_a_phase_is_an_error_once_it_is_called() -> None:
    with pytest.raises(LookupError, match=r"gencli\.network\.read: a training step calls it"):
        clocks.without_phase("gencli.network.read")()


def test_an_unknown_section_is_refused() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "speed"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "speed: no such section; there are train, words, sample, score" in ended.stderr
