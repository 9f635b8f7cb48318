"""The texts that `gencli score` reads: lines from files and stdin as they arrive, or whole files."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

import typer

from gencli.errors import CorpusError

CHUNK = 1 << 20  # bytes asked for at once; a pipe gives what it has


def read_lines(name: str) -> Iterator[list[str]]:
    """The lines of a file, or of stdin for `-`, in groups: each holds what had arrived, so that no line waits.

    UTF-8; a byte order mark is dropped, line ends are LF, CRLF or CR, and an unterminated last line counts.
    CorpusError where the file cannot be read or is no such text.
    """
    label = "stdin" if name == "-" else name
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
    rest, count = "", 0
    try:
        with _opened(name) as file:
            while True:
                chunk = file.read1(CHUNK)
                count += len(chunk)
                *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
                if not chunk and rest:
                    lines.append(rest)
                if any("\0" in line for line in lines):
                    raise CorpusError(f"{label}: binary data (a NUL in it); give a text file")
                if lines:
                    yield lines
                if not chunk:
                    return
    except UnicodeDecodeError as error:
        at = count - len(error.object) + error.start
        raise CorpusError(f"{label}: not UTF-8 text at byte {at} ({error.reason}); convert it first") from error
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read ({error.strerror}); check its name and permissions") from error


def read_whole(name: str) -> str:
    """All of a file, or of stdin for `-`, as one text without the line ends around it; CorpusError as above."""
    return "\n".join(line for lines in read_lines(name) for line in lines).strip("\n")


def _opened(name: str) -> AbstractContextManager[io.BufferedReader]:
    """The bytes of a file, or of stdin, which stays open."""
    if name != "-":
        return Path(name).open("rb")
    if sys.stdin is None:
        raise CorpusError("stdin: closed; pipe a text into it, or name a file")
    if sys.stdin.isatty():
        typer.echo("reading the keyboard, one text a line; Ctrl-D ends", err=True)
    return nullcontext(cast(io.BufferedReader, sys.stdin.buffer))
