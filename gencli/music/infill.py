"""What may stand between two phrases: many middles are written after the first, and those that lead into the second
best are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gencli.config import SampleConfig, check
from gencli.music.changes import ascending
from gencli.music.form import STRUCTURE, Form, Rules, form_of, lay_bars
from gencli.music.grammar import Grammar
from gencli.music.improvise import Reader, improvise, score_tunes
from gencli.music.lead_sheet import Change, LeadSheet
from gencli.music.splicing import as_asked, first_bars, joined, moved
from gencli.music.vocabulary import Vocabulary


@dataclass(frozen=True)
class Joint:
    """Two phrases with a middle. Log-probabilities in nats, renormalised over what the grammar allows."""

    sheet: LeadSheet  # all three
    index: int  # which of the seed's middles
    middle: float  # log p(middle | first phrase)
    following: float  # log p(the next bars of the second phrase | first phrase, middle)

    @property
    def logprob(self) -> float:
        """What middles are ranked by."""
        return self.middle + self.following


def infill(
    reader: Reader,
    vocabulary: Vocabulary,
    phrases: tuple[LeadSheet, LeadSheet],
    bars: int,
    config: SampleConfig,
    rules: Rules | None = None,
    changes: Sequence[Change] | None = None,
    candidates: int = 32,
    look: int = 4,
) -> list[Joint]:
    """The phrases joined by middles of so many bars, in the meter in which the first ends; the likeliest first.

    `changes` are those of the middle, from its first tick on; without them the model writes its own. `look` bars of the
    second phrase count. OptionError for an empty phrase or impossible numbers.
    """
    first, second = phrases
    check(bool(first.bars and second.bars), "--infill: a phrase without a bar")
    check(1 <= bars <= 256 and candidates >= 1 and look >= 1, f"--bars {bars}: must lie between 1 and 256")
    form = _form(first, second, bars, changes)
    primer = vocabulary.encode(first)
    grammar = Grammar(vocabulary, form, rules or Rules())
    end = len(first.bars) + bars
    takes = improvise(reader, grammar, config, range(candidates), primer, end)
    sheets = [joined(as_asked(vocabulary.decode(take.ids), form, first), second) for take in takes]
    heard = replace(form, layout=form.layout and form.layout[: end + look])
    judge = Grammar(vocabulary, heard, replace(STRUCTURE, lean=grammar.rules.lean))  # the second phrase is what it is
    parts = [(judge, vocabulary.encode(first_bars(sheet, end + look))) for sheet in sheets]
    following = score_tunes(reader, parts, min(len(take.ids) for take in takes))
    joints = [
        Joint(sheet, index, float(take.allowed[len(primer) :].sum()), float(after.allowed[len(take.ids) :].sum()))
        for index, (sheet, take, after) in enumerate(zip(sheets, takes, following, strict=True))
    ]
    return sorted(joints, key=lambda joint: -joint.logprob)


def _form(first: LeadSheet, second: LeadSheet, bars: int, changes: Sequence[Change] | None) -> Form:
    """The form of all three parts."""
    middle = lay_bars(bars, first.bars[-1].meter, start=first.length)
    after = moved(second, middle[-1].start + middle[-1].length)
    told = None
    if changes is not None:
        given = [Change(first.length + change.start, change.chord) for change in changes]
        told = ascending([*first.changes, *given, *after.changes])
    return replace(form_of(first), layout=(*first.bars, *middle, *after.bars), changes=told)
