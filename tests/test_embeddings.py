"""Tokens' vectors, of their own or tied to the output, and the dropouts of inputs, weights and whole sequences."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest

from gencli.config import CellName, NetworkConfig
from gencli.errors import OptionError
from tests.network_cases import (
    H,
    V,
    batch_for,
    expect_the_twins,
    masks_of,
    random_network,
    random_state,
    random_tensors,
    reference_state,
    twin_result,
)
from tests.reference import embeddings, heads

Array = np.ndarray[Any, Any]
TIED: dict[str, Any] = {"embedding_size": H, "tied": True}
VECTORS: dict[str, Any] = {"embedding_size": 7}
BOTH = pytest.mark.parametrize("tying", [VECTORS, TIED], ids=["vectors", "tied"])
EVERY_CELL = pytest.mark.parametrize("cell", get_args(CellName))
# Every dropout by itself and all together.
DROPOUTS: list[dict[str, Any]] = [
    {"input_dropout": 0.3},
    {"weight_dropout": 0.3},
    {"dropout": 0.3, "variational": True},
    {"input_dropout": 0.3, "variational": True},
    {"dropout": 0.4, "input_dropout": 0.2, "weight_dropout": 0.3},
    {"dropout": 0.4, "input_dropout": 0.2, "weight_dropout": 0.3, "variational": True},
]
RELATIVE = 2e-5  # of a loss, in float32


def config_of(tying: dict[str, Any], **settings: Any) -> NetworkConfig:
    return NetworkConfig(V, **{"hidden_size": H, **tying, **settings})


@EVERY_CELL
@BOTH
@pytest.mark.parametrize(("layers", "threads"), [(1, 2), (3, 1)])
def test_gradients_equal_central_differences(cell: Any, tying: dict[str, Any], layers: int, threads: int) -> None:
    config = config_of(tying, cell=cell, layers=layers, side_sizes=(3, 4))
    network = random_network(config, seed=layers, threads=threads)
    expect_the_twins(network, batch_for(config, seed=2), sample=10)


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole-lstm"])
@BOTH
@pytest.mark.parametrize("dropouts", DROPOUTS, ids=[" ".join(dropouts) for dropouts in DROPOUTS])
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_with_dropout_equal_central_differences(
    cell: Any, tying: dict[str, Any], dropouts: dict[str, Any], threads: int
) -> None:
    config = config_of(tying, cell=cell, layers=2, **dropouts)
    network = random_network(config, seed=3, threads=threads)
    expect_the_twins(network, batch_for(config, seed=4), key=2**63 + 5, sample=6)


def test_every_element_of_small_vectors_learns_what_it_should() -> None:
    """All slopes, not a sample: unseen tokens, those seen at starts alone, and the rest."""
    config = NetworkConfig(9, hidden_size=4, embedding_size=3)
    network, batch = random_network(config), batch_for(config, seed=5, T=4, B=3)
    batch.inputs[batch.inputs >= 7] = 1  # 7 and 8 are never read
    batch.inputs[batch.inputs == 5] = 2
    batch.inputs[1, 0] = 5  # read only where a document begins, that is, not at all
    assert batch.starts[1, 0]
    batch.weights[:] = 1
    expect_the_twins(network, batch)
    d_vectors = network.layout.plain(network.gradient)["tokens.vectors"]
    seen = np.isin(np.arange(9), batch.inputs[~batch.starts])
    np.testing.assert_array_equal(d_vectors.any(axis=1), seen)
    assert not seen[[5, 7, 8]].any()


@EVERY_CELL
@pytest.mark.parametrize(("hidden_size", "embedding_size"), [(7, 1), (20, 31), (50, 33), (100, 128), (64, 300)])
def test_any_size_agrees_with_the_twin(cell: Any, hidden_size: int, embedding_size: int) -> None:
    config = NetworkConfig(28, cell=cell, hidden_size=hidden_size, layers=2, embedding_size=embedding_size)
    network = random_network(config, threads=2, dtype=np.float32)
    network.load(random_tensors(config, scale=0.1))
    batch = batch_for(config, seed=6)
    expected = twin_result(network, network.tensors(), batch, None).token_losses
    np.testing.assert_allclose(network.losses(batch, network.state(7)), expected, rtol=RELATIVE)
    np.testing.assert_allclose(network.learn(batch, network.state(7), key=0), expected, rtol=RELATIVE)


def test_vectors_are_a_table_of_their_products() -> None:
    """tokens.table = tokens.vectors @ layers.0.input: equal losses, and gradients by the chain rule."""
    config, plain = config_of(VECTORS, layers=2), NetworkConfig(V, hidden_size=H, layers=2)
    tensors = random_tensors(config)
    vectors, weights = tensors.pop("tokens.vectors"), tensors.pop("layers.0.input")
    inner, outer = random_network(config), random_network(plain)
    inner.load(tensors | {"tokens.vectors": vectors, "layers.0.input": weights})
    outer.load(tensors | {"tokens.table": vectors @ weights})
    batch = batch_for(config, seed=7)
    found, expected = (n.learn(batch, n.state(7), key=0) for n in (inner, outer))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    gradients, slopes = (n.layout.plain(n.gradient) for n in (inner, outer))
    d_table = slopes.pop("tokens.table")
    slopes |= {"tokens.vectors": d_table @ weights.T, "layers.0.input": vectors.T @ d_table}
    for name, slope in slopes.items():
        largest = np.abs(slope).max()
        np.testing.assert_allclose(gradients[name], slope, rtol=0, atol=1e-12 * largest, err_msg=name)


@pytest.mark.parametrize("cutoffs", [(), (7, 16, 25)], ids=["full", "adaptive"])
def test_tied_vectors_are_those_of_the_output(cutoffs: tuple[int, ...]) -> None:
    """As untied ones of the same values, to the loss; their gradient goes to the weights they were taken from."""
    tied, untied = config_of(TIED, cutoffs=cutoffs), config_of({"embedding_size": H}, cutoffs=cutoffs)
    tensors = random_tensors(tied)
    inner, outer = random_network(tied), random_network(untied)
    inner.load(tensors)
    outer.load(tensors | {"tokens.vectors": heads.tied_vectors(tensors)})
    batch = batch_for(tied, seed=8)
    read, learned = [
        [n.losses(batch, n.state(7)) for n in (inner, outer)],
        [n.learn(batch, n.state(7), key=0) for n in (inner, outer)],
    ]
    np.testing.assert_allclose(read[0], read[1], rtol=1e-11)
    np.testing.assert_allclose(learned[0], learned[1], rtol=1e-11)
    gradients, slopes = (n.layout.plain(n.gradient) for n in (inner, outer))
    d_vectors = slopes.pop("tokens.vectors").T
    edges = [0, *cutoffs, V]
    slopes["output.head.weight" if cutoffs else "output.weight"][:, : edges[1]] += d_vectors[:, : edges[1]]
    for i, (first, last) in enumerate(pairwise(edges[1:])):
        projection, weight = (f"output.tail.{i}.{part}" for part in ("projection", "weight"))
        slopes[projection] += d_vectors[:, first:last] @ tensors[weight].T
        slopes[weight] += tensors[projection].T @ d_vectors[:, first:last]
    for name, slope in slopes.items():
        largest = np.abs(slope).max()
        np.testing.assert_allclose(gradients[name], slope, rtol=0, atol=1e-11 * largest, err_msg=name)


def test_the_twins_know_the_three_forms_apart() -> None:
    ids, starts = np.array([2, 0, 1]), np.array([False, True, False])
    table = {"tokens.table": np.array([[1.0, 2], [3, 4], [5, 6]])}
    found = embeddings.contribution(table, embeddings.vectors(table), ids, starts)
    np.testing.assert_array_equal(found, [[5, 6], [0, 0], [3, 4]])
    product = {"tokens.vectors": np.array([[1.0], [2], [3]]), "layers.0.input": np.array([[10.0, -1]])}
    found = embeddings.contribution(product, embeddings.vectors(product), ids, starts, np.array([[2.0], [2], [0]]))
    np.testing.assert_array_equal(found, [[60, -6], [0, 0], [0, 0]])
    tied = {"output.weight": np.array([[1.0, 2, 3]]), "layers.0.input": np.array([[10.0, -1]])}
    found = embeddings.contribution(tied, embeddings.vectors(tied), ids, starts)
    np.testing.assert_array_equal(found, [[30, -3], [0, 0], [20, -2]])


@pytest.mark.parametrize("kind", [TIED, TIED | {"cutoffs": (7, 16)}], ids=["full", "adaptive"])
def test_a_reader_follows_the_parameters_that_its_network_learns(kind: dict[str, Any]) -> None:
    """Tied vectors are formed for reading: anew after each change, in the network and in its reader."""
    config = config_of(kind)
    network = random_network(config, dtype=np.float32)
    reader, batch = network.reader(), batch_for(config, seed=9)
    for seed in (1, 2):
        network.flat[:] = network.layout.lay(random_tensors(config, seed))
        network.pack()
        reader.pack()
        expected = twin_result(network, random_tensors(config, seed), batch, None).token_losses
        for one in (network, reader, network):
            np.testing.assert_allclose(one.losses(batch, one.state(7)), expected, rtol=RELATIVE)
        network.learn(batch, network.state(7), key=0)


@BOTH
def test_what_a_window_leaves_behind_does_not_reach_the_next(tying: dict[str, Any]) -> None:
    """More steps and distinct tokens, fewer, then other rows: the bits of a network that has seen nothing."""
    config = config_of(tying, dropout=0.2, weight_dropout=0.2, input_dropout=0.2)
    used = random_network(config, threads=2)
    for T, B, largest in [(2, 3, 2), (9, 7, V), (3, 7, 4), (12, 7, V), (8, 20, V)]:
        batch, fresh = batch_for(config, seed=T, T=T, B=B), random_network(config, threads=2)
        batch.inputs[batch.inputs > largest] = 3
        found, expected = (n.learn(batch, n.state(B), key=T) for n in (used, fresh))
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(used.gradient, fresh.gradient)


@BOTH
def test_dropout_acts_in_learning_alone(tying: dict[str, Any]) -> None:
    network = random_network(config_of(tying, layers=2, **DROPOUTS[-1]), dtype=np.float32)
    plain = random_network(config_of(tying, layers=2), dtype=np.float32)
    batch, flat = batch_for(network.config, seed=12), network.flat.copy()
    expected = plain.losses(batch, plain.state(7))
    np.testing.assert_array_equal(network.losses(batch, network.state(7)), expected)
    learned = network.learn(batch, network.state(7), key=1)
    assert (learned != expected).mean() > 0.9
    np.testing.assert_array_equal(network.flat, flat)  # weights are dropped in a copy
    np.testing.assert_array_equal(network.losses(batch, network.state(7)), expected)


def test_a_state_is_carried_undropped() -> None:
    """Dropout of outputs acts on their way up, not on what the layer hands to itself."""
    network = random_network(config_of(VECTORS, dropout=0.5, input_dropout=0.0))
    batch, state = batch_for(network.config, seed=13, T=2), random_state(network, 7)
    expected = twin_result(network, network.tensors(), batch, reference_state(network, state)).state[0][0]
    network.learn(batch, state, key=3)
    np.testing.assert_allclose(state.hidden[0, :, :H], expected, rtol=1e-9)


def test_masks_of_a_sequence_stay_and_others_change_from_step_to_step() -> None:
    every: dict[bool, Any] = {}
    for variational in (False, True):
        shares = {"dropout": 0.5, "input_dropout": 0.5, "weight_dropout": 0.5, "variational": variational}
        every[variational] = masks_of(random_network(config_of(TIED, layers=2, **shares)), 6, 40, key=8)
    for mask in (every[True].vectors, *every[True].outputs):
        assert (mask == mask[0]).all()
        assert abs((mask[0, 1:] == mask[0, :-1]).mean() - 0.5) < 0.08  # 780 pairs: four deviations
    for mask in (every[False].vectors, *every[False].outputs):
        assert abs((mask[1:] == mask[:-1]).mean() - 0.5) < 0.035  # 4,000 pairs
    for masks in every.values():  # places have masks of their own
        below, above = masks.outputs
        for one, other in ((below, above), (masks.vectors, below), tuple(masks.recurrent)):
            assert abs((one[0] == other[0]).mean() - 0.5) < 0.24


def test_weights_that_are_dropped_learn_nothing_and_are_others_at_every_step() -> None:
    network = random_network(config_of(VECTORS, layers=2, weight_dropout=0.4))
    batch, seen = batch_for(network.config, seed=14), []
    for key in (1, 2):
        network.learn(batch, network.state(7), key)
        recurrent = network.layout.plain(network.gradient)["layers.1.recurrent"]
        mask: Any = masks_of(network, 5, 7, key).recurrent
        np.testing.assert_array_equal(recurrent != 0, mask[1] != 0)
        seen.append(mask[1] == 0)
    assert 0.1 < (seen[0] & seen[1]).mean() < 0.22  # 0.16 where both are 0.4 and unrelated


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tied": True}, "--tie: needs --embedding-size 20"),
        ({"tied": True, "embedding_size": 19}, "--tie: needs --embedding-size 20"),
        ({"input_dropout": 0.1}, "--input-dropout 0.1: needs --embedding-size"),
        ({"embedding_size": -1}, "--embedding-size -1"),
        ({"weight_dropout": 1.0}, "--weight-dropout 1.0"),
        ({"input_dropout": -0.1, "embedding_size": 5}, "--input-dropout -0.1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        NetworkConfig(V, hidden_size=H, **settings)
