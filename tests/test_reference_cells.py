"""The cells' twins against exact values worked out by hand, and against identities.

Hand values rest on sigma(ln x) = x / (1 + x) and tanh(ln x) = (x^2 - 1) / (x^2 + 1), which are rational.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.reference import cells

LN2, LN3, LN4 = math.log(2), math.log(3), math.log(4)
B, H = 3, 5


def random_state(rng):
    return rng.standard_normal((B, H)), rng.standard_normal((B, H))


def row(*values):
    return np.array([values], np.float64)


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


def test_rms_lstm_by_hand_divides_the_recurrent_product():
    a, c = row(2.0), row(0.8)
    x_side = row(LN2, 0.0, -LN3, LN2)
    # [u, f, o, c~] = 2 * [3, -1, 1, -1] has a root mean square of 2 sqrt(3): what is added is [3, -1, 1, -1] / sqrt(3)
    scaled = np.array([3.0, -1.0, 1.0, -1.0]) / math.sqrt(3 + 1e-5 / 4)
    expected = cells.step("lstm", (row(0.0), c), x_side + scaled, np.zeros((1, 4)))
    found = cells.step("rms-lstm", (a, c), x_side, np.array([[3.0, -1.0, 1.0, -1.0]]))
    assert_allclose(found, expected, rtol=1e-14)
    stretched = cells.step("rms-lstm", (1e6 * a, c), x_side, np.array([[3.0, -1.0, 1.0, -1.0]]))
    assert_allclose(stretched, expected, rtol=1e-5)  # the state's length does not count
    nothing = cells.step("rms-lstm", (row(0.0), c), x_side, np.ones((1, 4)))
    assert_array_equal(nothing, cells.step("lstm", (row(0.0), c), x_side, np.zeros((1, 4))))


def gate_side(cell, rng, **fixed):
    """A random x_side with whole gates fixed, named by letter: 40 opens a gate to within 1e-17, -800 shuts it."""
    x_side = rng.standard_normal((B, len(cells.GATES[cell]) * H))
    for gate, value in fixed.items():
        cells.columns(gate, cell, x_side)[:] = value
    return x_side


@pytest.mark.parametrize("cell", ["simple-gru", "gru"])
def test_a_shut_update_gate_keeps_c(cell):
    rng = np.random.default_rng(1)
    state = random_state(rng)
    recurrent = rng.standard_normal((H, len(cells.GATES[cell]) * H))
    a, c = cells.step(cell, state, gate_side(cell, rng, u=-800.0), recurrent)
    assert_array_equal(c, state[1])
    assert_array_equal(a, c)


@pytest.mark.parametrize("cell", ["lstm", "peephole-lstm"])
def test_lstm_gates_open_and_shut(cell):
    rng = np.random.default_rng(2)
    a, c = random_state(rng)
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
    state, recurrent = random_state(rng), rng.standard_normal((H, 4 * H))
    x_side = rng.standard_normal((B, 4 * H))
    without = cells.step("lstm", state, x_side, recurrent)
    assert_allclose(cells.step("peephole-lstm", state, x_side, recurrent, np.zeros((3, H))), without, rtol=1e-15)
    x_side, recurrent = gate_side("gru", rng, r=60.0), recurrent[:, : 3 * H]
    kept = np.r_[0:H, 2 * H : 3 * H]
    plain = cells.step("simple-gru", state, x_side[:, kept], recurrent[:, kept])
    assert_allclose(cells.step("gru", state, x_side, recurrent), plain, rtol=1e-14)


def test_peepholes_are_diagonal():
    rng = np.random.default_rng(4)
    a, c = random_state(rng)
    recurrent, peephole = rng.standard_normal((H, 4 * H)), rng.standard_normal((3, H))
    x_side = rng.standard_normal((B, 4 * H))
    before = np.array(cells.step("peephole-lstm", (a, c), x_side, recurrent, peephole))
    moved = c.copy()
    moved[:, 2] += 1.0
    change = np.array(cells.step("peephole-lstm", (a, moved), x_side, recurrent, peephole)) != before
    assert_array_equal(change, np.broadcast_to(np.arange(H) == 2, change.shape))
