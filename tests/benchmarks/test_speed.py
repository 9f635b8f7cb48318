"""Ratios that must hold on a machine of the kind gencli is made for. Timings: `pytest -m benchmark`."""

from __future__ import annotations

import functools
from importlib.util import find_spec

import pytest

from gencli.kernels.bfloat16 import SUPPORTED
from tests.benchmarks import inference, memory, processors, threads
from tests.benchmarks.compare import OURS, OURS_16, PEAK, THEIRS, THEIRS_16, Row, compare
from tests.benchmarks.jobs import (
    ADAPTIVE_WORDS,
    FULL_WORDS,
    LSTM_256,
    LSTM_512,
    ONE_STREAM,
    ONE_STREAM_64,
    SAMPLING,
    SCORING,
    STEPWISE,
    TRAINING,
    Job,
)

ROUNDS = 3
# Times PyTorch's float32: gencli's float32, and its bfloat16; 0 where nothing is asked.
AHEAD = dict(zip(TRAINING, ((2.0, 0.0), (1.45, 1.9), (1.5, 2.3), (1.4, 2.5), (2.2, 3.0), (2.0, 2.8)), strict=True))
AHEAD |= {ONE_STREAM_64: (40.0, 0.0), ONE_STREAM: (10.0, 18.0), SCORING[0]: (1.0, 2.0), SCORING[1]: (1.0, 2.0)}
AHEAD |= {FULL_WORDS: (1.3, 1.3), ADAPTIVE_WORDS: (2.5, 2.5)}  # both times PyTorch's full softmax
AHEAD_OF_AUTOCAST = 1.7
OF_PEAK, OF_PEAK_16 = 0.85, 1.5
MANY_STREAMS_OVER_ONE = 4.0
TWO_THREADS_OVER_ONE = 1.85
OF_MEMORY = 0.6
OF_HASWELL = 0.8

pytestmark = pytest.mark.benchmark
with_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
with_bfloat16 = pytest.mark.skipif(not SUPPORTED, reason="this processor has no bfloat16 dot products")


@functools.cache
def measured(job: Job) -> Row:
    """The rates of one job, measured once for all tests that ask; what is sampled shares its rounds."""
    if job.task == "sample":
        return sampled()[job]
    return compare((job,), ROUNDS, against_peak=job.task == "train")[0]


@functools.cache
def sampled() -> dict[Job, Row]:
    """The rates of all sampling jobs, from the same rounds."""
    return {row.job: row for row in compare(SAMPLING, ROUNDS)}


def shortfall(what: str, found: float | None, floor: float) -> str:
    """What is missing: nothing where there is a ratio and it reaches the floor."""
    if found is None:
        return f"{what}: not measured"
    return "" if found >= floor else f"{what}: {found:.2f}, must be at least {floor}"


@with_torch
@pytest.mark.parametrize("job", AHEAD, ids=lambda job: f"{job.task} {job}")
def test_ahead_of_pytorch(job: Job) -> None:
    row, (full, halved) = measured(job), AHEAD[job]
    assert not shortfall("float32", row.ratio(OURS, THEIRS), full)
    if SUPPORTED:
        assert not shortfall("bfloat16", row.ratio(OURS_16, THEIRS), halved)


@with_torch
@with_bfloat16
def test_bfloat16_ahead_of_pytorchs_autocast() -> None:
    assert not shortfall("bfloat16", measured(LSTM_512).ratio(OURS_16, THEIRS_16), AHEAD_OF_AUTOCAST)


@pytest.mark.parametrize("job", [LSTM_256, LSTM_512], ids=str)
def test_training_is_near_the_machines_peak(job: Job) -> None:
    row = measured(job)
    assert not shortfall("float32", row.share_of_peak(OURS), OF_PEAK)
    if SUPPORTED:
        assert not shortfall("bfloat16", row.share_of_peak(OURS_16), OF_PEAK_16)


def test_many_streams_write_more_than_one() -> None:
    assert not shortfall("float32", inference.gain_of_many(list(sampled().values()))[OURS], MANY_STREAMS_OVER_ONE)


def test_two_threads_train_nearly_twice_as_fast() -> None:
    assert not shortfall("float32", threads.gains(*threads.measure(ROUNDS, (OURS,)))[OURS], TWO_THREADS_OVER_ONE)


@with_torch
def test_training_takes_less_memory_than_pytorch() -> None:
    peaks = {name: peak for name, (_, peak) in memory.measure(1).items()}
    assert peaks[OURS] <= OF_MEMORY * peaks[THEIRS], peaks


@pytest.mark.skipif(bool(processors.HASWELL.missing), reason="this processor cannot run AVX2 code")
@pytest.mark.parametrize("job", STEPWISE, ids=str)
def test_avx2_code_is_near_openblas(job: Job) -> None:
    row = processors.measure(processors.HASWELL, job, ROUNDS)
    assert not shortfall("float32", row.ratio(OURS, PEAK), OF_HASWELL)
