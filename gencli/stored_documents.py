"""Documents whose texts lie in one file on disk: D of them cost some 30 bytes each in memory, whatever their length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gencli.document import BATCH_CHARACTERS, Document, TextBatch
from gencli.scratch import Scratch

BATCH_DOCUMENTS = 1 << 15


@dataclass(frozen=True)
class Spans:
    """Where texts stand in a file of UTF-8; D documents."""

    begins: NDArray[np.int64]  # (D,) bytes
    sizes: NDArray[np.integer[Any]]  # (D,) bytes
    numbers: NDArray[np.int32]  # (D,) the line that each begins at, from 1; 0 = a document without one
    labels: tuple[str, ...]  # of the texts they were cut from, ascending
    firsts: NDArray[np.int64]  # the first document of each text


class StoredDocuments(Sequence[Document]):
    """Documents in the order of `which`, indices into the spans; None = all of them.

    Iterating and indexing make Documents one by one; who wants all texts takes them in batches.
    """

    def __init__(self, store: Scratch, spans: Spans, which: NDArray[np.int64] | None = None) -> None:
        self.store, self.spans, self._which = store, spans, which

    def __len__(self) -> int:
        return len(self.spans.begins) if self._which is None else len(self._which)

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> StoredDocuments: ...
    def __getitem__(self, index: int | slice) -> Document | StoredDocuments:
        if isinstance(index, slice):
            return self.select(np.arange(*index.indices(len(self)), dtype=np.int64))
        place = range(len(self))[index]
        return self._document(place if self._which is None else int(self._which[place]))

    def __iter__(self) -> Iterator[Document]:
        return (self[place] for place in range(len(self)))

    def select(self, places: NDArray[np.int64]) -> StoredDocuments:
        """The documents at some places, in their order."""
        return StoredDocuments(self.store, self.spans, places if self._which is None else self._which[places])

    def batches(self) -> Iterator[TextBatch]:
        """All texts in order, about BATCH_CHARACTERS bytes at a time; parts of those that are longer."""
        begin = 0
        while begin < len(self):
            begins, sizes = self._slice(begin, begin + BATCH_DOCUMENTS)
            count = int(np.searchsorted(np.cumsum(sizes, dtype=np.int64), BATCH_CHARACTERS, side="right"))
            if count == 0:
                yield from self._parts(int(begins[0]), int(begins[0]) + int(sizes[0]))
            else:
                yield TextBatch(self._texts(begins[:count].tolist(), sizes[:count].tolist()))
            begin += max(count, 1)

    def _slice(self, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.integer[Any]]]:
        """Where documents begin ... end - 1 stand, and their sizes."""
        which = slice(begin, end) if self._which is None else self._which[begin:end]
        return self.spans.begins[which], self.spans.sizes[which]

    def _texts(self, begins: list[int], sizes: list[int]) -> list[str]:
        """Texts that stand close together in one reading, others one by one."""
        low, high = min(begins), max(map(int.__add__, begins, sizes))
        if high - low > 2 * BATCH_CHARACTERS:
            return [self._text(begin, size) for begin, size in zip(begins, sizes, strict=True)]
        data = self.store.read(low, high)
        if data.isascii():
            text = data.decode("ascii")
            return [text[b - low : b - low + size] for b, size in zip(begins, sizes, strict=True)]
        return [decoded(data[b - low : b - low + size]) for b, size in zip(begins, sizes, strict=True)]

    def _parts(self, begin: int, end: int) -> Iterator[TextBatch]:
        """One long text in parts."""
        place = begin
        while place < end:
            data = self.store.read(place, min(place + BATCH_CHARACTERS, end))
            if place + len(data) < end:
                data = data[: last_cut(data)]
            after = place + len(data)
            yield TextBatch([decoded(data)], place == begin, after == end)
            place = after

    def _document(self, place: int) -> Document:
        """One of the spans as a Document."""
        spans = self.spans
        label = spans.labels[int(np.searchsorted(spans.firsts, place, side="right")) - 1]
        number = int(spans.numbers[place])
        text = self._text(int(spans.begins[place]), int(spans.sizes[place]))
        return Document(text, f"{label}:{number}" if number else label)

    def _text(self, begin: int, size: int) -> str:
        return decoded(self.store.read(begin, begin + size))


def decoded(data: bytes) -> str:
    """The text of bytes of a store; lone surrogates stay what they are."""
    return data.decode("utf-8", "surrogatepass")


def last_cut(data: bytes) -> int:
    """Where the beginning of a longer text is best cut: after a line break, else before spaces, else at a character."""
    after_break = data.rfind(b"\n") + 1
    if after_break:
        return after_break
    before_spaces = len(data[: max(data.rfind(b" "), 0)].rstrip(b" "))
    if before_spaces:
        return before_spaces
    place = len(data) - 1
    while data[place] & 0xC0 == 0x80:  # inside a character
        place -= 1
    return place
