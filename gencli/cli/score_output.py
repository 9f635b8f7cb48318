"""How the answers of `gencli score` look: columns, JSON, ranks, totals, continuations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from gencli.cli.metrics import json_line
from gencli.cli.texts import Entry

if TYPE_CHECKING:
    from gencli.cli.nbest import Ranked, Reranker
    from gencli.display import PlainConsole
    from gencli.figures import Figures, Score
    from gencli.model import Model

NATS = {"e": 1.0, "2": 1 / math.log(2), "10": 1 / math.log(10)}  # one nat in the unit of each base
NAMES = ("tokens", "oov", "nats_per_token", "perplexity", "perplexity_without_oov", "bits_per_character")
ID_WIDTH = 16  # columns of a terminal
Scored = tuple[Entry, "Score"]


@dataclass(frozen=True)
class Shown:
    """How answers are to be shown."""

    scale: float  # from nats to the unit wanted
    as_json: bool
    per_token: bool
    console: PlainConsole
    aligned: bool  # a person reads along
    coloured: bool  # colours can stand for numbers


@contextmanager
def written_together() -> Iterator[list[str]]:
    """A list of lines; what is in it is written and flushed at the end, also where an error ends it early."""
    lines: list[str] = []
    try:
        yield lines
    finally:
        if lines:
            typer.echo("\n".join(lines))


def label_of(entry: Entry) -> str:
    """What stands in the text column."""
    from gencli.display_tables import escaped

    return escaped(entry.text if entry.label is None else entry.label)


def figures_of(figures: Figures, shown: Shown) -> dict[str, Any]:
    """The figures of a text, or of many, by their names in JSON."""
    return {"logprob": figures.logprob * shown.scale, **{name: getattr(figures, name) for name in NAMES}}


def show_scores(batches: Iterable[Iterable[Scored]], shown: Shown) -> None:
    """A line for each text, in their order, batch by batch."""
    from gencli.display_tables import COLUMNS, score_row, surprise_legend, surprise_text

    if shown.aligned and not shown.as_json:
        if not shown.per_token:
            typer.echo(score_row(COLUMNS, aligned=True))
        elif shown.coloured:
            shown.console.print(surprise_legend())
    for batch in batches:
        with written_together() as lines:
            for entry, score in batch:
                if shown.per_token and shown.coloured and not shown.as_json:
                    shown.console.print(surprise_text(score.pieces, shown.scale), soft_wrap=True)
                else:
                    lines.append(line_of(entry, score, shown))


def line_of(entry: Entry, score: Score, shown: Shown) -> str:
    """One text's answer."""
    from gencli.display_tables import score_cells, score_row

    if not (shown.as_json or shown.per_token):
        return score_row(score_cells(score, label_of(entry), shown.scale), shown.aligned)
    pieces = [(symbol, logprob * shown.scale) for symbol, logprob in score.pieces] if shown.per_token else []
    if not shown.as_json:
        return "\t".join(f"{symbol}/{logprob:.4f}" for symbol, logprob in pieces)
    record = {"text": entry.text, **figures_of(score, shown)}
    return json_line({**record, "per_token": pieces} if shown.per_token else record)


def show_ranked(batches: Iterable[Iterable[Scored]], shown: Shown) -> None:
    """All texts, the likeliest first, with what each lacks to the best; equals keep their order."""
    from gencli.display_tables import COLUMNS, number, score_cells, score_row
    from gencli.figures import Figures

    kept = [(entry, Figures() + score) for batch in batches for entry, score in batch]  # tokens are let go
    kept.sort(key=lambda each: -each[1].logprob)
    if kept and shown.aligned and not shown.as_json:
        typer.echo(score_row([COLUMNS[0], "margin", *COLUMNS[1:]], aligned=True))
    for entry, figures in kept:
        margin = (figures.logprob - kept[0][1].logprob) * shown.scale
        if shown.as_json:
            typer.echo(json_line({"text": entry.text, **figures_of(figures, shown), "margin": margin}))
        else:
            cells = score_cells(figures, label_of(entry), shown.scale)
            typer.echo(score_row([cells[0], number(margin), *cells[1:]], shown.aligned))


def show_reranked(batches: Iterable[Iterable[Scored]], reranker: Reranker, shown: Shown) -> None:
    """The hypotheses of each id, the best first, as soon as the next id begins: id, combined score, text."""
    if shown.aligned and not shown.as_json:
        typer.echo(f"{'id':<{ID_WIDTH}}{'combined':>12}{'margin':>12}{'logprob':>12}  text")
    for batch in batches:
        with written_together() as lines:
            for entry, score in batch:
                lines += [ranked_line(each, shown) for each in reranker.add(entry, score)]
    with written_together() as lines:
        lines += [ranked_line(each, shown) for each in reranker.end()]


def ranked_line(ranked: Ranked, shown: Shown) -> str:
    """One hypothesis; without a terminal in the form that --nbest reads."""
    from gencli.display_tables import escaped, number

    entry, figures = ranked.entry, ranked.figures
    if shown.as_json:
        given = {} if entry.score is None else {"score": entry.score}
        place = {"id": entry.id, "rank": ranked.rank, "combined": ranked.combined, "margin": ranked.margin, **given}
        return json_line({**place, "text": entry.text, "words": ranked.words, **figures_of(figures, shown)})
    name, combined = escaped(entry.id), number(ranked.combined, 4)
    if not shown.aligned:
        return f"{name}\t{combined}\t{label_of(entry)}"
    numbers = (combined, number(ranked.margin), number(figures.logprob * shown.scale))
    return f"{name:<{ID_WIDTH}}" + "".join(f"{cell:>12}" for cell in numbers) + f"  {label_of(entry)}"


def show_summary(batches: Iterable[Iterable[Scored]], shown: Shown) -> None:
    """One set of totals over all texts."""
    from gencli.figures import Figures

    totals = sum((score for batch in batches for _, score in batch), Figures())
    record = {"documents": totals.documents, **figures_of(totals, shown)}
    if shown.as_json:
        typer.echo(json_line(record))
        return
    for name, value in record.items():
        label = name.replace("_", " ")
        number = f"{value:.4f}" if isinstance(value, float) else str(value)
        typer.echo(f"{label:<24}{number:>16}" if shown.aligned else f"{label}\t{number}")


def show_next(model: Model, entries: Iterable[Entry], count: int, shown: Shown) -> None:
    """The likeliest continuations of each text."""
    from gencli.display_tables import next_table

    for entry in entries:
        choices = model.next(entry.text, count)
        if shown.as_json:
            listed = [{"symbol": symbol, "probability": share} for symbol, share in choices]
            typer.echo(json_line({"text": entry.text, "unknown": model.unknown(entry.text), "next": listed}))
        elif shown.aligned:
            shown.console.print(next_table(choices, label_of(entry)))
        else:
            typer.echo("\n".join(f"{share:.6f}\t{symbol}\t{label_of(entry)}" for symbol, share in choices))
