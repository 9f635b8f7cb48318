"""Sources that hold tunes -> Documents, one a tune, whose texts are their tokens."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from gencli.codecs.music import tune_text
from gencli.config import LabelSource
from gencli.documents import Document
from gencli.errors import CorpusError
from gencli.music.measures import HIDDEN
from gencli.music.tunes import CORPUS, SUFFIXES, read_source

NAMED: Final = 3  # unreadable files that a warning names
REDUCED: Final = HIDDEN.partition("(s)")[2]  # the end of a tune's notice that it had several voices
HEAD: Final = 4096  # bytes in which an .xml file says that it is a score
SCORES: Final = (b"<score-partwise", b"<score-timewise", b"<!DOCTYPE score-")
TAKE: Final = re.compile(r"[\s,(\[-]*\b(alternate |alt\.? )?take( \d+)?[)\]]*$")
NUMBER: Final = re.compile(r"\s*-\s*(no\.? ?)?\d+$")  # of a recording: "Oleo-2", "Anthropology - No1"
PLAYER: Final = " - "  # between who plays and what is played
SERIES: Final = 0.1  # a name that so many of all titles share, and more than four, is that of a series


@dataclass
class TuneDocuments:
    """What was read. `notices` tell in whole lines what was left out and what was changed."""

    documents: list[Document] = field(default_factory=list)
    skipped: int = 0
    notices: list[str] = field(default_factory=list)


def holds_tunes(source: str) -> bool:
    """Whether a source is a tune file, a collection of music21's, or a folder most of whose files are tunes.

    An .xml file is one where it says so at its beginning.
    """
    if source.startswith(CORPUS):
        return True
    path = Path(source)
    try:
        if path.is_file():
            return _is_tune(path)
        if source == "" or not path.is_dir():
            return False
        tunes = files = 0
        for place, below, names in os.walk(path):
            below[:] = [name for name in below if not name.startswith(".")]
            kept = [Path(place, name) for name in names if not name.startswith(".")]
            files += len(kept)
            tunes += sum(map(_is_tune, kept))
        return 2 * tunes > files
    except OSError:
        return False


def _is_tune(path: Path) -> bool:
    """Whether a file's name, of .xml its beginning too, is that of a tune."""
    suffix = path.suffix.lower()
    if suffix != ".xml":
        return suffix in SUFFIXES
    with path.open("rb") as file:
        head = file.read(HEAD)
    return any(mark in head for mark in SCORES)


def read_tune_documents(
    sources: Sequence[tuple[str, str]], track: str | None = None, label: LabelSource = "none"
) -> TuneDocuments:
    """The tunes of (name, path) pairs in order; takes of one title are one group, which a split keeps together.

    `track` names the melody's track; with label "folder" a tune is labelled with the folder that it stood in. Files
    that cannot be read are left out and counted; CorpusError where a source has no tune.
    """
    found = TuneDocuments()
    unreadable: list[str] = []
    titles: list[str] = []
    reduced = doubles = 0
    for name, path in sources:
        tunes = read_source(path, track)
        unreadable += tunes.skipped
        doubles += tunes.doubles
        reduced += sum(any(REDUCED in notice for notice in sheet.notices) for sheet in tunes.sheets)
        for sheet, place in zip(tunes.sheets, tunes.sources, strict=True):
            labelled = sheet if label == "folder" else replace(sheet, label="")
            source = place.replace(path, name, 1) if name != path else place
            found.documents.append(Document(tune_text(labelled), source))
        titles += [sheet.title for sheet in tunes.sheets]
    groups = grouped_titles(titles)
    found.documents = [replace(one, group=group) for one, group in zip(found.documents, groups, strict=True)]
    found.skipped = len(unreadable)
    if unreadable:
        more = f"; and {len(unreadable) - NAMED} more" if len(unreadable) > NAMED else ""
        found.notices.append(f"warning: not read: {'; '.join(unreadable[:NAMED])}{more}")
    if reduced:
        found.notices.append(f"reduced to one voice, the highest: {reduced} of {len(found.documents)} tunes")
    if doubles:
        found.notices.append(f"left out, for they stood there in another format too: {doubles} files")
    if not found.documents:
        raise CorpusError(f"{' '.join(name for name, _ in sources)}: no tune in it")
    return found


def grouped_titles(titles: Sequence[str]) -> list[str]:
    """What recordings of one tune have in common: "Sonny Rollins - Oleo-2" and "oleo (take 1)" are "oleo".

    Capitals and takes never count. Player and number count where too many tunes would share a name without them, for
    those are studies or dances in a row. "" where there is no title.
    """
    whole = [TAKE.sub("", " ".join(title.casefold().split())) for title in titles]
    tunes = [_tune_name(title) for title in whole]
    sharing = Counter(tune for tune, _ in set(zip(tunes, whole, strict=True)))  # different titles
    most = max(4, int(SERIES * len(titles))) if len(sharing) > 1 else 0
    return [title if sharing[tune] > most else tune for title, tune in zip(whole, tunes, strict=True)]


def _tune_name(title: str) -> str:
    """A title without player and number."""
    numberless = NUMBER.sub("", title)
    return numberless.partition(PLAYER)[2] or numberless
