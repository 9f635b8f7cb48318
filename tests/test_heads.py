"""Logits of all ids from the last layer's output: full and adaptive heads against their twin, and as probabilities."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from gencli.batches import Batch
from gencli.config import NetworkConfig
from gencli.kernels.heads import AdaptiveHead, FullHead, head_logits, scratch_columns
from gencli.kernels.tile import padded, panel_width
from tests.network_cases import KINDS, V, random_network, random_state, random_tensors
from tests.network_cases import H as UNITS
from tests.reference import heads as reference
from tests.reference import softmax

Array = np.ndarray[Any, Any]
GUARD = 777.0
# Of the larger of 1 and the largest log-probability: two softmaxes' rounding, float32 and float64.
RELATIVE = {np.float32: 3e-6, np.float64: 1e-13}
BOTH_TYPES = pytest.mark.parametrize("dtype", RELATIVE)
T, B = 3, 7
# Hidden size, vocabulary, cutoffs: edges inside and on panels, a head of one id, tails of one id, many tails.
SHAPES = [
    (20, 34, ()),
    (5, 2, ()),
    (5, 2, (1,)),
    (20, 34, (1,)),
    (20, 34, (33,)),
    (33, 100, (32, 64)),
    (40, 97, (3, 4, 40)),
    (64, 300, (16, 48, 49, 200)),
]
EVERY_SHAPE = pytest.mark.parametrize(("hidden_size", "vocabulary_size", "cutoffs"), SHAPES)


def in_panels(matrix: Array) -> Array:
    """W (k, n) with its columns padded to whole panels, k-major."""
    k, n = matrix.shape
    width, wide = panel_width(matrix.dtype), padded(n, matrix.dtype)
    out = np.zeros((k, wide), matrix.dtype)
    out[:, :n] = matrix
    return np.ascontiguousarray(out.reshape(k, wide // width, width).swapaxes(0, 1)).ravel()


def lengthened(vector: Array) -> Array:
    """A bias padded to whole panels."""
    return np.pad(vector, (0, padded(len(vector), vector.dtype) - len(vector)))


def head_of(parameters: dict[str, Array], V: int, cutoffs: tuple[int, ...]) -> FullHead | AdaptiveHead:
    """What compiled code reads."""
    if not cutoffs:
        return FullHead(in_panels(parameters["output.weight"]), lengthened(parameters["output.bias"]))
    tails = [f"output.tail.{i}" for i in range(len(cutoffs))]
    return AdaptiveHead(
        in_panels(parameters["output.head.weight"]),
        lengthened(parameters["output.head.bias"]),
        tuple(in_panels(parameters[f"{name}.projection"]) for name in tails),
        tuple(in_panels(parameters[f"{name}.weight"]) for name in tails),
        tuple(lengthened(parameters[f"{name}.bias"]) for name in tails),
        np.array([parameters[f"{name}.weight"].shape[0] for name in tails]),
        np.array([*cutoffs, V]),
    )


def random_parameters(H: int, V: int, cutoffs: tuple[int, ...], dtype: Any, scale: float = 1.0) -> dict[str, Array]:
    """An output side whose logits have about the deviation `scale`."""
    rng = np.random.default_rng([H, V])
    shapes = reference.shapes(V, H, cutoffs)
    factors = {name: scale * (0.1 if len(shape) == 1 else (3 / shape[0]) ** 0.5) for name, shape in shapes.items()}
    return {name: (factors[name] * rng.standard_normal(shape)).astype(dtype) for name, shape in shapes.items()}


def logits_of(head: Any, x: Array, H: int, V: int, first: int = 0, last: int = B) -> Array:
    """head_logits for x (T, B, H), NaN in its padding and in the scratch; guards where nothing may be written."""
    dtype = x.dtype
    wide = np.full((*x.shape[:2], padded(H, dtype)), np.nan, dtype)
    wide[:, :, :H] = x
    logits = np.full((*x.shape[:2], padded(V, dtype)), GUARD, dtype)
    scratch = np.full((x.shape[1] + 2, scratch_columns(head)), np.nan, dtype)
    head_logits(wide, H, head, logits, scratch[1:-1], first, last)
    assert np.isnan(scratch[[0, -1]]).all()
    others = np.delete(np.arange(B), slice(first, last))
    assert (logits[:, others] == GUARD).all()
    if isinstance(head, AdaptiveHead):
        assert (logits[:, :, V:] == GUARD).all()
    return logits[:, :, :V]


def random_outputs(H: int, dtype: Any) -> Array:
    return np.random.default_rng(H).uniform(-1, 1, (T, B, H)).astype(dtype)


@BOTH_TYPES
@EVERY_SHAPE
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_logits_equal_the_twins(
    dtype: Any, hidden_size: int, vocabulary_size: int, cutoffs: tuple[int, ...], scale: float
) -> None:
    parameters = random_parameters(hidden_size, vocabulary_size, cutoffs, dtype, scale)
    x = random_outputs(hidden_size, dtype)
    head = head_of(parameters, vocabulary_size, cutoffs)
    found = logits_of(head, x, hidden_size, vocabulary_size)
    wide = {name: values.astype(np.float64) for name, values in parameters.items()}
    expected = reference.logits(wide, x.astype(np.float64))
    if cutoffs:  # log-probabilities: their exponentials add up to 1
        sums = np.exp(found.astype(np.float64)).sum(axis=2)
        np.testing.assert_allclose(sums, 1, rtol=0, atol=RELATIVE[dtype] * max(1, np.abs(expected).max()))
    largest = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=RELATIVE[dtype] * largest)


@EVERY_SHAPE
def test_any_range_of_rows_gives_the_same_bits(
    hidden_size: int, vocabulary_size: int, cutoffs: tuple[int, ...]
) -> None:
    parameters = random_parameters(hidden_size, vocabulary_size, cutoffs, np.float32)
    head, x = head_of(parameters, vocabulary_size, cutoffs), random_outputs(hidden_size, np.float32)
    whole = logits_of(head, x, hidden_size, vocabulary_size)
    for first, last in [(0, 1), (2, 7), (3, 4), (5, 5)]:
        part = logits_of(head, x, hidden_size, vocabulary_size, first, last)
        assert part[:, first:last].tobytes() == whole[:, first:last].tobytes()


def test_the_twin_s_adaptive_softmax_by_hand() -> None:
    """Head scores 1 : 3 : 4, the second entry being tail 0 and the third tail 1, whose own are 1 : 1 and 1 : 2 : 5."""
    parameters = {
        "output.head.weight": np.array([[0.0, math.log(3), math.log(4)]]),
        "output.head.bias": np.zeros(3),
        "output.tail.0.projection": np.full((1, 8), 5.0),
        "output.tail.0.weight": np.zeros((8, 2)),
        "output.tail.0.bias": np.array([2.0, 2.0]),
        "output.tail.1.projection": np.eye(1, 8),
        "output.tail.1.weight": np.eye(8, 1) @ np.array([[0.0, math.log(2), 0.0]]),
        "output.tail.1.bias": np.array([0.0, 0.0, math.log(5)]),
    }
    expected = [1 / 8, 3 / 16, 3 / 16, 1 / 16, 2 / 16, 5 / 16]
    found = reference.logits(parameters, np.ones((1, 1)))
    np.testing.assert_allclose(np.exp(found[0]), expected, rtol=1e-14)
    assert reference.vocabulary_size(parameters) == 6
    vectors = reference.tied_vectors(parameters)[:, 0]
    np.testing.assert_allclose(vectors, [0, 0, 0, 0, math.log(2), 0], rtol=1e-14)


def window(inputs: Array, targets: Array) -> Batch:
    """A window of weight 1 without side inputs whose rows begin documents."""
    starts = np.zeros(inputs.shape, np.bool_)
    starts[0] = True
    shape = inputs.shape
    return Batch(inputs, targets, starts, np.ones(shape, np.float32), np.zeros((0, *shape), np.int32))


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_add_up_to_one_after_any_prefix(kind: str) -> None:
    """Each row of a batch asks for another last token; what the losses say, in reading and learning, adds up to 1."""
    settings, in_blocks = KINDS[kind]
    config = NetworkConfig(V, hidden_size=UNITS, layers=2, **settings)
    network = random_network(config, threads=2, dtype=np.float32, in_blocks=in_blocks)
    network.load({name: 2 * values for name, values in network.tensors().items()})
    rng = np.random.default_rng(21)
    for length in (0, 1, 2, 5, 12):
        prefix = rng.integers(0, V, length)
        ids = np.concatenate([[0], prefix, [0]]).astype(np.int32)[:, None].repeat(V, axis=1)
        ids[-1] = np.arange(V)
        batch = window(ids[:-1], ids[1:].copy())
        logits = network.logits(batch.inputs[:, :1], batch.starts[:, :1], batch.side[:, :, :1], network.state(1))
        log_y = softmax.log_softmax(logits[-1, 0])
        for losses in (network.losses(batch, network.state(V)), network.learn(batch, network.state(V), key=0)):
            assert losses[-1].max() > 3, "the case is too even to prove anything"
            assert np.exp(-losses[-1].astype(np.float64)).sum() == pytest.approx(1, rel=0, abs=1e-5)
            np.testing.assert_allclose(losses[-1], -log_y, rtol=1e-5, atol=1e-5)
        if config.cutoffs:
            assert np.exp(logits[-1, 0].astype(np.float64)).sum() == pytest.approx(1, rel=0, abs=1e-5)


@pytest.mark.parametrize("cutoffs", [(), (2000, 8000)], ids=["full", "adaptive"])
def test_probabilities_of_many_words_add_up_to_one(cutoffs: tuple[int, ...]) -> None:
    """17,700 of them, the vocabulary of the Brown corpus: float32 sums of so many terms are still near enough."""
    config = NetworkConfig(17_700, cell="rnn", hidden_size=32, embedding_size=4, cutoffs=cutoffs)
    network = random_network(config, threads=2, dtype=np.float32)
    every = np.arange(config.vocabulary_size, dtype=np.int32)[None]
    batch = window(np.zeros_like(every), every)
    losses = network.losses(batch, network.state(config.vocabulary_size)).astype(np.float64)
    assert losses.std() > 0.5
    assert np.exp(-losses).sum() == pytest.approx(1, rel=0, abs=1e-5)
    logits = network.logits(batch.inputs[:, :1], batch.starts[:, :1], batch.side[:, :, :1], network.state(1))
    np.testing.assert_allclose(losses, -softmax.log_softmax(logits[:, 0]), rtol=1e-5)
    network.team.close()


@pytest.mark.parametrize("kind", ["table", "table, blocks", "tied", "table, adaptive", "tied, adaptive"])
def test_all_strings_up_to_length_three_and_the_rest_have_probability_one(kind: str) -> None:
    """Six symbols, 0 the end: 156 strings that end after at most 3, and the 625 beginnings that go on to a fourth."""
    settings, in_blocks = KINDS[kind]
    if settings.get("cutoffs"):
        settings = settings | {"cutoffs": (2, 3, 5)[: len(settings["cutoffs"])]}
    config = NetworkConfig(6, hidden_size=UNITS, **settings)
    network = random_network(config, seed=4, threads=2, dtype=np.float32, in_blocks=in_blocks)
    masses = []
    for length in range(5):
        end = (0,) if length < 4 else ()  # longer strings are not followed to their end
        strings = [(0, *symbols, *end) for symbols in itertools.product(range(1, 6), repeat=length)]
        ids = np.array(strings, np.int32).T.copy()
        losses = network.losses(window(ids[:-1], ids[1:].copy()), network.state(len(strings)))
        masses.append(float(np.exp(-losses.sum(axis=0, dtype=np.float64)).sum()))
    assert min(masses) > 0.001
    assert sum(masses) == pytest.approx(1, rel=0, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 3])
def test_losses_are_those_of_the_softmax_of_the_logits(kind: str, threads: int) -> None:
    settings, in_blocks = KINDS[kind]
    config = NetworkConfig(V, hidden_size=UNITS, layers=2, **settings)
    network = random_network(config, threads=threads, dtype=np.float32, in_blocks=in_blocks)
    rng = np.random.default_rng(22)
    batch = window(*rng.integers(0, V, (2, 11, 26)).astype(np.int32))
    state = random_state(network, 26)
    logits = network.logits(batch.inputs, batch.starts, batch.side, state.copy())
    expected = softmax.token_losses(logits, batch.targets)
    np.testing.assert_allclose(network.losses(batch, state.copy()), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.learn(batch, state.copy(), key=0), expected, rtol=1e-5, atol=1e-6)
    network.team.close()


def test_no_id_of_an_adaptive_softmax_may_lie_below_what_float32_holds() -> None:
    """Logits a thousand apart: finite log-probabilities of the right size, in head and tails."""
    config = NetworkConfig(V, hidden_size=UNITS, cutoffs=(7, 16, 25))
    parameters = {name: values.astype(np.float32) for name, values in random_tensors(config).items()}
    parameters = {name: values for name, values in parameters.items() if name.startswith("output")}
    for name in ("head", "tail.1"):
        parameters[f"output.{name}.bias"][0] = 1000
    head, x = head_of(parameters, V, config.cutoffs), random_outputs(UNITS, np.float32)
    found = logits_of(head, x, UNITS, V)
    wide = {name: values.astype(np.float64) for name, values in parameters.items()}
    expected = reference.logits(wide, x.astype(np.float64))
    assert expected.min() < -1900
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * 2000)
