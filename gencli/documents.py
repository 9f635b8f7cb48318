"""How texts divide into documents, and by what a layout tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.config import DocumentMode
from gencli.document import Document

__all__ = ["Corpus", "Document", "choose_mode", "cut_documents", "distinct"]

LONGEST_NAME = 32  # characters: nine names in ten are no longer
LONGEST_SENTENCE = 320  # characters: nine sentences in ten are no longer; above, a line is a paragraph
MEDIAN_SENTENCE = 160
MOST_NAME_WORDS = 4
LARGEST_BLOCK = 50  # lines: rarer blank lines are accidents
LINES_JUDGED = 50_000  # the layout of a longer text shows in its first lines
CHARACTERS_JUDGED = 16_000_000  # of these lines, however long they are

SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\s\"'`\u2019\u201d\xbb)\]]*$")  # also Chinese
LINE_GOES_ON = re.compile(r"[,;:({\[\-\u2013\u2014]$")
INNER_PUNCTUATION = re.compile(r"[.,;:!?]\s")


@dataclass(frozen=True)
class Corpus:
    """Documents in the order read. `source` is what the user typed; `skipped` counts unreadable files in folders.

    `notices` tell, a line each, what reading left out or changed; `tunes`: the texts are those of tunes.
    """

    name: str
    documents: Sequence[Document]
    mode: DocumentMode
    source: str
    skipped: int = 0
    notices: tuple[str, ...] = ()
    tunes: bool = False


def blocks(lines: Sequence[str]) -> list[list[str]]:
    """The runs of lines between blank lines, in order; no run is empty."""
    runs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            runs[-1].append(line)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def short_lines(lines: Sequence[str]) -> bool:
    """Whether the lines are as short as sentences: median <= 160 characters, 90th percentile <= 320."""
    return short_lengths([len(line) for line in lines])


def short_lengths(lengths: Sequence[int] | NDArray[np.integer[Any]]) -> bool:
    """Whether lines of so many characters are."""
    median, ninetieth = np.percentile(np.asarray(lengths), [50, 90])
    return bool(median <= MEDIAN_SENTENCE and ninetieth <= LONGEST_SENTENCE)


def are_names(lines: Sequence[str]) -> bool:
    """Whether nine lines in ten have at most 4 words and at most 32 characters."""
    words = np.percentile([len(line.split()) for line in lines], 90)
    return bool(words <= MOST_NAME_WORDS and np.percentile([len(line) for line in lines], 90) <= LONGEST_NAME)


def goes_on(line: str, following: str) -> bool:
    """Whether a line breaks off: it ends in a comma or the like, or is punctuated and the next begins small."""
    if LINE_GOES_ON.search(line):
        return True
    return following[:1].islower() and INNER_PUNCTUATION.search(line) is not None


def choose_mode(texts: Iterable[str]) -> DocumentMode:
    """The mode of `--documents auto`, from the layout of the first 50,000 lines, or 16 million characters.

    The first rule that fits decides:

    1. a single line: `line`, or `stream` where it is longer than 320 characters;
    2. names (9 lines in 10 have at most 4 words and 32 characters): `line`;
    3. long lines (median over 160 or 90th percentile over 320 characters): `paragraph`;
    4. at least half of the lines that another follows without a blank between end a sentence: `line`
       (also where a blank stands between all lines). Wrapped prose, verse and programs end few of them;
    5. blank lines part the text into blocks of 2 to 50 lines on average (a play, a wrapped book, a program),
       or a quarter of the lines break off in a comma or before a small letter (the same without blanks): `stream`;
    6. anything else (titles, sentences without punctuation): `line`.

    Blocks end with their text: a line never goes on in the next file.
    """
    runs: list[list[str]] = []
    judged = characters = 0
    for text in texts:
        head = text[: CHARACTERS_JUDGED - characters]
        lines = [line.strip() for line in head.split("\n", LINES_JUDGED - judged)[: LINES_JUDGED - judged]]
        judged += len(lines)
        characters += len(head)
        runs.extend(blocks(lines))
        if judged == LINES_JUDGED or characters == CHARACTERS_JUDGED:
            break
    lines = [line for run in runs for line in run]
    if len(lines) <= 1:
        return "stream" if lines and len(lines[0]) > LONGEST_SENTENCE else "line"
    if are_names(lines):
        return "line"
    if not short_lines(lines):
        return "paragraph"
    followed = [pair for run in runs for pair in pairwise(run)]
    if 2 * sum(SENTENCE_END.search(line) is not None for line, _ in followed) >= len(followed):
        return "line"
    broken_off = 4 * sum(goes_on(*pair) for pair in followed) >= len(followed)
    in_blocks = len(runs) > 1 and 2 * len(runs) <= len(lines) <= LARGEST_BLOCK * len(runs)
    return "stream" if broken_off or in_blocks else "line"


def cut_documents(texts: Sequence[tuple[str, str]], mode: DocumentMode) -> list[Document]:
    """Divide (label, text) pairs into documents; what is blank is none.

    `line`: stripped lines. `paragraph`: blocks between blank lines, or, in a text of long lines (see `short_lines`)
    without blanks between, lines. `file`: whole texts. `stream`: one document, the texts joined, each from a new line.
    """
    texts = [(label, text) for label, text in texts if text.strip()]
    if mode == "stream":
        joined = "".join(text if text.endswith("\n") else text + "\n" for _, text in texts[:-1])
        return [Document(joined + texts[-1][1], " ".join(label for label, _ in texts))] if texts else []
    if mode == "file":
        return [Document(text.strip("\n"), label) for label, text in texts]
    cut = _lines if mode == "line" else _paragraphs
    return [document for label, text in texts for document in cut(label, text)]


def _lines(label: str, text: str) -> list[Document]:
    """The stripped lines that are not blank."""
    lines = enumerate(text.split("\n"), 1)
    return [Document(stripped, f"{label}:{number}") for number, line in lines if (stripped := line.strip())]


def _paragraphs(label: str, text: str) -> list[Document]:
    """The blocks between blank lines; the lines of a single block if they are long."""
    lines = text.split("\n")
    found: list[Document] = []
    first = 0  # line the current block begins at
    for number, line in enumerate([*lines, ""]):
        if line.strip():
            continue
        if number > first:
            found.append(Document("\n".join(lines[first:number]).strip(), f"{label}:{first + 1}"))
        first = number + 1
    if len(found) == 1 and not short_lines([line for line in lines if line.strip()]):
        return _lines(label, text)
    return found


def distinct(texts: Iterable[str]) -> list[str]:
    """The texts without repetitions, in order of first appearance."""
    return list(dict.fromkeys(texts))
