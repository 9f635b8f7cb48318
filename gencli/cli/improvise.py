"""`gencli sample` for models of tunes: files, or piano rolls in the terminal."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from gencli.config import SampleConfig, check

if TYPE_CHECKING:
    from gencli.model import Model
    from gencli.music.lead_sheet import LeadSheet
    from gencli.music.write_options import WriteOptions

AT_ONCE = 16  # tunes held before they are written


@dataclass(frozen=True)
class AskedTune:
    """The options that only models of tunes have, as on the command line; None: not given."""

    bars: int | None = None
    chords: str | None = None
    key: str | None = None
    tempo: float | None = None
    meter: str | None = None
    swing: str | None = None
    range: str | None = None
    instrument: str | None = None
    label: str | None = None
    backing: Literal["trio", "chords", "none"] | None = None
    primer: Path | None = None
    infill: tuple[Path, Path] | None = None
    soundfont: Path | None = None

    @property
    def first(self) -> str | None:
        """The name of the first option given."""
        return next((f"--{field.name}" for field in fields(self) if getattr(self, field.name) is not None), None)

    @property
    def ratio(self) -> float | None:
        """--swing as a number: "off" is 1."""
        if self.swing is None or self.swing.strip().lower() == "off":
            return None if self.swing is None else 1.0
        try:
            ratio = float(self.swing)
        except ValueError:
            ratio = math.nan
        check(math.isfinite(ratio), f"--swing {self.swing}: neither a ratio, such as 1.5, nor off")
        return ratio

    def wishes(self) -> dict[str, Any]:
        """What Model.improvise takes."""
        names = ("bars", "chords", "key", "tempo", "meter", "range", "label", "primer", "infill")
        return {name: getattr(self, name) for name in names} | {"swing": self.ratio}

    def writing(self, seed: int) -> WriteOptions:
        """How files are written."""
        from gencli.music.write_options import WriteOptions

        given = {"instrument": self.instrument, "backing": self.backing, "soundfont": self.soundfont}
        return WriteOptions(**{name: value for name, value in given.items() if value is not None}, seed=seed)  # type: ignore[arg-type]


def write_improvised(model: Model, asked: AskedTune, config: SampleConfig, count: int, output: Path | None) -> None:
    """Write tunes to files, or draw them; refuses what cannot be written before a note is."""
    from gencli.music.writing import check_tune_path, write_tune

    options = asked.writing(config.seed)
    paths = numbered(output, count) if output is not None else []
    for path in paths:
        check_tune_path(path, options)
    drawing = {name: getattr(config, name) for name in ("temperature", "top_k", "top_p", "seed")}
    step = count if asked.infill is not None else AT_ONCE
    for begin in range(0, count, step):
        some = min(step, count - begin)
        for place, sheet in enumerate(model.improvise(some, begin, **asked.wishes(), **drawing), begin):
            if output is not None:
                write_tune(sheet, paths[place], options)
            else:
                draw(sheet, place, count)


def numbered(output: Path, count: int) -> list[Path]:
    """tune.mid alone, or tune-1.mid ... of several."""
    if count == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{number}{output.suffix}") for number in range(1, count + 1)]


def draw(sheet: LeadSheet, place: int, count: int) -> None:
    """A piano roll on stdout, with colours where they reach a reader; its number and header above."""
    from rich.text import Text

    from gencli.display import open_console
    from gencli.music.terminal_roll import plain_lines, terminal_roll

    console = open_console(sys.stdout)
    number = [f"{place + 1}"] if count > 1 else []
    facts = [*number, f"{sheet.bars[0].meter}" if sheet.bars else "", sheet.key or "", tempo_text(sheet)]
    title = "  ".join(fact for fact in facts if fact)
    lines = terminal_roll(sheet, console.width, ascii_only=not console.is_terminal or console.options.ascii_only)
    if place:
        typer.echo()
    typer.echo(title)
    if not console.colours:
        typer.echo("\n".join(plain_lines(lines)))
        return
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)


def tempo_text(sheet: LeadSheet) -> str:
    """Tempo and swing, as far as they are known."""
    tempo = f"{sheet.tempo:g} a minute" if sheet.tempo else ""
    swing = f"swing {sheet.swing:g}" if sheet.swing != 1 else ""
    return ", ".join(text for text in (tempo, swing) if text)
