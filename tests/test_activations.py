"""exp, sigmoid and tanh of the kernels against NumPy's in float64, over every order of magnitude."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from gencli.kernels.activations import exp, sigmoid, tanh
from gencli.kernels.vector import REGISTER_BYTES, load, store

Array = np.ndarray[Any, Any]


def over_arrays(function: Any) -> Callable[[Array], Array]:
    """The function of one register, applied to a whole array."""

    @numba.njit(error_model="numpy")
    def fill(x: Any, out: Any) -> None:
        for i in range(0, x.size, REGISTER_BYTES // x.itemsize):
            store(out, i, function(load(x, i)))

    def apply(x: Array) -> Array:
        padded = np.resize(x, -(-len(x) // 16) * 16)
        out = np.empty_like(padded)
        fill(padded, out)
        return out[: len(x)]

    return apply


FUNCTIONS = {"exp": over_arrays(exp), "sigmoid": over_arrays(sigmoid), "tanh": over_arrays(tanh)}
EVERY_FUNCTION = pytest.mark.parametrize("name", FUNCTIONS)


def truth(name: str, x: Array) -> Array:
    """The function in float64, accurate to about 4e-16 relative wherever it is a normal number."""
    x = x.astype(np.float64)
    if name == "tanh":
        return np.tanh(x)
    if name == "exp":
        return np.exp(x)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def float32_of_every_size() -> Array:
    """A million finite float32 of either sign, evenly spread over the bit patterns: as many in each binade."""
    bits = np.arange(0, 0x7F800000, 4253, dtype=np.uint32)
    magnitudes = bits.view(np.float32)
    return np.concatenate([magnitudes, -magnitudes])


# Largest errors over 150 million bit patterns: exp 1.01, sigmoid 2.48, tanh 5.35 units in the last place.
@pytest.mark.parametrize(("name", "ulps"), [("exp", 1.25), ("sigmoid", 3.0), ("tanh", 6.0)])
def test_float32_within_a_few_units_in_the_last_place(name: str, ulps: float) -> None:
    x = float32_of_every_size()
    x = np.concatenate([x[np.abs(x) <= 87], np.linspace(-87, 87, 400_000, dtype=np.float32)])
    expected = truth(name, x)
    unit = np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64)
    error = np.abs(FUNCTIONS[name](x) - expected) / unit
    assert error.max() < ulps, f"at {x[error.argmax()]!r}"


def test_float32_beyond_the_range_saturates() -> None:
    x = float32_of_every_size()
    far = np.concatenate([x[np.abs(x) > 88], np.float32([np.inf, -np.inf])])
    high = far > 0
    # The argument of exp is held to [-87, 88]: no infinity, no zero, no subnormal number.
    bounds = np.where(high, np.exp(88.0), np.exp(-87.0))
    np.testing.assert_allclose(FUNCTIONS["exp"](far), bounds, rtol=1.5e-7)
    # One unit below 1 is 6e-8; below, sigmoid(-88) = 6.05e-39 is the least it gives.
    np.testing.assert_allclose(FUNCTIONS["tanh"](far), np.where(high, 1.0, -1.0), rtol=6e-8)
    logistic = FUNCTIONS["sigmoid"](far)
    assert (logistic[high] == 1).all()
    assert (logistic[~high] >= 0).all()
    assert (logistic[~high] < 1e-38).all()


def test_float32_bounds_that_backward_passes_rely_on() -> None:
    """1 - a * a and u * (1 - u) must never turn negative."""
    x = np.concatenate([float32_of_every_size(), np.linspace(-20, 20, 400_000, dtype=np.float32)])
    assert np.abs(FUNCTIONS["tanh"](x)).max() <= 1
    logistic = FUNCTIONS["sigmoid"](x)
    assert logistic.min() >= 0
    assert logistic.max() <= 1


def test_float64() -> None:
    small = np.logspace(-300, 2.8, 3000)
    x = np.concatenate([np.linspace(-40, 40, 4001), small, -small])
    for name in ("exp", "sigmoid"):
        np.testing.assert_allclose(FUNCTIONS[name](x), truth(name, x), rtol=1e-14, err_msg=name)
    # 2 sigma(2 x) - 1 cancels near 0: there the error is 1e-15 of 1, not of tanh(x).
    np.testing.assert_allclose(FUNCTIONS["tanh"](x), truth("tanh", x), rtol=0, atol=1e-15)
    wide = x[np.abs(x) >= 0.1]
    np.testing.assert_allclose(FUNCTIONS["tanh"](wide), truth("tanh", wide), rtol=1e-14)


def test_float64_at_the_ends() -> None:
    x = np.array([np.inf, 1e300, -1e300, -np.inf])
    np.testing.assert_array_equal(FUNCTIONS["exp"](x), [np.inf, np.inf, 0, 0])
    np.testing.assert_array_equal(FUNCTIONS["sigmoid"](x), [1, 1, 0, 0])
    np.testing.assert_array_equal(FUNCTIONS["tanh"](x), [1, 1, -1, -1])


@EVERY_FUNCTION
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_passes_and_touches_its_own_lane_alone(name: str, dtype: Any) -> None:
    x = np.linspace(-3, 3, 64).astype(dtype)
    clean = FUNCTIONS[name](x)
    x[5], x[40] = np.nan, -np.nan
    found = FUNCTIONS[name](x)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(x))
    kept = ~np.isnan(x)
    np.testing.assert_array_equal(found[kept], clean[kept])


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_nan_of_any_payload_passes(name: str) -> None:
    low = np.arange(1, 0x400000, 4099, dtype=np.uint32)
    x = np.concatenate([low + head for head in np.uint32([0x7FC00000, 0xFFC00000])]).view(np.float32)
    assert np.isnan(FUNCTIONS[name](x)).all()
