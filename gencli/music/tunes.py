"""Tunes as the user names them: a file, a folder, or a collection of music21's own corpus."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from gencli.errors import CorpusError
from gencli.music.cache import Found, cached
from gencli.music.lead_sheet import LeadSheet
from gencli.music.read_abc import read_abc
from gencli.music.read_midi import read_midi
from gencli.music.read_score import read_kern, read_musicxml

LARGEST = 16 * 2**20  # bytes of a file
LARGEST_TEXT = 4 * 2**20  # of ABC and kern, which are tighter
FORMATS = {  # suffix -> reader, in the order of preference where a folder has a tune in several formats
    ".abc": "abc",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
    ".xml": "musicxml",
    ".krn": "kern",
    ".kern": "kern",
    ".mid": "midi",
    ".midi": "midi",
    ".kar": "midi",
}
SUFFIXES = tuple(FORMATS)
CORPUS = "music21:"

Progress = Callable[[int, int], None]  # files done, files in all


@dataclass
class Tunes:
    """Tunes in the order of their files, each with a name of the place where it stood, such as "reels.abc:2"."""

    sheets: list[LeadSheet] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # "file: reason" of what could not be read
    doubles: int = 0  # files left out because the same tune stood beside them in another format


def read_tunes(path: str | Path, track: str | None = None) -> list[LeadSheet]:
    """The tunes of one file; CorpusError, naming it, where it cannot be read or holds none.

    `track` names the melody's track, part or voice: a number from 1 on, a name or a piece of one. What a tune lost on
    the way stands in its notices.
    """
    sheets, problems = _read_file(Path(path), str(path), track)
    if not sheets:
        raise CorpusError(problems[0])
    return sheets


def read_source(
    source: str, track: str | None = None, *, every_format: bool = False, progress: Progress | None = None
) -> Tunes:
    """The tunes of a file, of all files of a tune format in and below a folder, or of "music21:NAME".

    Files and tunes that cannot be read are reported in `skipped`; CorpusError where nothing is left. Of files in one
    folder whose names differ in the suffix alone one is read, for they hold the same tune, unless `every_format`. The
    label of a tune is the folder below the source that it stands in, else the name of the source's own folder.
    """
    if source.startswith(CORPUS):
        root, paths = _collection(source.removeprefix(CORPUS))
    else:
        root, paths = _below(source)
    chosen = paths if every_format or len(paths) == 1 else _one_format(paths)
    found = Tunes(doubles=len(paths) - len(chosen))
    for done, path in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen))
        label = str(path) if path == root else f"{source.rstrip('/')}/{path.relative_to(root).as_posix()}"
        if source.startswith(CORPUS):
            label = CORPUS + path.relative_to(root.parent).as_posix()
        try:
            sheets, problems = _read_file(path, label, track)
        except CorpusError as error:
            found.skipped.append(str(error))
            continue
        found.skipped += problems
        found.sheets += [replace(sheet, label=_style(root, path)) for sheet in sheets]
        found.sources += (
            [f"{label}:{n}" for n in range(1, len(sheets) + 1)] if len(sheets) > 1 else [label] * len(sheets)
        )
    if not found.sheets:
        more = f" (and {len(found.skipped) - 1} more unreadable)" if len(found.skipped) > 1 else ""
        raise CorpusError(found.skipped[0] + more)
    return found


def collections() -> list[str]:
    """The names that may stand behind "music21:"."""
    folder = _corpus_folder()
    names = (path.name for path in folder.iterdir() if path.is_dir() and next(_tune_files(path), None) is not None)
    return sorted(names)


def _read_file(path: Path, label: str, track: str | None) -> Found:
    """The tunes of a file, from the cache if they are there; CorpusError begins with the label."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise CorpusError(f"{label}: no tune format known here; give {', '.join(SUFFIXES)}")
    try:
        if not path.is_file():  # reading a pipe or a device might never end
            raise CorpusError(f"{label}: {'not a file' if path.exists() else 'no such file'}")
        size, largest = path.stat().st_size, LARGEST_TEXT if kind in ("abc", "kern") else LARGEST
        if size > largest:
            raise CorpusError(f"{label}: larger than {largest // 2**20} MiB; split it")
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read ({error.strerror}); check its name and permissions") from error
    try:
        sheets, problems = cached(data, f"{kind} {track or ''}", lambda: _parse(data, kind, track))
    except CorpusError as error:
        raise CorpusError(f"{label}: {error}") from error
    return sheets, [f"{label}: {problem}" for problem in problems]


def _parse(data: bytes, kind: str, track: str | None) -> Found:
    """The tunes in a file's bytes."""
    if not data.strip():
        raise CorpusError("empty")
    if kind == "midi":
        return [read_midi(data, track)], []
    if kind == "musicxml":
        return [read_musicxml(data, track)], []
    text = _text(data)
    return read_abc(text, track) if kind == "abc" else ([read_kern(text, track)], [])


def _text(data: bytes) -> str:
    """Bytes as text with LF line ends: UTF-8, UTF-16 with its mark, else Latin-1, in which old tunes are written."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError as error:
        if wide:
            raise CorpusError("damaged UTF-16 text; save it as UTF-8") from error
        text = data.decode("latin-1")
    if "\0" in text:
        raise CorpusError(f"binary data (a NUL at character {text.index(chr(0))}), no text; check its suffix")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _below(source: str) -> tuple[Path, list[Path]]:
    """A file, or all tune files below a folder."""
    root = Path(source)
    try:
        if root.is_dir():
            paths = list(_tune_files(root))
            if not paths:
                raise CorpusError(f"{source}: no tune in this folder; put {', '.join(SUFFIXES)} files in it")
            return root, paths
        if root.exists():
            return root, [root]
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({error.strerror}); check its name and permissions") from error
    raise CorpusError(f"{source}: no such file or folder")


def _tune_files(root: Path) -> Iterator[Path]:
    """The files of a tune format in and below a folder, sorted; hidden ones apart."""

    def stop(error: OSError) -> None:
        raise error

    found = []
    for place, below, names in os.walk(root, onerror=stop):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(place, n) for n in names if not n.startswith(".") and Path(n).suffix.lower() in FORMATS]
    yield from sorted(found)


def _one_format(paths: list[Path]) -> list[Path]:
    """Of files whose paths differ in the suffix alone, the one of the preferred format."""
    best: dict[Path, Path] = {}
    for path in paths:
        known = best.setdefault(path.with_suffix(""), path)
        if SUFFIXES.index(path.suffix.lower()) < SUFFIXES.index(known.suffix.lower()):
            best[path.with_suffix("")] = path
    return list(best.values())


def _style(root: Path, path: Path) -> str:
    """What a tune was filed under."""
    inner = path.relative_to(root).parts if path != root else ()
    return inner[0] if len(inner) > 1 else (path.parent if path == root else root).resolve().name


def _corpus_folder() -> Path:
    """Where music21 keeps its corpus; it need not be imported for that."""
    spec = find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError("music21 is not installed; install gencli again")
    return Path(next(iter(spec.submodule_search_locations))) / "corpus"


def _collection(name: str) -> tuple[Path, list[Path]]:
    """The tune files of a collection, or of "collection/piece": those whose names begin so."""
    collection, _, piece = name.strip("/").partition("/")
    known = collections()
    folded = {each.lower(): each for each in known}
    if collection.lower() not in folded:
        close = difflib.get_close_matches(collection.lower(), folded, n=3)
        guess = f"did you mean {' or '.join(folded[each] for each in close)}?" if close else ""
        told = guess or f"it has {', '.join(known)}"
        raise CorpusError(f"{CORPUS}{name}: no such collection in music21's corpus; {told}")
    root = _corpus_folder() / folded[collection.lower()]
    paths = [path for path in _tune_files(root) if path.relative_to(root).as_posix().startswith(piece)]
    if not paths:
        raise CorpusError(f"{CORPUS}{name}: no piece of {collection} begins with {piece}")
    return root, paths
