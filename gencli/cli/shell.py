"""What every command is wrapped in: one line for each error, exit codes, and quiet when a pipe breaks."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from gencli.errors import GencliError

FAULT, USAGE, INTERRUPTED = 1, 2, 130


def without_flag_types(parameters: list[Any]) -> list[Any]:
    """Parameters whose flags are shown in help without a type, since they take no value."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


class Group(TyperGroup):
    """The commands together."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of them all."""
        return without_flag_types(super().get_params(ctx))


class Command(TyperCommand):
    """A command whose errors end it with one line on stderr; the whole traceback under `gencli --debug`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its arguments and options."""
        return without_flag_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line; a wrong choice or number ends with one line."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            name = "" if error.param is None else str(error.param.name)
            given, fault = self.make_parser(ctx).parse_args(words)[0].get(name), wrong(self.callback, name)
            if error.param is None or given is None or fault is None:
                raise
            line = f"{max(error.param.opts, key=len)} {given}: {fault}"
            typer.echo(f"gencli: error: {' '.join(line.split())}", err=True)
            raise typer.Exit(USAGE) from error

    def invoke(self, ctx: Any) -> None:
        """Run the command; typer.Exit with its exit code where it did not succeed."""
        try:
            super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:  # nothing may reach the user as a traceback
            raise typer.Exit(report(error, debug=bool(ctx.find_root().params.get("debug")))) from error


def wrong(command: Callable[..., Any] | None, parameter: str) -> str | None:
    """What is wrong with a refused value of a command's parameter; None where that is neither choice nor number."""
    hint = get_type_hints(command).get(parameter) if command is not None else None
    kinds = [hint, *get_args(hint)] if get_origin(hint) is not Literal else [hint]
    choices = [str(name) for kind in kinds if get_origin(kind) is Literal for name in get_args(kind)]
    if choices:
        return f"not one of {', '.join(choices)}"
    if float in kinds:
        return "not a number"
    return "not a whole number" if int in kinds else None


def report(error: BaseException, debug: bool = False) -> int:
    """Tell the user in one line, under `debug` with the traceback before it; gives the exit code."""
    if isinstance(error, BrokenPipeError):
        _discard_output()
        return 0
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, OSError):  # what is left to write would fail again at exit
        _discard_output()
    with contextlib.suppress(OSError):
        if debug:
            traceback.print_exception(error)
        typer.echo(f"gencli: error: {describe(error)}", err=True)
    return FAULT


def describe(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, GencliError):
        line = str(error)
    elif isinstance(error, MemoryError):
        line = "out of memory; give smaller texts, or a smaller --batch-size or --hidden-size"
    elif isinstance(error, OSError):
        line = f"{error.filename or 'output'}: {error.strerror or error}"
    else:
        line = f"unexpected {type(error).__name__}: {error}; `gencli --debug` before the command shows where"
    return " ".join(line.split())


def guarded(application: Callable[[], Any]) -> NoReturn:
    """Run the whole application and exit, its last output flushed; characters a terminal lacks are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code: Any = 0
    try:
        application()
    except SystemExit as end:
        code = end.code
    except BrokenPipeError as error:
        code = report(error)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError as error:
        code = report(error) or code
    sys.exit(code)


def _discard_output() -> None:
    """Point stdout at nothing, so that the flush at exit cannot fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        output = sys.stdout.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, output)
        os.close(nothing)
