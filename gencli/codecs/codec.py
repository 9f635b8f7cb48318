"""What every codec offers, how one is chosen by its level, and documents as one array of ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gencli.config import CodecOptions, DocumentMode, Level, check_name
from gencli.document import Document, InBatches, text_batches
from gencli.errors import ModelFileError
from gencli.scratch import Scratch

EOS: Final = 0  # ends every document but a stream
UNK: Final = 1  # stands for what the vocabulary lacks
BLOCK: Final = 1 << 20  # ids looked at together where there may be very many


class Codec(Protocol):
    """Document <-> ids, over a vocabulary in a fixed order, fitted on the training documents."""

    @property
    def level(self) -> Level:
        """The name the codec is chosen by."""

    @property
    def vocabulary_size(self) -> int:
        """V: ids are 0 ... V - 1, <EOS> and <UNK> among them."""

    @property
    def counts(self) -> Sequence[int]:
        """How often each id was seen in training, falling from id 2 on; empty where ids have no such order."""

    @property
    def side_sizes(self) -> tuple[int, ...]:
        """The number of ids of each side input; () where there is none."""

    @property
    def keeps_unknown(self) -> bool:
        """Whether unknown symbols of a prompt are kept and read as <UNK>, not left out."""

    @property
    def description(self) -> str:
        """The size and the manner of the vocabulary, for people."""

    @property
    def options(self) -> dict[str, Any]:
        """How the vocabulary was made, as plain JSON."""

    @classmethod
    def fit(cls, documents: Sequence[Document], options: CodecOptions | None = None) -> Self:
        """The vocabulary of the documents; OptionError where no symbol is left or an option is not for this codec."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The codec that gave this state; ModelFileError where no codec can have."""

    def state(self) -> dict[str, Any]:
        """Everything from_state needs, as plain JSON."""

    def normalised(self, text: str) -> str:
        """The text as `decode(encode(text))` gives it back where no symbol is unknown."""

    def opening(self, prompt: str) -> str:
        """The prompt as the texts that continue it begin."""

    def encode(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The ids (N,) of a text, <EOS> at the end unless told otherwise."""

    def encode_all(self, texts: Sequence[str], eos: bool = True) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids (N,) of whole texts end to end, and how many each has (D,)."""

    def encode_from(self, text: str, state: int = 0) -> tuple[NDArray[np.int32], int]:
        """The ids (N,) of a text that stands in a state, without <EOS>, and the state after it; 0 is the beginning.

        The parts of a text that document.TextBatch speaks of, encoded one after another, make the ids of the whole.
        """

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text of ids in 0 ... V - 1; <EOS> is dropped wherever it stands, <UNK> becomes a replacement."""

    def decode_from(self, ids: Sequence[int] | NDArray[np.integer[Any]], state: int = 0) -> tuple[str, int]:
        """What ids add to a text that stands in a state, and the state after them; 0 is a text's beginning.

        The pieces of ids decoded one after another, each from the state that the one before left, make the whole text.
        """

    def token_characters(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The characters (N,) of each token of `encode(text, eos)`; in all those of `normalised(text)`."""

    def unknown(self, text: str) -> list[str]:
        """The distinct symbols of a text that the vocabulary lacks, in order of appearance."""

    def symbol(self, index: int) -> str:
        """A printable label of one id."""

    def side(self, ids: NDArray[np.integer[Any]], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """The side ids (F, N) of documents (D,) laid end to end as ids (N,)."""

    def varied(self, tokens: Tokens, seed: int, epoch: int) -> Tokens:
        """The training documents as one epoch is to see them, each as long as it was; the same for equal arguments."""


@dataclass(frozen=True)
class Tokens:
    """D documents end to end as N ids, with F side ids to each. Ids may lie on disk, then as small as they can be."""

    ids: NDArray[np.integer[Any]]  # (N,) int32, or uint8 or uint16 on disk
    lengths: NDArray[np.int64]  # (D,) ids of each document, <EOS> included; they sum to N
    side: NDArray[np.int32]  # (F, N)

    def blocks(self) -> Iterator[NDArray[np.int32]]:
        """The ids in order, a million at a time."""
        for begin in range(0, len(self.ids), BLOCK):
            yield np.asarray(self.ids[begin : begin + BLOCK], np.int32)


def encode_documents(codec: Codec, documents: Sequence[Document], mode: DocumentMode) -> Tokens:
    """The documents as Tokens, each ended by <EOS> unless the mode is stream; on disk where the documents are."""
    store = Scratch() if isinstance(documents, InBatches) else None
    small = np.min_scalar_type(max(codec.vocabulary_size - 1, 0))
    dtype = small if store is not None and small.itemsize <= 2 else np.dtype(np.int32)
    found: list[NDArray[np.int32]] = []
    lengths: list[NDArray[np.int64]] = []
    for ids, counts in _encoded(codec, documents, mode != "stream"):
        if store is None:
            found.append(ids)
        else:
            store.write(ids.astype(dtype))
        lengths.append(counts)
    found = found or [np.empty(0, np.int32)]
    joined = store.mapped(dtype) if store is not None else np.concatenate(found)
    sizes = np.concatenate(lengths) if lengths else np.empty(0, np.int64)
    return Tokens(joined, sizes, codec.side(joined, sizes))


def _encoded(
    codec: Codec, documents: Sequence[Document], eos: bool
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Ids in order, and how many the documents have that end with them."""
    state = count = 0
    for batch in text_batches(documents):
        if batch.begins and batch.ends:
            yield codec.encode_all(batch.texts, eos)
            continue
        if batch.begins:
            state = count = 0
        ids, state = codec.encode_from("".join(batch.texts), state)
        if batch.ends and eos:
            ids = np.append(ids, np.int32(EOS))
        count += len(ids)
        yield ids, np.array([count] * batch.ends, np.int64)


def fit_codec(level: Level, documents: Sequence[Document], options: CodecOptions | None = None) -> Codec:
    """The codec of a level, fitted on documents; OptionError for an unknown level or where `Codec.fit` raises it."""
    check_name(level, Level, "--level")
    return _codec_class(level).fit(documents, options)


def codec_from_state(state: object) -> Codec:
    """The codec whose `state()` this is; ModelFileError where it is none."""
    if not isinstance(state, dict) or state.get("level") not in get_args(Level):
        raise ModelFileError("codec state: no known level")
    return _codec_class(state["level"]).from_state(state)


def _codec_class(level: Level) -> type[Codec]:
    """`char` -> CharCodec of codecs/char.py; imported here because a level chooses its module."""
    module = import_module(f"gencli.codecs.{level}")
    return cast(type[Codec], getattr(module, f"{level.capitalize()}Codec"))
