"""Drawing tokens against the twin: temperatures, top-k, top-p, handicaps, bans, ties, and the probabilities told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.kernels.pick import pick
from gencli.kernels.truncate import truncation
from tests.reference import pick as reference
from tests.reference import softmax

Array = np.ndarray[Any, Any]
ROWS = 50
NEAR = 1e-9  # a draw this close to a boundary may fall to either side in another order of adding


def float32(values: Any) -> Array:
    return np.array(values, np.float32)


def drawn(
    logits: Array,
    uniforms: Array,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    banned: tuple[int, ...] = (),
    handicap: Array | None = None,
    forced: Array | None = None,
) -> tuple[Array, Array]:
    """Tokens and their log-probabilities for logits (B, V); columns past V hold what no draw may see.

    handicap (B, V), none without it; forced (B,), -1 where a token is to be drawn.
    """
    B, V = logits.shape
    wide = np.full((B, V + 3), 1e9, np.float32)
    wide[:, :V] = logits
    added = np.zeros((B, V), np.float32) if handicap is None else handicap.astype(np.float32)
    added[:, list(banned)] = -np.inf
    tokens = np.full(B, -1, np.int32) if forced is None else forced.astype(np.int32)
    told = np.full(B, np.nan)
    work = (np.zeros(V), np.zeros(V, np.int32))
    pick(wide, added, temperature, truncation(top_k, top_p), uniforms, *work, tokens, told)
    return tokens, told


def expect_the_models_own(told: Array, logits: Array, tokens: Array) -> None:
    """What is told of the tokens is their log-probability at temperature 1, without handicap."""
    expected = -softmax.token_losses(logits.astype(np.float64), tokens)
    np.testing.assert_allclose(told, expected, rtol=1e-12, atol=1e-14)


def boundaries(logits: Array, temperature: float, top_k: int, top_p: float) -> Array:
    """The distances from top_p to the sums it is compared with, one of which may be a tie."""
    ranked = np.sort(reference.distribution(logits, temperature, top_k))[::-1]
    return np.abs(np.cumsum(ranked) - top_p)


@pytest.mark.parametrize("V", [2, 7, 40])
@pytest.mark.parametrize("temperature", [0.0, 0.05, 0.7, 1.0, 3.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (1, 1.0), (5, 1.0), (0, 0.6), (0, 1e-6), (3, 0.8), (99, 0.95)])
def test_draws_equal_the_twins(V: int, temperature: float, top_k: int, top_p: float) -> None:
    rng = np.random.default_rng([V, top_k])
    logits = (rng.standard_normal((ROWS, V)) * rng.choice([0.5, 2.0, 10.0], (ROWS, 1))).astype(np.float32)
    uniforms = rng.random(ROWS)
    uniforms[:2] = 0.0, 1 - 2**-53
    banned = (V - 2,) if V > 2 else ()
    tokens, _ = drawn(logits, uniforms, temperature, top_k, top_p, banned)
    logits[:, list(banned)] = -np.inf
    expect_the_twins_draws(tokens, logits, uniforms, temperature, top_k, top_p)


def expect_the_twins_draws(
    tokens: Array, logits: Array, uniforms: Array, temperature: float, top_k: int, top_p: float
) -> None:
    """Token by token what the twin draws from these logits, but for the few that are too close to call."""
    compared = 0
    for row, uniform, token in zip(logits, uniforms, tokens, strict=True):
        y = reference.distribution(row, temperature, top_k, top_p)
        assert y[token] > 0
        if top_p < 1 and boundaries(row, temperature, top_k, top_p).min() < NEAR:
            continue
        sums = np.cumsum(y)
        if np.abs(sums[sums > 0] - uniform).min() < NEAR:
            continue
        assert token == reference.pick(y, uniform)
        compared += 1
    assert compared > 0.9 * len(tokens)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (5, 1.0), (0, 0.6), (3, 0.8)])
def test_handicaps_are_added_to_the_logits_before_all_else(temperature: float, top_k: int, top_p: float) -> None:
    """Penalties, favours and bans, of every row its own; what is told stays the model's own."""
    V, rng = 12, np.random.default_rng(top_k)
    logits = (2 * rng.standard_normal((ROWS, V))).astype(np.float32)
    handicap = (2 * rng.standard_normal((ROWS, V))).astype(np.float32)
    handicap[rng.random((ROWS, V)) < 0.2] = -np.inf
    uniforms = rng.random(ROWS)
    tokens, told = drawn(logits, uniforms, temperature, top_k, top_p, handicap=handicap)
    expect_the_twins_draws(tokens, logits + handicap, uniforms, temperature, top_k, top_p)
    plain, _ = drawn(logits, uniforms, temperature, top_k, top_p)
    assert (tokens != plain).mean() > 0.3
    expect_the_models_own(told, logits, tokens)


def test_a_handicap_breaks_a_tie_and_may_make_one() -> None:
    logits, high = float32([[2, 2, 2], [1, 2, 3]]).reshape(2, 3), np.full(2, 0.5)
    handicap = np.array([[-1e-3, 0, -1e-3], [2, 1, 0]])
    assert drawn(logits, high, temperature=0.0, handicap=handicap)[0].tolist() == [1, 0]
    assert drawn(logits, high, top_k=1, handicap=handicap)[0].tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (1, 1.0), (2, 0.5)])
def test_forced_tokens_stand_as_they_are(temperature: float, top_k: int, top_p: float) -> None:
    """The least likely, banned ones, and the first id among them; rows beside them are drawn as ever."""
    rng = np.random.default_rng(8)
    logits, uniforms = (3 * rng.standard_normal((ROWS, 9))).astype(np.float32), rng.random(ROWS)
    forced = np.where(np.arange(ROWS) % 2 == 0, np.arange(ROWS) % 9, -1)
    tokens, told = drawn(logits, uniforms, temperature, top_k, top_p, banned=(0, 4), forced=forced)
    free, _ = drawn(logits, uniforms, temperature, top_k, top_p, banned=(0, 4))
    np.testing.assert_array_equal(tokens, np.where(forced >= 0, forced, free))
    assert {0, 4} <= set(tokens[::2].tolist())
    expect_the_models_own(told, logits, tokens)


def test_every_thousandth_share_goes_to_its_token() -> None:
    logits = np.tile(np.log(float32([1, 4, 2, 4, 5])), (1000, 1))
    tokens, _ = drawn(logits, (np.arange(1000) + 0.5) / 1000)
    assert (np.diff(tokens) >= 0).all()
    np.testing.assert_allclose(np.bincount(tokens), 1000 * np.array([1, 4, 2, 4, 5]) / 16, rtol=0, atol=1)


def test_ties_go_to_the_lower_id() -> None:
    logits = float32([[1, 3, 0, 3, 3, 1], [2, 2, 2, 2, 2, 2]])
    high = np.full(2, 0.999)
    assert drawn(logits, high, temperature=0.0)[0].tolist() == [1, 0]
    assert drawn(logits, high, temperature=0.0, banned=(0, 1))[0].tolist() == [3, 2]
    assert drawn(logits, high, top_k=1)[0].tolist() == [1, 0]
    assert drawn(logits, high, top_k=2)[0].tolist() == [3, 1]
    assert drawn(logits, high, top_k=2, banned=(1,))[0].tolist() == [4, 2]
    # Four of six equal tokens have 0.667: enough for 0.6 and 0.66, too little for 0.67.
    assert [drawn(logits, high, top_p=p)[0][1] for p in (0.01, 0.6, 0.66, 0.67)] == [0, 3, 3, 4]


@pytest.mark.parametrize("temperature", [0.0, 1e-6, 1.0, 100.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (1, 1.0), (2, 1.0), (9, 0.9), (0, 1e-9)])
def test_banned_tokens_are_never_drawn(temperature: float, top_k: int, top_p: float) -> None:
    """Even where they are the likeliest by far, and where fewer than top_k are left."""
    logits = np.tile(float32([50, 0, 300, 1, 50]), (200, 1))
    uniforms = np.linspace(0, 1, 200, endpoint=False)
    uniforms[-1] = 1 - 2**-53
    tokens, _ = drawn(logits, uniforms, temperature, top_k, top_p, banned=(0, 2, 4))
    assert set(tokens.tolist()) <= {1, 3}
    if temperature == 0 or top_k == 1:
        assert set(tokens.tolist()) == {3}
    if temperature == 100:
        assert (1 in tokens) == (top_k != 1 and top_p > 0.5)


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.0}, {"temperature": 0.3, "top_k": 2}, {"top_p": 0.5, "banned": (0, 3)}]
)
def test_the_probability_told_is_the_models_own(settings: dict[str, Any]) -> None:
    """Temperature, cuts and bans shape the draw, not what the token is said to be worth."""
    rng = np.random.default_rng(5)
    logits = (8 * rng.standard_normal((ROWS, 11))).astype(np.float32)
    tokens, told = drawn(logits, rng.random(ROWS), **settings)
    expect_the_models_own(told, logits, tokens)


def test_a_banned_token_that_is_likeliest_by_far_counts_in_the_probability_told() -> None:
    logits = float32([[5000, 0, 1], [0, 1, 2]])
    tokens, told = drawn(logits, np.full(2, 0.999), banned=(0,))
    assert tokens.tolist() == [2, 2]
    assert told[0] == -4999
    np.testing.assert_allclose(told[1], softmax.log_softmax(logits[1])[2], rtol=1e-12)


def test_huge_logits_and_a_tiny_temperature_do_not_overflow() -> None:
    logits = float32([[3e38, -3e38, 3e38], [-5000, -5001, -5000], [80, 80, -80]])
    for temperature in (1e-300, 1e-3, 1.0):
        tokens, told = drawn(logits, np.full(3, 0.75), temperature)
        assert tokens.tolist() == [2, 2, 1]
        assert np.isfinite(told).all()


def test_one_row_is_drawn_as_many_are() -> None:
    rng = np.random.default_rng(6)
    logits, uniforms = rng.standard_normal((20, 9)).astype(np.float32), rng.random(20)
    tokens, told = drawn(logits, uniforms, 0.8, 4, 0.9)
    for b in range(20):
        one, worth = drawn(logits[b : b + 1], uniforms[b : b + 1], 0.8, 4, 0.9)
        assert (one[0], worth[0]) == (tokens[b], told[b])
