"""Clipping, AdamW, averaged weights and the learning rate's schedule, over a network's flat vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import OptimizerConfig
from gencli.kernels.adamw import CHUNK, adamw, squared_norms
from gencli.kernels.threads import bounds
from gencli.network import Network

Array = NDArray[Any]
ALONE = 1 << 20  # elements whose norm the caller finds sooner than it wakes a thread for half of them


def learning_rate(progress: float, warmup: float, peak: float, final_share: float = 0.02) -> float:
    """Linear warm-up, then a straight line down to `final_share` of the peak (Bergsma et al. 2025, section 3).

    `progress` in [0, 1] is the part of training that is over, `warmup` the part of it spent rising.
    """
    if progress < warmup:
        return peak * progress / warmup
    rest = (min(progress, 1.0) - warmup) / max(1.0 - warmup, 1e-9)
    return peak * (1.0 - (1.0 - final_share) * rest)


class AdamW:
    """The moments of one network's parameters, the steps they make, and the average of the weights on the way.

    After step t the average moves by the share n / (t + n - 1) towards the weights, n being `config.average`: step i
    counts about i^(n-1) times (polynomial-decay averaging, Shamir & Zhang 2013, section 4). Without averaging
    `averaged` is the weights themselves.
    """

    def __init__(self, network: Network, config: OptimizerConfig) -> None:
        self.network, self.config = network, config
        self.mean, self.variance = network.layout.new(), network.layout.new()
        self.averaged = network.flat.copy() if config.average > 0 else network.flat
        self.steps = 0
        self._sums = np.zeros(-(-network.layout.size // CHUNK), network.layout.dtype)

    def reset(self) -> None:
        """Forget all moments; the average begins anew with the next step."""
        self.mean[:], self.variance[:], self.steps = 0, 0, 0

    def gradient_norm(self) -> float:
        """The gradient's global norm, after clipping by value where that is on."""
        network = self.network
        limit = network.layout.dtype.type(self.config.clip_value)

        def job(share: int, shares: int) -> None:
            squared_norms(network.gradient, limit, self._sums, *bounds(len(self._sums), share, shares))

        if network.gradient.size < ALONE:
            job(0, 1)
        else:
            network.team.run(job)
        return math.sqrt(float(self._sums.sum(dtype=np.float64)))

    def step(self, rate: float) -> float:
        """Clip, move the parameters by one AdamW step, pack them anew; gives the norm before clipping by norm.

        A norm that is not finite changes nothing.
        """
        config, network = self.config, self.network
        norm = self.gradient_norm()
        if not math.isfinite(norm):
            return norm
        self.steps += 1
        scale = config.clip / norm if 0 < config.clip < norm else 1.0
        correction1, correction2 = 1 - config.beta1**self.steps, 1 - config.beta2**self.steps
        arrays = (network.flat, network.gradient, self.mean, self.variance, self.averaged)
        decayed, shrink = network.layout.decayed, rate * config.weight_decay
        weight = config.average / (self.steps + config.average - 1) if config.average > 0 else 0.0

        rest = (weight, (config.beta1, config.beta2, correction2))

        def job(share: int, shares: int) -> None:
            """One thread's range of the flat vectors, and what is packed of it while the caches hold it."""
            first, last = network.layout.part(share, shares)
            middle = min(max(first, decayed), last)
            adamw(*arrays, scale, rate / correction1, shrink, *rest, first, middle)
            adamw(*arrays, scale, rate / correction1, 0.0, *rest, middle, last)
            network.pack_part(first, last)

        network.team.run(job)
        network.packed_anew()
        return norm
