"""The entry point `gencli`. The commands import what is heavy only when they run."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gencli.cli import corpora, info, sample, score, train
from gencli.cli.shell import Command, Group, guarded
from gencli.version import own_version

EPILOG = "First steps: gencli train dinosaurs, then gencli sample dinosaurs.safetensors -n 10"

app = typer.Typer(
    name="gencli",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)
for name, command in (
    ("train", train.train),
    ("sample", sample.sample),
    ("score", score.score),
    ("info", info.info),
    ("corpora", corpora.corpora),
):
    app.command(name, cls=Command)(command)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"gencli {own_version()}")
        raise typer.Exit()


@app.callback()
def gencli(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Learn to write names and texts from examples, on a CPU, in seconds to minutes."""


def run() -> None:
    """Run the command line and exit."""
    # NumPy's own products are few and small, and its threads wait long for one another where other programs run too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    guarded(lambda: app(prog_name="gencli"))
