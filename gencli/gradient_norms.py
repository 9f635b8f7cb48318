"""The gradient's global norm over the steps of a short run, clipped or not: what exploding gradients do.

Two updates: plain gradient descent, for which Pascanu et al. 2013 (section 3.2, algorithm 1) propose to clip the norm,
and AdamW, which divides by the gradient's own size. The recurrent matrices are orthogonal at first, so a factor upon
them is all of their singular values: gradients can only explode where that is above 1 (theirs, section 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gencli.config import NetworkConfig, OptimizerConfig
from gencli.kernels.threads import Team
from gencli.network import Network, cell_named
from gencli.optimizer import AdamW
from gencli.parameters import initial_values

Array = NDArray[Any]
Update = Literal["plain", "AdamW"]
PLAIN_RATE = 2.0  # one layer of an lstm learns at it without being clipped
STRETCHED = 2.0  # a singular value well above the 1 that lets gradients explode


@dataclass(frozen=True)
class Trial:
    """A short run: `factor` upon the recurrent weights at first, the norm above which is clipped, 0 = off."""

    update: Update
    rate: float
    factor: float
    clip: float


@dataclass(frozen=True)
class Norms:
    """A trial's norms before clipping and losses (nats a token), step by step; it ended where one is not finite."""

    trial: Trial
    norms: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def ran_away(self) -> bool:
        """Whether the numbers left the finite ones."""
        return not (math.isfinite(self.norms[-1]) and math.isfinite(self.losses[-1]))

    @property
    def median_norm(self) -> float:
        """Of the finite norms."""
        return float(np.median([norm for norm in self.norms if math.isfinite(norm)] or [math.inf]))

    @property
    def highest_norm(self) -> float:
        """Infinite where the run left the finite numbers."""
        return math.inf if self.ran_away else max(self.norms)

    @property
    def highest_loss(self) -> float:
        """Infinite where the run left the finite numbers."""
        return math.inf if self.ran_away else max(self.losses)

    @property
    def last_loss(self) -> float:
        """The mean of the last ten steps; infinite where the run left the finite numbers."""
        return math.inf if self.ran_away else float(np.mean(self.losses[-10:]))


def run_trial(config: NetworkConfig, team: Team, seed: int, batches: Callable[[int], tuple[Any, bool]], steps: int,
              trial: Trial) -> Norms:  # fmt: skip
    """Learn `steps` windows from fresh weights; batches(i) gives a window and whether its rows begin anew."""
    network = Network(config, team)
    values = initial_values(config, cell_named(config.cell), seed)
    network.load({n: v * trial.factor if n.endswith("recurrent") else v for n, v in values.items()})
    optimizer = AdamW(network, OptimizerConfig(lr=trial.rate, clip=trial.clip))
    state, norms, losses = network.state(0), [], []
    for i in range(steps):
        window, anew = batches(i)
        state = network.state(window.inputs.shape[1]) if anew else state
        weighted = network.learn(window, state, i) * window.weights
        losses.append(float(weighted.sum(dtype=np.float64)) / max(float(window.weights.sum(dtype=np.float64)), 1.0))
        norms.append(optimizer.step(trial.rate) if trial.update == "AdamW" else descend(network, optimizer, trial))
        if not (math.isfinite(norms[-1]) and math.isfinite(losses[-1])):
            break
    return Norms(trial, tuple(norms), tuple(losses))


def descend(network: Network, measure: AdamW, trial: Trial) -> float:
    """One plain step down the gradient, scaled to the norm `clip` where it is longer; gives the norm before."""
    norm = measure.gradient_norm()
    if math.isfinite(norm):
        scale = trial.clip / norm if 0 < trial.clip < norm else 1.0
        network.flat -= network.layout.dtype.type(trial.rate * scale) * network.gradient
        network.pack()
    return norm


def trials(clip: float, adamw_rate: float) -> Sequence[Trial]:
    """What is compared: each pair without and with clipping."""
    kinds: tuple[tuple[Update, float, float], ...] = (
        ("plain", PLAIN_RATE, 1.0),
        ("plain", PLAIN_RATE, STRETCHED),
        ("AdamW", adamw_rate, 1.0),
    )
    return [Trial(*kind, limit) for kind in kinds for limit in (0.0, clip)]
