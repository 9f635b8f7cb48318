"""Log-softmax and the weighted cross-entropy in nats, with its gradient. V is the last axis of the logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def log_softmax(logits: Array) -> Array:
    """log(exp(z) / sum(exp(z))) over the last axis; the largest logit comes off first, so exp cannot overflow."""
    z: Array = np.asarray(logits, np.float64)
    z = z - z.max(axis=-1, keepdims=True)
    log_y: Array = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return log_y


def token_losses(logits: Array, targets: NDArray[np.integer]) -> Array:
    """-log softmax(logits)[target] for each token: logits (..., V), targets (...), result (...)."""
    log_y = log_softmax(logits)
    return -np.take_along_axis(log_y, np.asarray(targets)[..., None], axis=-1)[..., 0]


def cross_entropy(logits: Array, targets: NDArray[np.integer], weights: Array) -> float:
    """sum(weights * token losses) / sum(weights); 0.0 when no token has a weight."""
    total = float(np.sum(weights, dtype=np.float64))
    return float(np.sum(weights * token_losses(logits, targets)) / total) if total else 0.0


def cross_entropy_gradient(logits: Array, targets: NDArray[np.integer], weights: Array) -> Array:
    """The gradient of cross_entropy with respect to the logits: weight / sum(weights) * (softmax - one-hot target)."""
    gradient: Array = np.exp(log_softmax(logits))
    one_hot = np.arange(gradient.shape[-1]) == np.asarray(targets)[..., None]
    total = float(np.sum(weights, dtype=np.float64))
    share = np.asarray(weights, np.float64) / (total or 1.0)
    gradient = share[..., None] * (gradient - one_hot)
    return gradient
