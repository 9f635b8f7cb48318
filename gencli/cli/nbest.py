"""`gencli score --nbest`: the hypotheses of a recogniser or translator, ranked anew within each id."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gencli.cli.texts import Entry
from gencli.errors import CorpusError

if TYPE_CHECKING:
    from gencli.figures import Figures

FORMS = "id<TAB>text or id<TAB>score<TAB>text"


class NbestParser:
    """Lines to hypotheses. The first line decides which of the two forms all have; nothing is guessed.

    CorpusError, naming the line, where one has another form, or where an id comes back after others.
    """

    def __init__(self) -> None:
        self._columns = 0  # of the first line
        self._id: str | None = None
        self._ended: set[str] = set()

    def parse(self, entry: Entry) -> Entry:
        """The hypothesis that a line holds: its text, id and score."""
        cells = entry.text.split("\t")
        fault = self._fault(entry.text, cells)
        if fault is not None:
            raise CorpusError(f"{entry.place}: {fault}")
        self._columns = len(cells)
        if cells[0] != self._id:
            if self._id is not None:
                self._ended.add(self._id)
            self._id = cells[0]
        score = number_in(cells[1]) if len(cells) == 3 else None
        return entry._replace(text=cells[-1], id=cells[0], score=score)

    def _fault(self, line: str, cells: list[str]) -> str | None:
        """What is wrong with a line, and what to do; None where nothing is."""
        count = len(cells)
        if not line.strip():
            return f"an empty line; each line is {FORMS}"
        if count == 1:
            return f"no tab in it; each line is {FORMS}, an id is never guessed"
        if count > 3:
            return f"{count} columns; each line is {FORMS}, without tabs in the text"
        if self._columns not in (0, count):
            return f"{count} columns, where the lines before have {self._columns}; give every line a score, or none"
        if not cells[0].strip():
            return f"no id before its first tab; each line is {FORMS}"
        if count == 3 and number_in(cells[1]) is None:
            return f"{cells[1]!r} between the tabs is no number; each line is {FORMS}, without tabs in the text"
        if cells[0] in self._ended:
            return f"id {cells[0]!r} again after others; put the lines of an id together, such as with sort -s -k 1,1"
        return None


def number_in(cell: str) -> float | None:
    """The finite number that a cell holds; None where it holds none. What Python alone reads as one, 1_0, is none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


@dataclass(frozen=True)
class Ranked:
    """A hypothesis with its place among those of its id."""

    entry: Entry
    figures: Figures
    words: int
    combined: float
    rank: int = 1
    margin: float = 0.0  # to the best of its id; 0 or below


@dataclass
class Reranker:
    """Collects hypotheses and gives back those of an id, the best first, when the next id begins.

    combined = score (0 where the list has none) + lm_weight * log-probability + word_bonus * words parted by blanks;
    equals keep their order, `top` of them are kept. `scale` is that of the log-probabilities, from nats.
    """

    lm_weight: float
    word_bonus: float
    top: int | None
    scale: float
    _waiting: list[Ranked] = field(default_factory=list)

    def add(self, entry: Entry, figures: Figures) -> list[Ranked]:
        """Take one more hypothesis; gives the ranking of the id before it if that has ended, else nothing."""
        ended = self.end() if self._waiting and self._waiting[0].entry.id != entry.id else []
        words = len(entry.text.split())
        combined = (entry.score or 0.0) + self.lm_weight * figures.logprob * self.scale + self.word_bonus * words
        self._waiting.append(Ranked(entry, figures, words, combined))
        return ended

    def end(self) -> list[Ranked]:
        """The ranking of the last id; nothing where there was none."""
        ordered = sorted(self._waiting, key=lambda each: -each.combined)
        self._waiting = []
        return list(_placed(ordered[: self.top]))


def _placed(ordered: Iterable[Ranked]) -> Iterator[Ranked]:
    """The hypotheses of an id with their ranks and margins."""
    best: float | None = None
    for rank, each in enumerate(ordered, 1):
        best = each.combined if best is None else best
        yield Ranked(each.entry, each.figures, each.words, each.combined, rank, each.combined - best)
