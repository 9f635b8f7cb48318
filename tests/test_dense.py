"""Products of whole windows, transposed panels and gradients of weights against NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.kernels.dense import BLOCK, GROUP, feed_window, multiply_window, weight_gradient
from gencli.kernels.repack import transpose_panels
from gencli.kernels.tile import padded, panel_width

Array = np.ndarray[Any, Any]
GUARD = 777.0  # stands wherever nothing may be written
TOLERANCE = 1.5e-6  # of the sum of the absolute values that are added up, float32
WIDTH = panel_width(np.float32)


def in_panels(matrix: Array) -> Array:
    """W (k, N) in N / width panels of k rows, end to end."""
    k, N = matrix.shape
    return np.ascontiguousarray(matrix.reshape(k, N // WIDTH, WIDTH).swapaxes(0, 1)).ravel()


def from_panels(flat: Array, k: int) -> Array:
    """The matrix (k, N) of such panels."""
    return np.ascontiguousarray(flat.reshape(-1, k, WIDTH).swapaxes(0, 1)).reshape(k, -1)


def random_array(seed: int, *shape: int) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def assert_close(found: Array, expected: Array, scale: Array) -> None:
    """Within TOLERANCE of `scale`, element by element."""
    assert found.shape == expected.shape
    assert (np.abs(found - expected) / scale).max() < TOLERANCE


@pytest.mark.parametrize(("k", "panels"), [(1, 1), (WIDTH - 1, 2), (WIDTH, 1), (2 * WIDTH + 5, 3)])
def test_transposed_panels(k: int, panels: int) -> None:
    N, Kp = panels * WIDTH, padded(k, np.float32)
    matrix = random_array(1, k, N)
    expected = np.zeros((N, Kp), np.float32)
    expected[:, :k] = matrix.T
    target = np.full(Kp * N, np.nan, np.float32)
    transpose_panels(in_panels(matrix), k, N, target, 0, panels)
    np.testing.assert_array_equal(from_panels(target, N), expected)


def test_transposed_panels_of_float64() -> None:
    width = panel_width(np.float64)
    k, N, Kp = width + 3, 2 * width, 2 * width
    matrix = np.random.default_rng(3).standard_normal((k, N))
    target = np.full(Kp * N, np.nan)
    flat = np.ascontiguousarray(matrix.reshape(k, -1, width).swapaxes(0, 1)).ravel()
    transpose_panels(flat, k, N, target, 0, 2)
    expected = np.zeros((N, Kp))
    expected[:, :k] = matrix.T
    np.testing.assert_array_equal(target.reshape(-1, N, width).swapaxes(0, 1).reshape(N, Kp), expected)


def test_transposed_panels_by_shares() -> None:
    k, N, Kp = 3 * WIDTH + 2, 4 * WIDTH, 4 * WIDTH
    matrix = random_array(2, k, N)
    target = np.full(Kp * N, GUARD, np.float32)
    transpose_panels(in_panels(matrix), k, N, target, 1, 3)
    found, written = from_panels(target, N), slice(WIDTH, 3 * WIDTH)
    np.testing.assert_array_equal(found[written, :k], matrix.T[written])
    assert (found[written, k:] == 0).all()
    assert (np.delete(found, np.r_[written], axis=0) == GUARD).all()


@pytest.mark.parametrize(("first", "last"), [(0, 9), (2, 9), (4, 4)])
def test_a_window_is_fed_bias_and_product(first: int, last: int) -> None:
    T, B, k, N = 3, 9, 21, 2 * WIDTH
    x, matrix, bias = random_array(3, T, B, 32), random_array(4, k, N), random_array(5, N)
    out, expected = (np.full((T, B, N), GUARD, np.float32) for _ in range(2))
    feed_window(x, k, in_panels(matrix), bias, out, first, last)
    expected[:, first:last] = bias
    multiply_window(x, k, in_panels(matrix), expected, 1, first, last)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("accumulate", [0, 1])
@pytest.mark.parametrize(("first", "last"), [(0, 9), (0, 1), (2, 9), (4, 4)])
def test_products_of_a_window(accumulate: int, first: int, last: int) -> None:
    T, B, k, X, N = 3, 9, 21, 32, 2 * WIDTH
    x, matrix, before = random_array(3, T, B, X), random_array(4, k, N), random_array(5, T, B, N)
    x[:, :, k:] = np.nan  # padding is never read
    out = before.copy()
    multiply_window(x, k, in_panels(matrix), out, accumulate, first, last)
    rows = slice(first, last)
    kept = np.delete(np.arange(B), rows)
    np.testing.assert_array_equal(out[:, kept], before[:, kept])
    if first == last:
        return
    x64, matrix64 = x[:, rows, :k].astype(np.float64), matrix.astype(np.float64)
    expected = x64 @ matrix64 + accumulate * before[:, rows]
    scale = np.abs(x64) @ np.abs(matrix64) + accumulate * np.abs(before[:, rows])
    assert_close(out[:, rows], expected, scale)


def gathered(
    x: Array, k: int, d_out: Array, offset: int, panels: int, parts: list[tuple[int, int]]
) -> tuple[Array, Array]:
    """weight_gradient over parts of the panels: gradients (k, panels * width) and (N,), guards elsewhere."""
    gradient = np.full(panels * k * WIDTH, GUARD, np.float32)
    d_bias = np.full(d_out.shape[2], GUARD, np.float32)
    for first, last in parts:
        scratch = np.full((GROUP, BLOCK, WIDTH), np.nan, np.float32)
        weight_gradient(x, k, d_out, offset, gradient, d_bias, scratch, 0, first, last)
    return from_panels(gradient, k), d_bias


# (T, B): a single row, less than a block, exactly one, one more than one, three blocks of which the last is ragged.
@pytest.mark.parametrize(("T", "B"), [(1, 1), (5, 7), (16, BLOCK // 16), (1, BLOCK + 1), (43, 13)])
@pytest.mark.parametrize("k", [1, 13, 40])
def test_gradients_of_weights_and_biases(T: int, B: int, k: int) -> None:
    panels, offset = 3, WIDTH
    x, d_out = random_array(6, T, B, k + 4), random_array(7, T, B, 5 * WIDTH)
    x[:, :, k:] = np.nan
    gradient, d_bias = gathered(x, k, d_out, offset, panels, [(0, panels)])

    used = slice(offset, offset + panels * WIDTH)
    x64, d64 = x[:, :, :k].reshape(-1, k).astype(np.float64), d_out.reshape(T * B, -1)[:, used].astype(np.float64)
    assert_close(gradient, x64.T @ d64, np.abs(x64).T @ np.abs(d64))
    assert_close(d_bias[used], d64.sum(axis=0), np.abs(d64).sum(axis=0))
    assert (np.delete(d_bias, used) == GUARD).all()


def test_gradients_by_shares_of_the_panels() -> None:
    T, B, k, panels = 9, 41, 20, 4
    x, d_out = random_array(8, T, B, k), random_array(9, T, B, panels * WIDTH)
    whole = gathered(x, k, d_out, 0, panels, [(0, 4)])
    for parts in ([(0, 1), (1, 4)], [(2, 4), (0, 2), (2, 2)]):
        for found, expected in zip(gathered(x, k, d_out, 0, panels, parts), whole, strict=True):
            assert found.tobytes() == expected.tobytes(), parts
    gradient, d_bias = gathered(x, k, d_out, 0, panels, [(1, 3)])
    for found, expected in ((gradient, whole[0]), (d_bias[None], whole[1][None])):
        np.testing.assert_array_equal(found[:, WIDTH : 3 * WIDTH], expected[:, WIDTH : 3 * WIDTH])
        assert (found[:, :WIDTH] == GUARD).all()
        assert (found[:, 3 * WIDTH :] == GUARD).all()
