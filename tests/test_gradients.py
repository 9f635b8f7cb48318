"""Losses and gradients in float64 against the NumPy twin and its central differences: every cell, every kind of input
and output side; and the same bits however the work is shared out.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, get_args

import numpy as np
import pytest

from gencli.config import CellName, NetworkConfig
from gencli.kernels.bfloat16 import SUPPORTED
from gencli.kernels.threads import Team
from tests.network_cases import (
    KINDS,
    H,
    OrderedTeam,
    V,
    batch_for,
    compare_gradients,
    expect_the_twins,
    masks_of,
    random_batch,
    random_network,
    random_tensors,
    twin_result,
)

CASES = [(cell, "tanh") for cell in get_args(CellName)] + [("rnn", "relu")]
needs_bfloat16 = pytest.mark.skipif(not SUPPORTED, reason="this processor has no bfloat16 dot products (AVX512_BF16)")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize(("cell", "activation"), CASES)
@pytest.mark.parametrize(("layers", "threads"), [(1, 1), (3, 2)])
def test_gradients_equal_central_differences(cell: Any, activation: Any, layers: int, threads: int) -> None:
    config = NetworkConfig(6, cell=cell, hidden_size=5, layers=layers, activation=activation, side_sizes=(3, 4))
    network = random_network(config, seed=layers, threads=threads)
    expect_the_twins(network, random_batch(np.random.default_rng(7), T=4, B=3, V=6, side_sizes=(3, 4)))


@EVERY_KIND
@pytest.mark.parametrize(("layers", "threads"), [(1, 1), (3, 2)])
def test_gradients_of_every_kind_equal_central_differences(kind: str, layers: int, threads: int) -> None:
    settings, in_blocks = KINDS[kind]
    config = NetworkConfig(V, hidden_size=H, layers=layers, side_sizes=(3, 4), **settings)
    network = random_network(config, seed=layers, threads=threads, in_blocks=in_blocks)
    expect_the_twins(network, batch_for(config, seed=8), sample=12)
    expect_the_twins(network, batch_for(config, seed=9, T=4), sample=4)  # arrays of the window before are used again


def test_a_gradient_of_zero_and_swapped_tails_would_be_found() -> None:
    """The comparison of these files must be able to fail."""
    slopes = random_tensors(NetworkConfig(V, hidden_size=H, **KINDS["tied, adaptive"].settings))
    compare_gradients(slopes, slopes)
    for name, slope in slopes.items():
        with pytest.raises(AssertionError, match=name.replace(".", r"\.")):
            compare_gradients(slopes | {name: np.zeros_like(slope)}, slopes)
        slightly_wrong = slope * (1 + 1e-5 * (np.arange(slope.size).reshape(slope.shape) == np.abs(slope).argmax()))
        with pytest.raises(AssertionError, match=name.replace(".", r"\.")):
            compare_gradients(slopes | {name: slightly_wrong}, slopes)
    for part in ("projection", "weight", "bias"):
        one, other = (f"output.tail.{i}.{part}" for i in (1, 2))
        with pytest.raises(AssertionError, match=r"output\.tail\.1"):
            compare_gradients(slopes | {one: slopes[other], other: slopes[one]}, slopes)
    without = {name: slope for name, slope in slopes.items() if name != "output.tail.2.bias"}
    with pytest.raises(AssertionError):
        compare_gradients(without, slopes)


@pytest.mark.parametrize("cell", get_args(CellName))
@EVERY_KIND
def test_padding_stays_zero_in_parameters_and_gradients(cell: Any, kind: str) -> None:
    settings, in_blocks = KINDS[kind]
    config = NetworkConfig(V, cell=cell, hidden_size=H, layers=2, **settings)
    network = random_network(config, in_blocks=in_blocks)
    network.learn(random_batch(np.random.default_rng(3), T=5, B=4, V=V), network.state(4), key=0)
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


def bits_with(threads: int | Team, config: NetworkConfig, batch: Any, **options: Any) -> list[str]:
    """All that learning a window twice and reading it give, each by a hash of its bits."""
    network = random_network(config, threads=threads, dtype=np.float32, **options)
    rows, found = batch.inputs.shape[1], []
    for key in (99, 100):
        found += [network.learn(batch, network.state(rows), key), network.gradient.copy()]
    state = network.state(rows)
    found += [network.losses(batch, state), state.hidden, state.memory]
    network.team.close()
    return [sha256(array.tobytes()).hexdigest() for array in found]


@pytest.mark.parametrize("cell", get_args(CellName))
def test_the_same_bits_with_one_two_and_three_threads(cell: Any) -> None:
    config = NetworkConfig(30, cell=cell, hidden_size=72, layers=2, dropout=0.3, side_sizes=(5,))
    batch = random_batch(np.random.default_rng(13), T=9, B=17, V=30, side_sizes=(5,))
    one, two, three = (bits_with(threads, config, batch) for threads in (1, 2, 3))
    assert one == two == three


def every_dropout(kind: str, cell: Any = "lstm", hidden_size: int = H) -> NetworkConfig:
    """A network of a kind that drops all it can."""
    settings = dict(KINDS[kind].settings)
    dropouts: dict[str, Any] = {"dropout": 0.3, "weight_dropout": 0.2, "variational": True}
    if "embedding_size" in settings:
        dropouts["input_dropout"] = 0.1
    if "tied" in settings:
        settings["embedding_size"] = hidden_size
    return NetworkConfig(V, cell=cell, hidden_size=hidden_size, layers=2, side_sizes=(5,), **dropouts, **settings)


def uneven_batch() -> Any:
    """More rows than one block's 256; shares of the last tail with one row, and with none."""
    batch = random_batch(np.random.default_rng(14), T=17, B=19, V=V, side_sizes=(5,))
    batch.targets[batch.targets >= 25] = 8
    batch.targets[3, 10] = 30
    return batch


@EVERY_KIND
@pytest.mark.parametrize("halved", [False, pytest.param(True, marks=needs_bfloat16)])
def test_every_kind_gives_the_same_bits_with_one_two_and_three_threads(kind: str, halved: bool) -> None:
    options = {"in_blocks": KINDS[kind].in_blocks, "halved": halved}
    results = [bits_with(threads, every_dropout(kind), uneven_batch(), **options) for threads in (1, 2, 3)]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("cell", get_args(CellName))
@EVERY_KIND
def test_shares_of_the_work_may_run_in_any_order(cell: Any, kind: str) -> None:
    """What threads do at the same time must not meet; here it is done in turns, so that it would be seen each time."""
    config, batch = every_dropout(kind, cell, hidden_size=72), uneven_batch()
    orders = [(0,), (0, 1), (1, 0), (0, 1, 2), (2, 1, 0), (1, 2, 0)]
    results = [bits_with(OrderedTeam(order), config, batch, in_blocks=KINDS[kind].in_blocks) for order in orders]
    for order, result in zip(orders, results, strict=True):
        assert result == results[0], f"shares in the order {order}"


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    config = NetworkConfig(9, hidden_size=64, embedding_size=64, dropout=0.25, input_dropout=0.5, weight_dropout=0.1)
    network = random_network(config, dtype=np.float32)
    every: list[Any] = [masks_of(network, 50, 8, key) for key in (12345, 12346)]
    pairs = [[masks.outputs[0], masks.vectors, masks.recurrent[0]] for masks in every]
    for share, mask, other in zip((0.25, 0.5, 0.1), *pairs, strict=True):
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / (1 - share))}
        # 16,384 draws or more: four standard deviations are 0.016 at most.
        assert abs((mask == 0).mean() - share) < 0.016
        alike = share**2 + (1 - share) ** 2
        assert abs((mask == other).mean() - alike) < 0.016  # another key, an unrelated mask
