"""Documents -> those to learn from and those to validate on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gencli.config import check
from gencli.cut_stored import character_place, count_characters
from gencli.document import Document, whole_texts
from gencli.documents import Corpus, distinct
from gencli.stored_documents import Spans, StoredDocuments

SPLIT_STREAM = 1  # keeps the split's random numbers apart from those of other uses of the same seed
HASH_BYTES = 8


def split(corpus: Corpus, fraction: float, seed: int) -> tuple[Sequence[Document], Sequence[Document]]:
    """Training and validation documents, the same for the same arguments on any machine.

    A stream is cut by position: its last `fraction` of characters validates. Of other corpora `fraction` of the
    distinct texts, chosen by `seed`, validate, once each; all copies of any other text train. Both keep their order.
    Where documents have groups, groups are chosen in the place of texts.
    With fraction > 0 each side gets at least one document (one character of a stream) where there are two.
    Raises OptionError for a fraction outside [0, 1) or a negative seed.
    """
    check(0.0 <= fraction < 1.0, f"--val-fraction {fraction}: must be at least 0 and below 1")
    check(seed >= 0, f"--seed {seed}: must not be negative")
    documents = corpus.documents
    if isinstance(documents, StoredDocuments):
        return _cut_stored(documents, fraction) if corpus.mode == "stream" else _split_stored(documents, fraction, seed)
    if corpus.mode == "stream":
        return _split_by_position(documents, fraction)
    groups = distinct(document.group or document.text for document in documents)
    chosen = {groups[index] for index in _chosen(len(groups), fraction, seed)}
    held_out = [document for document in documents if (document.group or document.text) in chosen]
    train = [document for document in documents if (document.group or document.text) not in chosen]
    first = {document.text: document for document in reversed(held_out)}
    return train, [first[text] for text in distinct(document.text for document in held_out)]


def text_hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """The 64-bit fingerprint (D,) of each text: by it a document is known again, by --novel too."""
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES) for text in texts)
    joined = bytearray()
    for digest in digests:
        joined += digest.digest()
    return np.frombuffer(joined, "<u8").astype(np.uint64, copy=False)


def distinct_sorted(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The distinct values in ascending order; several times as fast as np.unique where there are millions."""
    ranked = np.sort(values)
    return ranked[_changes(ranked)]


def _changes(ranked: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of some values in order differ from the one before."""
    differs = np.ones(len(ranked), np.bool_)
    np.not_equal(ranked[1:], ranked[:-1], out=differs[1:])
    return differs


def _chosen(count: int, fraction: float, seed: int) -> NDArray[np.int64]:
    """Which of `count` groups validate."""
    keys = np.random.PCG64([SPLIT_STREAM, seed]).random_raw(count)  # raw output: fixed across versions of numpy
    return np.argsort(keys, kind="stable")[: _share(count, fraction)].copy()


def _share(count: int, fraction: float) -> int:
    """How many of `count` validate: the rounded share, but neither none nor all where both sides can have one."""
    return 0 if fraction == 0 or count < 2 else min(max(round(count * fraction), 1), count - 1)


def _split_stored(documents: StoredDocuments, fraction: float, seed: int) -> tuple[StoredDocuments, StoredDocuments]:
    """By the fingerprints of the texts: two that share one, by a chance of 1 in 10^6 among 5 million, stay together."""
    hashes = text_hashes(whole_texts(documents))
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    firsts = order[_changes(ranked)]  # the first of each text
    del order, ranked
    firsts.sort()
    held_out = np.sort(firsts[_chosen(len(firsts), fraction, seed)])
    del firsts
    chosen = np.sort(hashes[held_out])
    if len(chosen) == 0:
        return documents, documents.select(held_out)
    places = np.minimum(np.searchsorted(chosen, hashes), len(chosen) - 1)
    return documents.select(np.flatnonzero(chosen[places] != hashes)), documents.select(held_out)


def _cut_stored(documents: StoredDocuments, fraction: float) -> tuple[StoredDocuments, StoredDocuments]:
    """A stream on disk, cut at one character."""
    spans = documents.spans
    begin, end = int(spans.begins[0]), int(spans.begins[0] + spans.sizes[0])
    total = count_characters(documents.store, begin, end)
    cut = character_place(documents.store, begin, end, total - _share(total, fraction))

    sides = []
    for low, high in ((begin, cut), (cut, end)):
        count = int(low < high)  # an empty side has no document
        sizes, numbers = np.array([high - low])[:count], spans.numbers[:count]
        side = Spans(np.array([low])[:count], sizes, numbers, spans.labels, spans.firsts)
        sides.append(StoredDocuments(documents.store, side))
    return sides[0], sides[1]


def _split_by_position(documents: Sequence[Document], fraction: float) -> tuple[list[Document], list[Document]]:
    """Cut the documents, taken end to end, at one character."""
    total = sum(len(document.text) for document in documents)
    left = total - _share(total, fraction)  # characters that train
    train: list[Document] = []
    valid: list[Document] = []
    for document in documents:
        head, tail = document.text[:left], document.text[left:]
        left -= len(head)
        if head:
            train.append(Document(head, document.source))
        if tail:
            valid.append(Document(tail, document.source))
    return train, valid
