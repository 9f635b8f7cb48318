"""Clipping, AdamW steps and the learning rate against their twins, on the flat vectors of a small network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.config import NetworkConfig, OptimizerConfig
from gencli.kernels.adamw import CHUNK, squared_norms
from gencli.kernels.threads import Team
from gencli.network import Network
from gencli.optimizer import AdamW, learning_rate
from tests.reference import adamw as reference
from tests.reference import schedule

Array = np.ndarray[Any, Any]
# Peepholes, side tables and two layers: every kind of tensor; several chunks, the last of them ragged.
CONFIG = NetworkConfig(21, cell="peephole-lstm", hidden_size=37, layers=2, side_sizes=(3,))
NOT_DECAYED = ("bias", "peephole")
RATES = (0.01, 0.02, 0.005, 0.001)


def random_tensors(network: Network, seed: int, scale: float) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: scale * rng.standard_normal(tensor.shape) for name, tensor in network.layout.tensors.items()}


def prepared(config: OptimizerConfig, dtype: Any, threads: int = 1) -> AdamW:
    """An optimizer of a random network."""
    network = Network(CONFIG, Team(threads), dtype)
    network.load(random_tensors(network, 0, 0.5))
    return AdamW(network, config)


def copies(network: Network) -> dict[str, Array]:
    """The parameters as they stand now."""
    return {name: values.copy() for name, values in network.tensors().items()}


def give_gradient(optimizer: AdamW, seed: int) -> dict[str, Array]:
    """A random gradient of norm about 31, as the network holds it and as plain tensors."""
    network = optimizer.network
    network.gradient = network.layout.lay(random_tensors(network, seed, 0.2))
    return network.layout.plain(network.gradient)


def twin_clip(gradients: dict[str, Array], config: OptimizerConfig) -> tuple[dict[str, Array], float]:
    """Clipped by value, then by the norm over all tensors together; and that norm."""
    if config.clip_value > 0:
        gradients = {name: reference.clip_by_value(g, config.clip_value) for name, g in gradients.items()}
    together = np.concatenate([g.ravel() for g in gradients.values()])
    clipped, norm = reference.clip_by_norm(together, config.clip if config.clip > 0 else np.inf)
    ends = np.cumsum([g.size for g in gradients.values()])[:-1]
    parts = zip(gradients.items(), np.split(clipped, ends), strict=True)
    return {name: part.reshape(g.shape) for (name, g), part in parts}, norm


@pytest.mark.parametrize(
    ("clip", "clip_value"), [(0.0, 0.0), (1000.0, 0.0), (2.5, 0.0), (0.0, 0.07), (2.5, 0.07)],
    ids=["no clipping", "a norm not reached", "by norm", "by value", "by both"],
)  # fmt: skip
@pytest.mark.parametrize(("dtype", "relative"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_steps_equal_the_twins(clip: float, clip_value: float, dtype: Any, relative: float) -> None:
    config = OptimizerConfig(clip=clip, clip_value=clip_value, weight_decay=0.3, beta1=0.8, beta2=0.95)
    optimizer = prepared(config, dtype)
    before = copies(optimizer.network)
    expected = {name: (p, np.zeros(p.shape), np.zeros(p.shape)) for name, p in before.items()}
    for step, rate in enumerate(RATES, 1):
        clipped, norm = twin_clip(give_gradient(optimizer, step), config)
        assert optimizer.step(rate) == pytest.approx(norm, rel=relative)
        for name, (p, m, v) in expected.items():
            decay = 0.0 if name.endswith(NOT_DECAYED) else 0.3
            expected[name] = reference.adamw(p, clipped[name], m, v, step, rate, 0.8, 0.95, 1e-8, decay)

    layout, network = optimizer.network.layout, optimizer.network
    found = [layout.plain(flat) for flat in (network.flat, optimizer.mean, optimizer.variance)]
    for name, arrays in expected.items():
        assert np.abs(arrays[0] - before[name]).max() > 1e-3, name
        for plain, array in zip(found, arrays, strict=True):
            largest = np.abs(array).max()
            np.testing.assert_allclose(plain[name], array, rtol=relative, atol=relative * largest, err_msg=name)
    # Padding never moves.
    for flat in (network.flat, optimizer.mean, optimizer.variance):
        np.testing.assert_array_equal(layout.lay(layout.plain(flat)), flat)


def test_weight_decay_alone_shrinks_matrices_and_tables_and_no_vector() -> None:
    optimizer = prepared(OptimizerConfig(weight_decay=0.5, clip=0.0), np.float64)
    network = optimizer.network
    before = copies(network)
    network.gradient = network.layout.new()
    assert optimizer.step(0.1) == 0.0
    for name, values in network.tensors().items():
        factor = 1.0 if name.endswith(NOT_DECAYED) else 0.95
        np.testing.assert_allclose(values, factor * before[name], rtol=1e-14, err_msg=name)


def test_a_step_packs_the_transposed_weights_anew() -> None:
    optimizer = prepared(OptimizerConfig(), np.float64)
    network = optimizer.network
    network.begin_learning()
    give_gradient(optimizer, 1)
    packed = (network.output.weight.backward, network.layers[1].input.backward)
    before = [array.copy() for array in packed]
    optimizer.step(0.1)
    after = [array.copy() for array in packed]
    network.pack()
    for old, new, exact in zip(before, after, packed, strict=True):
        assert (old != new).any()
        np.testing.assert_array_equal(new, exact)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
@pytest.mark.parametrize(("dtype", "relative"), [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_the_average_is_the_twins(power: float, dtype: Any, relative: float) -> None:
    optimizer = prepared(OptimizerConfig(average=power), dtype)
    network, layout = optimizer.network, optimizer.network.layout
    steps: dict[str, list[Array]] = {name: [] for name in layout.tensors}
    for step in range(1, 8):
        give_gradient(optimizer, step)
        optimizer.step(0.1)
        for name, values in copies(network).items():
            steps[name].append(values)
    for name, averaged in layout.plain(optimizer.averaged).items():
        expected = reference.polynomial_average(steps[name], power)
        np.testing.assert_allclose(averaged, expected, rtol=relative, atol=relative, err_msg=name)
        assert np.abs(averaged - steps[name][-1]).max() > 1e-2, name
    np.testing.assert_array_equal(layout.lay(layout.plain(optimizer.averaged)), optimizer.averaged)


def test_the_average_begins_anew_after_a_reset() -> None:
    optimizer = prepared(OptimizerConfig(average=2.0), np.float32)
    for _ in range(3):
        give_gradient(optimizer, 1)
        optimizer.step(0.1)
    optimizer.reset()
    give_gradient(optimizer, 2)
    optimizer.step(0.1)
    np.testing.assert_allclose(optimizer.averaged, optimizer.network.flat, rtol=1e-6, atol=1e-7)


def test_without_averaging_the_average_is_the_weights_themselves() -> None:
    optimizer = prepared(OptimizerConfig(average=0.0), np.float32)
    assert optimizer.averaged is optimizer.network.flat


def test_the_same_bits_with_any_number_of_threads() -> None:
    results = set()
    for threads in (1, 2, 3, 5):
        optimizer = prepared(OptimizerConfig(clip=1.0, clip_value=0.3, average=2.0), np.float32, threads)
        assert optimizer.network.layout.size > 2 * CHUNK
        assert optimizer.network.layout.size % CHUNK != 0
        for step in (1, 2):
            give_gradient(optimizer, step)
            norm = optimizer.step(0.01)
        flats = (optimizer.network.flat, optimizer.variance, optimizer.averaged)
        results.add((norm, *(flat.tobytes() for flat in flats)))
        optimizer.network.team.close()
    assert len(results) == 1


# NaN survives clipping by value; an infinity or a square beyond float32 must be seen without it.
@pytest.mark.parametrize(("value", "clip_value"), [(np.nan, 0.0), (np.nan, 0.1), (-np.inf, 0.0), (1e30, 0.0)])
def test_a_gradient_whose_norm_is_not_finite_changes_nothing(value: float, clip_value: float) -> None:
    optimizer = prepared(OptimizerConfig(clip_value=clip_value), np.float32)
    give_gradient(optimizer, 1)
    optimizer.step(0.01)
    arrays = optimizer.network.flat, optimizer.mean, optimizer.variance
    before = [array.copy() for array in arrays]
    for place in (0, optimizer.network.layout.size // 2, -1):
        give_gradient(optimizer, 2)
        optimizer.network.gradient[place] = value
        assert not np.isfinite(optimizer.step(0.01))
        assert optimizer.steps == 1
        for array, kept in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, kept)
    give_gradient(optimizer, 2)
    assert np.isfinite(optimizer.step(0.01))
    assert optimizer.steps == 2
    assert np.isfinite(optimizer.network.flat).all()


def test_reset_forgets_all_moments() -> None:
    fresh, used = (prepared(OptimizerConfig(), np.float32) for _ in range(2))
    give_gradient(used, 1)
    used.step(0.01)
    used.reset()
    used.network.flat[:] = fresh.network.flat
    for optimizer in (fresh, used):
        give_gradient(optimizer, 2)
        optimizer.step(0.01)
    np.testing.assert_array_equal(used.network.flat, fresh.network.flat)


@pytest.mark.parametrize("limit", [0.0, 0.5])
def test_squares_chunk_by_chunk(limit: float) -> None:
    values = np.random.default_rng(3).standard_normal(3 * CHUNK + 64).astype(np.float32)
    gradient, sums = values.copy(), np.full(4, -1.0, np.float32)
    squared_norms(gradient, np.float32(limit), sums, 1, 4)
    clipped = np.clip(values, -limit, limit) if limit else values
    expected = [(clipped[i * CHUNK : (i + 1) * CHUNK].astype(np.float64) ** 2).sum() for i in range(4)]
    # 8192 squares in 4 to 16 sums of float32.
    np.testing.assert_allclose(sums[1:], expected[1:], rtol=2e-5)
    assert sums[0] == -1
    np.testing.assert_array_equal(gradient[CHUNK:], clipped[CHUNK:])
    np.testing.assert_array_equal(gradient[:CHUNK], values[:CHUNK])


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("final_share", [0.05, 0.3])
def test_the_learning_rate_equals_the_twins(warmup: float, final_share: float) -> None:
    for k in range(101):
        expected = schedule.learning_rate(k, 100, 0.003, 100 * warmup, final_share)
        assert learning_rate(k / 100, warmup, 0.003, final_share) == pytest.approx(expected, rel=1e-12, abs=1e-18)
    assert learning_rate(1.7, warmup, 0.003, final_share) == pytest.approx(0.003 * final_share, rel=1e-12)
