"""How texts on disk divide into documents: what documents.cut_documents does, by the bytes of their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gencli.config import DocumentMode
from gencli.documents import CHARACTERS_JUDGED, LINES_JUDGED, short_lengths
from gencli.scratch import Scratch
from gencli.stored_documents import Spans, StoredDocuments, decoded
from gencli.text_store import StoredText

BLOCK: Final = 1 << 20  # bytes read at a time
BLANK: Final = np.array([chr(code).isspace() for code in range(128)] + [False] * 128)
STEPS: Final = 64  # blanks at an end of a line that are taken off all lines at once


@dataclass(frozen=True)
class Lines:
    """The lines of a text that are not blank, L of them, stripped."""

    begins: NDArray[np.int64]  # (L,) bytes
    ends: NDArray[np.int64]  # (L,) bytes
    numbers: NDArray[np.int32]  # (L,) from 1
    characters: NDArray[np.int32]  # (L,) before stripping


def cut_stored(store: Scratch, texts: Sequence[StoredText], mode: DocumentMode) -> StoredDocuments:
    """The documents that `cut_documents` would make of the same texts."""
    labels = tuple(text.label for text in texts)
    if mode == "stream":
        begins, ends = [np.array([texts[0].begin])], [np.array([texts[-1].end])]
        numbers, labels = [np.zeros(1, np.int32)], (" ".join(labels),)
    elif mode == "file":
        stripped = [_without_breaks(store, text) for text in texts]
        begins, ends = [np.array([begin]) for begin, _ in stripped], [np.array([end]) for _, end in stripped]
        numbers = [np.zeros(1, np.int32)] * len(texts)
    else:
        cut = _lines if mode == "line" else _paragraphs
        begins, ends, numbers = map(list, zip(*(cut(store, text) for text in texts), strict=True))
    counts = [len(one) for one in begins]
    sizes = [(ends.pop(0) - one).astype(np.int32 if mode == "line" else np.int64) for one in begins]
    firsts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    spans = Spans(_joined(begins), _joined(sizes), _joined(numbers), labels, firsts)
    return StoredDocuments(store, spans)


def heads(store: Scratch, texts: Sequence[StoredText]) -> Iterator[str]:
    """As much of the beginning of each text as `choose_mode` can look at."""
    for text in texts:
        parts: list[bytes] = []
        lines = characters = 0
        place = text.begin
        while place < text.end and lines <= LINES_JUDGED and characters <= CHARACTERS_JUDGED:
            parts.append(store.read(place, min(place + BLOCK, text.end)))
            place += len(parts[-1])
            lines += parts[-1].count(b"\n")
            characters += _characters(parts[-1])
        yield b"".join(parts).decode("utf-8", "ignore" if place < text.end else "surrogatepass")


def character_place(store: Scratch, begin: int, end: int, count: int) -> int:
    """The byte at which `count` characters from `begin` on are over."""
    place = begin
    while place < end:
        data = store.read(place, min(place + BLOCK, end))
        held = _characters(data)
        if count < held:
            return place + int(np.flatnonzero(_leading(data))[count])
        count -= held
        place += len(data)
    return end


def count_characters(store: Scratch, begin: int, end: int) -> int:
    """The characters of bytes begin ... end - 1."""
    return sum(_characters(store.read(place, min(place + BLOCK, end))) for place in range(begin, end, BLOCK))


def _characters(data: bytes) -> int:
    """The characters that begin in the data."""
    return int(np.count_nonzero(_leading(data)))


def _leading(data: bytes) -> NDArray[np.bool_]:
    """Which bytes begin a character."""
    leading: NDArray[np.bool_] = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    return leading


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrays end to end; the list is emptied, so that no array is held twice for long."""
    joined = np.concatenate(arrays) if len(arrays) != 1 else arrays[0]
    arrays.clear()
    return joined


def _without_breaks(store: Scratch, text: StoredText) -> tuple[int, int]:
    """Where a text begins and ends without the line breaks around it."""
    begin, end = text.begin, text.end
    while store.read(begin, begin + 1) == b"\n":
        begin += 1
    while store.read(end - 1, end) == b"\n":
        end -= 1
    return begin, end


def _lines(store: Scratch, text: StoredText) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Begins, ends and numbers of the lines."""
    lines = stored_lines(store, text)
    return lines.begins, lines.ends, lines.numbers


def _paragraphs(store: Scratch, text: StoredText) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Those of the blocks between blank lines; those of the lines of a single block if they are long."""
    lines = stored_lines(store, text)
    parted = np.diff(lines.numbers) > 1
    if not parted.any() and not short_lengths(lines.characters):
        return lines.begins, lines.ends, lines.numbers
    first, last = np.append(True, parted), np.append(parted, True)
    return lines.begins[first], lines.ends[last], lines.numbers[first]


def stored_lines(store: Scratch, text: StoredText) -> Lines:
    """The lines of a text."""
    found: list[tuple[NDArray[Any], ...]] = []
    number = 1
    for place, data in _whole_lines(store, text.begin, text.end):
        values = np.frombuffer(data, np.uint8)
        breaks = np.flatnonzero(values == 10)
        if not data.endswith(b"\n"):
            breaks = np.append(breaks, len(data))
        starts = np.concatenate([[0], breaks[:-1] + 1])
        leading = np.append(_leading(data), False)
        characters = np.add.reduceat(leading, starts, dtype=np.int32) - (breaks < len(data))
        begins, ends = _stripped(data, values, starts, breaks)
        kept = np.flatnonzero(begins < ends)
        numbers = (kept + number).astype(np.int32)
        found.append((begins[kept] + place, ends[kept] + place, numbers, characters[kept].astype(np.int32)))
        number += len(breaks)
    return Lines(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _whole_lines(store: Scratch, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of a text that end with a line, and where each begins."""
    size = BLOCK
    while begin < end:
        data = store.read(begin, min(begin + size, end))
        cut = len(data) if begin + len(data) == end else data.rfind(b"\n") + 1
        if cut == 0:
            size *= 2
            continue
        yield begin, data[:cut]
        begin, size = begin + cut, BLOCK


def _stripped(
    data: bytes, values: NDArray[np.uint8], starts: NDArray[np.int64], breaks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Begins and ends of lines without the white space around them; equal where nothing is left."""
    begins, ends = starts.astype(np.int64), breaks.astype(np.int64)
    padded = np.append(values, np.uint8(0))
    left = np.arange(len(begins))
    right = left
    for _ in range(STEPS):
        left = left[(begins[left] < ends[left]) & BLANK[padded[begins[left]]]]
        begins[left] += 1
        right = right[(begins[right] < ends[right]) & BLANK[padded[ends[right] - 1]]]
        ends[right] -= 1
        if len(left) == len(right) == 0:
            break
    edged = (begins < ends) & ((padded[begins] | padded[ends - 1]) >= 0x80)  # other white space, perhaps
    edged[left] = edged[right] = True
    for line in np.flatnonzero(edged & (begins < ends)).tolist():
        text = decoded(data[begins[line] : ends[line]])
        rest = text.lstrip()
        begins[line] += len(text[: len(text) - len(rest)].encode("utf-8", "surrogatepass"))
        ends[line] = begins[line] + len(rest.rstrip().encode("utf-8", "surrogatepass"))
    return begins, ends
