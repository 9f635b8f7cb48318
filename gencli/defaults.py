"""Settings by the size of the text, and the evidence for them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gencli.config import Level, PresetName


@dataclass(frozen=True)
class Defaults:
    """Settings by the number of training tokens; the first row that holds the corpus applies."""

    tokens: float  # up to this many
    hidden_size: int
    layers: int
    dropout: float
    batch_size: int
    seq_length: int
    epochs: float
    lr: float
    input_dropout: float = 0.0
    weight_decay: float = 0.01
    average: float = 0.0


# Chosen on the bundled corpora and tiny Shakespeare by validation loss and time on two cores.
TABLE = (
    Defaults(3_000, 128, 1, 0.6, 16, 32, 60, 0.005),
    Defaults(60_000, 256, 1, 0.7, 8, 32, 12, 0.02),
    Defaults(400_000, 192, 1, 0.3, 32, 48, 20, 0.004),
    Defaults(3_000_000, 256, 2, 0.3, 64, 64, 8, 0.003),
    Defaults(math.inf, 384, 2, 0.1, 64, 96, 3, 0.002),
)
# The same for words, chosen on the bundled tales, tiny Shakespeare and the Brown corpus.
WORD_TABLE = (
    Defaults(60_000, 256, 1, 0.7, 8, 32, 18, 0.01, 0.4),
    Defaults(400_000, 256, 1, 0.6, 16, 32, 12, 0.006, 0.3),
    Defaults(3_000_000, 256, 1, 0.5, 32, 35, 8, 0.004, 0.2),
    Defaults(math.inf, 512, 1, 0.3, 64, 48, 3, 0.003, 0.1),
)
# The same for tunes, chosen on the bundled ones.
MUSIC_TABLE = (
    Defaults(60_000, 192, 1, 0.4, 16, 64, 120, 0.005),
    Defaults(1_000_000, 192, 2, 0.3, 32, 64, 20, 0.004),
    Defaults(math.inf, 256, 2, 0.2, 64, 64, 8, 0.003),
)
TABLES = {"char": TABLE, "word": WORD_TABLE, "music": MUSIC_TABLE}
SMALL_VOCABULARY = 4096  # up to here one softmax over all words costs little
HEAD_SHARES = (0.82, 0.93)  # of the training text: what the head, and the head with the first tail, cover


def defaults_for(level: Level, tokens: int, minutes: float | None = None, preset: PresetName = "medium") -> Defaults:
    """The row of the level's table that holds a corpus of so many tokens."""
    return next(row for row in TABLES[level] if tokens <= row.tokens)
