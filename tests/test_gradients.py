"""Every cell's losses and gradients in float64 against the NumPy twin and its central differences."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from gencli.config import CellName, NetworkConfig
from tests.network_cases import random_batch, random_network, random_state, reference_state
from tests.reference import network as reference

CASES = [(cell, "tanh") for cell in get_args(CellName)] + [("rnn", "relu")]
RELATIVE = 1e-6  # of a gradient's largest element


def twin_result(network: Any, tensors: Any, batch: Any, state: Any) -> Any:
    """The twin's forward pass on the same window."""
    config, sides = network.config, batch.side if len(batch.side) else None
    fields = (batch.inputs, batch.targets, batch.starts, batch.weights.astype(np.float64))
    return reference.forward(
        tensors, config.cell, config.layers, *fields, side=sides, state=state, activation=config.activation
    )


@pytest.mark.parametrize(("cell", "activation"), CASES)
@pytest.mark.parametrize(("layers", "threads"), [(1, 1), (3, 2)])
def test_gradients_equal_central_differences(cell: Any, activation: Any, layers: int, threads: int) -> None:
    config = NetworkConfig(6, cell=cell, hidden_size=5, layers=layers, activation=activation, side_sizes=(3, 4))
    network = random_network(config, seed=layers, threads=threads)
    batch = random_batch(np.random.default_rng(7), T=4, B=3, V=6, side_sizes=(3, 4))
    state = random_state(network, 3)
    before = reference_state(network, state)
    tensors = network.tensors()
    expected = twin_result(network, tensors, batch, before)

    losses = network.learn(batch, state, key=0)

    np.testing.assert_allclose(losses, expected.token_losses, rtol=1e-9)
    after = reference_state(network, state)
    np.testing.assert_allclose([a for a, _ in after], [a for a, _ in expected.state], rtol=1e-9, atol=1e-12)
    if network.cell.has_memory:
        np.testing.assert_allclose([c for _, c in after], [c for _, c in expected.state], rtol=1e-9, atol=1e-12)
    slopes = reference.central_differences(lambda values: twin_result(network, values, batch, before).loss, tensors)
    gradients = network.layout.plain(network.gradient)
    assert gradients.keys() == slopes.keys()
    for name, slope in slopes.items():
        largest = np.abs(slope).max()
        assert largest > 1e-6, f"{name}: the case does not exercise it"
        np.testing.assert_allclose(gradients[name], slope, rtol=RELATIVE, atol=RELATIVE * largest, err_msg=name)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_padding_stays_zero_in_parameters_and_gradients(cell: Any) -> None:
    config = NetworkConfig(6, cell=cell, hidden_size=7, layers=2)
    network = random_network(config)
    network.learn(random_batch(np.random.default_rng(3), T=5, B=4, V=6), network.state(4), key=0)
    layout = network.layout
    for flat in (network.flat, network.gradient):
        np.testing.assert_array_equal(layout.lay(layout.plain(flat)), flat)


@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("hidden_size", [7, 50, 100, 128, 513])
def test_any_hidden_size_agrees_with_the_twin(cell: Any, hidden_size: int) -> None:
    config = NetworkConfig(28, cell=cell, hidden_size=hidden_size, layers=2)
    network = random_network(config, threads=2, dtype=np.float32)
    tensors = {name: values * 0.2 for name, values in network.tensors().items()}
    network.load(tensors)
    batch = random_batch(np.random.default_rng(5), T=6, B=5, V=28)
    expected = twin_result(network, tensors, batch, None)
    np.testing.assert_allclose(network.losses(batch, network.state(5)), expected.token_losses, rtol=2e-5)
    np.testing.assert_allclose(network.learn(batch, network.state(5), key=0), expected.token_losses, rtol=2e-5)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_windows_with_carried_state_equal_one_long_run(cell: Any) -> None:
    network = random_network(NetworkConfig(9, cell=cell, hidden_size=20, layers=2), dtype=np.float32)
    whole = random_batch(np.random.default_rng(11), T=12, B=4, V=9)
    expected = network.losses(whole, network.state(4))
    state = network.state(4)
    parts = []
    for begin, end in ((0, 5), (5, 6), (6, 12)):
        cut = slice(begin, end)
        fields = (whole.inputs[cut], whole.targets[cut], whole.starts[cut], whole.weights[cut], whole.side[:, cut])
        parts.append(network.losses(type(whole)(*fields), state))
    np.testing.assert_array_equal(np.concatenate(parts), expected)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_the_same_bits_with_one_two_and_three_threads(cell: Any) -> None:
    config = NetworkConfig(30, cell=cell, hidden_size=72, layers=2, dropout=0.3, side_sizes=(5,))
    batch = random_batch(np.random.default_rng(13), T=9, B=17, V=30, side_sizes=(5,))
    results = []
    for threads in (1, 2, 3):
        network = random_network(config, threads=threads, dtype=np.float32)
        losses = network.learn(batch, network.state(17), key=99)
        results.append((losses.tobytes(), network.gradient.tobytes()))
    assert results[0] == results[1] == results[2]


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    network = random_network(NetworkConfig(9, hidden_size=64, dropout=0.25), dtype=np.float32)
    ones = np.ones((50, 8, 64), np.float32)
    network._drop(ones, 12345, 0, 0, 8)
    assert set(np.unique(ones)) == {np.float32(0), np.float32(1 / 0.75)}
    # 25,600 draws: four standard deviations are 0.011.
    assert abs((ones == 0).mean() - 0.25) < 0.011
    again = np.ones((50, 8, 64), np.float32)
    network._drop(again, 12346, 0, 0, 8)
    assert 0.5 < (ones == again).mean() < 0.75  # another key, another mask: equal with probability 0.625
