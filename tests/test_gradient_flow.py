"""How far back gradients reach, against central differences of the twin with respect to the older state itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from gencli.config import CellName, NetworkConfig, OptimizerConfig
from gencli.gradient_flow import distances_up_to, measure_flow, reaches, state_gradients
from gencli.gradient_norms import Trial, run_trial
from gencli.kernels.threads import Team
from gencli.network import Network
from gencli.optimizer import AdamW
from tests.network_cases import random_batch, random_network
from tests.reference import network as reference
from tests.reference.adamw import adamw

T, B, V, H, L = 7, 5, 11, 9, 2
DISTANCES = (1, 2, 4)


def window(seed: int = 3) -> Any:
    """A window with starts inside, the last of them at steps 5, 4, 3, 2 and 0; every row's last step counts."""
    batch = random_batch(np.random.default_rng(seed), T, B, V)
    batch.weights[-1] = 1
    for row, last in enumerate((5, 4, 3, 2, 0)):
        batch.starts[last:, row] = np.arange(last, T) == last
    return batch


def twin_gradients(parameters: dict[str, Any], cell: str, batch: Any, k: int) -> dict[str, Any]:
    """The slope of the last step's mean loss by the (a, c) of each layer after step T - 1 - k."""
    cut = T - k
    first, rest = slice(None, cut), slice(cut, None)
    shown = (parameters, cell, L)
    before = reference.forward(*shown, batch.inputs[first], batch.targets[first], batch.starts[first],
                               batch.weights[first]).state  # fmt: skip
    weights = np.zeros((k, B))
    weights[-1] = 1

    def loss_of(state: dict[str, Any]) -> float:
        held = [(state[f"a{layer}"], state[f"c{layer}"]) for layer in range(L)]
        window = (batch.inputs[rest], batch.targets[rest], batch.starts[rest], weights)
        return reference.forward(*shown, *window, state=held).loss

    state = {f"{name}{layer}": before[layer][i] for layer in range(L) for i, name in enumerate("ac")}
    return reference.central_differences(loss_of, state)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_gradients_by_an_older_state_equal_central_differences(cell: CellName) -> None:
    network = random_network(NetworkConfig(V, cell=cell, hidden_size=H, layers=L))
    batch = window()
    last = replace(batch, weights=batch.weights * (np.arange(T) == T - 1)[:, None])
    d_output = network.output_gradient(last, network.state(B))
    for k in DISTANCES:
        found = state_gradients(network, batch.starts, d_output, k)
        expected = twin_gradients(network.tensors(), cell, batch, k)
        there = reaches(batch.starts) >= k
        assert there.any()
        assert there.all() == (k == 1)  # further back a start lies between in some rows: nothing may pass it
        names = [f"{name}{layer}" for layer in range(L) for name in ("ac" if network.cell.has_memory else "a")]
        assert len(found) == len(names)
        for name, gradient in zip(names, found, strict=True):
            wanted = expected[name]
            if not network.cell.has_memory:  # the twin's state of such cells may lie in either of its two
                wanted = wanted + expected["c" + name[1:]]
            largest = np.abs(wanted[there]).max()
            assert largest > 1e-4, (name, k)
            np.testing.assert_allclose(gradient[:, :H], wanted, rtol=0, atol=1e-6 * largest, err_msg=f"{name}, {k}")
            assert not gradient[~there].any(), (name, k)


def test_a_place_counts_as_far_back_as_its_document_reaches() -> None:
    starts = np.zeros((5, 4), np.bool_)
    starts[4, 0] = starts[2, 1] = starts[0, 2] = True
    assert reaches(starts).tolist() == [0, 2, 4, 5]


def test_shares_are_means_of_norms_by_those_of_the_last_output() -> None:
    network = random_network(NetworkConfig(V, cell="lstm", hidden_size=H, layers=L))
    batch = window()
    flow = measure_flow(network, [batch], (0, *DISTANCES))
    last = replace(batch, weights=batch.weights * (np.arange(T) == T - 1)[:, None])
    d_output = network.output_gradient(last, network.state(B))
    base = np.linalg.norm(d_output[-1], axis=1)
    assert flow.share(0) == 1.0
    for k in flow.distances[1:]:
        there = reaches(batch.starts) >= k
        parts = np.concatenate(state_gradients(network, batch.starts, d_output, k), axis=1)
        expected = np.linalg.norm(parts, axis=1)[there].mean() / base[there].mean()
        assert flow.share(k) == pytest.approx(expected, rel=1e-9)
        assert flow.places[flow.distances.index(k)] == there.sum()
    assert np.isnan(flow.share(3))


def test_distances_rise_and_end_where_told() -> None:
    assert distances_up_to(12) == (0, 1, 2, 3, 5, 7, 10)
    assert distances_up_to(0) == (0,)


def trial_of(trial: Trial, threads: int) -> Any:
    """A trial of a few steps on one window."""
    batch = window()
    config = NetworkConfig(V, cell="rnn", hidden_size=H)
    return run_trial(config, Team(threads), 1, lambda i: (batch, True), 4, trial)


@pytest.mark.parametrize("update", ["plain", "AdamW"])
def test_norms_are_those_before_clipping_whatever_the_threads(update: Any) -> None:
    free, clipped = Trial(update, 0.1, 1.0, 0.0), Trial(update, 0.1, 1.0, 0.01)
    loose, held = trial_of(free, 1), trial_of(clipped, 1)
    assert loose == trial_of(free, 2)
    assert loose.norms[0] == held.norms[0] > 0.01
    assert loose.losses[0] == held.losses[0]
    if update == "plain":  # a clipped step of this size hardly moves: AdamW's divides by the size again
        assert abs(held.losses[1] - held.losses[0]) < 0.1 * abs(loose.losses[1] - loose.losses[0])


def replayed(config: NetworkConfig, batches: list[Any], trial: Trial) -> tuple[list[float], list[float]]:
    """Norms and losses of a trial whose rows go on from window to window, stepped by the twin in float64."""
    network, settings = Network(config, Team(1)), OptimizerConfig()
    network.initialise(1)
    theta = {n: v.astype(float) * (trial.factor if "recurrent" in n else 1) for n, v in network.tensors().items()}
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in theta.items()}
    state, norms, losses = network.state(B), [], []
    for i, batch in enumerate(batches):
        network.load(theta)
        found = network.learn(batch, state, i).astype(float)
        losses.append(np.average(found, weights=batch.weights))
        gradients = {name: value.astype(float) for name, value in network.layout.plain(network.gradient).items()}
        norms.append(np.sqrt(sum((g**2).sum() for g in gradients.values())))
        scale = min(1.0, trial.clip / norms[-1]) if trial.clip else 1.0
        for name, g in gradients.items():
            if trial.update == "plain":
                theta[name] -= trial.rate * scale * g
            else:
                decay = settings.weight_decay * (g.ndim > 1)
                betas = (settings.beta1, settings.beta2, 1e-8, decay)
                theta[name], *moved = adamw(theta[name], scale * g, *moments[name], i + 1, trial.rate, *betas)
                moments[name] = (moved[0], moved[1])
    return norms, losses


@pytest.mark.parametrize("clip", [0.0, 0.1])
@pytest.mark.parametrize(("update", "rate"), [("plain", 1.0), ("AdamW", 0.01)])
def test_a_trial_is_what_its_rate_factor_and_clipping_say(update: Any, rate: float, clip: float) -> None:
    config, batches = NetworkConfig(V, cell="rnn", hidden_size=H), [window(seed) for seed in range(5)]
    for batch in batches:
        batch.starts[:2] = False  # so that what is carried over counts
    trial = Trial(update, rate, 2.0, clip)
    found = run_trial(config, Team(1), 1, lambda i: (batches[i], i == 0), len(batches), trial)
    norms, losses = replayed(config, batches, trial)
    assert min(norms) > 0.1  # every step is one that clipping changes
    np.testing.assert_allclose(found.norms, norms, rtol=1e-4)
    np.testing.assert_allclose(found.losses, losses, rtol=1e-4)


def test_the_first_norm_is_the_optimizers() -> None:
    found = trial_of(Trial("plain", 0.1, 1.0, 0.0), 1)
    network = Network(NetworkConfig(V, cell="rnn", hidden_size=H), Team(1))
    network.initialise(1)
    network.learn(window(), network.state(B), 0)
    assert found.norms[0] == AdamW(network, OptimizerConfig()).gradient_norm()


def test_recurrent_weights_above_one_make_plain_steps_explode() -> None:
    wild = trial_of(Trial("plain", 10.0, 4.0, 0.0), 1)
    tame = trial_of(Trial("plain", 10.0, 4.0, 0.01), 1)
    assert wild.highest_loss > 1.5 * tame.highest_loss
