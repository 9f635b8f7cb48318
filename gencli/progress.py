"""Where a training run stands, and the records it hands out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

RECORD_SECONDS = 0.1  # between two records without news
SMOOTHING = 0.2  # the share of the newest record in the speed shown


@dataclass(frozen=True)
class Step:
    """One record of training; losses in nats a token."""

    step: int
    epoch: float  # passes over the training documents so far
    seconds: float  # since training began, compiling left out, earlier sittings of a resumed run included
    tokens: int  # learned from so far
    train_loss: float  # mean since the evaluation before at evaluations, else since the record before
    learning_rate: float
    gradient_norm: float  # before clipping by norm
    tokens_per_second: float  # lately, smoothed
    progress: float  # 0 ... 1, by which the learning rate is set
    valid_loss: float | None = None  # at evaluations
    samples: tuple[str, ...] = ()  # at some evaluations
    compile_seconds: float | None = None  # in the first record
    event: str | None = None  # something the user should know

    @property
    def seconds_left(self) -> float | None:
        """Until the end, if the rest goes as fast as what is done; None while nothing is."""
        return self.seconds * (1.0 - self.progress) / self.progress if self.progress > 0 else None


@dataclass(frozen=True)
class News:
    """What a record may hold beyond numbers."""

    valid_loss: float | None = None
    samples: tuple[str, ...] = ()
    event: str | None = None
    train_loss: float | None = None  # at evaluations: the mean since the one before


@dataclass
class Progress:
    """Where a run stands: with the arrays, everything that resuming needs. Plain JSON."""

    step: int = 0
    epoch: int = 0  # whole passes done
    window: int = 0  # of the pass under way
    tokens: int = 0
    seconds: float = 0.0
    rate_factor: float = 1.0  # halved by each recovery
    recoveries: int = 0
    best_loss: float | None = None
    stale: int = 0  # evaluations since the best
    loss_sum: float = 0.0  # since the last evaluation
    loss_weight: float = 0.0
    evaluations: int = 0
    sampled: float = 0.0  # the progress at which samples were last shown
    finished: bool = False
    history: list[dict[str, float | int | None]] = field(default_factory=list)


class Meter:
    """What has happened since the last record; `clock` gives the seconds of training so far."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.first = True
        self.rate = self.norm = self.loss = self.weight = 0.0
        self.mean_loss = math.nan
        self.speed = 0.0
        self.since = clock()

    def add(self, loss: float, weight: float, rate: float, norm: float) -> None:
        """Count one step: its summed loss in nats, its tokens, learning rate and gradient norm."""
        self.loss, self.weight = self.loss + loss, self.weight + weight
        self.rate, self.norm = rate, norm

    def due(self) -> bool:
        """Whether it is time for a record without news."""
        return self.weight > 0 and self.clock() - self.since > RECORD_SECONDS

    def record(self, progress: Progress, epoch: float, done: float, compile_seconds: float, news: News) -> Step:
        """The record; counting begins anew."""
        now = self.clock()
        if self.weight:
            self.mean_loss = self.loss / self.weight
            speed = self.weight / max(now - self.since, 1e-9)
            self.speed = speed if self.speed == 0 else self.speed + SMOOTHING * (speed - self.speed)
        mean = self.mean_loss if news.train_loss is None else news.train_loss
        counts = (progress.step, epoch, now, progress.tokens, mean, self.rate, self.norm, self.speed, done)
        compiled = compile_seconds if self.first else None
        self.loss = self.weight = 0.0
        self.first, self.since = False, now
        return Step(*counts, news.valid_loss, news.samples, compiled, news.event)
