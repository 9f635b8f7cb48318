"""Sources as the user names them -> files, and their text a piece at a time."""

from __future__ import annotations

import codecs
import difflib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from gencli.errors import CorpusError, OptionError

CHUNK: Final = 1 << 20  # bytes read at a time
BOM: Final = "\ufeff"


@dataclass(frozen=True)
class TextFile:
    """One file to be read as text; `label` is its name in messages, and stdin has no path.

    What is no text is an error; not so where the file was only found in a `folder`: then it is left out.
    """

    label: str
    path: Path | None
    encoding: str
    folder: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the file; CorpusError where the system refuses."""
        if self.path is None:
            yield from iter(_read_stdin, b"")
            return
        try:
            if self.folder is not None and not self.path.is_file():  # reading a pipe or a device might never end
                raise CorpusError(f"{self.label}: not a file")
            with self.path.open("rb") as file:
                yield from iter(lambda: file.read(CHUNK), b"")
        except OSError as error:
            raise _unreadable(self.label, error) from error

    def pieces(self) -> Iterator[str]:
        """The text with LF line ends and no byte order mark; CorpusError where it is none."""
        return text_pieces(self.chunks(), self.label, self.encoding)


def find_files(source: str, encoding: str) -> list[TextFile]:
    """The files of one source: itself, those below a folder, or of a bundled corpus; CorpusError where it is none."""
    if source == "-":
        return [TextFile("stdin", None, encoding)]
    path = Path(source)
    try:
        exists = source != "" and path.exists()
        is_folder = exists and path.is_dir()
    except OSError as error:
        raise _unreadable(source, error) from error
    if is_folder:
        return _folder_files(source, encoding)
    if exists:
        return [TextFile(source, path, encoding)]
    corpora = bundled_files()
    if source in corpora and corpora[source].is_dir():
        return _folder_files(str(corpora[source]), "utf-8")
    if source in corpora:
        return [TextFile(source, corpora[source], "utf-8")]
    close = difflib.get_close_matches(source, corpora, n=3)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    what = f"{source or chr(39) * 2}: no such file, folder or bundled corpus"
    raise CorpusError(f"{what}; {guess}`gencli corpora` lists the bundled ones")


def _folder_files(folder: str, encoding: str) -> list[TextFile]:
    """Every file below a folder, hidden ones apart, sorted by path."""

    def stop(error: OSError) -> None:
        raise _unreadable(error.filename or folder, error) from error

    paths: list[Path] = []
    for place, below, names in os.walk(folder, onerror=stop):
        below[:] = [name for name in below if not name.startswith(".")]
        paths += [Path(place, name) for name in names if not name.startswith(".")]
    label = folder.rstrip("/")
    files = [TextFile(f"{label}/{p.relative_to(folder).as_posix()}", p, encoding, folder) for p in sorted(paths)]
    if not files:
        raise nothing_in(folder, encoding, 0)
    return files


def nothing_in(folder: str, encoding: str, skipped: int) -> CorpusError:
    """The one-line report of a folder without text."""
    also = f" (skipped as no {encoding} text: {skipped})" if skipped else ""
    return CorpusError(f"{folder}: no text in this folder{also}; put text files in it, or name its --encoding")


def nothing_at(label: str) -> CorpusError:
    """The one-line report of a source without text."""
    return CorpusError(f"{label}: empty; give a text with at least two lines")


def _read_stdin() -> bytes:
    """The next bytes of standard input, undecoded."""
    if sys.stdin is None:
        raise CorpusError("stdin: closed; pipe a text into it, or name a file")
    try:
        return sys.stdin.buffer.read(CHUNK)
    except OSError as error:
        raise _unreadable("stdin", error) from error


def _unreadable(label: str, error: OSError) -> CorpusError:
    """The one-line report of a refusal by the system."""
    return CorpusError(f"{label}: cannot be read ({error.strerror}); check its name and permissions")


def text_pieces(chunks: Iterable[bytes], label: str, encoding: str) -> Iterator[str]:
    """Bytes -> text with LF line ends and no byte order mark; CorpusError, with the offset, for what is no text."""
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))  # there a letter has NULs
    decoder = codecs.getincrementaldecoder(encoding)()
    line_ends = io.IncrementalNewlineDecoder(None, translate=True)
    read = written = 0  # bytes and characters so far
    for chunk in chunks:
        nul = -1 if wide else chunk.find(b"\0")
        if nul >= 0:
            remedy = "give a text file, or name its encoding, such as --encoding utf-16"
            raise CorpusError(f"{label}: binary data (a NUL at byte {read + nul}); {remedy}")
        piece = _decoded(decoder, chunk, read, label, encoding)
        read += len(chunk)
        if "\0" in piece:
            place = written + piece.index(chr(0))
            raise CorpusError(f"{label}: binary data (a NUL at character {place}); give a text file")
        text = line_ends.decode(piece if written else piece.removeprefix(BOM))
        written += len(piece)
        yield text
    last = _decoded(decoder, b"", read, label, encoding, final=True)
    yield line_ends.decode(last if written else last.removeprefix(BOM), final=True)


def _decoded(
    decoder: codecs.IncrementalDecoder, chunk: bytes, read: int, label: str, encoding: str, final: bool = False
) -> str:
    """The text of the next bytes, of which `read` came before."""
    waiting = len(decoder.getstate()[0])  # bytes of a character that is not whole yet
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        other = "latin-1" if encoding.lower().startswith("utf") else "utf-8"
        remedy = f"name its encoding, such as --encoding {other}"
        place = read - waiting + error.start
        raise CorpusError(f"{label}: not {encoding} text at byte {place} ({error.reason}); {remedy}") from error
    except UnicodeError as error:
        raise CorpusError(f"{label}: not {encoding} text; name its encoding, such as --encoding utf-8") from error


def check_encoding(encoding: str) -> None:
    """OptionError unless Python can decode text in this encoding."""
    try:
        b"x".decode(encoding)
    except UnicodeError:
        return  # a known encoding in which one letter x is no text
    except (LookupError, ValueError) as error:
        message = f"--encoding {encoding}: not a text encoding known here; try utf-8, latin-1 or cp1252"
        raise OptionError(message) from error


def bundled_files() -> dict[str, Path]:
    """Name -> path of the bundled corpora, sorted: inside an installed package, beside it in a checkout."""
    installed = Path(str(resources.files("gencli").joinpath("corpora")))
    folder = installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "corpora"
    tunes = {path.parent for path in folder.glob("*/*.abc")}
    return {path.stem: path for path in sorted([*folder.glob("*.txt"), *tunes], key=lambda path: path.stem)}


def bundled_path(source: str) -> Path | None:
    """Where the bundled corpus of a name lies; None where there is none, or a file or folder of that name."""
    return None if Path(source).exists() else bundled_files().get(source)
