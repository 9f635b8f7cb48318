"""The whole network in float32 against PyTorch in float64, where that is installed: forward, and all gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.batches import Batch
from gencli.config import NetworkConfig
from tests.network_cases import random_network, random_state
from tests.reference import cells

torch = pytest.importorskip("torch")

Array = np.ndarray[Any, Any]
T, B, V, H, L = 12, 6, 23, 37, 2
RELATIVE = 1e-5  # of each tensor's largest element
TORCH_ORDER = {"rnn": ("a",), "lstm": ("u", "f", "c~", "o")}  # torch names them i, f, g, o
CASES = pytest.mark.parametrize(("cell", "activation"), [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh")])


def below(layer: int) -> str:
    """The tensor through which a layer reads its input: the first one's input is one-hot."""
    return f"layers.{layer}.input" if layer else "tokens.table"


def torch_modules(config: NetworkConfig, tensors: dict[str, Array]) -> Any:
    """torch's own recurrent network over one-hot inputs, and its output layer, with our weights."""

    def reordered(matrix: Array) -> Any:
        parts = [cells.columns(gate, config.cell, matrix) for gate in TORCH_ORDER[config.cell]]
        return torch.tensor(np.concatenate(parts, axis=-1).T.astype(np.float64))

    if config.cell == "lstm":
        stack = torch.nn.LSTM(V, H, L).double()
    else:
        stack = torch.nn.RNN(V, H, L, nonlinearity=config.activation).double()
    linear = torch.nn.Linear(H, V).double()
    with torch.no_grad():
        for layer in range(L):
            getattr(stack, f"weight_ih_l{layer}").copy_(reordered(tensors[below(layer)]))
            getattr(stack, f"weight_hh_l{layer}").copy_(reordered(tensors[f"layers.{layer}.recurrent"]))
            getattr(stack, f"bias_ih_l{layer}").copy_(reordered(tensors[f"layers.{layer}.bias"]))
            getattr(stack, f"bias_hh_l{layer}").zero_()
        linear.weight.copy_(torch.tensor(tensors["output.weight"].T.astype(np.float64)))
        linear.bias.copy_(torch.tensor(tensors["output.bias"].astype(np.float64)))
    return stack, linear


def torch_gradients(cell: str, stack: Any, linear: Any) -> dict[str, Array]:
    """What autograd left in the modules, under our names and in our order of the gates."""

    def ours(parameter: Any) -> Array:
        order = TORCH_ORDER[cell]
        blocks = dict(zip(order, np.split(parameter.grad.numpy(), len(order)), strict=True))
        return np.concatenate([blocks[gate] for gate in cells.GATES[cell]]).T

    found = {"output.weight": linear.weight.grad.numpy().T, "output.bias": linear.bias.grad.numpy()}
    for layer in range(L):
        found[below(layer)] = ours(getattr(stack, f"weight_ih_l{layer}"))
        found[f"layers.{layer}.recurrent"] = ours(getattr(stack, f"weight_hh_l{layer}"))
        found[f"layers.{layer}.bias"] = ours(getattr(stack, f"bias_ih_l{layer}"))
    return found


def assert_close(found: Array, expected: Any, what: str) -> None:
    """Within RELATIVE of the largest element, which must not be negligible itself."""
    expected = np.asarray(expected)
    largest = np.abs(expected).max()
    assert largest > 1e-4, what
    np.testing.assert_allclose(found, expected, rtol=0, atol=RELATIVE * largest, err_msg=what)


@CASES
def test_forward_and_gradients_equal_torchs(cell: Any, activation: Any) -> None:
    config = NetworkConfig(V, cell=cell, hidden_size=H, layers=L, activation=activation)
    network = random_network(config, seed=2, threads=2, dtype=np.float32)
    # Weights small enough that neither relu nor tanh runs away over the twelve steps.
    network.load({name: 0.4 * values for name, values in network.tensors().items()})
    rng = np.random.default_rng(3)
    inputs, targets = rng.integers(0, V, (2, T, B)).astype(np.int32)
    weights = rng.uniform(0.5, 1.5, (T, B)).astype(np.float32)
    weights[-1, 0] = 0
    none = np.zeros((T, B), np.bool_), np.zeros((0, T, B), np.int32)
    batch = Batch(inputs, targets, none[0], weights, none[1])  # torch knows no starts: all rows go on from a state

    stack, linear = torch_modules(config, network.tensors())
    state = random_state(network, B)
    entering = [torch.tensor(array[:, :, :H].astype(np.float64)) for array in (state.hidden, state.memory)]
    outputs, last = stack(torch.eye(V).double()[inputs], tuple(entering) if cell == "lstm" else entering[0])
    logits = linear(outputs)
    losses = torch.nn.functional.cross_entropy(
        logits.reshape(-1, V), torch.tensor(targets.reshape(-1), dtype=torch.int64), reduction="none"
    ).reshape(T, B)
    loss = (losses * torch.tensor(weights)).sum() / float(weights.sum(dtype=np.float64))
    loss.backward()

    assert_close(network.logits(inputs, *none, state.copy())[:, :, :V], logits.detach().numpy(), "logits")
    assert_close(network.losses(batch, state.copy()), losses.detach().numpy(), "losses")
    assert_close(network.learn(batch, state, key=0), losses.detach().numpy(), "losses while learning")
    hidden, memory = last if cell == "lstm" else (last, None)
    assert_close(state.hidden[:, :, :H], hidden.detach().numpy(), "state")
    if memory is not None:
        assert_close(state.memory[:, :, :H], memory.detach().numpy(), "memory")

    found, expected = network.layout.plain(network.gradient), torch_gradients(cell, stack, linear)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(found[name], gradient, name)
    network.team.close()
