"""Clipping and one step of Adam with decoupled weight decay (Loshchilov & Hutter 2019), on arrays of any shape."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clip_by_norm(gradients: Array, limit: float) -> tuple[Array, float]:
    """The gradients scaled down to the Euclidean norm `limit` if theirs is larger, and the norm they had."""
    g = np.asarray(gradients, np.float64)
    largest = float(np.abs(g).max(initial=0.0))
    norm = largest * math.sqrt(math.fsum(((g / largest) ** 2).ravel())) if largest else 0.0
    return (g * (limit / norm) if norm > limit else g.copy()), norm


def clip_by_value(gradients: Array, limit: float) -> Array:
    """Every element confined to [-limit, limit]."""
    return np.clip(np.asarray(gradients, np.float64), -limit, limit)


def adamw(
    parameters: Array,
    gradients: Array,
    first: Array,
    second: Array,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float | Array = 0.0,
) -> tuple[Array, Array, Array]:
    """Parameters and moments after step number `step`, counted from 1; the arrays passed in are not changed.

    m' = beta1 m + (1 - beta1) g; v' = beta2 v + (1 - beta2) g^2; m^ = m' / (1 - beta1^t); v^ = v' / (1 - beta2^t);
    theta' = theta - learning_rate * (m^ / (sqrt(v^) + epsilon) + weight_decay * theta).
    `weight_decay` may be an array, 0 where nothing decays. The decay is multiplied by the learning rate (as in most
    programs; the paper multiplies it by the schedule alone, so its lambda is weight_decay times the peak rate).
    """
    theta, g, m, v = (np.asarray(values, np.float64) for values in (parameters, gradients, first, second))
    m = beta1 * m + (1.0 - beta1) * g
    v = beta2 * v + (1.0 - beta2) * g**2
    m_hat = m / (1.0 - beta1**step)
    v_hat = v / (1.0 - beta2**step)
    theta = theta - learning_rate * (m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * theta)
    return theta, m, v


def polynomial_average(steps: list[Array], power: float) -> Array:
    """The average of the parameters after steps 1 ... t, by the weights that its recursion amounts to.

    a_1 = p_1; a_i = (1 - s_i) a_(i-1) + s_i p_i with s_i = power / (i + power - 1) (Shamir & Zhang 2013, section 4).
    So p_i counts s_i * prod over j > i of (1 - s_j); for power 1 that is the plain mean.
    """
    shares = [power / (i + power - 1.0) for i in range(1, len(steps) + 1)]
    weights = [share * math.prod(1.0 - later for later in shares[i + 1 :]) for i, share in enumerate(shares)]
    return np.asarray(sum(w * np.asarray(p, np.float64) for w, p in zip(weights, steps, strict=True)))
