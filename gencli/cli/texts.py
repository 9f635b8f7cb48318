"""The texts that `gencli score` reads: arguments, whole files, or lines of files and stdin as they arrive."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, cast

import typer

from gencli.errors import CorpusError

CHUNK = 1 << 20  # bytes asked for at once; a pipe gives what it has
LONGEST = 1 << 24  # characters of a line: beyond, reading on would fill the memory
ARGUMENTS = "text"  # the source of what the command line itself holds


class Entry(NamedTuple):
    """One text, where it stood, and in an n-best list whose hypothesis it is."""

    text: str
    source: str
    number: int  # of the line, or of the argument
    label: str | None = None  # stands for the text where that is shown
    id: str = ""
    score: float | None = None  # as the list has it

    @property
    def place(self) -> str:
        """Where it stood, for messages."""
        return f"{self.source} {self.number}" if self.source == ARGUMENTS else f"{self.source}:{self.number}"


class LineDecoder:
    """Bytes to lines, whatever the pieces they come in. Line ends are LF, CRLF or CR; a byte order mark is dropped.

    What is no text ends it: `fault` is then the error to raise once the lines before have been used.
    """

    def __init__(self, label: str, encoding: str) -> None:
        self.label, self.encoding = label, encoding
        self.fault: CorpusError | None = None
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
        self._held: list[str] = []  # pieces of a line whose end has not come
        self._waiting = 0  # characters in them
        self._bytes = self._lines = 0
        self._begun = False

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that end in this chunk; an empty chunk ends the input, and with it an unterminated last line."""
        text, fault = self._decode(chunk)
        if "\0" in text:
            text, _, _ = text.partition("\0")
            fault = "binary data (a NUL in it); give a text file, or name its encoding, such as --encoding utf-16"
        *ended, rest = text.split("\n")
        if ended:
            ended[0] = "".join(self._held) + ended[0]
            self._held, self._waiting = [], 0
        self._held.append(rest)
        self._waiting += len(rest)
        if fault is None and self._waiting > LONGEST:
            fault = f"over {LONGEST:,} characters without a line end; cut that into lines, such as with fold -s"
        if not chunk and fault is None and self._waiting:
            ended.append("".join(self._held))
        self._lines += len(ended)
        self._bytes += len(chunk)
        if fault is not None:
            self.fault = CorpusError(f"{self.label}:{self._lines + 1}: {fault}")
        return ended

    def _decode(self, chunk: bytes) -> tuple[str, str | None]:
        """The chunk's text, up to what is wrong with it, and that."""
        fault = None
        try:
            text = self._decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            text, at = "", ""
            if isinstance(error, UnicodeDecodeError):
                good = error.start - (len(error.object) - len(chunk))  # bytes of this chunk before the fault
                at = f" at byte {self._bytes + good} ({error.reason})"
                with contextlib.suppress(UnicodeError):
                    text = self._decoder.decode(chunk[: max(good, 0)])
            other = "latin-1" if self.encoding.lower().startswith("utf") else "utf-8"
            fault = f"not {self.encoding} text{at}; name its encoding, such as --encoding {other}"
        if text and not self._begun:
            self._begun, text = True, text.removeprefix("\ufeff")
        return text, fault


def read_lines(name: str, encoding: str = "utf-8") -> Iterator[list[str]]:
    """The lines of a file, or of stdin for `-`, in groups: each holds what had arrived, so that no line waits.

    The line ends are off, and an unterminated last line counts. CorpusError where the file cannot be read, or, after
    the lines before it, at what is no text; OptionError for an unknown encoding.
    """
    from gencli.corpus import check_encoding

    check_encoding(encoding)
    label = "stdin" if name == "-" else name
    decoder = LineDecoder(label, encoding)
    try:
        with _opened(name) as file:
            while True:
                chunk = file.read1(CHUNK)
                lines = decoder.feed(chunk)
                if lines:
                    yield lines
                if decoder.fault is not None:
                    raise decoder.fault
                if not chunk:
                    return
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read ({error.strerror}); check its name and permissions") from error


def read_entries(texts: Sequence[str], files: Sequence[str], by: str, encoding: str) -> Iterator[list[Entry]]:
    """All that a command line names, in groups that are ready to be scored: its texts, then its files' lines.

    By "file" a file is one text, without the line ends around it. Without texts and files stdin is read, as it is for
    the single text `-`. Raises as read_lines does.
    """
    typed = [] if list(texts) == ["-"] else texts
    if typed:
        yield [Entry(text, ARGUMENTS, number) for number, text in enumerate(typed, 1)]
    for name in files or ([] if typed else ["-"]):
        source = "stdin" if name == "-" else name
        if by == "file":
            whole = "\n".join(line for lines in read_lines(name, encoding) for line in lines).strip("\n")
            yield [Entry(whole, source, 1, label=source)]
            continue
        first = 1
        for lines in read_lines(name, encoding):
            yield [Entry(line, source, number) for number, line in enumerate(lines, first)]
            first += len(lines)


def _opened(name: str) -> AbstractContextManager[io.BufferedReader]:
    """The bytes of a file, or of stdin, which stays open."""
    if name != "-":
        return Path(name).open("rb")
    if sys.stdin is None:
        raise CorpusError("stdin: closed; pipe a text into it, or name a file")
    if sys.stdin.isatty():
        typer.echo("reading the keyboard, one text a line; Ctrl-D ends", err=True)
    return nullcontext(cast(io.BufferedReader, sys.stdin.buffer))
