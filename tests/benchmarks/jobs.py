"""What is compared, and the data that all sides use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gencli.config import CellName

THREADS = 2
LEARNING_RATE = 1e-3
SAMPLED = 50  # tokens a stream in one run of a sampling job
LINES = 10_000
SQUARE = 2048  # rows and columns of the product whose speed counts as the machine's peak
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass(frozen=True)
class Job:
    """A task on a network: V symbols, L layers of H units, B rows, T steps; `halved`: products in bfloat16.

    The task `product` is one matrix product alone, of (B, H) with (H, V), T times.
    """

    task: Literal["train", "sample", "score", "product"]
    cell: CellName
    V: int
    H: int
    L: int
    B: int
    T: int = 1
    halved: bool = False
    threads: int = THREADS
    dropout: float = 0.0
    tied: bool = False  # vectors of H units, tied to the output; ids are then as frequent as words are
    cutoffs: tuple[int, ...] = ()  # of an adaptive softmax

    def __str__(self) -> str:
        if self.task == "product":
            return f"({self.B}, {self.H}) x ({self.H}, {self.V})"
        rows = f"B{self.B} T{self.T}" if self.task == "train" else f"streams {self.B}" if self.task == "sample" else ""
        kind = " adaptive" if self.cutoffs else ""
        return f"{self.cell.upper()} V{self.V} H{self.H} L{self.L} {rows}{kind}".rstrip()

    @property
    def flops(self) -> float:
        """Multiplications and additions that a token of training, or a whole product, cannot do without.

        Of a network's products that is forward, gradient of the input, gradient of the weights, for all but the first
        layer's input, which is a look-up.
        """
        if self.task == "product":
            return 2.0 * self.B * self.H * self.V * self.T
        return 6.0 * (GATES[self.cell] * self.H * self.H * (2 * self.L - 1) + self.H * self.V)


LSTM_64 = Job("train", "lstm", 27, 64, 1, 32, 32)
LSTM_128 = Job("train", "lstm", 65, 128, 2, 50, 50)
LSTM_256 = Job("train", "lstm", 65, 256, 2, 64, 64)
LSTM_512 = Job("train", "lstm", 65, 512, 2, 64, 64)
GRU_256 = replace(LSTM_256, cell="gru")
RNN_256 = replace(LSTM_256, cell="rnn")
TRAINING = (LSTM_64, LSTM_128, LSTM_256, LSTM_512, GRU_256, RNN_256)
# The size of the Brown corpus's vocabulary of words seen three times or more, and the cutoffs chosen for it.
FULL_WORDS = Job("train", "lstm", 17_715, 256, 1, 32, 35, tied=True)
ADAPTIVE_WORDS = replace(FULL_WORDS, cutoffs=(1_941, 6_199))
ONE_STREAM_64 = Job("sample", "lstm", 65, 64, 1, 1)
ONE_STREAM = Job("sample", "lstm", 65, 256, 2, 1)
MANY_STREAMS = replace(ONE_STREAM, B=256)
SAMPLING = (ONE_STREAM_64, ONE_STREAM, MANY_STREAMS)
SCORING = (Job("score", "lstm", 65, 128, 1, 64), Job("score", "lstm", 65, 256, 2, 64))
# One time step's recurrent product of LSTMs of 256 and 512 units, over 32 rows: what one of two threads works on.
STEPWISE = (
    Job("product", "lstm", 1024, 256, 1, 32, 64, threads=1),
    Job("product", "lstm", 2048, 512, 1, 32, 64, threads=1),
)


def ids(job: Job) -> Any:
    """Two windows (2, T, B) of ids: inputs and targets; words by Zipf's law, symbols evenly."""
    rng = np.random.default_rng(0)
    shares = 1 / (np.arange(job.V) + 3.0) if job.tied else np.ones(job.V)
    return rng.choice(job.V, (2, job.T, job.B), p=shares / shares.sum()).astype(np.int32)


def lines(V: int) -> list[Any]:
    """LINES lines of 5 to 60 random symbols."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, V, n) for n in rng.integers(5, 61, LINES)]
