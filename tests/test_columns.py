"""Taking out, and adding to, single rows of windows and single columns of weights in panels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.kernels.columns import add_columns, add_rows, gather_columns, gather_rows
from gencli.kernels.tile import panel_width

Array = np.ndarray[Any, Any]
GUARD = 777.0  # stands wherever nothing may be written
BOTH_TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
RANGES = pytest.mark.parametrize(("first", "last"), [(0, 9), (0, 1), (4, 7), (8, 9), (5, 5)])
T, B, X, n = 4, 6, 11, 9
PLACES = np.random.default_rng(1).permutation(T * B)[:n]  # no place twice, in no order
STEPS, ROWS = PLACES // B, PLACES % B


def random_array(dtype: Any, *shape: int) -> Array:
    return np.random.default_rng(shape).standard_normal(shape).astype(dtype)


@BOTH_TYPES
@RANGES
def test_rows_are_gathered_from_their_steps(dtype: Any, first: int, last: int) -> None:
    x, out = random_array(dtype, T, B, X), np.full((1, n, X), GUARD, dtype)
    gather_rows(x, STEPS, ROWS, out, first, last)
    expected = np.full((n, X), GUARD, dtype)
    for i in range(first, last):
        expected[i] = x[STEPS[i], ROWS[i]]
    np.testing.assert_array_equal(out[0], expected)


@BOTH_TYPES
@RANGES
def test_rows_are_added_to_their_steps_and_to_no_other(dtype: Any, first: int, last: int) -> None:
    d, out = random_array(dtype, 1, n, X), random_array(dtype, T, B, X)
    expected = out.copy()
    for i in range(first, last):
        expected[STEPS[i], ROWS[i]] += d[0, i]
    add_rows(d, STEPS, ROWS, out, first, last)
    np.testing.assert_array_equal(out, expected)


def weights_in_panels(dtype: Any, k: int, panels: int) -> tuple[Array, Array]:
    """A random matrix (k, N) and the same in panels of k rows."""
    width = panel_width(dtype)
    plain = random_array(dtype, k, panels * width)
    return plain, plain.reshape(k, panels, width).swapaxes(0, 1).flatten()


def ids_of(dtype: Any, panels: int) -> Array:
    """Ascending ids with both ends of panels among them."""
    width = panel_width(dtype)
    inner = [0, 1, width - 1, width, width + 3, 2 * width - 1, 2 * width, panels * width - 2, panels * width - 1]
    return np.array(inner, np.int32)


@BOTH_TYPES
@RANGES
@pytest.mark.parametrize("k", [1, 7, 40])
def test_columns_are_gathered_as_rows(dtype: Any, first: int, last: int, k: int) -> None:
    plain, flat = weights_in_panels(dtype, k, 3)
    ids, out = ids_of(dtype, 3), np.full((1, n, k + 5), GUARD, dtype)
    gather_columns(flat, k, ids, out, first, last)
    expected = np.full((n, k + 5), GUARD, dtype)
    expected[first:last, :k] = plain[:, ids[first:last]].T
    np.testing.assert_array_equal(out[0], expected)


@BOTH_TYPES
@pytest.mark.parametrize(("first", "last"), [(0, 7), (2, 5), (6, 7), (3, 3)])
def test_rows_are_added_to_their_columns_some_units_at_a_time(dtype: Any, first: int, last: int) -> None:
    k = 7
    plain, flat = weights_in_panels(dtype, k, 3)
    ids, d = ids_of(dtype, 3), random_array(dtype, 1, n, k + 5)
    add_columns(d, k, ids, flat, first, last)
    expected = plain.copy()
    for i, column in enumerate(ids):
        expected[first:last, column] += d[0, i, first:last]
    found = flat.reshape(3, k, -1).swapaxes(0, 1).reshape(k, -1)
    np.testing.assert_array_equal(found, expected)


@BOTH_TYPES
def test_an_id_that_comes_twice_receives_both(dtype: Any) -> None:
    plain, flat = weights_in_panels(dtype, 3, 1)
    d = random_array(dtype, 1, 2, 3)
    add_columns(d, 3, np.array([4, 4], np.int32), flat, 0, 3)
    expected = plain.copy()
    expected[:, 4] = plain[:, 4] + d[0, 0] + d[0, 1]
    np.testing.assert_array_equal(flat.reshape(3, -1), expected)


@BOTH_TYPES
def test_no_rows_and_no_ids_change_nothing(dtype: Any) -> None:
    none = np.zeros(0, np.int64)
    x, before = random_array(dtype, T, B, X), random_array(dtype, T, B, X)
    gather_rows(x, none, none, np.zeros((1, 0, X), dtype), 0, 0)
    add_rows(np.zeros((1, 0, X), dtype), none, none, x, 0, 0)
    np.testing.assert_array_equal(x, before)
    plain, flat = weights_in_panels(dtype, 3, 1)
    add_columns(np.zeros((1, 0, 3), dtype), 3, none.astype(np.int32), flat, 0, 3)
    np.testing.assert_array_equal(flat.reshape(3, -1), plain)
