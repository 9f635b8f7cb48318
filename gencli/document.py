"""A document, and many of them read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

BATCH_CHARACTERS = 1 << 20  # of text that a batch holds, about


@dataclass(frozen=True)
class Document:
    """One thing the model learns to write; `source` tells where it stood, such as "names.txt:17".

    Documents of one `group`, such as takes of one tune, train or validate together; "" = alone, with its equals.
    """

    text: str
    source: str = ""
    group: str = ""


@dataclass(frozen=True)
class TextBatch:
    """The texts of some documents in order, or one part of a document too long for a batch.

    A part ends after a line break where there is one, else before a space, else anywhere.
    """

    texts: list[str]
    begins: bool = True  # else the text goes on from the batch before
    ends: bool = True  # else the text goes on in the batch after


@runtime_checkable
class InBatches(Protocol):
    """Documents that are not all in memory."""

    def batches(self) -> Iterator[TextBatch]:
        """All documents in order."""


def text_batches(documents: Sequence[Document]) -> Iterator[TextBatch]:
    """The texts of documents in order; whole ones where all are in memory anyway."""
    if isinstance(documents, InBatches):
        yield from documents.batches()
        return
    texts: list[str] = []
    size = 0
    for document in documents:
        texts.append(document.text)
        size += len(document.text)
        if size >= BATCH_CHARACTERS:
            yield TextBatch(texts)
            texts, size = [], 0
    if texts:
        yield TextBatch(texts)


def whole_texts(documents: Sequence[Document]) -> Iterator[str]:
    """The text of each document in order, however long."""
    parts: list[str] = []
    for batch in text_batches(documents):
        if batch.begins and batch.ends:
            yield from batch.texts
            continue
        parts += batch.texts
        if batch.ends:
            yield "".join(parts)
            parts = []
