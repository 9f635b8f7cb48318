"""How probable texts are under a network: token by token, many side by side, or each going on from the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapreplace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.batches import Batch
from gencli.codecs.codec import Codec, Tokens, encode_documents
from gencli.config import DocumentMode
from gencli.documents import Document
from gencli.figures import Figures, Score
from gencli.network import Network
from gencli.recent import RecentTokens

__all__ = ["Figures", "Passage", "Score", "Scorer", "grouped", "next_tokens", "token_logprobs"]

Array = NDArray[Any]
ROWS, STEPS = 64, 64  # the window through which texts are read side by side
RUNNING_STEPS = 256  # that of a single text: fewer, longer windows; and the tokens between two batches of its scores
AT_ONCE = 1024  # texts asked for before the first of them is scored
LETTERS = 1 << 20  # the same in characters


class SideBySide:
    """Documents laid into B rows, each from its beginning in the row that is free first, so that early ones end early.

    No more rows than would be filled if the longest document were one: what is short waits for no line of 1 MB.
    """

    def __init__(self, tokens: Tokens, rows: int, steps: int) -> None:
        self.tokens, self.steps = tokens, steps
        lengths, count = tokens.lengths, len(tokens.ids)
        self.rows = max(1, min(rows, len(lengths), count // max(int(lengths.max(initial=0)), 1)))
        free = [(0, row) for row in range(self.rows)]  # a heap: where each row's next document would begin
        places = []
        for length in lengths.tolist():
            places.append(free[0])
            heapreplace(free, (free[0][0] + length, free[0][1]))
        begins, row = np.array(places, np.int64).reshape(-1, 2).T  # (D,) each
        shift = begins - (np.cumsum(lengths) - lengths)
        self._index = np.full((max(free)[0], self.rows), -1)  # (S, B) the place in ids of each step's target
        self._index[np.repeat(shift, lengths) + np.arange(count), np.repeat(row, lengths)] = np.arange(count)
        self._starts = self._index < 0  # so that the state of a row that has ended stays zero
        self._starts[begins[lengths > 0], row[lengths > 0]] = True
        self._done = np.maximum.accumulate(begins + lengths)  # (D,) steps after which a document and all before end

    def read(self, network: Network, out: Array) -> Iterator[int]:
        """Fill `out` (N,) with the tokens' log-probabilities; gives after each window how many first documents are."""
        ids, state = self.tokens.ids, network.state(self.rows)
        for begin in range(0, len(self._index), self.steps):
            window = slice(begin, begin + self.steps)
            index, starts = self._index[window], self._starts[window]  # (T, B) each
            real = index >= 0
            inputs = np.where(starts, np.int32(0), ids[index - 1])
            targets = np.where(real, ids[index], np.int32(0))
            side = np.where(real, self.tokens.side[:, index], np.int32(0))
            losses = network.losses(Batch(inputs, targets, starts, real.astype(np.float32), side), state)
            out[index[real]] = -losses[real].astype(np.float64)
            yield int(np.searchsorted(self._done, begin + len(index), side="right"))
        yield len(self.tokens.lengths)


def token_logprobs(network: Network, tokens: Tokens, rows: int = ROWS, steps: int = STEPS) -> Array:
    """The log-probability (N,) of each token of `tokens`, every document from its beginning."""
    out = np.zeros(len(tokens.ids))
    for _ in SideBySide(tokens, rows, steps).read(network, out):
        pass
    return out


class Passage:
    """One document read piece by piece, the state carried from piece to piece."""

    def __init__(self, network: Network) -> None:
        self.network, self.state = network, network.state(1)
        self._last: int | None = None  # the token read last; None at the document's beginning

    def _batch(self, targets: Array) -> Batch:
        """One row (T, 1) whose targets these are; the first input is the token before them."""
        starts = np.zeros((len(targets), 1), np.bool_)
        starts[0] = self._last is None
        inputs = np.concatenate([np.array([self._last or 0], np.int32), targets[:-1]])[:, None]
        side = np.zeros((0, len(targets), 1), np.int32)
        return Batch(inputs, targets[:, None], starts, np.ones((len(targets), 1), np.float32), side)

    def logprobs(self, ids: Array) -> Array:
        """The log-probability (N,) of each of the document's next tokens (N,), which are read thereby."""
        out = np.zeros(len(ids))
        for begin in range(0, len(ids), RUNNING_STEPS):
            part = ids[begin : begin + RUNNING_STEPS]
            out[begin : begin + len(part)] = -self.network.losses(self._batch(part), self.state)[:, 0]
            self._last = int(part[-1])
        return out

    def read(self, tokens: Tokens, out: Array) -> Iterator[int]:
        """Fill `out` (N,) with the log-probabilities of documents that go on from one another; as SideBySide.read."""
        begin = end = 0
        for count, length in enumerate(tokens.lengths.tolist(), 1):
            end += length
            if end - begin >= RUNNING_STEPS or count == len(tokens.lengths):
                out[begin:end] = self.logprobs(tokens.ids[begin:end])
                begin = end
                yield count

    def following(self) -> Array:
        """The probability (V,) of every token as the next one, float64."""
        batch = self._batch(np.zeros(1, np.int32))
        logits = self.network.logits(batch.inputs, batch.starts, batch.side, self.state.copy())[0, 0]
        told = logits[: self.network.config.vocabulary_size].astype(np.float64)
        shares: Array = np.exp(told - told.max())
        shares /= shares.sum()
        return shares


class Scorer:
    """Scores texts in their order, batch by batch; what a text scores depends on nothing else in its batch.

    `eos`: whether the end of a text is scored, where the model knows one; a model of an endless stream does not.
    `carry_state`: the texts are lines of one document; each goes on from the one before. A line then ends in what the
    model learned to stand there: <EOS> where its documents are lines, otherwise a line end, which counts as a token
    and as a character. Without `eos` ends are read, but not scored.
    `with_oov`: whether the scores count unknown tokens. `cache`: whether tokens of the texts before make their like
    more probable; then a score depends on all that was scored before.
    """

    def __init__(
        self,
        network: Network,
        codec: Codec,
        mode: DocumentMode,
        *,
        eos: bool = True,
        carry_state: bool = False,
        with_oov: bool = True,
        cache: bool = False,
    ) -> None:
        self.cache = RecentTokens(network.config.vocabulary_size) if cache else None
        self.network, self.codec, self.eos, self.with_oov = network, codec, eos, with_oov
        self.passage = Passage(network) if carry_state else None
        self.ending = "\n" if carry_state and mode != "line" else ""
        # For a running text the end is read even where it is not scored: what follows depends on it.
        self.mode: DocumentMode = "stream" if self.ending or not (eos or carry_state) else mode

    @property
    def scores_ends(self) -> bool:
        """Whether the end of a text is among what is scored."""
        return self.mode != "stream" if self.passage is None else self.eos

    def unknown(self, text: str) -> list[str]:
        """The distinct symbols of a text, the end of a running text's line included, that the vocabulary lacks."""
        return self.codec.unknown(text + self.ending)

    def batches(self, texts: Sequence[str]) -> Iterator[list[Score]]:
        """The scores of the texts in their order, each batch as soon as it is there."""
        tokens = encode_documents(self.codec, [Document(text + self.ending) for text in texts], self.mode)
        bounds = [0, *accumulate(tokens.lengths.tolist())]
        logprobs = np.zeros(len(tokens.ids))
        if self.passage is None:
            progress = SideBySide(tokens, ROWS, STEPS).read(self.network, logprobs)
        else:
            progress = self.passage.read(tokens, logprobs)
        first = 0
        for last in progress:
            parts = [(texts[i], slice(bounds[i], bounds[i + 1])) for i in range(first, last)]
            if self.cache is not None:
                for _, part in parts:
                    logprobs[part] = self.cache.mix(tokens.ids[part], logprobs[part])
            if parts:
                yield [self._score(text, tokens.ids[part], logprobs[part]) for text, part in parts]
            first = last

    def _score(self, text: str, ids: Array, logprobs: Array) -> Score:
        """The score of a text whose tokens, the end of a running text's line among them, are these."""
        characters = len(text) + len(self.ending)
        if self.passage is not None and not self.eos:
            characters = len(text)
            count = len(self.codec.encode(text, eos=False)) if self.ending else len(ids) - 1
            ids, logprobs = ids[:count], logprobs[:count]
        return Score.of(text, ids, logprobs, self.codec, characters, self.with_oov)


def grouped(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists of bounded size."""
    group: list[str] = []
    letters = 0
    for text in texts:
        group.append(text)
        letters += len(text)
        if len(group) == AT_ONCE or letters >= LETTERS:
            yield group
            group, letters = [], 0
    if group:
        yield group


def next_tokens(network: Network, codec: Codec, text: str, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest tokens after a text, with their probabilities, likeliest first.

    Where unknown symbols of a prompt are kept, the text is read as a prompt is: without the space that a word brings.
    """
    passage = Passage(network)
    passage.logprobs(codec.encode(codec.opening(text) if codec.keeps_unknown else text, eos=False))
    shares = passage.following()
    order = np.argsort(-shares, kind="stable")[:count]
    return [(codec.symbol(int(i)), float(shares[i])) for i in order]
