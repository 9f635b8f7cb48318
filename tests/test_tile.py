"""product() of the kernels against NumPy in float64: every number of rows, all depths, nothing outside the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.kernels.product import product
from gencli.kernels.tile import DEPTH, TALL, padded, panel_width

Array = np.ndarray[Any, Any]
GUARD = 777.0  # stands wherever nothing may be written
# Relative to |x| @ |W|, the sum of what is added up: a dozen units of rounding, 600 additions included.
TOLERANCE = {np.float32: 1.5e-6, np.float64: 3e-15}
BOTH_TYPES = pytest.mark.parametrize("dtype", TOLERANCE)


def in_panels(weights: Array, rows: int) -> Array:
    """W (k, N) in panels of `rows` rows, NaN in those from k on, which no product may read."""
    (k, N), width = weights.shape, panel_width(weights.dtype)
    tall = np.full((rows, N), np.nan, weights.dtype)
    tall[:k] = weights
    return np.ascontiguousarray(tall.reshape(rows, N // width, width).swapaxes(0, 1)).ravel()


def multiply(x: Array, weights: Array, before: Array, accumulate: int) -> Array:
    """product() on arrays wider than the factors: NaN beside what is read, guards beside what is written."""
    (m, k), N = x.shape, weights.shape[1]
    x_wide = np.full((m + 2, k + 3), np.nan, x.dtype)
    x_wide[1:-1, 1:-2] = x
    out = np.full((m + 2, N + 5), GUARD, x.dtype)
    out[1:-1, 2:-3] = before
    places = (k + 3) + 1, k + 3, m, k
    target = (N + 5) + 2, N + 5
    product(x_wide, *places, in_panels(weights, k + 2), k + 2, N // panel_width(x.dtype), out, *target, accumulate)
    found = out[1:-1, 2:-3].copy()
    out[1:-1, 2:-3] = GUARD
    assert (out == GUARD).all(), f"wrote outside ({m}, {N})"
    return found


def factors(m: int, k: int, panels: int, dtype: Any) -> tuple[Array, Array, Array]:
    """x (m, k), W (k, panels * width) and a matrix to add to, random."""
    rng = np.random.default_rng([m, k, panels])
    shapes = (m, k), (k, panels * panel_width(dtype)), (m, panels * panel_width(dtype))
    x, weights, before = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, weights, before


def check_product(m: int, k: int, panels: int, accumulate: int, dtype: Any) -> None:
    x, weights, before = factors(m, k, panels, dtype)
    # Where nothing is accumulated, what stood in the target must not matter, not even NaN.
    found = multiply(x, weights, before if accumulate else np.full_like(before, np.nan), accumulate)
    x, weights, before = (array.astype(np.float64) for array in (x, weights, before))
    expected = x @ weights + accumulate * before
    scale = np.abs(x) @ np.abs(weights) + accumulate * np.abs(before)
    assert (np.abs(found - expected) / scale).max() < TOLERANCE[dtype], (m, k, panels, accumulate)


@BOTH_TYPES
def test_every_number_of_rows(dtype: Any) -> None:
    for m in range(1, 31):
        check_product(m, 1 + 5 * m, 1 + m % 3, m % 2, dtype)
        check_product(m, 40, 1 + m % 2, (m + 1) % 2, dtype)


@BOTH_TYPES
@pytest.mark.parametrize("accumulate", [0, 1])
def test_every_depth_about_the_blocks(dtype: Any, accumulate: int) -> None:
    for k in (1, 2, 3, 100, DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH - 1, 2 * DEPTH, 2 * DEPTH + 1, 600):
        for panels in (1, 2, 3):
            check_product(TALL + 4 + 3, k, panels, accumulate, dtype)


@BOTH_TYPES
@pytest.mark.parametrize("accumulate", [0, 1])
def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it(dtype: Any, accumulate: int) -> None:
    x, weights, before = factors(30, DEPTH + 41, 2, dtype)
    whole = multiply(x, weights, before, accumulate)
    for first in range(30):
        for last in range(first + 1, 31, 1 + first % 3):
            part = multiply(x[first:last], weights, before[first:last], accumulate)
            assert part.tobytes() == whole[first:last].tobytes(), (first, last)


@BOTH_TYPES
def test_the_bits_of_a_column_do_not_depend_on_the_panels_beside_it(dtype: Any) -> None:
    x, weights, before = factors(11, 70, 3, dtype)
    whole, width = multiply(x, weights, before, 1), panel_width(dtype)
    for p in range(3):
        cut = slice(p * width, (p + 1) * width)
        assert (
            multiply(x, np.ascontiguousarray(weights[:, cut]), before[:, cut], 1).tobytes() == whole[:, cut].tobytes()
        )


def test_no_rows_write_nothing() -> None:
    x, weights, _ = factors(1, 5, 1, np.float32)
    assert multiply(x[:0], weights, np.zeros((0, weights.shape[1]), np.float32), 0).shape[0] == 0


@BOTH_TYPES
def test_padding_fills_whole_panels(dtype: Any) -> None:
    width = panel_width(dtype)
    assert [padded(n, dtype) for n in (1, width - 1, width, width + 1)] == [width, width, width, 2 * width]
    assert width * np.dtype(dtype).itemsize == panel_width(np.float32) * 4
