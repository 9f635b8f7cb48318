"""AdamW and gradient clipping over the flat vector of parameters (Loshchilov & Hutter 2019, algorithm 2)."""

from __future__ import annotations

from gencli.kernels.compile import kernel
from gencli.kernels.vector import REGISTER_BYTES, clamp, fma, load, root, splat, store, total

CHUNK = 8192  # elements whose squares are added at a time, in a fixed order whatever the number of threads


@kernel
def squared_norms(gradient, limit, sums, first, last):
    """sums[i] = sum of squares of chunk i of the gradient, for chunks [first, last); limit > 0 first clips to [-limit, limit].

    gradient: a whole number of registers long.
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
def adamw(parameters, gradient, mean, variance, scale, rate, beta1, beta2, correction1, correction2, decay, first, last):
    """One step on elements [first, last): p -= rate * (m / c1 / (sqrt(v / c2) + 1e-8) + decay * p).

    The gradient counts `scale` times; mean and variance are its running moments, corrected by c1 and c2.
    Scalars have the arrays' element type; the bounds are whole registers.
    """
    lanes = REGISTER_BYTES // parameters.itemsize
    type_of = parameters.dtype.type
    for j in range(first, last, lanes):
        g = load(gradient, j) * type_of(scale)
        m = fma(load(mean, j), type_of(beta1), g * type_of(1 - beta1))
        v = fma(load(variance, j), type_of(beta2), g * g * type_of(1 - beta2))
        p = load(parameters, j)
        step = m / (root(v * type_of(1 / correction2)) + type_of(1e-8)) * type_of(1 / correction1)
        store(mean, j, m)
        store(variance, j, v)
        store(parameters, j, p - (step + p * type_of(decay)) * type_of(rate))
