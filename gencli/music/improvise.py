"""Writing tunes under a grammar, and telling how probable given ones are. V ids, T steps, B rows, one tune a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gencli.config import SampleConfig
from gencli.music.course import Phase
from gencli.music.grammar import Grammar
from gencli.music.lead_sheet import LeadSheet
from gencli.music.lean import log_sum
from gencli.music.splicing import as_asked
from gencli.music.vocabulary import Kind, Vocabulary

Array = NDArray[Any]
STEPS = 64  # of a window through which given tokens are read
_USE = 0x30  # keeps these random numbers apart from those of other uses of the same seed


class Reader(Protocol):
    """What is asked of a network; network.Network is one."""

    def state(self, rows: int) -> Any:
        """The state before a tune, of `rows` tunes side by side."""

    def logits(self, inputs: Array, starts: Array, side: Array, state: Any) -> Array:
        """(T, B, V or wider) for inputs (T, B), starts (T, B) and side ids (F, T, B); `state` moves on."""


@dataclass(frozen=True)
class Scored:
    """A tune's tokens and their log-probabilities in nats: of the model as it is, and renormalised over legal ids.

    `allowed` is -inf where the grammar forbids a token, and 0 where it leaves no other.
    """

    vocabulary: Vocabulary
    ids: Array  # (N,)
    raw: Array  # (N,) float64
    allowed: Array  # (N,) float64

    @property
    def melody(self) -> Array:
        """(N,) bool: events and durations, which is all that a score given the chords counts."""
        kinds = (Kind.PITCH, Kind.REST, Kind.HOLD, Kind.UNKNOWN, Kind.DURATION)
        return np.isin(self.vocabulary.kinds[self.ids], kinds)

    @property
    def notes(self) -> int:
        """Notes that begin."""
        return int(np.isin(self.vocabulary.kinds[self.ids], (Kind.PITCH, Kind.UNKNOWN)).sum())

    @property
    def bars(self) -> Array:
        """(N,) the bar of each token, from 0 on; -1 before the first. What stands before BAR is of the bar before."""
        return np.cumsum(self.vocabulary.kinds[self.ids] == Kind.BAR) - 1


def improvise(
    reader: Reader,
    grammar: Grammar,
    config: SampleConfig,
    indices: Sequence[int],
    primer: Sequence[int] | Array = (),
    bars: int | None = None,
) -> list[Scored]:
    """The seed's tunes of these numbers: each depends on its number alone, not on the others.

    They begin with the ids of `primer`, which has no <EOS> and is scored like the rest; with `bars` they end after so
    many bars, else with the form. Of the config only temperature, top_k, top_p and seed count: what the grammar forbids
    is taken away first, the temperature applies to what is left.
    """
    rows = [_Row(grammar, [int(index) for index in primer]) for _ in indices]
    streams = [np.random.PCG64([_USE, config.seed, index]) for index in indices]
    state = reader.state(len(rows))
    _read(reader, rows, state, len(primer))
    while active := [n for n, row in enumerate(rows) if not row.ended(bars)]:
        logits = _step(reader, rows, state)
        for n in active:
            uniform = float(int(streams[n].random_raw()) >> 11) * 2.0**-53
            rows[n].draw(logits[n], config, uniform)
    return [row.scored() for row in rows]


def score_tunes(reader: Reader, tunes: Sequence[tuple[Grammar, Array]], begin: int = 0) -> list[Scored]:
    """The log-probabilities of given tunes under their grammars, all of one vocabulary; nothing is drawn.

    Where changes are known in advance is for the grammar's form to say. The first `begin` tokens of each are read
    without a look at what the grammar allows (`allowed` is NaN there), which is quicker.
    """
    rows = [_Row(grammar, ids.tolist()) for grammar, ids in tunes]
    if rows:
        _read(reader, rows, reader.state(len(rows)), max(len(ids) for _, ids in tunes), begin)
    return [row.scored() for row in rows]


def write_tunes(
    reader: Reader,
    grammar: Grammar,
    config: SampleConfig,
    indices: Sequence[int],
    primer: LeadSheet | None = None,
) -> list[tuple[LeadSheet, Scored]]:
    """As `improvise`, and what was written as sheets, in the very meters, chords, tempo and swing of the form.

    The form of a grammar for a primer is form.continued.
    """
    words = grammar.vocabulary
    scored = improvise(reader, grammar, config, indices, () if primer is None else words.encode(primer))
    return [(as_asked(words.decode(tune.ids), grammar.form, primer), tune) for tune in scored]


class _Row:
    """One tune under way: what was told or drawn so far, and its place in the grammar."""

    def __init__(self, grammar: Grammar, ids: list[int]) -> None:
        self.grammar, self.ids = grammar, ids
        self.place = grammar.start()
        self.raw: list[float] = []
        self.allowed: list[float] = []

    def ended(self, bars: int | None) -> bool:
        """Whether the tune is over, or has so many bars."""
        phase = self.place.phase
        return phase == Phase.DONE or (bars is not None and phase == Phase.BARLINE and self.place.bars >= bars)

    def tell(self, logits: Array, judged: bool = True) -> None:
        """Score the next token of `ids` under logits (V,) and move on; unless `judged` the grammar is not asked."""
        logits = self.grammar.leaned(self.place, logits)
        self._score(logits, np.flatnonzero(self.grammar.allowed(self.place)) if judged else None)

    def draw(self, logits: Array, config: SampleConfig, uniform: float) -> None:
        """Draw the next token from logits (V,) and move on."""
        logits = self.grammar.leaned(self.place, logits)
        legal = np.flatnonzero(self.grammar.allowed(self.place))
        self.ids.append(int(legal[0] if len(legal) == 1 else legal[pick(logits[legal], config, uniform)]))
        self._score(logits, legal)

    def _score(self, logits: Array, legal: Array | None) -> None:
        """Note the log-probabilities of the token at this place, of all ids and of the legal ones; move on."""
        index = self.ids[len(self.raw)]
        self.raw.append(float(logits[index] - log_sum(logits)))
        if legal is None:
            self.allowed.append(np.nan)
        elif len(legal) > 1 and index in legal:
            self.allowed.append(float(logits[index] - log_sum(logits[legal])))
        else:
            self.allowed.append(0.0 if index in legal else -np.inf)
        self.grammar.advance(self.place, index)

    def scored(self) -> Scored:
        return Scored(self.grammar.vocabulary, np.array(self.ids, np.int32), np.array(self.raw), np.array(self.allowed))


def pick(logits: Array, config: SampleConfig, uniform: float) -> int:
    """A place in logits (n,): drawn as kernels/pick.py does, from softmax(logits / temperature), kept to the top_k
    likeliest and the top_p share of those; temperature 0 takes the likeliest. Ties go to the lower place.
    """
    if config.temperature == 0:
        return int(np.argmax(logits))
    with np.errstate(over="ignore"):  # at a tiny temperature all but the likeliest go to -inf, which is right
        weights = np.exp((logits - logits.max()) / config.temperature)
    count = min(config.top_k or len(weights), len(weights))
    if count < len(weights) or config.top_p < 1.0:
        order = np.argsort(-weights, kind="stable")[:count]
        sums = np.cumsum(weights[order])
        kept = order[: int(np.searchsorted(sums, config.top_p * sums[-1])) + 1]
        weights = np.where(np.isin(np.arange(len(weights)), kept), weights, 0.0)
    sums = np.cumsum(weights)
    return min(int(np.searchsorted(sums, uniform * sums[-1], side="right")), int(np.flatnonzero(weights)[-1]))


def _step(reader: Reader, rows: Sequence[_Row], state: Any) -> Array:
    """Logits (B, V) of every row's next token; rows that have ended read their last token again."""
    size = len(rows[0].grammar.vocabulary)
    inputs = np.array([[row.ids[-1] if row.raw else 0 for row in rows]], np.int32)
    starts = np.array([[not row.raw for row in rows]])
    side = np.stack([row.grammar.side(row.place) for row in rows], axis=1)[:, None]
    return reader.logits(inputs, starts, side, state)[0, :, :size].astype(np.float64)


def _read(reader: Reader, rows: Sequence[_Row], state: Any, count: int, begin: int = 0) -> None:
    """Score the first `count` tokens of every row (all of a shorter one) in windows of STEPS."""
    size = len(rows[0].grammar.vocabulary) if rows else 0
    for first in range(0, count, STEPS):
        steps = range(first, min(first + STEPS, count))
        inputs, starts, side = _window(rows, steps)
        logits = reader.logits(inputs, starts, side, state)[:, :, :size]
        for n, row in enumerate(rows):
            for t, _ in enumerate(steps[: max(len(row.ids) - first, 0)]):
                row.tell(logits[t, n].astype(np.float64), judged=first + t >= begin)


def _window(rows: Sequence[_Row], steps: range) -> tuple[Array, Array, Array]:
    """Inputs (T, B), starts (T, B) and side ids (F, T, B) of given tokens; zeros after a row's end."""
    T, B = len(steps), len(rows)
    inputs, starts = np.zeros((T, B), np.int32), np.zeros((T, B), np.bool_)
    starts[0] = steps[0] == 0
    side = np.zeros((len(rows[0].grammar.side(rows[0].place)), T, B), np.int32)
    for n, row in enumerate(rows):
        place = row.place.copy()
        for t, step in enumerate(steps[: max(len(row.ids) - steps[0], 0)]):
            inputs[t, n] = row.ids[step - 1] if step else 0
            side[:, t, n] = row.grammar.side(place)
            row.grammar.advance(place, row.ids[step])
    return inputs, starts, side
