"""`gencli info`: what a model is and what it learned from."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gencli.model import Model


def info(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object of JSON, the whole history in it.")] = False,
) -> None:
    """Show what a model is, what it learned from, and how its losses went."""
    from gencli.cli.models import open_model

    loaded = open_model(model, threads=1)
    if as_json:
        typer.echo(json.dumps(facts(loaded), ensure_ascii=False))
        return
    from gencli.display import open_console
    from gencli.display_tables import info_panel

    console = open_console(sys.stdout)
    console.draw(info_panel(loaded, model, parameters(loaded), console.width, console.options.ascii_only))


def parameters(model: Model) -> int:
    """How many weights the file holds."""
    return sum(tensor.size for tensor in model.stored.tensors.values())


def facts(model: Model) -> dict[str, Any]:
    """Everything the file says but the weights."""
    network, about = asdict(model.stored.network), asdict(model.info)
    vocabulary = {"level": model.codec.level, "vocabulary_size": model.codec.vocabulary_size, **model.codec.options}
    return {**about, "network": network, **vocabulary, "parameters": parameters(model)}
