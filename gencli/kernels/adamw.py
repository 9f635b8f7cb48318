"""AdamW, clipping and averaging over the flat vector of parameters (Loshchilov & Hutter 2019, algorithm 2)."""

from __future__ import annotations

from gencli.kernels.compile import kernel
from gencli.kernels.vector import REGISTER_BYTES, clamp, fma, load, root, splat, store, total

CHUNK = 8192  # elements whose squares are added at a time, in a fixed order whatever the number of threads


@kernel
def squared_norms(gradient, limit, sums, first, last):
    """sums[i] = sum of squares of chunk i of the gradient, for chunks [first, last).

    A limit above 0 first clips each element to [-limit, limit]. The gradient is a whole number of registers long.
    """
    lanes = REGISTER_BYTES // gradient.itemsize
    for chunk in range(first, last):
        squares = splat(gradient.dtype.type(0))
        for j in range(chunk * CHUNK, min((chunk + 1) * CHUNK, gradient.size), lanes):
            g = load(gradient, j)
            if limit > 0:
                g = clamp(g, -limit, limit)
                store(gradient, j, g)
            squares = fma(g, g, squares)
        sums[chunk] = total(squares)


@kernel
def adamw(parameters, gradient, mean, variance, averaged, scale, rate, shrink, share, moments, first, last):
    """One step on elements [first, last): p -= rate * m / (sqrt(v / correction) + 1e-8) + shrink * p.

    The gradient counts `scale` times; mean m and variance v are its running moments, of `moments` (beta1, beta2,
    correction). `rate` already holds the correction of m, 1 / (1 - beta1^t); that of v is 1 - beta2^t. A share above 0
    then moves the average: averaged += share * (p - averaged). The bounds are whole registers.
    """
    beta1, beta2, correction = moments
    lanes = REGISTER_BYTES // parameters.itemsize
    type_of = parameters.dtype.type
    for j in range(first, last, lanes):
        g = load(gradient, j) * type_of(scale)
        m = fma(load(mean, j), type_of(beta1), g * type_of(1 - beta1))
        v = fma(load(variance, j), type_of(beta2), g * g * type_of(1 - beta2))
        p = load(parameters, j)
        step = m / (root(v * type_of(1 / correction)) + type_of(1e-8)) * type_of(rate)
        p = p - (step + p * type_of(shrink))
        store(mean, j, m)
        store(variance, j, v)
        store(parameters, j, p)
        if share > 0:
            a = load(averaged, j)
            store(averaged, j, fma(p - a, type_of(share), a))
