"""Small random networks and windows that several test files share, and how they are compared with their twin."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from gencli.batches import Batch
from gencli.config import NetworkConfig
from gencli.kernels.counter import drop_out, mix
from gencli.kernels.threads import Job, Team
from gencli.kernels.tile import padded, panel_width
from gencli.layers.learning import INPUT, WEIGHTS
from gencli.layers.recurrent import dropout_factors
from gencli.network import Network
from tests.reference import network as reference

Array = np.ndarray[Any, Any]
RELATIVE = 1e-6  # of a gradient's largest element


class Kind(NamedTuple):
    """A form of the input and output sides, for networks of 20 units."""

    settings: dict[str, Any]
    in_blocks: bool = False


V, H = 34, 20
# Tails work with 10, 8 and 8 units. In the last kind they hold 9 ids each, so that the last two might be swapped.
KINDS = {
    "table": Kind({}),
    "table, blocks": Kind({}, in_blocks=True),
    "vectors": Kind({"embedding_size": 7}),
    "tied": Kind({"embedding_size": H, "tied": True}),
    "tied, blocks": Kind({"embedding_size": H, "tied": True}, in_blocks=True),
    "table, adaptive": Kind({"cutoffs": (6,)}),
    "vectors, adaptive": Kind({"embedding_size": 37, "cutoffs": (5, 10, 12)}),
    "tied, adaptive": Kind({"embedding_size": H, "tied": True, "cutoffs": (7, 16, 25)}),
}


def random_batch(rng: np.random.Generator, T: int, B: int, V: int, side_sizes: tuple[int, ...] = ()) -> Batch:
    """A window with starts inside, steps of weight 0 and all side inputs."""
    starts = rng.random((T, B)) < 0.3
    starts[1, 0] = True
    weights = (rng.random((T, B)) < 0.8).astype(np.float32)
    weights[0, 0], weights[-1, -1] = 1, 0
    side = np.array([rng.integers(0, size, (T, B)) for size in side_sizes], np.int32).reshape(-1, T, B)
    inputs, targets = (rng.integers(0, V, (T, B)).astype(np.int32) for _ in range(2))
    return Batch(inputs, targets, starts, weights, side)


def batch_for(config: NetworkConfig, seed: int, T: int = 5, B: int = 7) -> Batch:
    """A random window in which every tail of an adaptive softmax has a target that counts."""
    batch = random_batch(np.random.default_rng(seed), T, B, config.vocabulary_size, config.side_sizes)
    for row, first in enumerate(config.cutoffs):
        batch.targets[1, row], batch.weights[1, row] = first, 1
    return batch


class OrderedTeam(Team):
    """Runs the shares of a job one after another in a given order: what may run at once may run in any order."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__(1)
        self.size, self.order = len(order), order

    def run(self, job: Job) -> None:
        """All shares, on the caller's thread."""
        for share in self.order:
            job(share, self.size)


def random_network(
    config: NetworkConfig,
    seed: int = 0,
    threads: int | Team = 1,
    dtype: Any = np.float64,
    *,
    in_blocks: bool = False,
    halved: bool = False,
) -> Network:
    """A network whose every parameter, biases included, is random; `in_blocks` as if its vocabulary were large."""
    team = Team(threads) if isinstance(threads, int) else threads
    with pytest.MonkeyPatch.context() as patch:
        if in_blocks:
            patch.setattr("gencli.network.LARGE_VOCABULARY", 1)
        network = Network(config, team, dtype, halved=halved)
    network.load(random_tensors(config, seed))
    return network


def random_tensors(config: NetworkConfig, seed: int = 0, scale: float = 0.5) -> dict[str, Array]:
    """The twin's random parameters for a network."""
    sizes = (config.vocabulary_size, config.hidden_size, config.layers, config.side_sizes, scale)
    kind: dict[str, Any] = {name: getattr(config, name) for name in ("embedding_size", "tied", "cutoffs")}
    return reference.random_parameters(np.random.default_rng(seed), config.cell, *sizes, **kind)


def random_state(network: Network, rows: int, seed: int = 1) -> Any:
    """A state as it might have been carried in from the window before."""
    rng = np.random.default_rng(seed)
    state, H = network.state(rows), network.config.hidden_size
    state.hidden[:, :, :H] = rng.uniform(-0.9, 0.9, (network.config.layers, rows, H))
    if network.cell.has_memory:
        state.memory[:, :, :H] = rng.uniform(-0.9, 0.9, (network.config.layers, rows, H))
    return state


def reference_state(network: Network, state: Any) -> list[tuple[Any, Any]]:
    """The same state as the twin wants it: (a, c) for each layer."""
    H = network.config.hidden_size
    hidden, memory = (array[:, :, :H].astype(np.float64) for array in (state.hidden, state.memory))
    return [(a, c if network.cell.has_memory else a) for a, c in zip(hidden, memory, strict=True)]


def masks_of(network: Network, T: int, B: int, key: int) -> reference.Masks:
    """The masks that learning a window under a key applies, found by what they make of ones."""
    config, dtype = network.config, network.layout.dtype

    def dropped(x: Array, share: float, name: int, fixed: bool = False) -> Array:
        drop_out(x, np.uint64(name), *dropout_factors(share, dtype), int(fixed), 0, x.shape[1])
        return x

    def rows_and_steps(units: int, share: float, place: int) -> Array:
        ones = np.ones((T, B, padded(units, dtype)), dtype)
        return dropped(ones, share, mix(key, place), config.variational)[:, :, :units]

    def recurrent(layer: int) -> Array:
        tensor = network.layout.tensors[f"layers.{layer}.recurrent"]
        panels = tensor.groups * padded(tensor.columns, dtype) // panel_width(dtype)
        ones = np.ones((1, panels, tensor.size(dtype) // panels), dtype)
        return tensor.plain(dropped(ones, config.weight_dropout, mix(mix(key, WEIGHTS), layer)).ravel())

    def every_layer(share: float, mask: Any) -> list[Array] | None:
        return [mask(layer) for layer in range(config.layers)] if share else None

    of_inputs = config.input_dropout
    return reference.Masks(
        outputs=every_layer(config.dropout, lambda i: rows_and_steps(config.hidden_size, config.dropout, i)),
        vectors=rows_and_steps(config.embedding_size, of_inputs, INPUT) if of_inputs else None,
        recurrent=every_layer(config.weight_dropout, recurrent),
    )


def twin_result(
    network: Network, tensors: Any, batch: Batch, state: Any, masks: reference.Masks = reference.NO_MASKS
) -> reference.Result:
    """The twin's forward pass on the same window."""
    config, sides = network.config, batch.side if len(batch.side) else None
    fields = (batch.inputs, batch.targets, batch.starts, batch.weights.astype(np.float64))
    rest = {"side": sides, "state": state, "masks": masks, "activation": config.activation}
    return reference.forward(tensors, config.cell, config.layers, *fields, **rest)


def compare_gradients(found: dict[str, Array], slopes: dict[str, Array]) -> None:
    """Every tensor within RELATIVE of its largest slope, which must not be negligible; NaN: not looked at."""
    assert found.keys() == slopes.keys()
    for name, slope in slopes.items():
        looked_at = ~np.isnan(slope)
        largest = np.abs(slope[looked_at]).max()
        assert largest > 1e-6, f"{name}: the case does not exercise it"
        assert found[name].shape == slope.shape, name
        part = found[name][looked_at]
        np.testing.assert_allclose(part, slope[looked_at], rtol=RELATIVE, atol=RELATIVE * largest, err_msg=name)


def expect_the_twins(network: Network, batch: Batch, key: int = 0, sample: int | None = None) -> None:
    """Losses, gradients and the state after one window of learning equal the twin's and its central differences."""
    state = random_state(network, batch.inputs.shape[1])
    before, tensors = reference_state(network, state), network.tensors()
    masks = masks_of(network, len(batch.inputs), batch.inputs.shape[1], key)
    expected = twin_result(network, tensors, batch, before, masks)

    losses = network.learn(batch, state, key)

    np.testing.assert_allclose(losses, expected.token_losses, rtol=1e-9)
    for found, wanted in zip(reference_state(network, state), expected.state, strict=True):
        kept = 1 + network.cell.has_memory
        np.testing.assert_allclose(found[:kept], wanted[:kept], rtol=1e-9, atol=1e-12)

    def loss_of(values: dict[str, Array]) -> float:
        return twin_result(network, values, batch, before, masks).loss

    slopes = reference.central_differences(loss_of, tensors, sample=sample)
    compare_gradients(network.layout.plain(network.gradient), slopes)
