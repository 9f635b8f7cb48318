"""The scores of many texts as one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gencli.scoring import Score


@dataclass
class Totals:
    """Sums over scores, with the means of a Score over all of them together; log-probability in nats."""

    documents: int = 0
    logprob: float = 0.0
    tokens: int = 0
    oov: int = 0
    characters: int = 0

    def add(self, score: Score) -> None:
        """Count one more text."""
        self.documents += 1
        self.logprob += score.logprob
        self.tokens += score.tokens
        self.oov += score.oov
        self.characters += score.characters

    @property
    def nats_per_token(self) -> float:
        """Mean negative log-probability of a token; 0 without tokens."""
        return -self.logprob / max(self.tokens, 1)

    @property
    def perplexity(self) -> float:
        """exp(nats_per_token); infinite where that leaves the floating-point numbers."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 700 else math.inf

    @property
    def bits_per_character(self) -> float:
        """All bits, those of the ends of texts included, over the characters; 0 without characters."""
        return -self.logprob / math.log(2) / max(self.characters, 1)
