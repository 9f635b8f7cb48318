"""What every codec offers, how one is chosen by its level, and documents as one array of ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gencli.config import DocumentMode, Level, check_name
from gencli.documents import Document
from gencli.errors import ModelFileError

EOS: Final = 0  # ends every document but a stream
UNK: Final = 1  # stands for what the vocabulary lacks


class Codec(Protocol):
    """Document <-> ids, over a sorted vocabulary fitted on the training documents."""

    @property
    def level(self) -> Level:
        """The name the codec is chosen by."""

    @property
    def vocabulary_size(self) -> int:
        """V: ids are 0 ... V - 1, <EOS> and <UNK> among them."""

    @property
    def side_sizes(self) -> tuple[int, ...]:
        """The number of ids of each side input; () where there is none."""

    @classmethod
    def fit(cls, documents: Sequence[Document], min_count: int = 1) -> Self:
        """The vocabulary of the symbols that occur at least min_count times; OptionError where none is left."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The codec that gave this state; ModelFileError where no codec can have."""

    def state(self) -> dict[str, Any]:
        """Everything from_state needs, as plain JSON."""

    def encode(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The ids (N,) of a text, <EOS> at the end unless told otherwise."""

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text of ids in 0 ... V - 1; <EOS> is dropped wherever it stands, <UNK> becomes U+FFFD."""

    def unknown(self, text: str) -> list[str]:
        """The distinct symbols of a text that the vocabulary lacks, in order of appearance."""

    def symbol(self, index: int) -> str:
        """A printable label of one id."""


@dataclass(frozen=True)
class Tokens:
    """D documents end to end as N ids, with F side ids to each."""

    ids: NDArray[np.int32]  # (N,)
    lengths: NDArray[np.int64]  # (D,) ids of each document, <EOS> included; they sum to N
    side: NDArray[np.int32]  # (F, N)


def encode_documents(codec: Codec, documents: Sequence[Document], mode: DocumentMode) -> Tokens:
    """The documents as Tokens, each ended by <EOS> unless the mode is stream."""
    encoded = [codec.encode(document.text, eos=mode != "stream") for document in documents]
    ids = np.concatenate(encoded) if encoded else np.empty(0, np.int32)
    lengths = np.array([len(one) for one in encoded], np.int64)
    return Tokens(ids, lengths, np.empty((0, len(ids)), np.int32))


def fit_codec(level: Level, documents: Sequence[Document], min_count: int = 1) -> Codec:
    """The codec of a level, fitted on documents; OptionError for an unknown level or an empty vocabulary."""
    check_name(level, Level, "--level")
    return _codec_class(level).fit(documents, min_count)


def codec_from_state(state: object) -> Codec:
    """The codec whose `state()` this is; ModelFileError where it is none."""
    if not isinstance(state, dict) or state.get("level") not in get_args(Level):
        raise ModelFileError("codec state: no known level")
    return _codec_class(state["level"]).from_state(state)


def _codec_class(level: Level) -> type[Codec]:
    """`char` -> CharCodec of codecs/char.py; imported here because a level chooses its module."""
    module = import_module(f"gencli.codecs.{level}")
    return cast(type[Codec], getattr(module, f"{level.capitalize()}Codec"))
