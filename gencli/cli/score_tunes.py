"""`gencli score` for models of tunes: nats a note and a bar, given the chords."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from gencli.cli.metrics import json_line
from gencli.config import check

if TYPE_CHECKING:
    from gencli.model import Model
    from gencli.tune_scoring import TuneScore

UNITS = {"e": "nats", "2": "bits", "10": "decimal digits"}
COLUMNS = ("raw/note", "legal/note", "raw/bar", "legal/bar", "notes", "bars", "tune")
BAR_COLUMNS = ("bar", "chords", "notes", "raw", "legal")
WIDTHS, BAR_WIDTHS = (10, 12, 10, 12, 8, 6), (5, 18, 7, 10, 10)


@dataclass(frozen=True)
class TuneView:
    """How answers are shown."""

    base: str
    as_json: bool
    per_bar: bool
    summary: bool
    aligned: bool

    @property
    def scale(self) -> float:
        """From nats to the base asked for."""
        return {"e": 1.0, "2": 1 / math.log(2), "10": 1 / math.log(10)}[self.base]


def score_files(model: Model, sources: Sequence[str], view: TuneView) -> None:
    """A line for each tune of files, folders and collections, or with its bars; OptionError where none is named."""
    from gencli.corpus import bundled_path
    from gencli.music.tunes import read_source

    check(bool(sources) and "-" not in sources, "score: name files of tunes; this model learned from tunes, not texts")
    read = [read_source(str(bundled_path(source) or source)) for source in sources]
    if not view.as_json:
        meaning = "raw: of the model as it is; legal: renormalised over what the grammar allows"
        typer.echo(f"{UNITS[view.base]} of the melody, given bars and chords; {meaning}", err=True)
        if not (view.per_bar or view.summary):
            typer.echo(_row(COLUMNS, WIDTHS, view.aligned))
    totals: list[TuneScore] = []
    for tunes in read:
        for problem in tunes.skipped:
            typer.echo(f"gencli: warning: {problem}; left out", err=True)
        for name, score in zip(tunes.sources, model.score_tunes(tunes.sheets), strict=True):
            totals.append(score)
            for line in [] if view.summary else _lines(name, score, view):
                typer.echo(line)
    if view.summary:
        typer.echo(_summary(totals, view))


def _lines(name: str, score: TuneScore, view: TuneView) -> Iterator[str]:
    """What is said of one tune."""
    if view.as_json:
        record: dict[str, Any] = {"tune": name, **_figures([score], view)}
        if view.per_bar:
            record["per_bar"] = [
                {"bar": bar.number, "chords": bar.chords, "notes": bar.notes}
                | {"raw": -bar.raw * view.scale, "legal": -bar.legal * view.scale}
                for bar in score.bars
            ]
        yield json_line(record)
    elif view.per_bar:
        yield name
        yield _row(BAR_COLUMNS, BAR_WIDTHS, view.aligned)
        for bar in score.bars:
            nats = [f"{-value * view.scale:.3f}" for value in (bar.raw, bar.legal)]
            yield _row((str(bar.number), bar.chords or "-", str(bar.notes), *nats), BAR_WIDTHS, view.aligned)
    else:
        yield _row((*_cells(_figures([score], view)), name), WIDTHS, view.aligned)


def _figures(scores: Sequence[TuneScore], view: TuneView) -> dict[str, Any]:
    """The averages over all notes and all bars of tunes, and the counts; None where there is no note or bar."""
    notes, bars = sum(score.notes for score in scores), sum(len(score.bars) for score in scores)
    raw, legal = (-view.scale * sum(getattr(score, name) for score in scores) for name in ("raw", "legal"))
    return {
        "raw_per_note": raw / notes if notes else None,
        "legal_per_note": legal / notes if notes else None,
        "raw_per_bar": raw / bars if bars else None,
        "legal_per_bar": legal / bars if bars else None,
        "notes": notes,
        "bars": bars,
    }


def _summary(scores: Sequence[TuneScore], view: TuneView) -> str:
    """All tunes in one answer."""
    figures = _figures(scores, view)
    if view.as_json:
        return json_line({"tunes": len(scores), **figures})
    cells = _cells(figures)
    names = (*COLUMNS[:6], "tunes")
    return "\n".join(f"{name:<12}{cell}" for name, cell in zip(names, (*cells, f"{len(scores)}"), strict=True))


def _cells(figures: dict[str, Any]) -> list[str]:
    """Figures as text."""
    return [
        "-" if value is None else f"{value:.4f}" if isinstance(value, float) else f"{value}"
        for value in figures.values()
    ]


def _row(cells: Sequence[str], widths: Sequence[int], aligned: bool) -> str:
    """Cells in columns on a terminal, else with tabs between them."""
    if not aligned:
        return "\t".join(cells)
    padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, *cells[len(widths) :]])
