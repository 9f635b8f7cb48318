"""Characters <-> ids: <EOS> is 0, <UNK> 1, the characters follow from 2 on in the order of their code points."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gencli.codecs.codec import EOS, UNK, Tokens
from gencli.config import CodecOptions, Level, check
from gencli.document import Document, text_batches
from gencli.errors import ModelFileError

FIRST = 2  # the id of the first character
REPLACEMENT = 0xFFFD  # what <UNK> decodes to


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points (N,) of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


@dataclass(frozen=True)
class CharCodec:
    """One id a character. `characters` holds the vocabulary, strictly ascending."""

    characters: str
    level: ClassVar[Level] = "char"
    side_sizes: ClassVar[tuple[int, ...]] = ()
    counts: ClassVar[tuple[int, ...]] = ()
    keeps_unknown: ClassVar[bool] = False

    @property
    def vocabulary_size(self) -> int:
        """V: the characters, <EOS> and <UNK>."""
        return FIRST + len(self.characters)

    @property
    def description(self) -> str:
        """The size of the vocabulary."""
        return f"{self.vocabulary_size:,} symbols ({self.level})"

    @property
    def options(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def fit(cls, documents: Sequence[Document], options: CodecOptions | None = None) -> CharCodec:
        """The characters seen at least min_count times (1); OptionError where none is left, or for words' options."""
        options = options or CodecOptions()
        check(options.of_words is None, f"{options.of_words}: only --level word has it")
        min_count = options.min_count or 1
        counts = np.zeros(sys.maxunicode + 1, np.int64)
        for batch in text_batches(documents):
            seen = np.bincount(code_points("".join(batch.texts)))
            counts[: len(seen)] += seen
        kept = np.flatnonzero(counts >= min_count)
        check(len(kept) > 0, f"--min-count {min_count}: no character occurs that often; lower it")
        return cls("".join(map(chr, kept)))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CharCodec:
        """The codec that gave this state; ModelFileError where none can have."""
        characters = state.get("characters")
        if state.get("level") != cls.level or not isinstance(characters, str) or not characters:
            raise ModelFileError('codec state: needs level "char" and a text of characters')
        if np.any(np.diff(code_points(characters).astype(np.int64)) <= 0):
            raise ModelFileError("codec state: characters out of order or repeated")
        return cls(characters)

    def state(self) -> dict[str, Any]:
        """Everything from_state needs, as plain JSON."""
        return {"level": self.level, "characters": self.characters}

    def normalised(self, text: str) -> str:
        """The text itself."""
        return text

    def opening(self, prompt: str) -> str:
        """The prompt without the characters that the vocabulary lacks."""
        lacking = set(self.unknown(prompt))
        return "".join(character for character in prompt if character not in lacking)

    def encode(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The ids (N,) of a text, <EOS> at the end unless told otherwise; <UNK> for characters never seen."""
        return np.append(self.encode_from(text)[0], np.full(int(eos), EOS, np.int32))

    def encode_all(self, texts: Sequence[str], eos: bool = True) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids (N,) of whole texts end to end, and how many each has (D,)."""
        found, _ = self.encode_from("".join(texts))
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + int(eos)
        if not eos:
            return found, lengths
        ids = np.full(len(found) + len(texts), EOS, np.int32)
        inside = np.ones(len(ids), np.bool_)
        inside[np.cumsum(lengths) - 1] = False
        ids[inside] = found
        return ids, lengths

    def encode_from(self, text: str, state: int = 0) -> tuple[NDArray[np.int32], int]:
        """The ids (N,) of a text; every state is 0, since no character depends on what precedes it."""
        return self._table[np.minimum(code_points(text), len(self._table) - 1)], state

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text of ids in 0 ... V - 1; <EOS> is dropped wherever it stands, <UNK> becomes U+FFFD."""
        index = np.asarray(ids, np.int64)
        table = np.concatenate([np.array([0, REPLACEMENT], np.uint32), self._alphabet])
        return bytes(table[index[index != EOS]].astype("<u4")).decode("utf-32-le", "surrogatepass")

    def decode_from(self, ids: Sequence[int] | NDArray[np.integer[Any]], state: int = 0) -> tuple[str, int]:
        """The text of ids; every state is 0, since no character depends on what precedes it."""
        return self.decode(ids), state

    def token_characters(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """1 for each character, 0 for <EOS>."""
        return np.array([1] * len(text) + [0] * eos, np.int32)

    def unknown(self, text: str) -> list[str]:
        """The distinct characters of a text that the vocabulary lacks, in order of appearance."""
        ids, _ = self.encode_from(text)
        return list(dict.fromkeys(map(chr, code_points(text)[ids == UNK])))

    def symbol(self, index: int) -> str:
        """A label for tables: the character itself if it is printable, else its escape, such as \\n."""
        if index < FIRST:
            return ("<EOS>", "<UNK>")[index]
        character = self.characters[index - FIRST]
        return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")

    def side(self, ids: NDArray[np.integer[Any]], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """None (0, N)."""
        return np.empty((0, len(ids)), np.int32)

    def varied(self, tokens: Tokens, seed: int, epoch: int) -> Tokens:
        """The documents as they are."""
        return tokens

    @cached_property
    def _table(self) -> NDArray[np.int32]:
        """The id of each code point up to the highest of the vocabulary, and <UNK>, which stands for all beyond."""
        table = np.full(int(self._alphabet[-1]) + 2, UNK, np.int32)
        table[self._alphabet] = np.arange(FIRST, self.vocabulary_size)
        return table

    @cached_property
    def _alphabet(self) -> NDArray[np.uint32]:
        """The code points (V - 2,) of the characters, ascending."""
        return code_points(self.characters)
