"""Learning with products of bfloat16: what it may change of losses and gradients, and what it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest

from gencli.choices import Choices
from gencli.config import CellName, NetworkConfig
from gencli.errors import OptionError
from gencli.kernels.bfloat16 import SUPPORTED
from gencli.kernels.threads import Team
from gencli.model_file import read_model
from gencli.network import Network
from gencli.recipe import make_plan
from tests.network_cases import random_batch
from tests.reference import bfloat16
from tests.reference import network as reference
from tests.test_dense import from_panels, in_panels
from tests.test_resume import resumed, to_the_end, until

Array = np.ndarray[Any, Any]
LOSS = 1e-2  # of each token's loss in float32
COSINE = 0.9998  # at least, of each gradient tensor with that in float32; 0.99989 was found
FINAL_LOSS = 0.005  # of the validation loss that the same steps in float32 lead to; 2e-5 was found

EVERY_CELL = pytest.mark.parametrize("cell", get_args(CellName))
needs_bfloat16 = pytest.mark.skipif(
    not SUPPORTED, reason="this processor has no bfloat16 dot products on 64-byte registers (AVX512_BF16)"
)

Make = Callable[..., Network]


@pytest.fixture
def network_of() -> Iterator[Make]:
    """Makes networks whose every parameter is random: matrices of deviation 1 / sqrt(H), all else of 0.5."""
    teams: list[Team] = []

    def make(config: NetworkConfig, halved: bool = True, threads: int = 1) -> Network:
        teams.append(Team(threads))
        network = Network(config, teams[-1], np.float32, halved=halved)
        rng = np.random.default_rng([config.hidden_size, config.layers])
        shape = (config.vocabulary_size, config.hidden_size, config.layers, config.side_sizes)
        values = reference.random_parameters(rng, config.cell, *shape)
        for name in values:
            if name.endswith(("recurrent", "input", "output.weight")):
                values[name] *= 2 / np.sqrt(config.hidden_size)
        network.load(values)
        return network

    yield make
    for team in teams:
        team.close()


def cut(batch: Any, begin: int, end: int) -> Any:
    """Steps [begin, end) of a window."""
    steps = slice(begin, end)
    fields = (batch.inputs[steps], batch.targets[steps], batch.starts[steps], batch.weights[steps])
    return type(batch)(*fields, batch.side[:, steps])


def expect_nearly_float32(network_of: Make, config: NetworkConfig, batch: Any) -> None:
    """Losses and gradients near those of float32, and not the same: the products were rounded."""
    full, half = network_of(config, halved=False), network_of(config)
    B = batch.inputs.shape[1]
    expected, found = full.learn(batch, full.state(B), key=7), half.learn(batch, half.state(B), key=7)
    assert found.tobytes() != expected.tobytes()
    np.testing.assert_allclose(found, expected, rtol=LOSS)
    gradients, slopes = half.layout.plain(half.gradient), full.layout.plain(full.gradient)
    assert gradients.keys() == slopes.keys()
    for name, slope in slopes.items():
        a, b = (values.astype(np.float64).ravel() for values in (gradients[name], slope))
        norms = np.linalg.norm(a), np.linalg.norm(b)
        assert norms[1] > 1e-4, f"{name}: the case does not exercise it"
        assert a @ b > COSINE * norms[0] * norms[1], name
        assert abs(norms[0] / norms[1] - 1) < LOSS, name


@needs_bfloat16
@EVERY_CELL
def test_losses_and_gradients_are_near_those_of_float32(network_of: Make, cell: Any) -> None:
    config = NetworkConfig(30, cell=cell, hidden_size=72, layers=2, dropout=0.2, side_sizes=(5,))
    batch = random_batch(np.random.default_rng(13), T=9, B=17, V=30, side_sizes=(5,))
    expect_nearly_float32(network_of, config, batch)


@needs_bfloat16
@EVERY_CELL
@pytest.mark.parametrize("hidden_size", [7, 50, 100, 513])
def test_any_hidden_size(network_of: Make, cell: Any, hidden_size: int) -> None:
    config = NetworkConfig(28, cell=cell, hidden_size=hidden_size, layers=2)
    expect_nearly_float32(network_of, config, random_batch(np.random.default_rng(5), T=6, B=5, V=28))


@needs_bfloat16
@pytest.mark.parametrize("threads", [1, 3])
def test_every_matrix_is_kept_rounded_both_ways(network_of: Make, threads: int) -> None:
    network = network_of(NetworkConfig(70, cell="gru", hidden_size=45, layers=2), threads=threads)
    network.learn(random_batch(np.random.default_rng(23), T=3, B=4, V=70), network.state(4), key=0)
    network.flat *= 0.75
    network.pack()
    below, above = network.layers
    assert below.input is None
    for packed in (below.recurrent, above.recurrent, above.input, network.output.weight):
        assert packed is not None
        matrix = from_panels(packed.weights, packed.k)
        transposed = np.pad(matrix, ((0, packed.padded_k - packed.k), (0, 0))).T
        np.testing.assert_array_equal(packed.forward, in_panels(bfloat16.words(matrix)))
        np.testing.assert_array_equal(packed.backward, in_panels(bfloat16.words(transposed)))


@needs_bfloat16
@EVERY_CELL
def test_padding_stays_zero_in_gradients(network_of: Make, cell: Any) -> None:
    network = network_of(NetworkConfig(6, cell=cell, hidden_size=7, layers=2))
    network.learn(random_batch(np.random.default_rng(3), T=5, B=4, V=6), network.state(4), key=0)
    layout = network.layout
    np.testing.assert_array_equal(layout.lay(layout.plain(network.gradient)), network.gradient)


@needs_bfloat16
@EVERY_CELL
def test_products_follow_weights_that_change(network_of: Make, cell: Any) -> None:
    """After `pack` nothing is left of the weights before: the rounded copies are renewed, all of them."""
    config = NetworkConfig(30, cell=cell, hidden_size=40, layers=2)
    batch = random_batch(np.random.default_rng(19), T=5, B=6, V=30)
    network, fresh = network_of(config, threads=3), network_of(config)
    network.learn(batch, network.state(6), key=0)
    network.flat *= 0.5
    network.pack()
    fresh.load(network.tensors())
    assert network.learn(batch, network.state(6), 0).tobytes() == fresh.learn(batch, fresh.state(6), 0).tobytes()
    assert network.gradient.tobytes() == fresh.gradient.tobytes()


@needs_bfloat16
@EVERY_CELL
def test_the_same_bits_with_one_two_and_three_threads(network_of: Make, cell: Any) -> None:
    config = NetworkConfig(30, cell=cell, hidden_size=72, layers=2, dropout=0.3, side_sizes=(5,))
    batch = random_batch(np.random.default_rng(13), T=9, B=17, V=30, side_sizes=(5,))
    results = []
    for threads in (1, 2, 3):
        network = network_of(config, threads=threads)
        losses = network.learn(batch, network.state(17), key=99)
        results.append((losses.tobytes(), network.gradient.tobytes()))
    assert results[0] == results[1] == results[2]


@needs_bfloat16
@EVERY_CELL
def test_windows_with_carried_state_equal_one_long_run(network_of: Make, cell: Any) -> None:
    network = network_of(NetworkConfig(9, cell=cell, hidden_size=21, layers=2))
    whole = random_batch(np.random.default_rng(11), T=12, B=4, V=9)
    for run in (network.losses, lambda batch, state: network.learn(batch, state, key=0)):
        expected = run(whole, network.state(4))
        state = network.state(4)
        parts = [run(cut(whole, begin, end), state) for begin, end in ((0, 5), (5, 6), (6, 12))]
        np.testing.assert_array_equal(np.concatenate(parts), expected)


@needs_bfloat16
def test_a_reader_of_the_same_parameters_is_in_float32(network_of: Make) -> None:
    """Evaluations and samples of a run read its weights unrounded, as whoever loads the model will."""
    config = NetworkConfig(30, hidden_size=72, layers=2)
    batch = random_batch(np.random.default_rng(13), T=9, B=17, V=30)
    full, half = network_of(config, halved=False), network_of(config)
    reader = half.reader()
    expected = full.losses(batch, full.state(17))
    assert reader.losses(batch, reader.state(17)).tobytes() == expected.tobytes()
    assert half.losses(batch, half.state(17)).tobytes() != expected.tobytes()


STARS = {"documents": "line", "hidden_size": 96, "layers": 1, "dropout": 0.2, "batch_size": 8, "seq_length": 32}


@needs_bfloat16
def test_training_comes_to_the_same_validation_loss(begin: Any) -> None:
    losses: dict[str, list[float]] = {}
    for precision in ("float32", "bfloat16"):
        run = begin("stars", f"{precision}.safetensors", precision=precision, max_steps=300, epochs=1000.0, **STARS)
        to_the_end(run)
        assert run.progress.history[-1]["step"] == 300
        losses[precision] = [entry["valid_loss"] for entry in run.progress.history]
    full, half = losses["float32"], losses["bfloat16"]
    assert half != full
    assert full[-1] < 0.95 * full[0]  # it learns
    assert abs(half[-1] / full[-1] - 1) < FINAL_LOSS, (half[-1], full[-1])


@needs_bfloat16
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(("step", "threads"), [(3, (1, 1)), (10, (1, 2)), (13, (2, 1))])
def test_interrupted_and_resumed_gives_the_same_bytes(begin: Any, cell: str, step: int, threads: Any) -> None:
    changes = {"precision": "bfloat16", "cell": cell}
    expected = to_the_end(begin(output="whole.safetensors", **changes))
    again = resumed(until(begin(threads=threads[0], **changes), step), threads[1])
    assert again.plan.train.precision == "bfloat16"
    assert to_the_end(again) == expected


@needs_bfloat16
def test_auto_is_bfloat16_and_both_words_lead_to_the_same_weights(begin: Any) -> None:
    runs = {word: begin(output=f"{word}.safetensors", precision=word) for word in ("auto", "bfloat16", "float32")}
    stored = {}
    for word, run in runs.items():
        to_the_end(run)
        stored[word] = read_model(run.output)
    assert {word: model.info.train.precision for word, model in stored.items()} == {
        "auto": "bfloat16",
        "bfloat16": "bfloat16",
        "float32": "float32",
    }
    weights = {word: {k: v.tobytes() for k, v in model.tensors.items()} for word, model in stored.items()}
    assert weights["auto"] == weights["bfloat16"] != weights["float32"]


@pytest.mark.parametrize(
    ("supported", "asked", "precision"),
    [
        (True, "auto", "bfloat16"),
        (True, "bfloat16", "bfloat16"),
        (True, "float32", "float32"),
        (False, "auto", "float32"),
        (False, "float32", "float32"),
    ],
)
def test_the_plan_records_the_precision_that_was_settled_on(
    names_file: Any, monkeypatch: Any, supported: bool, asked: Any, precision: str
) -> None:
    monkeypatch.setattr("gencli.precision.SUPPORTED", supported)
    plan = make_plan([str(names_file)], Choices(precision=asked))
    assert plan.train.precision == precision
    assert plan.choices.precision == asked


def test_bfloat16_is_refused_where_it_is_not_supported(names_file: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("gencli.precision.SUPPORTED", False)
    with pytest.raises(OptionError) as caught:
        make_plan([str(names_file)], Choices(precision="bfloat16"))
    message = str(caught.value)
    assert message.startswith("--precision bfloat16: this processor has no bfloat16")
    assert message.endswith("use float32")
    assert "\n" not in message


@needs_bfloat16
def test_a_run_begun_in_float32_resumes_in_it_where_bfloat16_is_supported(begin: Any, monkeypatch: Any) -> None:
    expected = to_the_end(begin(output="whole.safetensors", precision="float32"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("gencli.precision.SUPPORTED", False)
        run = until(begin(precision="auto"), 5)
    assert run.plan.train.precision == "float32"
    again = resumed(run)
    assert again.plan.train.precision == "float32"
    assert to_the_end(again) == expected


@needs_bfloat16
def test_a_run_begun_in_bfloat16_does_not_go_on_in_float32(begin: Any, monkeypatch: Any) -> None:
    run = until(begin(precision="auto"), 5)
    assert run.plan.train.precision == "bfloat16"
    monkeypatch.setattr("gencli.precision.SUPPORTED", False)
    with pytest.raises(OptionError, match="bfloat16"):
        resumed(run)
