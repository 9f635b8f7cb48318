"""Small random networks and windows that several test files share."""

from __future__ import annotations

from typing import Any

import numpy as np

from gencli.batches import Batch
from gencli.config import NetworkConfig
from gencli.kernels.threads import Team
from gencli.network import Network
from tests.reference import network as reference


def random_batch(rng: np.random.Generator, T: int, B: int, V: int, side_sizes: tuple[int, ...] = ()) -> Batch:
    """A window with starts inside, steps of weight 0 and all side inputs."""
    starts = rng.random((T, B)) < 0.3
    starts[1, 0] = True
    weights = (rng.random((T, B)) < 0.8).astype(np.float32)
    weights[0, 0], weights[-1, -1] = 1, 0
    side = np.array([rng.integers(0, size, (T, B)) for size in side_sizes], np.int32).reshape(-1, T, B)
    inputs, targets = (rng.integers(0, V, (T, B)).astype(np.int32) for _ in range(2))
    return Batch(inputs, targets, starts, weights, side)


def random_network(config: NetworkConfig, seed: int = 0, threads: int = 1, dtype: Any = np.float64) -> Network:
    """A network whose every parameter, biases included, is random."""
    network = Network(config, Team(threads), dtype)
    rng = np.random.default_rng(seed)
    arguments = (config.vocabulary_size, config.hidden_size, config.layers, config.side_sizes)
    network.load(reference.random_parameters(rng, config.cell, *arguments))
    return network


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
