"""The softmax in blocks of rows gives what the plain one gives, whatever number of blocks a window takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gencli.network
from gencli.batches import Batch
from gencli.config import NetworkConfig
from gencli.kernels.tile import padded
from gencli.layers.block_softmax import BLOCK_ROWS, BlockSoftmax
from gencli.network import Network
from tests.network_cases import (
    H,
    V,
    batch_for,
    compare_gradients,
    expect_the_twins,
    random_network,
    random_state,
    random_tensors,
)

Array = np.ndarray[Any, Any]
RELATIVE = 1e-12  # of a tensor's largest element, in float64: the order of adding may differ
# Rows of a window: less than a block, exactly one, one more, two less one, several.
WINDOWS = [(5, 7), (16, 16), (1, 257), (7, 73), (1, 1), (45, 17)]
SETTINGS = pytest.mark.parametrize("settings", [{}, {"embedding_size": H, "tied": True}], ids=["table", "tied"])


def learned(network: Network, batch: Batch) -> tuple[Array, Array, dict[str, Array]]:
    """Losses, the state that leaves the window, gradients."""
    state = random_state(network, batch.inputs.shape[1])
    losses = network.learn(batch, state, key=3)
    return losses, state.hidden, network.layout.plain(network.gradient)


def both_ways(config: NetworkConfig, threads: int = 1, dtype: Any = np.float64) -> tuple[Network, Network]:
    """The same network with its softmax in blocks, and plain."""
    inner, outer = (random_network(config, threads=threads, dtype=dtype, in_blocks=n) for n in (True, False))
    assert isinstance(inner.output, BlockSoftmax)
    assert not isinstance(outer.output, BlockSoftmax)
    return inner, outer


@pytest.mark.parametrize(("T", "B"), WINDOWS)
@SETTINGS
@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_give_what_one_softmax_gives(T: int, B: int, settings: dict[str, Any], threads: int) -> None:
    config = NetworkConfig(V, hidden_size=H, layers=2, dropout=0.2, side_sizes=(3,), **settings)
    inner, outer = both_ways(config, threads)
    rng = np.random.default_rng([T, B])
    shape = (T, B)
    targets, inputs = rng.integers(0, V, (2, *shape)).astype(np.int32)
    weights = (rng.random(shape) < 0.9).astype(np.float32)
    weights[0, 0] = 1
    batch = Batch(inputs, targets, rng.random(shape) < 0.2, weights, rng.integers(0, 3, (1, *shape)).astype(np.int32))
    losses, state, gradients = learned(inner, batch)
    expected, expected_state, slopes = learned(outer, batch)
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(state, expected_state)
    for name, slope in slopes.items():
        largest = np.abs(slope).max()
        np.testing.assert_allclose(gradients[name], slope, rtol=0, atol=RELATIVE * largest, err_msg=name)
    np.testing.assert_array_equal(inner.losses(batch, inner.state(B)), outer.losses(batch, outer.state(B)))


@SETTINGS
def test_gradients_over_several_blocks_equal_central_differences(settings: dict[str, Any]) -> None:
    """37 x 7 = 259 rows: the second block holds three."""
    config = NetworkConfig(V, hidden_size=H, **settings)
    network = random_network(config, threads=2, in_blocks=True)
    expect_the_twins(network, batch_for(config, seed=5, T=37, B=7), sample=4)


def test_a_window_after_a_longer_one_forgets_it() -> None:
    """Arrays are used again, the gradient is not added to."""
    config = NetworkConfig(V, hidden_size=H)
    network, fresh = (random_network(config, in_blocks=True) for _ in range(2))
    short = batch_for(config, seed=2, T=3, B=7)
    learned(network, batch_for(config, seed=1, T=60, B=7))
    losses, _, gradients = learned(network, short)
    expected, _, slopes = learned(fresh, short)
    np.testing.assert_array_equal(losses, expected)
    for name, slope in slopes.items():
        np.testing.assert_array_equal(gradients[name], slope, err_msg=name)


@pytest.mark.parametrize("vocabulary_size", [gencli.network.LARGE_VOCABULARY, gencli.network.LARGE_VOCABULARY + 1])
def test_a_large_vocabulary_is_taken_in_blocks_and_its_logits_never_stand_at_once(vocabulary_size: int) -> None:
    config = NetworkConfig(vocabulary_size, cell="rnn", hidden_size=8)
    network = random_network(config, dtype=np.float32)
    learned(network, batch_for(config, seed=4, T=30, B=20))
    large = vocabulary_size > gencli.network.LARGE_VOCABULARY
    assert isinstance(network.output, BlockSoftmax) == large
    columns = padded(vocabulary_size, np.float32)
    assert network.output.d_logits.size == (BLOCK_ROWS if large else 30 * 20) * columns


@pytest.mark.parametrize("cutoffs", [(2000,), (100, 2500)])
def test_an_adaptive_softmax_of_a_large_vocabulary_is_not_taken_in_blocks(cutoffs: tuple[int, ...]) -> None:
    config = NetworkConfig(3000, cell="rnn", hidden_size=8, cutoffs=cutoffs)
    assert not isinstance(random_network(config, dtype=np.float32).output, BlockSoftmax)


def test_the_comparison_would_find_a_block_left_out() -> None:
    """What is asserted above can fail: a gradient that lacks the rows of one block is far off."""
    slopes = random_tensors(NetworkConfig(V, hidden_size=H))
    halves = {name: slope / 2 for name, slope in slopes.items()}
    with pytest.raises(AssertionError):
        compare_gradients(halves, slopes)
