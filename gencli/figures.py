"""What a model thinks of a text, or of many: sums of log-probabilities, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gencli.codecs.codec import UNK, Codec

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is summed over a text, or over many, and what follows from it; log-probabilities in nats.

    A mean over nothing (no token, no character) is NaN. Without `with_oov` unknown tokens are left out of everything
    but `oov` and `bits_per_character`, which is always that of the whole text.
    """

    documents: int = 0
    characters: int = 0  # of the text as it was given; <EOS> is none
    known_tokens: int = 0  # tokens of the vocabulary, <EOS> among them
    known_logprob: float = 0.0
    oov: int = 0  # tokens that the vocabulary lacks, scored as <UNK>
    oov_logprob: float = 0.0
    with_oov: bool = True

    def __add__(self, other: Figures) -> Figures:
        """The sums of both; unknown tokens count if they do in both."""
        return Figures(
            documents=self.documents + other.documents,
            characters=self.characters + other.characters,
            known_tokens=self.known_tokens + other.known_tokens,
            known_logprob=self.known_logprob + other.known_logprob,
            oov=self.oov + other.oov,
            oov_logprob=self.oov_logprob + other.oov_logprob,
            with_oov=self.with_oov and other.with_oov,
        )

    @property
    def logprob(self) -> float:
        """Log-probability of everything counted."""
        return self.known_logprob + self.oov_logprob if self.with_oov else self.known_logprob

    @property
    def tokens(self) -> int:
        """Tokens counted, <EOS> among them."""
        return self.known_tokens + self.oov if self.with_oov else self.known_tokens

    @property
    def nats_per_token(self) -> float:
        """Mean negative log-probability of a token."""
        return -self.logprob / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """exp(nats_per_token); infinite where that leaves the floating-point numbers."""
        return _exp(self.nats_per_token)

    @property
    def perplexity_without_oov(self) -> float:
        """The same over the tokens of the vocabulary alone; the unknown ones still stand before those that follow."""
        return _exp(-self.known_logprob / self.known_tokens if self.known_tokens else math.nan)

    @property
    def bits_per_character(self) -> float:
        """All bits, those of <EOS> and of unknown tokens included, over all characters.

        An unknown token costs what <UNK> does, not what it would to spell it: with many of them the figure flatters.
        """
        return -(self.known_logprob + self.oov_logprob) / math.log(2) / self.characters if self.characters else math.nan


def _exp(nats: float) -> float:
    """exp, infinite instead of an overflow."""
    return math.inf if nats >= 700 else math.exp(nats)


@dataclass(frozen=True, eq=False)
class Score(Figures):
    """What a model thinks of one text."""

    text: str
    ids: Array = field(repr=False)  # (tokens,)
    logprobs: Array = field(repr=False)  # (tokens,) float64
    codec: Codec = field(repr=False)

    @classmethod
    def of(
        cls, text: str, ids: Array, logprobs: Array, codec: Codec, characters: int | None = None, with_oov: bool = True
    ) -> Self:
        """The score that these log-probabilities make; `characters` are those of the text unless told otherwise."""
        unknown = ids == UNK
        oov = int(np.count_nonzero(unknown))
        return cls(
            text,
            ids,
            logprobs,
            codec,
            documents=1,
            characters=len(text) if characters is None else characters,
            known_tokens=len(ids) - oov,
            known_logprob=float((logprobs[~unknown] if oov else logprobs).sum()),
            oov=oov,
            oov_logprob=float(logprobs[unknown].sum()) if oov else 0.0,
            with_oov=with_oov,
        )

    def __repr__(self) -> str:
        return (
            f"Score({self.text!r}, logprob={self.logprob:.4f}, tokens={self.tokens}, perplexity={self.perplexity:.4g})"
        )

    @property
    def pieces(self) -> list[tuple[str, float]]:
        """(symbol, log-probability) of each token."""
        return [(self.codec.symbol(int(i)), float(p)) for i, p in zip(self.ids, self.logprobs, strict=True)]
