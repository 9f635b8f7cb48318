"""The twins of softmax, picking, optimizer and schedule against exact values, closed forms and 50-digit decimals."""

from __future__ import annotations

import ast
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.reference import network, softmax
from tests.reference.adamw import adamw, clip_by_norm, clip_by_value
from tests.reference.pick import distribution, pick
from tests.reference.schedule import learning_rate

T, B, V = 4, 3, 6
LOGITS = np.log([1.0, 4.0, 2.0, 4.0, 5.0])  # y = 1/16 4/16 2/16 4/16 5/16


def row(*values):
    return np.array([values], np.float64)


def test_the_twins_import_nothing_from_gencli():
    files = sorted((Path(__file__).parent / "reference").glob("*.py"))
    assert len(files) >= 6
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in modules if name.split(".")[0] == "gencli"], file.name


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
    assert_allclose(np.diff(rates[3:14]), -0.6, rtol=1e-12)
    assert_allclose(learning_rate(2, 6, 1.0, 0, 0.0), 2 / 3, rtol=1e-15)
    assert learning_rate(0, 10, 3.0) == 3.0
