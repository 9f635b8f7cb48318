"""How probable a text is under a network: log-probabilities token by token, many texts at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.batches import pack_documents
from gencli.codecs.codec import UNK, Codec, encode_documents
from gencli.config import DocumentMode
from gencli.documents import Document
from gencli.network import Network

Array = NDArray[Any]
ROWS, STEPS = 64, 64  # the window through which texts are read
AT_ONCE = 1024  # texts packed together


@dataclass(frozen=True)
class Score:
    """What a model thinks of one text; log-probabilities in nats."""

    text: str
    ids: Array = field(repr=False)  # (tokens,)
    logprobs: Array = field(repr=False)  # (tokens,) float64
    codec: Codec = field(repr=False)

    def __repr__(self) -> str:
        return (
            f"Score({self.text!r}, logprob={self.logprob:.4f}, tokens={self.tokens}, perplexity={self.perplexity:.4g})"
        )

    @property
    def logprob(self) -> float:
        """Log-probability of the whole text, <EOS> included where the model knows one."""
        return float(self.logprobs.sum())

    @property
    def tokens(self) -> int:
        """Tokens scored, <EOS> included."""
        return len(self.ids)

    @property
    def oov(self) -> int:
        """Tokens that the vocabulary lacks, scored as <UNK>."""
        return int((self.ids == UNK).sum())

    @property
    def characters(self) -> int:
        """Characters of the text; the end of the text is none."""
        return len(self.text)

    @property
    def nats_per_token(self) -> float:
        """Mean negative log-probability of a token."""
        return -self.logprob / max(self.tokens, 1)

    @property
    def perplexity(self) -> float:
        """exp(nats_per_token); infinite where that leaves the floating-point numbers."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 700 else math.inf

    @property
    def bits_per_character(self) -> float:
        """All the text's bits, those of <EOS> included, over its characters."""
        return -self.logprob / math.log(2) / max(self.characters, 1)

    @property
    def pieces(self) -> list[tuple[str, float]]:
        """(symbol, log-probability) of each token."""
        return [(self.codec.symbol(int(i)), float(p)) for i, p in zip(self.ids, self.logprobs, strict=True)]


def token_logprobs(network: Network, tokens: Any, rows: int = ROWS, steps: int = STEPS) -> Array:
    """The log-probability (N,) of each token of `tokens` (batches.Tokens), every document from its beginning."""
    out = np.zeros(len(tokens.ids))
    if len(tokens.ids) == 0:
        return out
    packed = pack_documents(tokens, min(rows, len(tokens.lengths)), steps, whole_documents=True)
    state = network.state(len(packed.bounds) - 1)
    for window in range(len(packed)):
        losses = network.losses(packed.batch(window), state)
        positions = packed.positions(window)
        real = positions >= 0
        out[positions[real]] = -losses[real].astype(np.float64)
    return out


def score_texts(network: Network, codec: Codec, texts: Sequence[str], mode: DocumentMode) -> list[Score]:
    """Scores in the order of the texts. A model of an endless stream knows no <EOS>, and none is scored."""
    tokens = encode_documents(codec, [Document(text) for text in texts], mode)
    logprobs = token_logprobs(network, tokens)
    ends = np.cumsum(tokens.lengths)[:-1]
    parts = zip(texts, np.split(tokens.ids, ends), np.split(logprobs, ends), strict=True)
    return [Score(text, ids, told, codec) for text, ids, told in parts] if texts else []


def score_stream(network: Network, codec: Codec, texts: Iterable[str], mode: DocumentMode) -> Iterator[Score]:
    """Scores of any number of texts, in bounded memory."""
    rest = iter(texts)
    while batch := list(islice(rest, AT_ONCE)):
        yield from score_texts(network, codec, batch, mode)


def next_tokens(network: Network, codec: Codec, text: str, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest tokens after a text, with their probabilities, likeliest first."""
    ids = codec.encode(text, eos=False)
    logits = network.read(ids, network.state(1))[-1].astype(np.float64)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:count]
    return [(codec.symbol(int(i)), float(shares[i])) for i in order]
