"""Random numbers from counters: equal to their twins in plain Python, independent of shares, evenly spread."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gencli.kernels.counter import drop_out, mix, uniforms
from tests.reference import counter as reference

Array = np.ndarray[Any, Any]
KEYS = [0, 1, 2**32 - 1, 2**32, 2**63 + 12345, 2**64 - 1]
T, B, N = 3, 5, 64


def mask(
    key: int, share: float, shape: tuple[int, int, int] = (T, B, N), parts: Any = None, fixed: int = 0
) -> NDArray[np.bool_]:
    """Where drop_out leaves something of an array of ones; `parts` are the ranges of rows it is called for."""
    x = np.ones(shape, np.float32)
    for first, last in parts or [(0, shape[1])]:
        drop_out(x, np.uint64(key), np.uint32(share * 2**32), np.float32(2.0), fixed, first, last)
    assert set(np.unique(x)) <= {np.float32(0), np.float32(2)}
    return np.not_equal(x, 0)


def drawn(key: int, indices: Any, positions: Any) -> Array:
    indices, positions = np.broadcast_arrays(np.asarray(indices, np.uint64), np.asarray(positions, np.uint64))
    out = np.full(indices.size, np.nan)
    uniforms(np.uint64(key), indices.ravel(), positions.ravel(), out)
    return out


@given(st.lists(st.integers(-(2**64), 2**65), max_size=5))
def test_mix_equals_its_twin(words: list[int]) -> None:
    assert mix(*words) == reference.mix(*words)
    assert 0 <= mix(*words) < 2**64


def test_mix_gives_another_key_for_any_other_words() -> None:
    small = range(-2, 12)
    names = [(), *((a,) for a in small), *itertools.product(small, small), *itertools.product(small, small, small)]
    assert len({mix(*words) for words in names}) == len(names)


def test_mix_moves_half_the_bits_for_any_one_bit() -> None:
    flips = [(mix(7, 2**i) ^ mix(7, 0)).bit_count() for i in range(64)]
    # Each count has mean 32 and deviation 4, their mean 0.5.
    assert 30 < np.mean(flips) < 34
    assert 12 < min(flips) <= max(flips) < 52


@pytest.mark.parametrize("key", KEYS)
def test_uniforms_equal_their_twin(key: int) -> None:
    indices, positions = [0, 1, 2, 2**32, 2**64 - 1, 7], [0, 0, 1, 5, 2**64 - 1, 2**40]
    expected = [reference.uniform(key, *pair) for pair in zip(indices, positions, strict=True)]
    assert drawn(key, np.array(indices, np.uint64), np.array(positions, np.uint64)).tolist() == expected


def test_uniforms_are_evenly_spread() -> None:
    n = 400
    found = drawn(mix(3), np.arange(n)[:, None], np.arange(n))  # 160,000 draws
    assert found.min() >= 0
    assert found.max() < 1
    assert len(set(found.tolist())) == n * n
    # Four standard deviations: of the mean 0.29 / 400, of the variance 0.0745 / 400.
    assert abs(found.mean() - 1 / 2) < 4 * 0.2887 / n
    assert abs(found.var() - 1 / 12) < 4 * 0.0745 / n
    counts = np.histogram(found, 16, (0, 1))[0]
    assert np.abs(counts - n * n / 16).max() < 5 * np.sqrt(n * n / 16)
    # Neighbours in index, in position and on the diagonal are not related: correlations within four deviations.
    square = found.reshape(n, n)
    for left, right in ((square[1:], square[:-1]), (square[:, 1:], square[:, :-1]), (square[1:, 1:], square[:-1, :-1])):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 4 / (n - 1)


@pytest.mark.parametrize("key", KEYS)
def test_dropout_equals_its_twin(key: int) -> None:
    shape = T, B, 48
    found = mask(key, 0.4, shape)
    expected = np.empty(shape, bool)
    for place in np.ndindex(*shape):
        expected[place] = reference.bits(key, *place) >= int(0.4 * 2**32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("key", KEYS)
def test_fixed_dropout_repeats_the_mask_of_the_first_step(key: int) -> None:
    found = mask(key, 0.4, (4, B, N), fixed=1)
    np.testing.assert_array_equal(found, np.broadcast_to(mask(key, 0.4, (1, B, N)), found.shape))
    # Rows and units still have masks of their own.
    assert len(np.unique(found[0], axis=0)) == B
    assert len(np.unique(found[0], axis=1).T) > B


def test_fixed_dropout_is_the_same_however_the_rows_are_split() -> None:
    parts = [(3, 5), (0, 1), (1, 3)]
    np.testing.assert_array_equal(mask(99, 0.3, parts=parts, fixed=1), mask(99, 0.3, fixed=1))


def test_dropout_is_the_same_however_the_rows_are_split() -> None:
    whole = mask(99, 0.3)
    for parts in ([(0, 2), (2, 5)], [(3, 5), (0, 1), (1, 1), (1, 3)], [(b, b + 1) for b in range(B)]):
        np.testing.assert_array_equal(mask(99, 0.3, parts=parts), whole)
    untouched = np.ones((T, B, N), np.float32)
    drop_out(untouched, np.uint64(99), np.uint32(2**31), np.float32(2), 0, 1, 3)
    assert (untouched[:, [0, 3, 4]] == 1).all()


def test_dropout_of_a_wider_or_longer_array_begins_alike() -> None:
    """The bits name the place, not the memory: padding or a shorter window does not move a mask."""
    np.testing.assert_array_equal(mask(5, 0.5, (2, 4, 32)), mask(5, 0.5, (3, 5, 64))[:2, :4, :32])


def test_float64_is_dropped_where_float32_is() -> None:
    """The checks of gradients see the masks of training."""
    x = np.ones((T, B, N))
    drop_out(x, np.uint64(7), np.uint32(0.3 * 2**32), np.float64(1.25), 0, 0, B)
    np.testing.assert_array_equal(x, np.where(mask(7, 0.3), 1.25, 0))


def test_dropout_differs_between_keys_steps_rows_and_units() -> None:
    first, second = mask(mix(1, 2), 0.5, (48, 48, 48)), mask(mix(1, 3), 0.5, (48, 48, 48))
    pairs = {
        "keys": (first, second),
        "lower halves of the key": (first, mask(mix(1, 2) ^ 1, 0.5, (48, 48, 48))),
        "upper halves of the key": (first, mask(mix(1, 2) ^ 2**32, 0.5, (48, 48, 48))),
        "steps": (first[1:], first[:-1]),
        "rows": (first[:, 1:], first[:, :-1]),
        "units": (first[:, :, 1:], first[:, :, :-1]),
        "steps against rows": (first, first.swapaxes(0, 1)),
        "rows against units": (first, first.swapaxes(1, 2)),
    }
    for name, (left, right) in pairs.items():
        # Two independent masks agree in half of some 110,000 places, five deviations of which are 0.008; a transposed
        # one shares its diagonal, and counts every other pair twice.
        assert abs((left == right).mean() - 0.5) < 0.02, name


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_dropout_drops_its_share_of_every_step_row_and_unit(share: float) -> None:
    dropped = ~mask(mix(8), share, (64, 64, 64))
    deviation = np.sqrt(share * (1 - share))
    assert abs(dropped.mean() - share) <= 4 * deviation / 512
    for axes in ((1, 2), (0, 2), (0, 1)):  # 64 means of 4096 each
        assert np.abs(dropped.mean(axis=axes) - share).max() <= 5 * deviation / 64


def test_dropout_scales_what_it_keeps_and_overwrites_what_it_drops() -> None:
    x = np.random.default_rng(0).standard_normal((T, B, N)).astype(np.float32)
    x[0, 0, :] = np.nan
    before, kept = x.copy(), mask(4, 0.25)
    drop_out(x, np.uint64(4), np.uint32(2**30), np.float32(1.5), 0, 0, B)
    np.testing.assert_array_equal(x, np.where(kept, before * np.float32(1.5), 0))
