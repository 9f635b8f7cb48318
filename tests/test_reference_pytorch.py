"""The twins against PyTorch, where it is installed: cells, network, gradients, optimizer, all in float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.reference import cells, network
from tests.reference.adamw import adamw, clip_by_norm

torch = pytest.importorskip("torch")

T, B, V, H, L = 4, 3, 6, 5, 3
TORCH_ORDER = {"rnn": ("a",), "lstm": ("u", "f", "c~", "o")}  # torch names them i, f, g, o


def window(rng):
    """A random batch as keywords of `forward`: repeated ids, uneven weights with a zero among them, starts at step 0.

    torch knows no starts but the one at its first step: zero state, zero input.
    """
    starts = np.zeros((T, B), bool)
    starts[0] = True
    weights = rng.uniform(0.5, 1.5, (T, B))
    weights[-1, 0] = 0.0
    inputs, targets = rng.integers(0, V, (2, T, B))
    return {"inputs": inputs, "targets": targets, "starts": starts, "weights": weights}


def torch_twin(cell, activation, parameters):
    """torch's own recurrent network over one-hot inputs, with our parameters in its layout, and its output layer."""

    def tensor(values):
        return torch.tensor(np.ascontiguousarray(values), dtype=torch.float64)

    def reordered(matrix):
        return tensor(np.hstack([cells.columns(gate, cell, matrix) for gate in TORCH_ORDER[cell]]).T)

    kind = torch.nn.LSTM(V, H, L) if cell == "lstm" else torch.nn.RNN(V, H, L, nonlinearity=activation)
    model, linear = kind.double(), torch.nn.Linear(H, V).double()
    with torch.no_grad():
        for layer in range(L):
            below = "tokens.table" if layer == 0 else f"layers.{layer}.input"
            getattr(model, f"weight_ih_l{layer}").copy_(reordered(parameters[below]))
            getattr(model, f"weight_hh_l{layer}").copy_(reordered(parameters[f"layers.{layer}.recurrent"]))
            getattr(model, f"bias_ih_l{layer}").copy_(reordered(parameters[f"layers.{layer}.bias"]))
            getattr(model, f"bias_hh_l{layer}").zero_()
        linear.weight.copy_(tensor(parameters["output.weight"].T))
        linear.bias.copy_(tensor(parameters["output.bias"]))
    return model, linear


def canonical_gradients(cell, model, linear):
    """The gradients that autograd left in the torch modules, under our names and in our layout."""

    def ours(parameter):
        blocks = dict(zip(TORCH_ORDER[cell], np.split(parameter.grad.numpy(), len(TORCH_ORDER[cell])), strict=True))
        return np.concatenate([blocks[gate] for gate in cells.GATES[cell]]).T

    found = {"output.weight": linear.weight.grad.numpy().T, "output.bias": linear.bias.grad.numpy()}
    for layer in range(L):
        below = "tokens.table" if layer == 0 else f"layers.{layer}.input"
        found[below] = ours(getattr(model, f"weight_ih_l{layer}"))
        found[f"layers.{layer}.recurrent"] = ours(getattr(model, f"weight_hh_l{layer}"))
        found[f"layers.{layer}.bias"] = ours(getattr(model, f"bias_ih_l{layer}"))
    return found


@pytest.mark.parametrize(("cell", "activation"), [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh")])
def test_forward_and_gradients_against_torch(cell, activation):
    rng = np.random.default_rng(14)
    parameters = network.random_parameters(rng, cell, V, H, L)
    batch = window(rng)
    ours = network.forward(parameters, cell, L, **batch, activation=activation)

    model, linear = torch_twin(cell, activation, parameters)
    one_hot = np.eye(V)[batch["inputs"]] * ~batch["starts"][..., None]
    outputs, last = model(torch.tensor(one_hot))
    logits = linear(outputs)
    targets, weights = torch.tensor(batch["targets"]), torch.tensor(batch["weights"])
    losses = torch.nn.functional.cross_entropy(logits.reshape(-1, V), targets.reshape(-1), reduction="none")
    loss = (losses * weights.reshape(-1)).sum() / weights.sum()

    assert_allclose(ours.logits, logits.detach().numpy(), rtol=1e-12, atol=1e-12)
    assert_allclose(ours.token_losses.ravel(), losses.detach().numpy(), rtol=1e-12)
    assert_allclose(ours.loss, loss.item(), rtol=1e-12)
    a_last, c_last = last if cell == "lstm" else (last, torch.zeros(L, B, H))
    assert_allclose([a for a, _ in ours.state], a_last.detach().numpy(), rtol=1e-12, atol=1e-12)
    assert_allclose([c for _, c in ours.state], c_last.detach().numpy(), rtol=1e-12, atol=1e-12)

    loss.backward()
    autograd = canonical_gradients(cell, model, linear)
    found = network.central_differences(
        lambda p: network.forward(p, cell, L, **batch, activation=activation).loss, parameters
    )
    assert found.keys() == autograd.keys()
    for name, gradient in found.items():
        largest = np.abs(autograd[name]).max()
        assert largest > 1e-4, name
        assert_allclose(gradient, autograd[name], rtol=1e-8, atol=1e-8 * largest, err_msg=name)


def test_gru_against_torch_where_the_two_agree():
    """torch's gate r acts after the product: the same where the recurrent matrix of c~ is diagonal. Its z is 1 - u."""
    rng = np.random.default_rng(15)
    W_u, W_r, W_c = [*rng.standard_normal((2, H, H)), np.diag(rng.standard_normal(H))]
    x_u, x_r, x_c = rng.standard_normal((3, B, H))
    c = rng.standard_normal((B, H))
    cell = torch.nn.GRUCell(3 * H, H).double()  # its input is x_side itself, through an identity
    with torch.no_grad():
        cell.weight_ih.copy_(torch.eye(3 * H))
        cell.weight_hh.copy_(torch.tensor(np.hstack([W_r, -W_u, W_c]).T))  # torch's order: r, z, n
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        theirs = cell(torch.tensor(np.hstack([x_r, -x_u, x_c])), torch.tensor(c)).numpy()
    a_new, c_new = cells.step("gru", (c, c), np.hstack([x_u, x_r, x_c]), np.hstack([W_u, W_r, W_c]))
    assert_allclose(c_new, theirs, rtol=1e-12, atol=1e-12)
    assert_array_equal(a_new, c_new)


def test_adamw_and_clipping_against_torch():
    rng = np.random.default_rng(16)
    theta, m, v = rng.standard_normal(20), np.zeros(20), np.zeros(20)
    theirs = torch.nn.Parameter(torch.tensor(theta))
    optimizer = torch.optim.AdamW([theirs], betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3)
    for step in range(1, 6):
        rate, g = 0.1 / step, rng.standard_normal(20) * step
        theirs.grad = torch.tensor(g)
        norm = torch.nn.utils.clip_grad_norm_([theirs], 9.0)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        clipped, our_norm = clip_by_norm(g, 9.0)
        assert_allclose(our_norm, norm.item(), rtol=1e-13)
        assert_allclose(clipped, theirs.grad.numpy(), rtol=1e-6)  # torch divides by norm + 1e-6
        theta, m, v = adamw(theta, theirs.grad.numpy(), m, v, step, rate, 0.8, 0.95, 1e-6, 0.3)
        assert_allclose(theta, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)
