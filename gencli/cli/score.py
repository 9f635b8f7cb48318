"""`gencli score`: how likely a model finds texts."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gencli.cli.nbest import NbestParser, Reranker
from gencli.cli.sample import announce_compiling
from gencli.cli.score_output import (
    NATS,
    Scored,
    Shown,
    show_next,
    show_ranked,
    show_reranked,
    show_scores,
    show_summary,
)
from gencli.cli.score_tunes import TuneView, score_files
from gencli.cli.texts import ARGUMENTS, Entry, read_entries
from gencli.config import Precision, check
from gencli.errors import CorpusError, OptionError

if TYPE_CHECKING:
    from gencli.codecs.codec import Codec
    from gencli.scoring import Scorer

READ, COUNTED, SHOWN, NBEST = "What to score", "What counts", "What to show", "N-best lists"
NAMED = 5  # unknown symbols that a message names
UNTIED = "the model learned lines one by one, so the line before is no help to it; train with --documents stream"
REMEDY = "leave that out, or choose another --oov"


def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file, as gencli train writes them.")],
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="Texts; without any, and without -f, the lines of stdin. For a model of tunes: files of tunes.",
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("-f", "--file", help="Score this file, - for stdin; may be repeated.", rich_help_panel=READ),
    ] = None,
    by: Annotated[
        Literal["line", "file"], typer.Option(help="What one text is, in files.", rich_help_panel=READ)
    ] = "line",
    encoding: Annotated[str, typer.Option(help="Of files and stdin, such as latin-1.", rich_help_panel=READ)] = "utf-8",
    cache: Annotated[
        bool,
        typer.Option(
            "--cache",
            help="Expect tokens of the lines before again; for lines that follow on one another.",
            rich_help_panel=READ,
        ),
    ] = False,
    carry_state: Annotated[
        bool,
        typer.Option(
            "--carry-state",
            help="The texts are one running document: each goes on from the one before.",
            rich_help_panel=READ,
        ),
    ] = False,
    oov: Annotated[
        Literal["include", "exclude", "error"],
        typer.Option(
            help="Symbols the model never saw: count as <UNK>, leave out of the sums, or stop at.",
            rich_help_panel=COUNTED,
        ),
    ] = "include",
    no_eos: Annotated[
        bool, typer.Option("--no-eos", help="Leave the end of each text out.", rich_help_panel=COUNTED)
    ] = False,
    rank: Annotated[
        bool,
        typer.Option(
            "--rank",
            help="Likeliest first, by the whole text's log-probability, with the margin to the best.",
            rich_help_panel=SHOWN,
        ),
    ] = False,
    per_token: Annotated[
        bool,
        typer.Option(
            "--per-token", help="Each symbol with its log-probability; of tunes each bar.", rich_help_panel=SHOWN
        ),
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
    nbest: Annotated[
        bool,
        typer.Option(
            "--nbest",
            help="Read lines of id, tab, text or of id, tab, score, tab, text; rank anew within each id.",
            rich_help_panel=NBEST,
        ),
    ] = False,
    lm_weight: Annotated[
        float | None, typer.Option(help="Weight of the log-probability. Default: 1.", rich_help_panel=NBEST)
    ] = None,
    word_bonus: Annotated[
        float | None, typer.Option(help="Added for each word of a text. Default: 0.", rich_help_panel=NBEST)
    ] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", help="Only the best N of each id.", rich_help_panel=NBEST)
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; they change nothing but time. Default: all.")] = None,
    precision: Annotated[
        Literal["auto", Precision],
        typer.Option(help="Of the products; bfloat16 is faster where the processor has it, auto takes it."),
    ] = "float32",
) -> None:
    """Tell how likely a model finds texts, or tunes: one line for each, at once and in their order.

    Columns: log-probability, tokens (with the end of the text), unknown tokens, perplexity, text.

    An empty line is scored too: by its end alone, where the model knows one.

    Of tunes the melody is scored, given bars and chords, by the note and by the bar.
    """
    from gencli.cli.models import open_model
    from gencli.corpus import check_encoding
    from gencli.display import open_console
    from gencli.kernels.compile import CompileClock

    check(following is None or following >= 1, f"--next {following}: must be at least 1")
    check(top is None or top >= 1, f"--top {top}: must be at least 1")
    for name, weight in (("--lm-weight", lm_weight), ("--word-bonus", word_bonus)):
        check(weight is None or math.isfinite(weight), f"{name} {weight}: must be a finite number")
    of_texts = {
        "--by file": by == "file", "--cache": cache, "--carry-state": carry_state, f"--oov {oov}": oov != "include",
        "--no-eos": no_eos, "--rank": rank, "--next": following is not None, "--nbest": nbest,
    }  # fmt: skip
    check_together(
        {
            "--rank": rank, "--summary": summary, "--next": following is not None, "--nbest": nbest,
            "--per-token": per_token, "--carry-state": carry_state, "--no-eos": no_eos, "--by file": by == "file",
            "--cache": cache,
            "--oov exclude": oov == "exclude", "--lm-weight": lm_weight is not None,
            "--word-bonus": word_bonus is not None, "--top": top is not None,
        }
    )  # fmt: skip
    check_encoding(encoding)
    console = open_console(sys.stdout)
    shown = Shown(NATS[base], as_json, per_token, console, console.is_terminal, console.colours)
    with CompileClock() as clock:
        clock.on_begin = announce_compiling
        loaded = open_model(model, threads, precision)
        if loaded.codec.level == "music":
            given = next((name for name, is_given in of_texts.items() if is_given), None)
            check(given is None, f"{given}: belongs to models of texts; this one scores tunes, leave it out")
            view = TuneView(base, as_json, per_token, summary, console.is_terminal)
            score_files(loaded, [*(text or []), *(file or [])], view)
            return
        entries = read_entries(text or [], file or [], by, encoding)
        if nbest:
            entries = parsed(entries)
        if loaded.info.documents == "line" and following is None:
            entries = stripped(entries)
        if following is not None:
            show_next(loaded, known(noted(entries), loaded.codec, strict=oov == "error"), following, shown)
            return
        if carry_state and loaded.info.documents == "line":
            typer.echo(f"gencli: warning: --carry-state: {UNTIED}", err=True)
        scorer = loaded.scorer(eos=not no_eos, carry_state=carry_state, with_oov=oov != "exclude", cache=cache)
        batches = scored(scorer, noted(entries, None if carry_state or nbest else scorer), strict=oov == "error")
        if nbest:
            weight, bonus = 1.0 if lm_weight is None else lm_weight, word_bonus or 0.0
            show_reranked(batches, Reranker(weight, bonus, top, shown.scale), shown)
        elif summary:
            show_summary(batches, shown)
        elif rank:
            show_ranked(batches, shown)
        else:
            show_scores(batches, shown)


def check_together(given: dict[str, bool]) -> None:
    """OptionError where two of the options given do not go together, or one lacks the other it belongs to."""
    names = [name for name, is_given in given.items() if is_given]
    views = [name for name in names if name in ("--rank", "--summary", "--next", "--nbest")]
    check(len(views) <= 1, f"{' and '.join(views)}: give only one of them")
    barred = {
        "--per-token": ("--rank", "--summary", "--next", "--nbest"),
        "--carry-state": ("--next", "--nbest"),
        "--cache": ("--rank", "--next", "--nbest"),
        "--no-eos": ("--next",),
        "--oov exclude": ("--next",),
        "--by file": ("--nbest",),
    }
    for name, others in barred.items():
        for other in others:
            check(not (name in names and other in names), f"{name} and {other}: give only one of them")
    for name in ("--lm-weight", "--word-bonus", "--top"):
        check(name not in names or "--nbest" in names, f"{name}: belongs to --nbest; give both, or leave it out")


def parsed(groups: Iterable[list[Entry]]) -> Iterator[list[Entry]]:
    """Lines as the hypotheses they hold; those before a line at fault are not lost."""
    parser = NbestParser()
    for group in groups:
        found: list[Entry] = []
        fault: CorpusError | None = None
        for entry in group:
            try:
                found.append(parser.parse(entry))
            except CorpusError as error:
                fault = error
                break
        if found:
            yield found
        if fault is not None:
            raise fault


def stripped(groups: Iterable[list[Entry]]) -> Iterator[list[Entry]]:
    """The lines without the blanks around them, as the lines that a model of lines learned from; arguments as typed."""
    for group in groups:
        yield [entry if entry.source == ARGUMENTS else entry._replace(text=entry.text.strip()) for entry in group]


def noted(groups: Iterable[list[Entry]], scorer: Scorer | None = None) -> Iterator[list[Entry]]:
    """The groups as they are; at the end a note where nothing was read, and what empty texts scored by `scorer`."""
    count = empty = 0
    for group in groups:
        count += len(group)
        empty += sum(entry.text == "" and entry.source != ARGUMENTS for entry in group)
        yield group
    if count == 0:
        typer.echo("nothing to score: what was given to read is empty", err=True)
    if empty and scorer is not None:
        what = "only the end of each is scored" if scorer.scores_ends else "nothing in them is scored"
        typer.echo(f"{empty:,} of {count:,} texts were empty: {what}", err=True)


def scored(scorer: Scorer, groups: Iterable[list[Entry]], strict: bool) -> Iterator[Iterator[Scored]]:
    """The entries with their scores, in batches; under `strict` the first with an unknown symbol ends them."""
    for group in groups:
        done = 0
        for scores in scorer.batches([entry.text for entry in group]):
            pairs = zip(group[done : done + len(scores)], scores, strict=True)
            yield all_known(pairs, scorer) if strict else pairs
            done += len(scores)


def all_known(pairs: Iterable[Scored], scorer: Scorer) -> Iterator[Scored]:
    """The pairs up to the first whose text has unknown symbols, which raises OptionError."""
    for entry, result in pairs:
        if result.oov:
            raise OptionError(f"{unknown_part(entry, scorer.unknown(entry.text))}; {REMEDY}")
        yield entry, result


def known(groups: Iterable[list[Entry]], codec: Codec, strict: bool) -> Iterator[Entry]:
    """Prompts one by one; unknown symbols in one are warned of, or under `strict` raise OptionError."""
    for group in groups:
        for entry in group:
            names = codec.unknown(entry.text)
            check(not (strict and names), f"{unknown_part(entry, names)}; {REMEDY}")
            if names:
                typer.echo(f"gencli: warning: {unknown_part(entry, names)}; read as <UNK>", err=True)
            yield entry


def unknown_part(entry: Entry, names: list[str]) -> str:
    """Where an entry stands and which symbols of it the vocabulary lacks, a few of them by name."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{entry.place}: the model has never seen {', '.join(map(repr, names[:NAMED]))}{more}"
