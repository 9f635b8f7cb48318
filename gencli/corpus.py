"""Sources as the user names them (bundled corpora, files, folders, stdin) -> a Corpus of Documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gencli.config import DocumentMode, LabelSource, Level, check, check_name
from gencli.cut_stored import cut_stored, heads
from gencli.document import Document, text_batches
from gencli.documents import Corpus, are_names, choose_mode, cut_documents, distinct
from gencli.errors import CorpusError
from gencli.sources import (
    TextFile,
    bundled_files,
    bundled_path,
    check_encoding,
    find_files,
    nothing_at,
    nothing_in,
)
from gencli.splitting import split
from gencli.text_store import TextStore

__all__ = [
    "BundledCorpus",
    "Corpus",
    "Document",
    "bundled",
    "bundled_path",
    "check_encoding",
    "corpus_name",
    "distinct",
    "read_corpus",
    "split",
]

LARGE: Final = 16_000_000  # characters: larger texts, and their ids, stay on disk
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
    for name, path in bundled_files().items():
        if path.is_dir():
            tunes = [_text(tune) for tune in sorted(path.glob("*.abc"))]
            count = sum(tune.startswith("X:") + tune.count("\nX:") for tune in tunes)
            found.append(BundledCorpus(name, path, "tunes", count, sum(map(len, tunes)), ORIGINS.get(name, "")))
            continue
        text = _text(path)
        documents = cut_documents([(name, text)], choose_mode([text]))
        if not documents:
            raise CorpusError(f"{path}: empty; install gencli again")
        kind: Literal["names", "prose"] = "names" if are_names([document.text for document in documents]) else "prose"
        size = sum(len(document.text) for document in documents)
        found.append(BundledCorpus(name, path, kind, len(documents), size, ORIGINS.get(name, "")))
    return found


def _text(path: Path) -> str:
    """All of a bundled file."""
    return "".join(TextFile(str(path), path, "utf-8").pieces())


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
    texts = TextStore(LARGE)
    skipped = sum(_read_source(source, encoding, texts) for source in sources)
    if mode == "auto":
        mode = _layout(texts)
    typed = " ".join("stdin" if source == "-" else source for source in sources)
    disk = texts.disk
    documents = cut_documents(texts.texts, mode) if disk is None else cut_stored(disk, texts.stored, mode)
    corpus = Corpus(corpus_name(sources), documents, mode, typed, skipped)
    if for_training:
        _check_learnable(corpus)
    return corpus


def _read_source(source: str, encoding: str, texts: TextStore) -> int:
    """Take up the texts of one source; gives the number of files skipped. Blank files of a folder are left out."""
    skipped = taken = 0
    folder = None
    for file in find_files(source, encoding):
        folder = file.folder
        try:
            taken += texts.add(file.label, file.pieces())
        except CorpusError:
            if folder is None:
                raise
            skipped += 1
        if not taken and folder is None:
            raise nothing_at(file.label)
    if folder is not None and not taken:
        raise nothing_in(folder, encoding, skipped)
    return skipped


def _layout(texts: TextStore) -> DocumentMode:
    """The mode of `--documents auto`."""
    labels = [text.label for text in texts.stored] or [label for label, _ in texts.texts]
    if len(labels) > 1 and all(label.lower().endswith(TUNE_SUFFIXES) for label in labels):
        return "file"
    return choose_mode((text for _, text in texts.texts) if texts.disk is None else heads(texts.disk, texts.stored))


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
    characters: set[str] = set()
    for batch in text_batches(corpus.documents):
        characters.update(*batch.texts)
        if len(characters) > 1:
            break
    else:
        raise CorpusError(f"{corpus.source}: only one distinct character; give a text with something to learn")
    first = corpus.documents[0].text if corpus.mode != "stream" else ""
    if corpus.mode == "stream" or any(document.text != first for document in corpus.documents):
        return
    if corpus.tunes:
        raise CorpusError(f"{corpus.source}: only one tune, nothing to hold out; give more tunes")
    remedy = f"give more {corpus.mode}s, or read the text as one with --documents stream"
    raise CorpusError(f"{corpus.source}: only one distinct {corpus.mode}, nothing to hold out; {remedy}")


def corpus_name(sources: Sequence[str]) -> str:
    """A name to save a model under: those of up to three sources, files without their suffix."""
    names = []
    for source in sources[:3]:
        path = Path(source).resolve() if Path(source).name in ("", "..") else Path(source)
        if source.startswith("music21:"):
            names.append(source.removeprefix("music21:").strip("/").replace("/", "-") or "music21")
            continue
        names.append("stdin" if source == "-" else (path.name if path.is_dir() else path.stem) or "corpus")
    more = [f"and-{len(sources) - 3}-more"] if len(sources) > 3 else []
    return "-".join(names + more)
