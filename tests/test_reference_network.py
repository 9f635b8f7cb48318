"""The network's twin, and gradients by differences, against values worked out by hand, closed forms and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.reference import cells, network, softmax

LN2, LN3 = math.log(2), math.log(3)
EVERY_CELL = pytest.mark.parametrize("cell", cells.GATES)
T, B, V, H, L, SIDES = 4, 3, 6, 5, 3, (4, 2)


def window(rng, steps=T, starts=0.25):
    """A random batch as keywords of `forward`: repeated ids, some starts, uneven weights with a zero among them."""
    shape = (steps, B)
    weights = rng.uniform(0.5, 1.5, shape)
    weights[-1, 0] = 0.0
    return {
        "inputs": rng.integers(0, V, shape),
        "targets": rng.integers(0, V, shape),
        "starts": rng.random(shape) < starts,
        "weights": weights,
        "side": np.array([rng.integers(0, size, shape) for size in SIDES]).reshape(len(SIDES), *shape),
    }


def part(batch, first, last):
    """Steps first to last - 1 of a window."""
    return {name: values[..., first:last, :] for name, values in batch.items()}


def random_state(rng):
    return [(rng.standard_normal((B, H)), rng.standard_normal((B, H))) for _ in range(L)]


def row(*values):
    return np.array([values], np.float64)


@EVERY_CELL
def test_random_parameters_have_the_canonical_shapes(cell):
    G = {"rnn": 1, "simple-gru": 2, "gru": 3, "lstm": 4, "peephole-lstm": 4, "rms-lstm": 4}[cell]
    expected = {"tokens.table": (V, G * H), "side.0.table": (4, G * H), "side.1.table": (2, G * H)}
    for layer in range(2):
        expected[f"layers.{layer}.recurrent"] = (H, G * H)
        expected[f"layers.{layer}.bias"] = (G * H,)
        if cell == "peephole-lstm":
            expected[f"layers.{layer}.peephole"] = (3, H)
    expected |= {"layers.1.input": (H, G * H), "output.weight": (H, V), "output.bias": (V,)}
    parameters = network.random_parameters(np.random.default_rng(0), cell, V, H, 2, SIDES, scale=0.01)
    assert {name: values.shape for name, values in parameters.items()} == expected
    assert all(0 < np.abs(values).max() < 0.06 for values in parameters.values())


@pytest.mark.parametrize(
    ("form", "tokens", "output"),
    [
        ({"embedding_size": 2}, {"tokens.vectors": (V, 2), "layers.0.input": (2, 4 * H)}, {}),
        ({"embedding_size": H, "tied": True}, {"layers.0.input": (H, 4 * H)}, {}),
        (
            {"cutoffs": (1, 4)},
            {"tokens.table": (V, 4 * H)},
            {
                "output.head.weight": (H, 3),
                "output.head.bias": (3,),
                "output.tail.0.projection": (H, 8),
                "output.tail.0.weight": (8, 3),
                "output.tail.0.bias": (3,),
                "output.tail.1.projection": (H, 8),
                "output.tail.1.weight": (8, 2),
                "output.tail.1.bias": (2,),
            },
        ),
    ],
)
def test_random_parameters_of_other_forms(form, tokens, output):
    layer = {"layers.0.recurrent": (H, 4 * H), "layers.0.bias": (4 * H,)}
    expected = layer | tokens | (output or {"output.weight": (H, V), "output.bias": (V,)})
    parameters = network.random_parameters(np.random.default_rng(0), "lstm", V, H, 1, **form)
    assert {name: values.shape for name, values in parameters.items()} == expected


def test_one_unit_network_by_hand():
    parameters = {
        "tokens.table": np.array([[LN2], [50.0]]),
        "side.0.table": np.array([[0.0], [LN3]]),
        "layers.0.recurrent": np.array([[5.0]]),
        "layers.0.bias": np.array([-LN2]),
        "layers.1.recurrent": np.array([[1.0]]),
        "layers.1.input": np.array([[5 / 4]]),
        "layers.1.bias": np.array([0.25]),
        "output.weight": np.array([[0.0, 2.0]]),
        "output.bias": np.array([LN3, 0.0]),
    }
    result = network.forward(
        parameters, "rnn", 2,
        inputs=np.array([[1], [0]]), targets=np.array([[0], [1]]), starts=np.array([[True], [False]]),
        weights=np.array([[1.0], [3.0]]), side=np.array([[[1], [0]]]),
        state=[(row(9.0), row(0.0)), (row(9.0), row(0.0))],
    )  # fmt: skip
    # Step 0 starts: no token (50), no state (9); side 1 and the bias remain.
    a_0 = (9 / 4 - 1) / (9 / 4 + 1)  # tanh(ln3 - ln2) = 5/13
    b_0 = math.tanh(5 / 4 * a_0 + 0.25)
    a_1 = math.tanh(5 * a_0)  # token 0 and the bias cancel
    b_1 = math.tanh(5 / 4 * a_1 + b_0 + 0.25)
    assert_allclose(result.logits[:, 0], [[LN3, 2 * b_0], [LN3, 2 * b_1]], rtol=1e-14)
    losses = [math.log1p(math.exp(2 * b_0) / 3), math.log1p(3 / math.exp(2 * b_1))]
    assert_allclose(result.token_losses[:, 0], losses, rtol=1e-14)
    assert_allclose(result.loss, (losses[0] + 3 * losses[1]) / 4, rtol=1e-14)
    assert_allclose([result.state[0][0][0, 0], result.state[1][0][0, 0]], [a_1, b_1], rtol=1e-14)


@EVERY_CELL
def test_windows_with_carried_state_equal_one_long_run(cell):
    rng = np.random.default_rng(5)
    parameters = network.random_parameters(rng, cell, V, H, L, SIDES)
    batch, state = window(rng, steps=9), random_state(rng)
    whole = network.forward(parameters, cell, L, **batch, state=state)
    untouched = np.array(state)
    logits, carried = [], state
    for first, last in [(0, 2), (2, 3), (3, 9)]:
        result = network.forward(parameters, cell, L, **part(batch, first, last), state=carried)
        logits.append(result.logits)
        carried = result.state
    assert_array_equal(np.concatenate(logits), whole.logits)
    assert_array_equal(carried, whole.state)
    assert_array_equal(state, untouched)


@EVERY_CELL
def test_a_start_in_the_middle_equals_two_separate_runs(cell):
    rng = np.random.default_rng(6)
    parameters = network.random_parameters(rng, cell, V, H, L, SIDES)
    batch, state = window(rng, steps=7, starts=0.0), random_state(rng)
    batch["starts"][3] = True
    whole = network.forward(parameters, cell, L, **batch, state=state)

    # The same without `starts`: the second run begins from no state with a token whose row of the table is zero.
    table = np.vstack([parameters["tokens.table"], np.zeros_like(parameters["tokens.table"][:1])])
    batch["inputs"][3], batch["starts"] = V, np.zeros((7, B), bool)
    one = network.forward(parameters, cell, L, **part(batch, 0, 3), state=state)
    two = network.forward(parameters | {"tokens.table": table}, cell, L, **part(batch, 3, 7))
    assert_array_equal(whole.logits, np.concatenate([one.logits, two.logits]))
    assert_array_equal(whole.state, two.state)


@EVERY_CELL
def test_rows_are_independent_and_a_start_touches_its_own_row_alone(cell):
    rng = np.random.default_rng(7)
    parameters = network.random_parameters(rng, cell, V, H, L, SIDES)
    batch, state = window(rng, starts=0.0), random_state(rng)
    plain = network.forward(parameters, cell, L, **batch, state=state)
    batch["starts"][1, 2] = True
    started = network.forward(parameters, cell, L, **batch, state=state)
    assert_array_equal((plain.logits != started.logits).all(axis=-1), [[0, 0, 0]] + [[0, 0, 1]] * 3)
    alone = {name: values[..., 1:2] for name, values in batch.items()}
    state = [(a[1:2], c[1:2]) for a, c in state]
    assert_allclose(network.forward(parameters, cell, L, **alone, state=state).logits[:, 0], plain.logits[:, 1])


@EVERY_CELL
def test_dropout_masks_act_on_the_way_up_only(cell):
    rng = np.random.default_rng(8)
    parameters = network.random_parameters(rng, cell, V, H, L, SIDES)
    batch = window(rng)
    plain = network.forward(parameters, cell, L, **batch)
    ones = [np.ones((T, B, H))] * L
    assert_array_equal(network.forward(parameters, cell, L, **batch, masks=network.Masks(ones)).logits, plain.logits)

    masked = network.forward(parameters, cell, L, **batch, masks=network.Masks([*ones[:-1], np.zeros((T, B, H))]))
    assert_array_equal(masked.state, plain.state)
    assert_array_equal(masked.logits, np.broadcast_to(parameters["output.bias"], (T, B, V)))

    masks = [1.5 * ones[0], ones[1], ones[2]]  # the same as 1.5 times the weights that read layer 0 from above
    masked = network.forward(parameters, cell, L, **batch, masks=network.Masks(masks))
    heavier = parameters | {"layers.1.input": 1.5 * parameters["layers.1.input"]}
    assert_allclose(masked.logits, network.forward(heavier, cell, L, **batch).logits, rtol=1e-12)
    assert_array_equal(masked.state[0], plain.state[0])

    masks = [np.ones((T, B, H)) for _ in range(L)]
    masks[1][2, 1] = 0.0
    masked = network.forward(parameters, cell, L, **batch, masks=network.Masks(masks))
    changed = (masked.logits != plain.logits).any(axis=-1)
    assert changed[2, 1]
    assert not changed[:2].any()
    assert not changed[:, [0, 2]].any()


@EVERY_CELL
def test_masks_of_vectors_and_of_recurrent_weights_are_factors(cell):
    rng = np.random.default_rng(12)
    parameters = network.random_parameters(rng, cell, V, H, L, SIDES, embedding_size=2)
    batch, before = window(rng), {name: values.copy() for name, values in parameters.items()}
    vectors = np.tile(rng.standard_normal((V, 2)), (T, B, 1, 1))  # a factor for each token, wherever it stands
    recurrent = [rng.standard_normal(parameters[f"layers.{i}.recurrent"].shape) for i in range(L)]
    chosen = np.take_along_axis(vectors, batch["inputs"][..., None, None], axis=2)[:, :, 0]
    masks = network.Masks(vectors=chosen, recurrent=recurrent)
    changed = parameters | {"tokens.vectors": parameters["tokens.vectors"] * vectors[0, 0]}
    changed |= {f"layers.{i}.recurrent": parameters[f"layers.{i}.recurrent"] * recurrent[i] for i in range(L)}
    expected = network.forward(changed, cell, L, **batch)
    assert_allclose(network.forward(parameters, cell, L, **batch, masks=masks).logits, expected.logits, rtol=1e-12)
    for name, values in parameters.items():
        assert_array_equal(values, before[name])


def test_side_tables_must_match_the_side_inputs():
    rng = np.random.default_rng(9)
    parameters = network.random_parameters(rng, "rnn", V, H, 1, SIDES)
    with pytest.raises(ValueError, match="side"):
        network.forward(parameters, "rnn", 1, **(window(rng) | {"side": None}))


def test_central_differences_of_a_known_function():
    rng = np.random.default_rng(10)
    arrays = {"x": rng.standard_normal((3, 4)), "y": rng.standard_normal((2, 3)), "z": np.array(0.5)}

    def loss_of(p):
        return float(np.sum((p["y"] @ p["x"]) ** 3) * np.sin(p["z"]))

    before = {name: values.copy() for name, values in arrays.items()}
    cube, slope = np.sum((arrays["y"] @ arrays["x"]) ** 3), 3 * (arrays["y"] @ arrays["x"]) ** 2 * math.sin(0.5)
    found = network.central_differences(loss_of, arrays)
    assert_allclose(found["x"], arrays["y"].T @ slope, rtol=1e-9, atol=1e-10)
    assert_allclose(found["y"], slope @ arrays["x"].T, rtol=1e-9, atol=1e-10)
    assert_allclose(found["z"], cube * math.cos(0.5), rtol=1e-9)
    for name, values in arrays.items():
        assert_array_equal(values, before[name])

    some = network.central_differences(loss_of, arrays, ["x", "y"], sample=8)
    chosen = ~np.isnan(some["x"])
    assert list(some) == ["x", "y"]
    assert chosen.sum() == 8
    assert_array_equal(some["x"][chosen], found["x"][chosen])
    assert_array_equal(some["y"], found["y"])
    other = network.central_differences(loss_of, arrays, ["x"], sample=8, seed=1)["x"]
    assert (np.isnan(other) == chosen).any()
    assert (np.isnan(other) != ~chosen).any()
    with pytest.raises(ValueError, match=r"x: .* not finite"):
        network.central_differences(lambda p: math.nan, arrays, ["x"])


@EVERY_CELL
def test_gradients_that_are_known_in_closed_form(cell):
    """The output's from the analytic softmax gradient; the tables' because each step adds one row beside the bias."""
    rng = np.random.default_rng(11)
    parameters = network.random_parameters(rng, cell, V, H, L, SIDES)
    batch, state = window(rng), random_state(rng)
    masks = [rng.integers(0, 2, (T, B, H)) * 2.0 for _ in range(L)]

    def loss_of(p):
        return network.forward(p, cell, L, **batch, state=state, masks=network.Masks(masks)).loss

    found = network.central_differences(loss_of, parameters)
    assert found.keys() == parameters.keys()
    for name, gradient in found.items():
        assert gradient.shape == parameters[name].shape
        assert np.abs(gradient).max() > 1e-4, name

    logits = network.forward(parameters, cell, L, **batch, state=state, masks=network.Masks(masks)).logits
    known = softmax.cross_entropy_gradient(logits, batch["targets"], batch["weights"])
    assert_allclose(found["output.bias"], known.sum(axis=(0, 1)), rtol=1e-8, atol=1e-10)
    outputs = np.linalg.lstsq(parameters["output.weight"].T, (logits - parameters["output.bias"]).reshape(-1, V).T)[0]
    assert_allclose(found["output.weight"], outputs @ known.reshape(-1, V), rtol=1e-8, atol=1e-10)

    bias = found["layers.0.bias"]
    assert_allclose(found["side.0.table"].sum(axis=0), bias, rtol=1e-8, atol=1e-10)
    assert_allclose(found["side.1.table"].sum(axis=0), bias, rtol=1e-8, atol=1e-10)
    assert batch["starts"].any()
    assert np.abs(found["tokens.table"].sum(axis=0) - bias).max() > 1e-4  # a start adds no row
    unseen = ~np.isin(np.arange(V), batch["inputs"][~batch["starts"]])
    assert_array_equal(found["tokens.table"][unseen], 0.0)


def test_two_steps_of_a_scalar_rnn_through_time():
    """a1 = tanh(w a0), a2 = tanh(w a1): da2/dw = (1 - a2^2) (a1 + w (1 - a1^2) a0)."""
    w, a_0 = 0.7, 0.9

    def a_2(p):
        state = (p["a"], np.zeros((1, 1)))
        for _ in range(2):
            state = cells.step("rnn", state, np.zeros((1, 1)), p["w"])
        return float(state[0][0, 0])

    found = network.central_differences(a_2, {"w": row(w), "a": row(a_0)})
    a_1 = math.tanh(w * a_0)
    outer, inner = 1 - math.tanh(w * a_1) ** 2, 1 - a_1**2
    assert_allclose(found["w"], row(outer * (a_1 + w * inner * a_0)), rtol=1e-10)
    assert_allclose(found["a"], row(outer * w * inner * w), rtol=1e-10)
