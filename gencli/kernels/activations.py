"""Exponential, logistic function and hyperbolic tangent on vectors, without a library call in float32.

float32: a few units in the last place over the whole range (tests/test_activations.py holds the bounds).
float64 serves the checks of gradients: the system's exponential, lane by lane.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from gencli.kernels.compile import inlined
from gencli.kernels.vector import Lanes, clamp, exp64, fma, keep_nan, times_power_of_two

LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts, the first with so few bits that n * LN2_HIGH is exact for |n| <= 127.
LN2_HIGH = np.float32(0.693359375)
LN2_LOW = np.float32(-2.12194440e-4)
# Adding it rounds to a whole number and leaves that number in the low bits of the significand.
ROUNDER = np.float32(12582912.0)
# (exp(r) - 1) / r on |r| <= ln(2) / 2, least maximum of the relative error of exp: 2e-9.
E1, E2, E3 = np.float32(1.0), np.float32(0.4999999403953552), np.float32(0.16666431725025177)
E4, E5, E6 = np.float32(0.04166800156235695), np.float32(0.008374163880944252), np.float32(0.001384364441037178)
# tanh(x) / x = P(x^2) / Q(x^2) on |x| <= 9.1, least maximum of the relative error: 2.3e-8.
P0, P1, P2 = np.float32(1.0), np.float32(0.13374464213848114), np.float32(0.0034877981524914503)
P3, P4 = np.float32(2.0480971215874888e-05), np.float32(1.3177225532956527e-08)
Q1, Q2 = np.float32(0.4670777916908264), np.float32(0.025847340002655983)
Q3, Q4 = np.float32(0.00032728989026509225), np.float32(7.703924325141998e-07)
# Beyond it tanh rounds to 1 in float32; the quotient comes within one unit in the last place.
TANH_LIMIT = np.float32(9.01)
LOWEST, HIGHEST = np.float32(-87.0), np.float32(88.0)


@inlined
def _exp32(x):
    """exp of float32 lanes; x is held to [-87, 88], where the result is a normal number."""
    x = clamp(x, LOWEST, HIGHEST)
    shifted = fma(x, LOG2_E, ROUNDER)
    n = shifted - ROUNDER
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))
    series = fma(r, fma(r, fma(r, fma(r, fma(r, E6, E5), E4), E3), E2), E1)
    return keep_nan(x, times_power_of_two(fma(r, series, np.float32(1.0)), shifted))


@inlined
def _tanh32(x):
    """tanh of float32 lanes."""
    x = clamp(x, -TANH_LIMIT, TANH_LIMIT)
    z = x * x
    p = fma(z, fma(z, fma(z, fma(z, P4, P3), P2), P1), P0)
    q = fma(z, fma(z, fma(z, fma(z, Q4, Q3), Q2), Q1), np.float32(1.0))
    return clamp(x * p / q, np.float32(-1.0), np.float32(1.0))


@inlined
def _tanh64(x):
    """tanh of float64 lanes: 2 sigma(2 x) - 1."""
    return 2.0 / (1.0 + exp64(-2.0 * clamp(x, -350.0, 350.0))) - 1.0


def exp(x: Any) -> Any:
    """The exponential, lane by lane; for float32 the argument is held to [-87, 88]."""
    raise NotImplementedError("only compiled code calls this")


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, lane by lane."""
    raise NotImplementedError("only compiled code calls this")


@overload(exp, inline="never")
def _exp(x):
    if isinstance(x, Lanes):
        if x.dtype == types.float32:
            return lambda x: _exp32(x)
        return lambda x: exp64(x)
    return None


@overload(tanh, inline="never")
def _tanh(x):
    if isinstance(x, Lanes):
        if x.dtype == types.float32:
            return lambda x: _tanh32(x)
        return lambda x: _tanh64(x)
    return None


@inlined
def sigmoid(x):
    """The logistic function 1 / (1 + exp(-x)), lane by lane."""
    return 1.0 / (1.0 + exp(-1.0 * x))


# ln 2 in two parts, the first exact times any |n| < 1100; 1 / n! for n = 13 ... 3.
_HIGH64, _LOW64 = 0.693147180369123816490, 1.90821492927058770002e-10
_TAYLOR = tuple(1.0 / math.factorial(n) for n in range(13, 1, -1))


@inlined
def exp_scalar(x):
    """exp of one float64, within a unit in the last place for x in [-708, 709], in a form that loops vectorise.

    Below -708 it stays at exp(-708), which is 3e-308.
    """
    x = max(x, -708.0)
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * _HIGH64) - n * _LOW64
    series = _TAYLOR[0]
    for i in range(1, 12):
        series = series * r + _TAYLOR[i]
    series = (series * r + 1.0) * r + 1.0
    return series * np.int64((np.int64(n) + 1023) << 52).view(np.float64)
