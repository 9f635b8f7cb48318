"""`gencli score`: how likely a model finds texts."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gencli.cli.metrics import json_line
from gencli.cli.sample import announce_compiling
from gencli.cli.texts import read_lines, read_whole
from gencli.cli.totals import Totals
from gencli.config import check

if TYPE_CHECKING:
    from gencli.display import PlainConsole
    from gencli.model import Model
    from gencli.scoring import Score

NATS = {"e": 1.0, "2": 1 / math.log(2), "10": 1 / math.log(10)}  # one nat in the unit of each base
READ, SHOWN = "What to score", "What to show"
Labelled = tuple[str, str]  # what stands in the text column, the text


@dataclass(frozen=True)
class Shown:
    """How scores are to be shown."""

    scale: float  # from nats to the unit wanted
    as_json: bool
    per_token: bool
    console: PlainConsole

    @property
    def aligned(self) -> bool:
        """Whether a person reads along."""
        return self.console.is_terminal

    @property
    def coloured(self) -> bool:
        """Whether colours can stand for numbers."""
        return self.console.colours


def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file, as gencli train writes them.")],
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; without any, and without -f, the lines of stdin."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("-f", "--file", help="Score this file, - for stdin; may be repeated.", rich_help_panel=READ),
    ] = None,
    by: Annotated[
        Literal["line", "file"], typer.Option(help="What one text is, in files.", rich_help_panel=READ)
    ] = "line",
    rank: Annotated[
        bool,
        typer.Option(
            "--rank",
            help="Likeliest first, by the whole text's log-probability, with the margin to the best.",
            rich_help_panel=SHOWN,
        ),
    ] = False,
    per_token: Annotated[
        bool, typer.Option("--per-token", help="Each symbol with its log-probability.", rich_help_panel=SHOWN)
    ] = False,
    following: Annotated[
        int | None,
        typer.Option(
            "--next", metavar="K", help="Instead: the K likeliest symbols after each text.", rich_help_panel=SHOWN
        ),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Totals over all texts, only.", rich_help_panel=SHOWN)
    ] = False,
    base: Annotated[
        Literal["e", "2", "10"],
        typer.Option(help="Base of the log-probabilities; e: nats.", rich_help_panel=SHOWN),
    ] = "e",
    as_json: Annotated[bool, typer.Option("--json", help="One object of JSON a line.", rich_help_panel=SHOWN)] = False,
    threads: Annotated[int | None, typer.Option(help="Threads; they change nothing but time. Default: all.")] = None,
) -> None:
    """Tell how likely a model finds texts, one line for each.

    Columns: log-probability, tokens (with the end of the text), unknown tokens, perplexity, text.

    Blank lines are skipped.
    """
    from gencli.cli.models import open_model
    from gencli.display import open_console
    from gencli.kernels.compile import CompileClock

    check(following is None or following >= 1, f"--next {following}: must be at least 1")
    chosen = [name for name, on in (("--rank", rank), ("--summary", summary), ("--next", following)) if on]
    check(len(chosen) <= 1, f"{' and '.join(chosen)}: give only one of them")
    check(not (per_token and chosen), f"--per-token and {''.join(chosen)}: give only one of them")
    shown = Shown(NATS[base], as_json, per_token, open_console(sys.stdout))
    with CompileClock() as clock:
        clock.on_begin = announce_compiling
        loaded = open_model(model, threads)
        groups = noted(texts_to_score(text or [], file or [], by, strip=loaded.info.documents == "line"))
        if following is not None:
            for group in groups:
                show_next(loaded, group, following, shown)
        elif summary:
            show_summary(loaded, groups, shown)
        elif rank:
            show_ranked(loaded, groups, shown)
        else:
            show_scores(loaded, groups, shown)


def noted(groups: Iterator[list[Labelled]]) -> Iterator[list[Labelled]]:
    """The groups as they are; a note at the end where no text was in them."""
    count = 0
    for group in groups:
        count += len(group)
        yield group
    if count == 0:
        typer.echo("nothing to score: what was given to read is empty or blank", err=True)


def texts_to_score(texts: list[str], files: list[str], by: str, strip: bool) -> Iterator[list[Labelled]]:
    """The texts in groups that are ready to be scored; blank ones are left out.

    With `strip` lines lose the blanks around them, as the lines that a model of lines learned from did.
    """
    from gencli.display_tables import escaped

    if texts and texts != ["-"]:
        yield [(escaped(each), each) for each in texts if each != "" or len(texts) == 1]
    for name in files or ([] if texts and texts != ["-"] else ["-"]):
        if by == "file":
            whole = read_whole(name)
            if whole.strip():
                yield [("stdin" if name == "-" else name, whole)]
            continue
        for lines in read_lines(name):
            cleaned = [line.strip() if strip else line for line in lines if line.strip()]
            if cleaned:
                yield [(escaped(line), line) for line in cleaned]


def scored(model: Model, groups: Iterator[list[Labelled]]) -> Iterator[tuple[str, Score]]:
    """Each label with its score, a group at a time."""
    for group in groups:
        yield from zip((label for label, _ in group), model.scores([text for _, text in group]), strict=True)


def show_scores(model: Model, groups: Iterator[list[Labelled]], shown: Shown) -> None:
    """A line for each text, in their order, as soon as it is there."""
    from gencli.display_tables import COLUMNS, score_cells, score_row, surprise_legend, surprise_text

    if shown.aligned and not shown.as_json:
        if not shown.per_token:
            typer.echo(score_row(COLUMNS, aligned=True))
        elif shown.coloured:
            shown.console.print(surprise_legend())
    for label, result in scored(model, groups):
        if shown.as_json:
            typer.echo(json_line(record_of(result, shown)))
        elif not shown.per_token:
            typer.echo(score_row(score_cells(result, label, shown.scale), shown.aligned))
        elif shown.coloured:
            shown.console.print(surprise_text(result.pieces, shown.scale), soft_wrap=True)
        else:
            typer.echo("\t".join(f"{symbol}/{logprob * shown.scale:.4f}" for symbol, logprob in result.pieces))


def show_ranked(model: Model, groups: Iterator[list[Labelled]], shown: Shown) -> None:
    """All texts, the likeliest first, with what each lacks to the best; equals keep their order."""
    from gencli.display_tables import COLUMNS, number, score_cells, score_row

    results = sorted(scored(model, groups), key=lambda each: -each[1].logprob)
    if results and shown.aligned and not shown.as_json:
        typer.echo(score_row([COLUMNS[0], "margin", *COLUMNS[1:]], aligned=True))
    for label, result in results:
        margin = (result.logprob - results[0][1].logprob) * shown.scale
        if shown.as_json:
            typer.echo(json_line({**record_of(result, shown), "margin": margin}))
        else:
            cells = score_cells(result, label, shown.scale)
            typer.echo(score_row([cells[0], number(margin), *cells[1:]], shown.aligned))


def show_summary(model: Model, groups: Iterator[list[Labelled]], shown: Shown) -> None:
    """One set of totals over all texts."""
    totals = Totals()
    for _, result in scored(model, groups):
        totals.add(result)
    record = {"documents": totals.documents, **figures_of(totals, shown)}
    if shown.as_json:
        typer.echo(json_line(record))
        return
    for name, value in record.items():
        label = name.replace("_", " ")
        number = f"{value:.4f}" if isinstance(value, float) else str(value)
        typer.echo(f"{label:<20}{number:>16}" if shown.aligned else f"{label}\t{number}")


def show_next(model: Model, group: list[Labelled], count: int, shown: Shown) -> None:
    """The likeliest continuations of each text."""
    from gencli.display_tables import next_table

    for label, text in group:
        choices = model.next(text, count)
        if shown.as_json:
            listed = [{"symbol": symbol, "probability": share} for symbol, share in choices]
            typer.echo(json_line({"text": text, "next": listed}))
            continue
        if shown.aligned:
            shown.console.print(next_table(choices, label))
        else:
            for symbol, share in choices:
                typer.echo(f"{share:.6f}\t{symbol}\t{label}")


def record_of(result: Score, shown: Shown) -> dict[str, Any]:
    """A score in JSON; with --per-token its symbols too."""
    record = {"text": result.text, **figures_of(result, shown)}
    if shown.per_token:
        record["per_token"] = [[symbol, logprob * shown.scale] for symbol, logprob in result.pieces]
    return record


def figures_of(result: Any, shown: Shown) -> dict[str, Any]:
    """The figures of a score or of totals, by their names in JSON."""
    names = ("tokens", "oov", "nats_per_token", "perplexity", "bits_per_character")
    return {"logprob": result.logprob * shown.scale, **{name: getattr(result, name) for name in names}}
