"""The whole network in float32 against PyTorch in float64, where that is installed: forward, and all gradients.

Word models too: nn.Embedding, its weights tied to the output's or not, and nn.AdaptiveLogSoftmaxWithLoss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.batches import Batch
from gencli.config import NetworkConfig
from gencli.network import Network
from tests.network_cases import random_network, random_state, random_tensors
from tests.reference import cells, heads, softmax

torch = pytest.importorskip("torch")

Array = np.ndarray[Any, Any]
T, B, V, H, L = 12, 6, 23, 37, 2
RELATIVE = 1e-5  # of each tensor's largest element
TORCH_ORDER = {"rnn": ("a",), "lstm": ("u", "f", "c~", "o")}  # torch names them i, f, g, o
CASES = pytest.mark.parametrize(("cell", "activation"), [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh")])


def below(layer: int) -> str:
    """The tensor through which a layer reads its input: the first one's input is one-hot."""
    return f"layers.{layer}.input" if layer else "tokens.table"


def in_torchs_order(cell: str, matrix: Array) -> Any:
    """Columns of our gates as rows of torch's."""
    parts = [cells.columns(gate, cell, matrix) for gate in TORCH_ORDER[cell]]
    return torch.tensor(np.concatenate(parts, axis=-1).T.astype(np.float64))


def in_our_order(cell: str, parameter: Any) -> Array:
    """A gradient of torch's gates as columns of ours."""
    order = TORCH_ORDER[cell]
    blocks = dict(zip(order, np.split(parameter.grad.numpy(), len(order)), strict=True))
    return np.concatenate([blocks[gate] for gate in cells.GATES[cell]]).T


def torch_stack(config: NetworkConfig, tensors: dict[str, Array], inputs: int) -> Any:
    """torch's own recurrent layers with our weights, over so many inputs."""
    if config.cell == "lstm":
        stack = torch.nn.LSTM(inputs, config.hidden_size, L).double()
    else:
        stack = torch.nn.RNN(inputs, config.hidden_size, L, nonlinearity=config.activation).double()
    with torch.no_grad():
        for layer in range(L):
            names = {"ih": "layers.0.input" if config.embedding_size and not layer else below(layer)}
            names["hh"] = f"layers.{layer}.recurrent"
            for kind, name in names.items():
                getattr(stack, f"weight_{kind}_l{layer}").copy_(in_torchs_order(config.cell, tensors[name]))
            getattr(stack, f"bias_ih_l{layer}").copy_(in_torchs_order(config.cell, tensors[f"layers.{layer}.bias"]))
            getattr(stack, f"bias_hh_l{layer}").zero_()
    return stack


def torch_modules(config: NetworkConfig, tensors: dict[str, Array]) -> Any:
    """The layers over one-hot inputs, and their output layer."""
    linear = torch.nn.Linear(H, V).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(tensors["output.weight"].T.astype(np.float64)))
        linear.bias.copy_(torch.tensor(tensors["output.bias"].astype(np.float64)))
    return torch_stack(config, tensors, V), linear


def stack_gradients(config: NetworkConfig, stack: Any) -> dict[str, Array]:
    """What autograd left in the recurrent layers, under our names and in our order of the gates."""
    found = {}
    for layer in range(L):
        first = "layers.0.input" if config.embedding_size and not layer else below(layer)
        found[first] = in_our_order(config.cell, getattr(stack, f"weight_ih_l{layer}"))
        found[f"layers.{layer}.recurrent"] = in_our_order(config.cell, getattr(stack, f"weight_hh_l{layer}"))
        found[f"layers.{layer}.bias"] = in_our_order(config.cell, getattr(stack, f"bias_ih_l{layer}"))
    return found


def torch_gradients(config: NetworkConfig, stack: Any, linear: Any) -> dict[str, Array]:
    """Those of the output layer too."""
    output = {"output.weight": linear.weight.grad.numpy().T, "output.bias": linear.bias.grad.numpy()}
    return output | stack_gradients(config, stack)


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

    found, expected = network.layout.plain(network.gradient), torch_gradients(config, stack, linear)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(found[name], gradient, name)
    network.team.close()


def rms_lstm_losses(tensors: dict[str, Any], inputs: Array, targets: Array) -> Any:
    """Losses (T, B) of an rms-lstm from zero states, written with torch's own rms_norm for autograd to see through."""
    x = tensors["tokens.table"][torch.tensor(inputs, dtype=torch.int64)]
    for layer in range(L):
        x = x if layer == 0 else x @ tensors[below(layer)]
        a, c, outputs = torch.zeros(B, H).double(), torch.zeros(B, H).double(), []
        for step in x + tensors[f"layers.{layer}.bias"]:
            product = a @ tensors[f"layers.{layer}.recurrent"]
            u, f, o, candidate = (step + torch.nn.functional.rms_norm(product, (4 * H,), eps=1e-5)).chunk(4, dim=1)
            c = torch.sigmoid(u) * torch.tanh(candidate) + torch.sigmoid(f) * c
            a = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(a)
        x = torch.stack(outputs)
    logits = (x @ tensors["output.weight"] + tensors["output.bias"]).reshape(-1, V)
    wanted = torch.tensor(targets.reshape(-1), dtype=torch.int64)
    return torch.nn.functional.cross_entropy(logits, wanted, reduction="none").reshape(T, B)


def test_the_rms_lstm_equals_one_made_of_torchs_rms_norm() -> None:
    network = random_network(NetworkConfig(V, cell="rms-lstm", hidden_size=H, layers=L), threads=2, dtype=np.float32)
    tensors = {
        name: torch.tensor(values.astype(np.float64)).requires_grad_() for name, values in network.tensors().items()
    }
    inputs, targets = np.random.default_rng(5).integers(0, V, (2, T, B)).astype(np.int32)
    none = np.zeros((T, B), np.bool_), np.zeros((0, T, B), np.int32)
    batch = Batch(inputs, targets, none[0], np.ones((T, B), np.float32), none[1])
    losses = rms_lstm_losses(tensors, inputs, targets)
    losses.mean().backward()

    assert_close(network.losses(batch, network.state(B)), losses.detach().numpy(), "losses")
    assert_close(network.learn(batch, network.state(B), key=0), losses.detach().numpy(), "losses while learning")
    found = network.layout.plain(network.gradient)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert_close(found[name], tensor.grad.numpy(), name)
    network.team.close()


class WordModel:
    """A word-level language model as torch's users write it, with our weights; tails without biases, as torch's are."""

    def __init__(self, config: NetworkConfig, tensors: dict[str, Array]) -> None:
        self.config = config
        wide = {name: torch.tensor(values.astype(np.float64)) for name, values in tensors.items()}
        self.embedding = torch.nn.Embedding(config.vocabulary_size, config.embedding_size).double()
        self.stack = torch_stack(config, tensors, config.embedding_size)
        H, V, cutoffs = config.hidden_size, config.vocabulary_size, list(config.cutoffs)
        if cutoffs:
            kind = torch.nn.AdaptiveLogSoftmaxWithLoss
            self.output = kind(H, V, cutoffs, div_value=2.0, head_bias=True).double()
            pairs = [(self.output.head, "output.head.weight", "output.head.bias")]
            for i, tail in enumerate(self.output.tail):
                pairs += [(tail[0], f"output.tail.{i}.projection", ""), (tail[1], f"output.tail.{i}.weight", "")]
        else:
            self.output = torch.nn.Linear(H, V).double()
            pairs = [(self.output, "output.weight", "output.bias")]
        self.pairs = pairs
        with torch.no_grad():
            for module, weight, bias in pairs:
                module.weight.copy_(wide[weight].T)
                if bias:
                    module.bias.copy_(wide[bias])
            if not config.tied:
                self.embedding.weight.copy_(wide["tokens.vectors"])
        if config.tied:
            self.embedding.weight = self.output.weight

    def log_probabilities(self, inputs: Array, entering: Any) -> Any:
        """(T * B, V)."""
        outputs, _ = self.stack(self.embedding(torch.tensor(inputs, dtype=torch.int64)), entering)
        flat = outputs.reshape(-1, self.config.hidden_size)
        if self.config.cutoffs:
            return self.output.log_prob(flat)
        return torch.log_softmax(self.output(flat), dim=1)

    def gradients(self) -> dict[str, Array]:
        """What autograd left, under our names."""
        found = stack_gradients(self.config, self.stack)
        if not self.config.tied:
            found["tokens.vectors"] = self.embedding.weight.grad.numpy()
        for module, weight, bias in self.pairs:
            found[weight] = module.weight.grad.numpy().T
            if bias:
                found[bias] = module.bias.grad.numpy()
        return found


WORD_MODELS: dict[str, dict[str, Any]] = {
    "vectors": {"embedding_size": 24},
    "tied": {"embedding_size": 64, "tied": True},
    "adaptive": {"embedding_size": 24, "cutoffs": (20, 50, 90)},
    "vectors, large vocabulary": {"embedding_size": 24, "vocabulary_size": 2100},
    "tied, large vocabulary": {"embedding_size": 64, "tied": True, "vocabulary_size": 2100},
}


def word_network(settings: dict[str, Any]) -> tuple[Network, WordModel]:
    """Ours in float32 and torch's in float64, biases of tails zero."""
    config = NetworkConfig(**{"vocabulary_size": 120, "hidden_size": 64, "layers": L, **settings})
    tensors = random_tensors(config, seed=4, scale=0.15)
    for name in tensors:
        if name.startswith("output.tail") and name.endswith("bias"):
            tensors[name][:] = 0
    network = random_network(config, threads=2, dtype=np.float32)
    network.load(tensors)
    return network, WordModel(config, network.tensors())


@pytest.mark.parametrize("kind", WORD_MODELS)
def test_word_models_equal_torchs(kind: str) -> None:
    """Losses and gradients of a window; the adaptive softmax with 32, 16 and 8 units in its tails."""
    network, model = word_network(WORD_MODELS[kind])
    config, rng = network.config, np.random.default_rng(5)
    inputs, targets = rng.integers(0, config.vocabulary_size, (2, T, B)).astype(np.int32)
    weights = rng.uniform(0.5, 1.5, (T, B)).astype(np.float32)
    batch = Batch(inputs, targets, np.zeros((T, B), np.bool_), weights, np.zeros((0, T, B), np.int32))
    state = random_state(network, B)
    size = config.hidden_size
    entering = tuple(torch.tensor(array[:, :, :size].astype(np.float64)) for array in (state.hidden, state.memory))

    log_y = model.log_probabilities(inputs, entering)
    losses = -log_y.gather(1, torch.tensor(targets.reshape(-1, 1), dtype=torch.int64)).reshape(T, B)
    loss = (losses * torch.tensor(weights)).sum() / float(weights.sum(dtype=np.float64))
    loss.backward()

    expected = losses.detach().numpy()
    assert_close(network.losses(batch, state.copy()), expected, "losses")
    assert_close(network.learn(batch, state.copy(), key=0), expected, "losses while learning")
    logits = network.logits(inputs, batch.starts, batch.side, state.copy()).astype(np.float64)
    ours = softmax.log_softmax(logits).reshape(T * B, -1)
    assert_close(ours, log_y.detach().numpy(), "log-probabilities")
    gradients, slopes = network.layout.plain(network.gradient), model.gradients()
    biases = {name for name in gradients if name.startswith("output.tail") and name.endswith("bias")}
    assert gradients.keys() == slopes.keys() | biases
    assert len(biases) == len(config.cutoffs)
    for name, slope in slopes.items():
        assert_close(gradients[name], slope, name)
    network.team.close()


def test_the_twin_of_the_adaptive_softmax_equals_torchs() -> None:
    """Both in float64, with heads and tails of many sizes."""
    for H, V, cutoffs in [(16, 9, (1,)), (64, 120, (20, 50, 90)), (32, 40, (2, 39)), (64, 300, (100, 200, 299))]:
        rng = np.random.default_rng(V)
        shapes = heads.shapes(V, H, cutoffs)
        parameters = {
            name: np.zeros(shape) if "tail" in name and len(shape) == 1 else rng.standard_normal(shape)
            for name, shape in shapes.items()
        }
        kind = torch.nn.AdaptiveLogSoftmaxWithLoss(H, V, list(cutoffs), div_value=2.0, head_bias=True).double()
        with torch.no_grad():
            kind.head.weight.copy_(torch.tensor(parameters["output.head.weight"].T))
            kind.head.bias.copy_(torch.tensor(parameters["output.head.bias"]))
            for i, tail in enumerate(kind.tail):
                tail[0].weight.copy_(torch.tensor(parameters[f"output.tail.{i}.projection"].T))
                tail[1].weight.copy_(torch.tensor(parameters[f"output.tail.{i}.weight"].T))
            x = rng.standard_normal((13, H))
            expected = kind.log_prob(torch.tensor(x)).numpy()
        np.testing.assert_allclose(heads.logits(parameters, x), expected, rtol=1e-12, atol=1e-13)
