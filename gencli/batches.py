"""Ids -> Batch: documents end to end in B rows, cut every T steps. T steps, B rows, F side inputs, N tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gencli.codecs.codec import Tokens

EPOCH_ORDER = 2  # keeps the order's random numbers apart from those of other uses of the same seed
PIECE = 2048  # tokens; documents of two and more are learned from in pieces of about so many


@dataclass(frozen=True)
class Batch:
    """T steps of B rows. Row b goes on in row b of the next batch."""

    inputs: NDArray[np.int32]  # (T, B) the token before the target; 0 and ignored where `starts` or padding
    targets: NDArray[np.int32]  # (T, B) the token to predict; 0 on padding
    starts: NDArray[np.bool_]  # (T, B) the target is the first of its document; also at a row's first step of padding
    weights: NDArray[np.float32]  # (T, B) 1, or 0 on padding
    side: NDArray[np.int32]  # (F, T, B) the side ids of the target; 0 on padding


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation (count,) of the documents, the same for the same arguments on any machine."""
    keys = np.random.PCG64([EPOCH_ORDER, seed, epoch]).random_raw(count)  # raw output: fixed across versions of numpy
    return np.argsort(keys, kind="stable").astype(np.int64, copy=False)


def choose_rows(tokens: Tokens, batch_size: int, seq_length: int) -> tuple[int, int]:
    """The rows B <= batch_size and steps T <= seq_length that suit a corpus, each at least 1.

    As many rows as can hold a window of seq_length tokens each. So short documents are never fewer than the rows,
    and a corpus shorter than one window is one row and one window.
    """
    count = len(tokens.ids)
    return max(1, min(batch_size, count // seq_length)), max(1, min(seq_length, count))


class Rows:
    """Documents in a given order, laid end to end in B rows of nearly equal length and cut into windows of T steps.

    The ideal row holds N // B tokens. A row begins at the document boundary nearest to its ideal beginning (of two
    equally near ones at the earlier) if that lies within max(T, a tenth of a row), but less than half a row. Else it
    begins inside a document: its first step is then no start, and its input the true previous token. With
    `whole_documents` rows begin at documents only, however unequal they become, so that no document is ever read
    without its beginning; some rows may be empty. Every token is a target of weight 1 exactly once. Rows shorter than
    the longest end in padding of weight 0.

    `order` (any documents, by index) has shape (D,). Nothing of the size of N is held. Where `opens` (by index) is
    False, what lies there is no document, but a later piece of one: it begins as rows do that begin inside a document.
    """

    def __init__(
        self,
        tokens: Tokens,
        order: ArrayLike,
        rows: int,
        seq_length: int,
        *,
        whole_documents: bool = False,
        opens: NDArray[np.bool_] | None = None,
    ) -> None:
        if rows < 1 or seq_length < 1:
            raise ValueError(f"rows {rows} and seq_length {seq_length} must be at least 1")
        chosen = np.asarray(order, np.int64)
        lengths = tokens.lengths[chosen]
        if not lengths.all():
            chosen, lengths = chosen[lengths > 0], lengths[lengths > 0]
        edges = np.zeros(len(lengths) + 1, np.int64)  # laid tokens that begin a document, and the end
        np.cumsum(lengths, out=edges[1:])
        sources = np.cumsum(tokens.lengths)
        sources -= tokens.lengths
        # (D,) a document's tokens are all shifted by the same distance from where they are laid to where they stand
        self._shifts = sources[chosen]
        self._shifts -= edges[:-1]
        self._edges, self._count = edges, int(edges[-1])
        self._opens = None if opens is None else opens[chosen]
        self._tokens = tokens
        self.seq_length = seq_length
        self.bounds = _row_bounds(edges, rows, seq_length, whole_documents)  # (B + 1,) into laid tokens
        self._row_lengths = np.diff(self.bounds)  # (B,)
        self._steps = int(self._row_lengths.max())

    def __len__(self) -> int:
        """The number of windows."""
        return -(-self._steps // self.seq_length)

    def batch(self, window: int) -> Batch:
        """Window 0 ... len - 1 of all rows; the last may have fewer than T steps. IndexError for others."""
        index, first, real, padding_begins = self._window(window)
        ids = self._tokens.ids
        inputs = np.where(real & ~first, ids[index - 1], np.int32(0))
        targets = np.where(real, ids[index], np.int32(0))
        side = np.where(real, self._tokens.side[:, index], np.int32(0))
        return Batch(inputs, targets, np.where(real, first, padding_begins), real.astype(np.float32), side)

    def positions(self, window: int) -> NDArray[np.int64]:
        """(T, B) the place of each target of a window in `tokens.ids`, -1 on padding."""
        index, _, real, _ = self._window(window)
        return np.where(real, index, np.int64(-1))

    def _window(self, window: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """(T, B) each: places in ids (in range on padding too), beginnings of documents, what is real, and the first
        padding of each row."""
        if not 0 <= window < len(self):
            raise IndexError(f"window {window} of {len(self)}")
        begin = window * self.seq_length
        steps = np.arange(begin, min(begin + self.seq_length, self._steps))  # (T,)
        real = steps < self._row_lengths[:, None]  # (B, T), along which laid tokens ascend
        laid = np.minimum(self.bounds[:-1, None] + steps, self._count - 1)
        document = np.searchsorted(self._edges, laid, side="right") - 1
        begins = self._edges[document] == laid
        if self._opens is not None:
            begins &= self._opens[document]
        found = laid + self._shifts[document], begins, real, steps == self._row_lengths[:, None]
        index, first, real, padding_begins = (np.ascontiguousarray(array.T) for array in found)
        return index, first, real, padding_begins


def epoch_rows(tokens: Tokens, seed: int, epoch: int, rows: int, seq_length: int) -> Rows:
    """The rows of one pass over the training documents: all in random order, long ones piece by piece.

    Read from one end to the other, a long text would have the network at home in the part it is in and strange to the
    rest: of one pass over tiny Shakespeare 1.74 nats a character were left after four fifths of it, with pieces 1.58.
    """
    pieces, opens = _pieces(tokens.lengths)
    order = epoch_order(len(pieces), seed, epoch)
    return Rows(replace(tokens, lengths=pieces), order, rows, seq_length, opens=opens)


def _pieces(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """(P,) lengths of documents' pieces, and which of them begin a document; None where all do."""
    counts = np.maximum(lengths // PIECE, 1)
    if int(counts.max(initial=1)) == 1:
        return lengths, None
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)  # of each piece in its document
    whole, parts = np.repeat(lengths, counts), np.repeat(counts, counts)
    return (number + 1) * whole // parts - number * whole // parts, number == 0


def pack_documents(tokens: Tokens, rows: int, seq_length: int, *, whole_documents: bool = False) -> Rows:
    """Rows of all documents in their own order; `positions` puts what is computed for each step back in order."""
    order = np.arange(len(tokens.lengths))
    return Rows(tokens, order, rows, seq_length, whole_documents=whole_documents)


def _row_bounds(edges: NDArray[np.int64], rows: int, seq_length: int, whole_documents: bool) -> NDArray[np.int64]:
    """(B + 1,) ascending: the laid tokens that rows begin at, and the end; `edges` are those of documents."""
    count = int(edges[-1])
    ideal = np.arange(1, rows, dtype=np.int64) * count // rows
    after = np.minimum(np.searchsorted(edges, ideal), len(edges) - 1)
    later = edges[after]
    earlier = edges[np.maximum(after - 1, 0)]
    nearest = np.where(np.abs(ideal - earlier) <= np.abs(later - ideal), earlier, later)
    if not whole_documents:
        row = count // rows
        reach = min(max(seq_length, row // 10), max(row - 1, 0) // 2)  # below half a row no row gets empty
        nearest = np.where(np.abs(nearest - ideal) <= reach, nearest, ideal)
    return np.concatenate([np.zeros(1, np.int64), nearest, np.full(1, count, np.int64)])
