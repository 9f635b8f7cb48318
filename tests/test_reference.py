"""The twins against what nobody here wrote: exact values by hand, identities, 50-digit decimals, and PyTorch if there.

Hand values rest on sigma(ln x) = x / (1 + x) and tanh(ln x) = (x^2 - 1) / (x^2 + 1), which are rational.
"""

from __future__ import annotations

import ast
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.reference import cells, network, softmax
from tests.reference.adamw import adamw, clip_by_norm, clip_by_value
from tests.reference.pick import distribution, pick
from tests.reference.schedule import learning_rate

LN2, LN3, LN4 = math.log(2), math.log(3), math.log(4)
EVERY_CELL = pytest.mark.parametrize("cell", cells.GATES)
T, B, V, H, L, SIDES = 4, 3, 6, 5, 3, (4, 2)


def window(rng, steps=T, starts=0.25, sides=SIDES):
    """A random batch as keywords of `forward`: repeated ids, some starts, uneven weights with a zero among them."""
    shape = (steps, B)
    weights = rng.uniform(0.5, 1.5, shape)
    weights[-1, 0] = 0.0
    return {
        "inputs": rng.integers(0, V, shape),
        "targets": rng.integers(0, V, shape),
        "starts": rng.random(shape) < starts,
        "weights": weights,
        "side": np.array([rng.integers(0, size, shape) for size in sides]).reshape(len(sides), *shape),
    }


def part(batch, first, last):
    """Steps first to last - 1 of a window."""
    return {name: values[..., first:last, :] for name, values in batch.items()}


def random_state(rng, layers=L):
    return [(rng.standard_normal((B, H)), rng.standard_normal((B, H))) for _ in range(layers)]


def row(*values):
    return np.array([values], np.float64)


# --- the cells, by hand -------------------------------------------------------------------------------------------


def test_the_twins_import_nothing_from_gencli():
    files = sorted((Path(__file__).parent / "reference").glob("*.py"))
    assert len(files) >= 6
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in modules if name.split(".")[0] == "gencli"], file.name


def test_sigma_is_exact_and_never_overflows():
    assert_allclose(cells.sigma(np.log([1 / 3, 1.0, 2.0, 3.0])), [1 / 4, 1 / 2, 2 / 3, 3 / 4], rtol=1e-15)
    z = np.linspace(-30, 30, 61)
    assert_allclose(cells.sigma(z) + cells.sigma(-z), 1.0, rtol=1e-15)
    assert_allclose(cells.sigma(z), (1 + np.tanh(z / 2)) / 2, atol=1e-15)
    assert_allclose(cells.sigma(row(-700.0)), math.exp(-700.0), rtol=1e-12)
    assert_array_equal(cells.sigma(row(-1e6, 1e6)), row(0.0, 1.0))


def test_rnn_by_hand():
    # Row k of the recurrent matrix is what a[k] contributes: a W = (2 * ln2 - ln2, 2 * 0 + ln3) = (ln2, ln3).
    state, recurrent = (row(2.0, 1.0), row(7.0, 8.0)), np.array([[LN2, 0.0], [-LN2, LN3]])
    a, c = cells.step("rnn", state, row(LN2, -LN3), recurrent)
    assert_allclose(a, row(15 / 17, 0.0), rtol=1e-15, atol=1e-15)
    assert_array_equal(c, state[1])
    a, _ = cells.step("rnn", state, row(-LN4, 1.0), recurrent, activation="relu")
    assert_allclose(a, row(0.0, LN3 + 1), rtol=1e-15)


def test_simple_gru_by_hand():
    c = row(1.0, 0.5)
    recurrent = np.array([[LN3, 0.0, 0.0, LN2], [0.0, -2 * LN2, 2 * LN2, 0.0]])  # u has 2 columns, then c~ has 2
    a_new, c_new = cells.step("simple-gru", (row(9.0, 9.0), c), row(0.0, LN4, LN2, 0.0), recurrent)
    # u = sigma(ln3, ln4 - ln2) = (3/4, 2/3); c~ = tanh(ln2 + ln2, ln2) = (15/17, 3/5)
    assert_allclose(c_new, row(3 / 4 * 15 / 17 + 1 / 4, 2 / 3 * 3 / 5 + 1 / 3 * 0.5), rtol=1e-15)
    assert_array_equal(a_new, c_new)


def test_gru_by_hand_applies_the_relevance_gate_before_the_product():
    c = row(1.0, 2.0)
    swap = np.array([[0.0, LN4], [LN4, 0.0]])  # column 0 reads c[1], column 1 reads c[0]
    recurrent = np.hstack([np.zeros((2, 4)), swap])
    x_side = row(LN3, LN2, 0.0, LN3, 0.0, -LN4)
    a_new, c_new = cells.step("gru", (row(9.0, 9.0), c), x_side, recurrent)
    # u = (3/4, 2/3), r = (1/2, 3/4); c~ = tanh(ln4 * 2 * 3/4, ln4 * 1/2 - ln4) = tanh(ln8, -ln2) = (63/65, -3/5)
    assert_allclose(c_new, row(3 / 4 * 63 / 65 + 1 / 4, 2 / 3 * -3 / 5 + 1 / 3 * 2), rtol=1e-14)
    assert_array_equal(a_new, c_new)


def test_gru_gates_read_the_previous_c():
    recurrent = np.array([[LN3, -LN3, 0.0]])  # u = sigma(c ln3) = 3/4, r = sigma(-c ln3) = 1/4, c~ = tanh(ln2)
    _, c_new = cells.step("gru", (row(5.0), row(1.0)), row(0.0, 0.0, LN2), recurrent)
    assert_allclose(c_new, row(3 / 4 * 3 / 5 + 1 / 4), rtol=1e-15)
    recurrent[0, 2] = LN4  # now c~ = tanh(r ln4 + ln2) = tanh(ln2 * 3/2)
    _, c_new = cells.step("gru", (row(5.0), row(1.0)), row(0.0, 0.0, LN2), recurrent)
    assert_allclose(c_new, row(3 / 4 * 7 / 9 + 1 / 4), rtol=1e-15)  # tanh(ln x) with x^2 = 8


def test_lstm_by_hand():
    a, c = row(1.0, -1.0), row(0.4, 2.0)
    recurrent = np.zeros((2, 8))  # u 0:2, f 2:4, o 4:6, c~ 6:8
    recurrent[0] = [LN3, 0.0, LN2, 0.0, -LN3, LN2, LN2, 0.0]
    recurrent[1] = [0.0, LN2, 0.0, -LN4, 0.0, LN2, 0.0, -LN2]
    x_side = row(0.0, 0.0, -LN2, 0.0, 0.0, 0.0, 0.0, LN2)
    a_new, c_new = cells.step("lstm", (a, c), x_side, recurrent)
    # u = sigma(ln3, -ln2), f = sigma(0, ln4), o = sigma(-ln3, 0), c~ = tanh(ln2, ln4)
    expected = (3 / 4 * 3 / 5 + 1 / 2 * 0.4, 1 / 3 * 15 / 17 + 4 / 5 * 2.0)
    assert_allclose(c_new, row(*expected), rtol=1e-15)
    assert_allclose(a_new, row(math.tanh(expected[0]) / 4, math.tanh(expected[1]) / 2), rtol=1e-15)


def test_peephole_lstm_by_hand_reads_the_previous_c_in_all_three_gates():
    c = row(LN3, LN2)
    peephole = np.array([[1.0, 2.0], [-1.0, 0.0], [0.0, -1.0]])  # rows u, f, o
    x_side = np.hstack([np.zeros((1, 6)), row(LN2, -LN2)])
    a_new, c_new = cells.step("peephole-lstm", (row(0.0, 0.0), c), x_side, np.zeros((2, 8)), peephole)
    # u = sigma(ln3, ln4) = (3/4, 4/5), f = (1/4, 1/2), o = sigma(0, -ln2) = (1/2, 1/3), c~ = (3/5, -3/5)
    expected = (9 / 20 + LN3 / 4, -12 / 25 + LN2 / 2)
    assert_allclose(c_new, row(*expected), rtol=1e-14)
    assert_allclose(a_new, row(math.tanh(expected[0]) / 2, math.tanh(expected[1]) / 3), rtol=1e-14)
    with pytest.raises(ValueError, match="peephole"):
        cells.step("peephole-lstm", (c, c), x_side, np.zeros((2, 8)))


# --- the cells, by identity ---------------------------------------------------------------------------------------


def gate_side(cell, rng, **fixed):
    """A random x_side with whole gates fixed, named by letter: 40 opens a gate to within 1e-17, -800 shuts it."""
    x_side = rng.standard_normal((B, len(cells.GATES[cell]) * H))
    for gate, value in fixed.items():
        cells.columns(gate, cell, x_side)[:] = value
    return x_side


@pytest.mark.parametrize("cell", ["simple-gru", "gru"])
def test_a_shut_update_gate_keeps_c(cell):
    rng = np.random.default_rng(1)
    state = random_state(rng, 1)[0]
    recurrent = rng.standard_normal((H, len(cells.GATES[cell]) * H))
    a, c = cells.step(cell, state, gate_side(cell, rng, u=-800.0), recurrent)
    assert_array_equal(c, state[1])
    assert_array_equal(a, c)


@pytest.mark.parametrize("cell", ["lstm", "peephole-lstm"])
def test_lstm_gates_open_and_shut(cell):
    rng = np.random.default_rng(2)
    a, c = random_state(rng, 1)[0]
    recurrent, peephole = rng.standard_normal((H, 4 * H)), rng.standard_normal((3, H))
    x_side = gate_side(cell, rng, u=-800.0, f=60.0, o=60.0)
    a_new, c_new = cells.step(cell, (a, c), x_side, recurrent, peephole)
    assert_allclose(c_new, c, rtol=1e-15)
    assert_allclose(a_new, np.tanh(c), rtol=1e-15)
    x_side = gate_side(cell, rng, u=60.0, f=-800.0, o=-800.0)
    a_new, c_new = cells.step(cell, (a, c), x_side, recurrent, peephole)
    assert_allclose(c_new, np.tanh(a @ recurrent[:, 3 * H :] + x_side[:, 3 * H :]), rtol=1e-14)
    assert_allclose(a_new, 0.0, atol=1e-300)


def test_cells_that_are_special_cases_of_one_another():
    rng = np.random.default_rng(3)
    state, recurrent = random_state(rng, 1)[0], rng.standard_normal((H, 4 * H))
    x_side = rng.standard_normal((B, 4 * H))
    without = cells.step("lstm", state, x_side, recurrent)
    assert_allclose(cells.step("peephole-lstm", state, x_side, recurrent, np.zeros((3, H))), without, rtol=1e-15)
    x_side, recurrent = gate_side("gru", rng, r=60.0), recurrent[:, : 3 * H]
    kept = np.r_[0:H, 2 * H : 3 * H]
    plain = cells.step("simple-gru", state, x_side[:, kept], recurrent[:, kept])
    assert_allclose(cells.step("gru", state, x_side, recurrent), plain, rtol=1e-14)


def test_peepholes_are_diagonal():
    rng = np.random.default_rng(4)
    a, c = random_state(rng, 1)[0]
    recurrent, peephole = rng.standard_normal((H, 4 * H)), rng.standard_normal((3, H))
    x_side = rng.standard_normal((B, 4 * H))
    before = np.array(cells.step("peephole-lstm", (a, c), x_side, recurrent, peephole))
    moved = c.copy()
    moved[:, 2] += 1.0
    change = np.array(cells.step("peephole-lstm", (a, moved), x_side, recurrent, peephole)) != before
    assert_array_equal(change, np.broadcast_to(np.arange(H) == 2, change.shape))


# --- the network --------------------------------------------------------------------------------------------------


@EVERY_CELL
def test_random_parameters_have_the_canonical_shapes(cell):
    G = {"rnn": 1, "simple-gru": 2, "gru": 3, "lstm": 4, "peephole-lstm": 4}[cell]
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
    assert_array_equal(network.forward(parameters, cell, L, **batch, masks=ones).logits, plain.logits)

    masked = network.forward(parameters, cell, L, **batch, masks=[*ones[:-1], np.zeros((T, B, H))])
    assert_array_equal(masked.state, plain.state)
    assert_array_equal(masked.logits, np.broadcast_to(parameters["output.bias"], (T, B, V)))

    masks = [1.5 * ones[0], ones[1], ones[2]]  # the same as 1.5 times the weights that read layer 0 from above
    masked = network.forward(parameters, cell, L, **batch, masks=masks)
    heavier = parameters | {"layers.1.input": 1.5 * parameters["layers.1.input"]}
    assert_allclose(masked.logits, network.forward(heavier, cell, L, **batch).logits, rtol=1e-12)
    assert_array_equal(masked.state[0], plain.state[0])

    masks = [np.ones((T, B, H)) for _ in range(L)]
    masks[1][2, 1] = 0.0
    masked = network.forward(parameters, cell, L, **batch, masks=masks)
    changed = (masked.logits != plain.logits).any(axis=-1)
    assert changed[2, 1]
    assert not changed[:2].any()
    assert not changed[:, [0, 2]].any()


def test_side_tables_must_match_the_side_inputs():
    rng = np.random.default_rng(9)
    parameters = network.random_parameters(rng, "rnn", V, H, 1, SIDES)
    with pytest.raises(ValueError, match="side"):
        network.forward(parameters, "rnn", 1, **(window(rng) | {"side": None}))


# --- gradients ----------------------------------------------------------------------------------------------------


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
        return network.forward(p, cell, L, **batch, state=state, masks=masks).loss

    found = network.central_differences(loss_of, parameters)
    assert found.keys() == parameters.keys()
    for name, gradient in found.items():
        assert gradient.shape == parameters[name].shape
        assert np.abs(gradient).max() > 1e-4, name

    logits = network.forward(parameters, cell, L, **batch, state=state, masks=masks).logits
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


# --- softmax ------------------------------------------------------------------------------------------------------


def test_log_softmax_in_fifty_digits():
    rng = np.random.default_rng(12)
    rows = [[0.0, 0.0, 0.0], [1000.0, 0.0, -1000.0], [-1e4, -1e4 - 1, -1e4 - 30], list(rng.standard_normal(40) * 5)]
    for logits in rows:
        with localcontext() as context:
            context.prec = 50
            log_sum = sum((Decimal(z).exp() for z in logits), Decimal(0)).ln()
            expected = [float(Decimal(z) - log_sum) for z in logits]
        found = softmax.log_softmax(np.array(logits))
        assert_allclose(found, expected, rtol=1e-14, atol=1e-15)
        assert abs(math.fsum(np.exp(found)) - 1.0) < 1e-14
        assert_allclose(softmax.log_softmax(np.array(logits) + 64.0), found, rtol=1e-11)


def test_cross_entropy_is_the_weighted_mean():
    logits = np.log([[[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]])  # (T=1, B=2, V=3): y = 1/8 2/8 5/8 and 1/4 1/4 1/2
    targets, weights = np.array([[2, 0]]), np.array([[1.0, 0.5]])
    assert_allclose(softmax.token_losses(logits, targets), np.log([[8 / 5, 4.0]]), rtol=1e-15)
    expected = (math.log(8 / 5) + 0.5 * math.log(4)) / 1.5
    assert_allclose(softmax.cross_entropy(logits, targets, weights), expected, rtol=1e-15)
    gradient = [[[1 / 12, 2 / 12, -3 / 12], [-3 / 12, 1 / 12, 2 / 12]]]
    assert_allclose(softmax.cross_entropy_gradient(logits, targets, weights), gradient, rtol=1e-14)
    nothing = np.zeros((1, 2))
    assert softmax.cross_entropy(logits, targets, nothing) == 0.0
    assert_array_equal(softmax.cross_entropy_gradient(logits, targets, nothing), np.zeros((1, 2, 3)))


def test_softmax_gradient_against_central_differences():
    rng = np.random.default_rng(13)
    logits, targets = 2 * rng.standard_normal((T, B, V)), rng.integers(0, V, (T, B))
    weights = rng.uniform(0, 2, (T, B))
    found = network.central_differences(
        lambda p: softmax.cross_entropy(p["logits"], targets, weights), {"logits": logits}
    )["logits"]
    assert_allclose(found, softmax.cross_entropy_gradient(logits, targets, weights), rtol=1e-8, atol=1e-11)
    assert_allclose(found.sum(axis=-1), 0.0, atol=1e-10)


# --- picking ------------------------------------------------------------------------------------------------------

LOGITS = np.log([1.0, 4.0, 2.0, 4.0, 5.0])  # y = 1/16 4/16 2/16 4/16 5/16


def test_distribution_by_temperature():
    assert_allclose(distribution(LOGITS), np.array([1, 4, 2, 4, 5]) / 16, rtol=1e-14)
    assert_allclose(distribution(LOGITS, 0.5), np.array([1, 16, 4, 16, 25]) / 62, rtol=1e-14)
    assert_allclose(distribution(LOGITS, 2.0, top_k=3), np.array([0, 2, 0, 2, 5**0.5]) / (4 + 5**0.5), rtol=1e-14)
    assert_array_equal(distribution(LOGITS, 0.0), [0, 0, 0, 0, 1])
    assert_array_equal(distribution(LOGITS[:4], 0.0), [0, 1, 0, 0])
    assert_array_equal(distribution(LOGITS[:4], 1e-300), [0, 0.5, 0, 0.5])
    assert_array_equal(distribution(np.array([-np.inf, 3.0, -np.inf]), 0.7), [0, 1, 0])


@pytest.mark.parametrize(
    ("top_k", "expected"),
    [(1, [0, 0, 0, 0, 5]), (2, [0, 4, 0, 0, 5]), (3, [0, 4, 0, 4, 5]), (9, [1, 4, 2, 4, 5]), (0, [1, 4, 2, 4, 5])],
)
def test_top_k_keeps_the_lower_id_of_equals(top_k, expected):
    assert_allclose(distribution(LOGITS, top_k=top_k), np.array(expected) / sum(expected), rtol=1e-14)


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [
        (0.0, [0, 0, 0, 0, 5]),
        (0.3, [0, 0, 0, 0, 5]),
        (0.32, [0, 4, 0, 0, 5]),  # 5/16 = 0.3125 falls short
        (0.57, [0, 4, 0, 4, 5]),  # 9/16 = 0.5625 falls short
        (0.9, [0, 4, 2, 4, 5]),
        (0.95, [1, 4, 2, 4, 5]),
        (1.0, [1, 4, 2, 4, 5]),
    ],
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p, expected):
    assert_allclose(distribution(LOGITS, top_p=top_p), np.array(expected) / sum(expected), rtol=1e-14)


def test_top_p_reaches_exactly_and_counts_what_top_k_left():
    assert_array_equal(distribution(np.zeros(4), top_p=0.5), [0.5, 0.5, 0, 0])
    # Of 5 and 4 the first is 5/9 = 0.556: enough for 0.55, which it is not (5/16) when nothing is cut before.
    assert_array_equal(distribution(LOGITS, top_k=2, top_p=0.55), [0, 0, 0, 0, 1])
    assert_allclose(distribution(LOGITS, 0.5, top_p=0.4), [0, 0, 0, 0, 1])  # 25/62 = 0.403: tempered before top-p


def test_equal_logits_are_kept_from_the_lowest_id_in_a_large_vocabulary_too():
    logits = np.tile([0.0, 1.0], 500)  # an unstable sort keeps the order of equals only in short arrays
    expected = np.where(np.isin(np.arange(1000), [1, 3, 5, 7]), 0.25, 0.0)
    assert_allclose(distribution(logits, top_k=4), expected, rtol=1e-12)
    # Odd ids have e / (500 (1 + e)) = 0.001462 each: 0.005 takes four.
    assert_allclose(distribution(logits, top_p=0.005), expected, rtol=1e-12)


def test_pick_counts_up_to_the_first_sum_above_the_uniform_number():
    y = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    uniforms = [0.0, 0.2499, 0.25, 0.7499, 0.75, 1 - 2**-53]
    assert [pick(y, u) for u in uniforms] == [1, 1, 3, 3, 4, 4]
    short = np.array([0.5, 0.5 - 1e-9, 0.0])  # rounding may leave a sum below 1
    assert pick(short, 1 - 2**-53) == 1
    assert isinstance(pick(y, 0.5), int)
    counts = np.bincount([pick(y, k / 1000) for k in range(1000)], minlength=6)
    assert_array_equal(counts, 1000 * y)


# --- optimizer ----------------------------------------------------------------------------------------------------


def test_adamw_two_steps_by_hand():
    # beta1 1/2, beta2 3/4: m^ = 2, v^ = 4, then m = -1/2 with m^ = -2/3, v = 7/4 with v^ = 4.
    theta, m, v = adamw(row(10.0), row(2.0), row(0.0), row(0.0), 1, 0.5, 0.5, 0.75, 2.0, 0.1)
    assert_allclose([theta, m, v], [row(10 - 0.5 * (2 / 4 + 1)), row(1.0), row(1.0)], rtol=1e-15)
    theta, m, v = adamw(theta, row(-2.0), m, v, 2, 0.25, 0.5, 0.75, 2.0, 0.1)
    assert_allclose([theta, m, v], [row(9.25 - 0.25 * (-2 / 3 / 4 + 0.925)), row(-0.5), row(1.75)], rtol=1e-15)


def test_adamw_decays_where_it_is_told_and_nothing_is_changed_in_place():
    theta, zero = np.array([3.0, -4.0]), np.zeros(2)
    after, m, v = adamw(theta, zero, zero, zero, 1, 0.1, weight_decay=np.array([0.5, 0.0]))
    assert_allclose(after, [3 * 0.95, -4.0], rtol=1e-15)
    assert_array_equal([theta, zero, m, v], [[3.0, -4.0], zero, zero, zero])
    # The first step is the sign of the gradient times the rate, whatever its size.
    after, _, _ = adamw(zero, np.array([1e-3, -1e5]), zero, zero, 1, 0.1, epsilon=0.0)
    assert_allclose(after, [-0.1, 0.1], rtol=1e-14)


def test_clipping():
    g = np.array([3.0, -4.0, 12.0])
    clipped, norm = clip_by_norm(g, 6.5)
    assert norm == 13.0
    assert_allclose(clipped, g / 2, rtol=1e-15)
    clipped, _ = clip_by_norm(g, 13.0)
    assert_array_equal(clipped, g)
    assert clipped is not g
    assert clip_by_norm(np.zeros(2), 1.0)[1] == 0.0
    clipped, norm = clip_by_norm(1e200 * g, 1.0)
    assert_allclose(norm, 1.3e201, rtol=1e-15)
    assert_allclose(clipped, g / 13, rtol=1e-15)
    assert_array_equal(clip_by_value(g, 3.5), [3.0, -3.5, 3.5])
    tenths = np.full((10, 10), 0.1)
    exact = math.sqrt(Fraction(0.1) ** 2 * 100)
    assert_allclose(clip_by_norm(tenths, 9.0)[1], exact, rtol=1e-15)


def test_schedule():
    rates = [learning_rate(k, 14, 8.0, 4, 0.25) for k in range(1, 16)]
    assert rates[:4] == [2.0, 4.0, 6.0, 8.0]
    assert_allclose(rates[8], 5.0, rtol=1e-15)  # half-way: the mean of 8 and 2
    assert_allclose(rates[13:], 2.0, rtol=1e-15)
    assert_allclose(np.add(rates[3:14], rates[13:2:-1]), 10.0, rtol=1e-14)  # symmetric about the middle
    assert (np.diff(rates[3:14]) < 0).all()
    assert_allclose(learning_rate(2, 6, 1.0, 0, 0.0), 0.75, rtol=1e-15)  # (1 + cos 60 degrees) / 2
    assert learning_rate(0, 10, 3.0) == 3.0


# --- PyTorch ------------------------------------------------------------------------------------------------------

TORCH_ORDER = {"rnn": ("a",), "lstm": ("u", "f", "c~", "o")}  # torch names them i, f, g, o


def torch_twin(torch, cell, activation, parameters):
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
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(14)
    parameters = network.random_parameters(rng, cell, V, H, L)
    batch = window(rng, starts=0.0, sides=())
    batch["starts"][0] = True  # torch knows no starts but the one at its first step: zero state, zero input
    ours = network.forward(parameters, cell, L, **batch, activation=activation)

    model, linear = torch_twin(torch, cell, activation, parameters)
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
    torch = pytest.importorskip("torch")
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
    torch = pytest.importorskip("torch")
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
