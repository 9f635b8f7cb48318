"""Learning with the adaptive softmax: tails with all rows, one, and none; cutoffs at the edges; cells; precisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gencli.batches import Batch
from gencli.config import NetworkConfig
from gencli.errors import OptionError
from gencli.kernels.bfloat16 import SUPPORTED
from gencli.network import Network
from tests.network_cases import (
    KINDS,
    H,
    V,
    batch_for,
    compare_gradients,
    expect_the_twins,
    masks_of,
    random_network,
    random_state,
    reference_state,
    twin_result,
)
from tests.reference import heads, softmax
from tests.reference import network as reference

Array = np.ndarray[Any, Any]
CUTOFFS = (7, 16, 25)  # of the networks here: tails of 10, 8 and 8 units
COSINE, LOSS = 0.9999, 1e-2  # of gradients and losses in bfloat16 with those in float32
TIED = {"embedding_size": H, "tied": True}
BOTH = pytest.mark.parametrize("tying", [{}, {"embedding_size": 9}, TIED], ids=["table", "vectors", "tied"])
needs_bfloat16 = pytest.mark.skipif(not SUPPORTED, reason="this processor has no bfloat16 dot products (AVX512_BF16)")


def config_of(tying: dict[str, Any], cutoffs: tuple[int, ...] = CUTOFFS, **settings: Any) -> NetworkConfig:
    return NetworkConfig(V, hidden_size=H, cutoffs=cutoffs, **tying, **settings)


def with_targets(batch: Batch, ids: Any) -> Batch:
    """The window with targets drawn from some ids alone."""
    drawn = np.random.default_rng(1).choice(np.asarray(ids, np.int32), batch.targets.shape)
    return replace(batch, targets=np.ascontiguousarray(drawn))


def expect_slopes(network: Network, batch: Batch, zero: set[str]) -> None:
    """Losses and gradients equal the twin's; those named `zero`, and no others, are nothing at all."""
    state = random_state(network, batch.inputs.shape[1])
    before, tensors = reference_state(network, state), network.tensors()
    expected = twin_result(network, tensors, batch, before)
    np.testing.assert_allclose(network.learn(batch, state, key=0), expected.token_losses, rtol=1e-9)
    slopes = reference.central_differences(
        lambda values: twin_result(network, values, batch, before).loss, tensors, sample=12
    )
    gradients = network.layout.plain(network.gradient)
    for name in zero:
        assert np.nanmax(np.abs(slopes.pop(name))) < 1e-10, name  # the rounding of differences
        assert not gradients.pop(name).any(), name
    compare_gradients(gradients, slopes)


@BOTH
@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole-lstm"])
@pytest.mark.parametrize(("layers", "threads"), [(1, 2), (3, 1)])
def test_gradients_with_every_dropout_equal_central_differences(
    tying: dict[str, Any], cell: Any, layers: int, threads: int
) -> None:
    dropouts: dict[str, Any] = {"dropout": 0.3, "weight_dropout": 0.2}
    if tying:
        dropouts["input_dropout"] = 0.2
    config = config_of(tying, cell=cell, layers=layers, side_sizes=(3,), **dropouts)
    network = random_network(config, seed=layers, threads=threads)
    expect_the_twins(network, batch_for(config, seed=3), key=77, sample=8)
    masks = masks_of(network, 5, 7, 77)
    assert masks.outputs is not None is not masks.recurrent
    assert (masks.vectors is not None) == bool(tying)


@pytest.mark.parametrize(
    ("ids", "empty"),
    [
        (range(7), (0, 1, 2)),  # the head alone
        (range(7, 16), (1, 2)),  # one tail has all rows
        (range(25, V), (0, 1)),
        ([0, 6, 7, 15, 25, 33], (1,)),  # both sides of a tail without rows
    ],
)
@pytest.mark.parametrize("tying", [{}, {"embedding_size": 9}], ids=["table", "vectors"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_tail_without_rows_learns_nothing_of_its_own(
    ids: Any, empty: tuple[int, ...], tying: dict[str, Any], threads: int
) -> None:
    config = config_of(tying)
    network = random_network(config, threads=threads)
    batch = with_targets(batch_for(config, seed=6), ids)
    zero = {f"output.tail.{i}.{part}" for i in empty for part in ("projection", "weight", "bias")}
    expect_slopes(network, batch, zero)


@pytest.mark.parametrize("tying", [{}, {"embedding_size": 9}, TIED], ids=["table", "vectors", "tied"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_tail_that_had_rows_in_the_window_before_forgets_them(tying: dict[str, Any], threads: int) -> None:
    """The gradient is that of this window alone, to the bit, whatever was learned before."""
    config = config_of(tying)
    network, fresh = (random_network(config, threads=threads) for _ in range(2))
    network.learn(batch_for(config, seed=5, T=9), network.state(7), key=1)
    for ids in (range(7), range(16, 25), [33]):
        batch = with_targets(batch_for(config, seed=6), ids)
        losses, expected = (n.learn(batch, n.state(7), key=2) for n in (network, fresh))
        np.testing.assert_array_equal(losses, expected)
        found, wanted = (n.layout.plain(n.gradient) for n in (network, fresh))
        for name, gradient in wanted.items():
            np.testing.assert_array_equal(found[name], gradient, err_msg=f"{name}, targets {ids}")
        fresh = random_network(config, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_tied_vectors_alone_reach_a_tail_without_rows(threads: int) -> None:
    """Its weights are the input's vectors, its projection takes them there; its bias has no part in that."""
    config = config_of(TIED)
    network = random_network(config, threads=threads)
    batch = with_targets(batch_for(config, seed=6, T=8), range(7))
    expect_slopes(network, batch, {f"output.tail.{i}.bias" for i in range(3)})


@BOTH
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_tail_with_a_single_row_in_the_last_row_of_the_batch(tying: dict[str, Any], threads: int) -> None:
    config = config_of(tying)
    network = random_network(config, threads=threads)
    batch = with_targets(batch_for(config, seed=7), range(7))
    for i, first in enumerate(CUTOFFS):
        batch.targets[i, 6], batch.weights[i, 6] = first + i, 1
    expect_slopes(network, batch, set())


@BOTH
@pytest.mark.parametrize("cutoffs", [(1,), (V - 1,), (1, V - 1), (1, 2, 3), (V - 3, V - 2, V - 1), (16, 32)])
def test_cutoffs_at_the_edges(tying: dict[str, Any], cutoffs: tuple[int, ...]) -> None:
    """A head of one id; tails of one id, whose own softmax has nothing to learn but through tied vectors."""
    config = config_of(tying, cutoffs=cutoffs)
    network = random_network(config, threads=2)
    sizes = np.diff([*cutoffs, V])
    zero = {f"output.tail.{i}.bias" for i in np.flatnonzero(sizes == 1)}
    if "tied" not in tying:
        zero |= {f"output.tail.{i}.{part}" for i in np.flatnonzero(sizes == 1) for part in ("projection", "weight")}
    batch = batch_for(config, seed=10, T=8, B=9)
    for i, first in enumerate(cutoffs):  # so that tied vectors of every tail are read
        batch.inputs[3, i], batch.starts[3, i] = first, False
    expect_slopes(network, batch, zero)


@pytest.mark.parametrize("cutoffs", [(0,), (V,), (5, 5), (9, 4), (-1, 4), (V + 1,)])
def test_cutoffs_that_do_not_rise_within_the_vocabulary_are_refused(cutoffs: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="cutoffs"):
        config_of({}, cutoffs=cutoffs)


@pytest.mark.parametrize("hidden_size", [1, 3, 8, 16, 17, 100])
def test_tails_keep_half_the_units_then_a_quarter_and_at_least_eight(hidden_size: int) -> None:
    config = NetworkConfig(12, hidden_size=hidden_size, cutoffs=(3, 6, 9))
    network = random_network(config)
    widths = [network.layout.tensors[f"output.tail.{i}.projection"].shape for i in range(3)]
    assert widths == [heads.shapes(12, hidden_size, (3, 6, 9))[f"output.tail.{i}.projection"] for i in range(3)]
    assert [units for _, units in widths] == [max(8, hidden_size // divisor) for divisor in (2, 4, 8)]
    expect_the_twins(network, batch_for(config, seed=12), sample=6)


@BOTH
def test_losses_do_not_depend_on_the_batch_or_on_the_order(tying: dict[str, Any]) -> None:
    config = config_of(tying, layers=2)
    network = random_network(config, threads=2, dtype=np.float32)
    batch, order = batch_for(config, seed=4, T=6, B=50), np.random.default_rng(2).permutation(50)
    whole = network.losses(batch, network.state(50))
    mixed = Batch(*(np.ascontiguousarray(field[..., order]) for field in vars(batch).values()))
    np.testing.assert_array_equal(network.losses(mixed, network.state(50)), whole[:, order])
    for row in (0, 31):
        alone = Batch(*(np.ascontiguousarray(field[..., row : row + 1]) for field in vars(batch).values()))
        np.testing.assert_array_equal(network.losses(alone, network.state(1))[:, 0], whole[:, row])


@needs_bfloat16
@pytest.mark.parametrize("kind", KINDS)
def test_learning_in_bfloat16_stays_near_float32(kind: str) -> None:
    settings, in_blocks = KINDS[kind]
    config = NetworkConfig(V, hidden_size=H, layers=2, **settings)
    batch = batch_for(config, seed=15, T=8, B=9)
    full, half = (
        random_network(config, dtype=np.float32, in_blocks=in_blocks, halved=halved) for halved in (False, True)
    )
    expected, found = (network.learn(batch, network.state(9), key=1) for network in (full, half))
    assert found.tobytes() != expected.tobytes()
    np.testing.assert_allclose(found, expected, rtol=LOSS)
    slopes, gradients = (network.layout.plain(network.gradient) for network in (full, half))
    for name, slope in slopes.items():
        a, b = gradients[name].astype(np.float64).ravel(), slope.astype(np.float64).ravel()
        norms = np.linalg.norm(a), np.linalg.norm(b)
        assert norms[1] > 1e-4, f"{name}: the case does not exercise it"
        assert a @ b > COSINE * norms[0] * norms[1], name
        assert abs(norms[0] / norms[1] - 1) < LOSS, name


@needs_bfloat16
@pytest.mark.parametrize("kind", KINDS)
def test_logits_read_in_bfloat16_are_those_of_its_losses(kind: str) -> None:
    settings, _ = KINDS[kind]
    config = NetworkConfig(V, hidden_size=H, layers=2, **settings)
    network, full = (random_network(config, dtype=np.float32, halved=halved) for halved in (True, False))
    batch = batch_for(config, seed=16, T=6, B=9)
    logits = network.logits(batch.inputs, batch.starts, batch.side, network.state(9))
    expected = softmax.token_losses(logits, batch.targets)
    found = network.losses(batch, network.state(9))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    exact = full.losses(batch, full.state(9))
    assert found.tobytes() != exact.tobytes()
    np.testing.assert_allclose(found, exact, rtol=LOSS, atol=LOSS)
