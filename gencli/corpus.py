"""Sources as the user names them (bundled corpora, files, folders, stdin) -> a Corpus of Documents."""

from __future__ import annotations

import codecs
import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from gencli.config import DocumentMode, LabelSource, Level, check, check_name
from gencli.documents import Corpus, Document, are_names, choose_mode, cut_documents, distinct, split
from gencli.errors import CorpusError, OptionError

__all__ = ["BundledCorpus", "Corpus", "Document", "bundled", "distinct", "read_corpus", "split"]

ORIGINS = {  # where each bundled corpus comes from; a file missing here still counts
    "dinosaurs": "names of published dinosaur genera: facts",
    "jazz": "original lead sheets, written for gencli",
    "minerals": "names of mineral species: facts",
    "mythology": "names of figures and places of myth: facts",
    "rivers": "names of rivers: facts",
    "stars": "proper names of stars: facts",
    "tales": "original prose, written for gencli",
}
TUNE_SUFFIXES = (".abc",)  # a file of these is one tune


@dataclass(frozen=True)
class BundledCorpus:
    """A corpus that comes with gencli, a file or a folder of tunes; `documents` and `size` (characters) are counts."""

    name: str
    path: Path
    kind: Literal["names", "prose", "tunes"]
    documents: int
    size: int
    origin: str


def bundled() -> list[BundledCorpus]:
    """The bundled corpora, sorted by name; CorpusError where one cannot be read."""
    found = []
    for name, path in _bundled_files().items():
        if path.is_dir():
            tunes = [_decode(_read_bytes(tune, str(tune)), str(tune), "utf-8") for tune in sorted(path.glob("*.abc"))]
            count = sum(tune.startswith("X:") + tune.count("\nX:") for tune in tunes)
            found.append(BundledCorpus(name, path, "tunes", count, sum(map(len, tunes)), ORIGINS.get(name, "")))
            continue
        text = _decode(_read_bytes(path, str(path)), str(path), "utf-8")
        documents = cut_documents([(name, text)], choose_mode([text]))
        if not documents:
            raise CorpusError(f"{path}: empty; install gencli again")
        kind: Literal["names", "prose"] = "names" if are_names([document.text for document in documents]) else "prose"
        size = sum(len(document.text) for document in documents)
        found.append(BundledCorpus(name, path, kind, len(documents), size, ORIGINS.get(name, "")))
    return found


def read_corpus(
    sources: Sequence[str],
    mode: DocumentMode | Literal["auto"] = "auto",
    encoding: str = "utf-8",
    *,
    for_training: bool = True,
    level: Literal["auto"] | Level = "char",
    track: str | None = None,
    label: LabelSource = "none",
) -> Corpus:
    """Read bundled corpora, files, folders (every text file below, sorted by path) and stdin (`-`) as one corpus.

    A path that exists wins over a bundled name. Line ends become LF, a byte order mark is dropped; `auto` is decided
    by `documents.choose_mode`, or is `file` where several files are all tunes. Bundled corpora are always UTF-8.
    With `for_training` there must be two distinct characters, and two distinct documents unless the mode is stream.
    With level music, or auto where all sources are of tunes, documents are tunes; `track` names the melody's track and
    `label` says where their labels come from. Other sources are text.
    Raises CorpusError where a source is missing, unreadable, not text or too small, OptionError for other arguments.
    """
    check(len(sources) > 0, "no source: name a file, a folder, a bundled corpus or - for stdin")
    if mode != "auto":
        check_name(mode, DocumentMode, "--documents")
    check_encoding(encoding)
    if level in ("auto", "music"):
        corpus = _read_tunes(sources, mode, level, track, label)
        if corpus is not None:
            if for_training:
                _check_learnable(corpus)
            return corpus
    texts: list[tuple[str, str]] = []
    skipped = 0
    for source in sources:
        found, left_out = _read_source(source, encoding)
        texts += found
        skipped += left_out
    if mode == "auto":
        tunes = len(texts) > 1 and all(label.lower().endswith(TUNE_SUFFIXES) for label, _ in texts)
        mode = "file" if tunes else choose_mode([text for _, text in texts])
    typed = " ".join(_label(source) for source in sources)
    corpus = Corpus(corpus_name(sources), cut_documents(texts, mode), mode, typed, skipped)
    if for_training:
        _check_learnable(corpus)
    return corpus


def _read_tunes(
    sources: Sequence[str],
    mode: DocumentMode | Literal["auto"],
    level: Literal["auto"] | Level,
    track: str | None,
    label: LabelSource,
) -> Corpus | None:
    """The corpus of sources of tunes; None where the level is auto and they are none, or not all."""
    from gencli.tune_corpus import holds_tunes, read_tune_documents

    paths = [str(bundled_path(source) or source) for source in sources]
    if level == "auto" and not all(map(holds_tunes, paths)):
        check(track is None, f"--track {track}: belongs to tunes; leave it out, or say --level music")
        check(label == "none", f"--label {label}: belongs to tunes; leave it out, or say --level music")
        return None
    for source in sources:
        if source == "-":
            raise CorpusError("stdin: tunes are read from files and folders; name one")
    fits = mode in ("auto", "file")
    check(fits, f"--documents {mode}: a tune is a document; leave it out, or read the text with --level char")
    found = read_tune_documents(list(zip(sources, paths, strict=True)), track, label)
    typed, notices = " ".join(sources), tuple(found.notices)
    return Corpus(corpus_name(sources), found.documents, "file", typed, found.skipped, notices, tunes=True)


def _check_learnable(corpus: Corpus) -> None:
    """CorpusError unless something can be learnt from the corpus and something else held out."""
    if len(set().union(*(document.text for document in corpus.documents))) < 2:
        raise CorpusError(f"{corpus.source}: only one distinct character; give a text with something to learn")
    if corpus.mode == "stream" or len({document.text for document in corpus.documents}) > 1:
        return
    if corpus.tunes:
        raise CorpusError(f"{corpus.source}: only one tune, nothing to hold out; give more tunes")
    remedy = f"give more {corpus.mode}s, or read the text as one with --documents stream"
    raise CorpusError(f"{corpus.source}: only one distinct {corpus.mode}, nothing to hold out; {remedy}")


def _read_source(source: str, encoding: str) -> tuple[list[tuple[str, str]], int]:
    """The (label, text) pairs of one source, none blank, and the number of files skipped."""
    if source == "-":
        return _not_blank(source, _decode(_read_stdin(), _label(source), encoding)), 0
    path = Path(source)
    try:
        exists = source != "" and path.exists()
        is_folder = exists and path.is_dir()
    except OSError as error:
        raise _unreadable(source, error) from error
    if is_folder:
        return _read_folder(source, encoding)
    if exists:
        return _not_blank(source, _decode(_read_bytes(path, source), source, encoding)), 0
    corpora = _bundled_files()
    if source in corpora and corpora[source].is_dir():
        return _read_folder(str(corpora[source]), "utf-8")
    if source in corpora:
        return _not_blank(source, _decode(_read_bytes(corpora[source], source), source, "utf-8")), 0
    close = difflib.get_close_matches(source, corpora, n=3)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    what = f"{source or chr(39) * 2}: no such file, folder or bundled corpus"
    raise CorpusError(f"{what}; {guess}`gencli corpora` lists the bundled ones")


def _read_folder(folder: str, encoding: str) -> tuple[list[tuple[str, str]], int]:
    """Every text file below a folder, hidden ones apart; binary, undecodable and unreadable files are only counted."""

    def stop(error: OSError) -> None:
        raise _unreadable(error.filename or folder, error) from error

    paths: list[Path] = []
    for place, below, names in os.walk(folder, onerror=stop):
        below[:] = [name for name in below if not name.startswith(".")]
        paths += [Path(place, name) for name in names if not name.startswith(".")]
    texts: list[tuple[str, str]] = []
    skipped = 0
    for path in sorted(paths):
        label = f"{folder.rstrip('/')}/{path.relative_to(folder).as_posix()}"
        try:
            if not path.is_file():  # reading a pipe or a device might never end
                raise CorpusError(f"{label}: not a file")
            text = _decode(_read_bytes(path, label), label, encoding)
        except CorpusError:
            skipped += 1
            continue
        if text.strip():
            texts.append((label, text))
    if not texts:
        also = f" (skipped as no {encoding} text: {skipped})" if skipped else ""
        raise CorpusError(f"{folder}: no text in this folder{also}; put text files in it, or name its --encoding")
    return texts, skipped


def _not_blank(source: str, text: str) -> list[tuple[str, str]]:
    """One (label, text) pair; CorpusError where there is nothing to read."""
    if not text.strip():
        raise CorpusError(f"{_label(source)}: empty; give a text with at least two lines")
    return [(_label(source), text)]


def _read_bytes(path: Path, label: str) -> bytes:
    """All of a file; CorpusError where the system refuses."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(label, error) from error


def _read_stdin() -> bytes:
    """All of standard input, undecoded."""
    if sys.stdin is None:
        raise CorpusError("stdin: closed; pipe a text into it, or name a file")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise _unreadable("stdin", error) from error


def _unreadable(label: str, error: OSError) -> CorpusError:
    """The one-line report of a refusal by the system."""
    return CorpusError(f"{label}: cannot be read ({error.strerror}); check its name and permissions")


def _decode(data: bytes, label: str, encoding: str) -> str:
    """Bytes -> text with LF line ends and no byte order mark; CorpusError, with the offset, for what is no text."""
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))  # there a letter has NULs
    nul = -1 if wide else data.find(b"\0")
    if nul >= 0:
        remedy = "give a text file, or name its encoding, such as --encoding utf-16"
        raise CorpusError(f"{label}: binary data (a NUL at byte {nul}); {remedy}")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        other = "latin-1" if encoding.lower().startswith("utf") else "utf-8"
        remedy = f"name its encoding, such as --encoding {other}"
        raise CorpusError(f"{label}: not {encoding} text at byte {error.start} ({error.reason}); {remedy}") from error
    except UnicodeError as error:
        raise CorpusError(f"{label}: not {encoding} text; name its encoding, such as --encoding utf-8") from error
    if "\0" in text:
        raise CorpusError(f"{label}: binary data (a NUL at character {text.index(chr(0))}); give a text file")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def check_encoding(encoding: str) -> None:
    """OptionError unless Python can decode text in this encoding."""
    try:
        b"x".decode(encoding)
    except UnicodeError:
        return  # a known encoding in which one letter x is no text
    except (LookupError, ValueError) as error:
        message = f"--encoding {encoding}: not a text encoding known here; try utf-8, latin-1 or cp1252"
        raise OptionError(message) from error


def _bundled_files() -> dict[str, Path]:
    """Name -> path of the bundled corpora, sorted: inside an installed package, beside it in a checkout."""
    installed = Path(str(resources.files("gencli").joinpath("corpora")))
    folder = installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "corpora"
    tunes = {path.parent for path in folder.glob("*/*.abc")}
    return {path.stem: path for path in sorted([*folder.glob("*.txt"), *tunes], key=lambda path: path.stem)}


def bundled_path(source: str) -> Path | None:
    """Where the bundled corpus of a name lies; None where there is none, or a file or folder of that name."""
    return None if Path(source).exists() else _bundled_files().get(source)


def _label(source: str) -> str:
    """A source in messages: as typed, `-` as stdin."""
    return "stdin" if source == "-" else source


def corpus_name(sources: Sequence[str]) -> str:
    """A name to save a model under: those of up to three sources, files without their suffix."""
    names = []
    for source in sources[:3]:
        path = Path(source).resolve() if Path(source).name in ("", "..") else Path(source)
        if source.startswith("music21:"):
            names.append(source.removeprefix("music21:").strip("/").replace("/", "-") or "music21")
            continue
        names.append(_label(source) if source == "-" else (path.name if path.is_dir() else path.stem) or "corpus")
    more = [f"and-{len(sources) - 3}-more"] if len(sources) > 3 else []
    return "-".join(names + more)
