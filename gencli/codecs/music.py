"""Tunes <-> ids. The text of a tune is its tokens (music/tokens.py) with blanks between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gencli.codecs.codec import EOS, Tokens
from gencli.config import CodecOptions, Level, check
from gencli.document import Document
from gencli.errors import CorpusError, ModelFileError, OptionError
from gencli.music.lead_sheet import LeadSheet
from gencli.music.side import side_ids, side_sizes
from gencli.music.tokens import sheet_of, tokens_of
from gencli.music.transposition import varied
from gencli.music.vocabulary import Kind, Vocabulary, split_name

Array = NDArray[Any]


def tune_text(sheet: LeadSheet) -> str:
    """A sheet as the text of a Document; CorpusError where it is not as LeadSheet promises."""
    return " ".join(tokens_of(sheet))


def text_tune(text: str) -> LeadSheet:
    """The sheet of a tune's text; CorpusError where it is none."""
    try:
        return sheet_of(text.split())
    except (ValueError, IndexError, KeyError, OptionError) as error:
        raise CorpusError(f"not the tokens of a tune: {error}") from error


@dataclass(frozen=True)
class MusicCodec:
    """One id a token of a tune."""

    vocabulary: Vocabulary
    lowest: int  # the range of the training tunes, MIDI numbers; tokens reach further, for transposition
    highest: int
    with_chords: bool  # at least half of them have chords
    lean: float = 0.0  # what tones of the sounding chord gain on other pitches; see music/lean.py
    level: ClassVar[Level] = "music"
    counts: ClassVar[tuple[int, ...]] = ()
    keeps_unknown: ClassVar[bool] = True

    @property
    def vocabulary_size(self) -> int:
        """V: all tokens, <EOS> and <UNK> among them."""
        return len(self.vocabulary)

    @property
    def side_sizes(self) -> tuple[int, ...]:
        """The number of ids of each side input: place, ticks left, ticks to the next chord, label, key, tones."""
        return side_sizes(self.vocabulary)

    @property
    def description(self) -> str:
        """The size of the vocabulary and what it can say."""
        qualities = len(self.vocabulary.qualities)
        chords = f"{qualities} kind{'s' * (qualities != 1)} of chords" if qualities else "no chords"
        return f"{self.vocabulary_size:,} tokens of music ({chords})"

    @property
    def options(self) -> dict[str, Any]:
        """The range of the training tunes and whether they have chords, as plain JSON."""
        return {"range": [self.lowest, self.highest], "with_chords": self.with_chords}

    @classmethod
    def fit(cls, documents: Sequence[Document], options: CodecOptions | None = None) -> MusicCodec:
        """What the tunes use, in all keys; qualities of chords must occur min_count times (1).

        OptionError where there are no notes, or for words' options; CorpusError for a text that is no tune.
        """
        options = options or CodecOptions()
        check(options.of_words is None, f"{options.of_words}: only --level word has it")
        tunes = [document.text.split() for document in documents]
        names = {name for tune in tunes for name in tune}
        pitches = [int(value) for kind, value in map(split_name, names) if kind == Kind.PITCH]
        check(len(pitches) > 0, "no notes in these tunes")
        chords = sum(any(name.startswith("C:") for name in tune) for tune in tunes)
        return cls(Vocabulary.fit(tunes, options.min_count or 1), min(pitches), max(pitches), 2 * chords >= len(tunes))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MusicCodec:
        """The codec that gave this state; ModelFileError where none can have."""
        names, bounds = state.get("tokens", ()), state.get("range", ())
        if state.get("level") != cls.level or not _are(names, str) or not _are(bounds, int) or len(bounds) != 2:
            raise ModelFileError('codec state: needs level "music", a list of tokens and a range of two pitches')
        vocabulary = Vocabulary.saved(names)
        if not vocabulary.pitches[0] <= bounds[0] <= bounds[1] <= vocabulary.pitches[-1]:
            raise ModelFileError("codec state: the range of pitches is not within the vocabulary")
        lean = state.get("lean", 0.0)
        if type(lean) is not float or not math.isfinite(lean):
            raise ModelFileError("codec state: the lean is no number")
        return cls(vocabulary, bounds[0], bounds[1], state.get("with_chords") is True, lean)

    def state(self) -> dict[str, Any]:
        """Everything from_state needs, as plain JSON."""
        return {
            "level": self.level,
            "tokens": list(self.vocabulary.names),
            "lean": self.lean,
            **self.options,
        }

    def normalised(self, text: str) -> str:
        """The tokens with single blanks between them."""
        return " ".join(text.split())

    def opening(self, prompt: str) -> str:
        """The tokens with single blanks between them; unknown ones stay, read as <UNK> or as what is nearest."""
        return self.normalised(prompt)

    def encode(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The ids (N,) of a tune's text, <EOS> at the end unless told otherwise.

        What the vocabulary lacks goes to what is nearest: a chord to a simpler one, a meter to one whose bars are made
        as long, a label to none; a pitch to <UNK>. CorpusError where a text with such a meter is no tune.
        """
        names = self._sayable(text.split())
        ids = np.full(len(names) + eos, EOS, np.int32)
        ids[: len(names)] = [self._ids.get(name) or self.vocabulary.id_of(name) for name in names]
        return ids

    def encode_all(self, texts: Sequence[str], eos: bool = True) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids (N,) of whole texts end to end, and how many each has (D,)."""
        found = [self.encode(text, eos) for text in texts]
        ids = np.concatenate(found) if found else np.empty(0, np.int32)
        return ids, np.array([len(one) for one in found], np.int64)

    def encode_from(self, text: str, state: int = 0) -> tuple[NDArray[np.int32], int]:
        """The ids (N,) of a part of a tune; every state is 0, since no token depends on what precedes it."""
        return self.encode(text, eos=False), state

    def encode_sheet(self, sheet: LeadSheet, eos: bool = True) -> NDArray[np.int32]:
        """The ids (N,) of a sheet."""
        return self.encode(tune_text(sheet), eos)

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text of ids in 0 ... V - 1; <EOS> is dropped wherever it stands."""
        return " ".join(self.vocabulary.names[index] for index in np.asarray(ids).tolist() if index != EOS)

    def decode_from(self, ids: Sequence[int] | NDArray[np.integer[Any]], state: int = 0) -> tuple[str, int]:
        """What ids add to a text, and the state after them: 1 once a token stands there, so that a blank is due."""
        text = self.decode(ids)
        return (" " + text if state and text else text), int(bool(state or text))

    def token_characters(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The characters (N,) of each token of `encode(text, eos)`, the blank before it included; 0 for <EOS>."""
        lengths = [len(name) + (place > 0) for place, name in enumerate(self._sayable(text.split()))]
        return np.array([*lengths, *[0] * eos], np.int32)

    def decode_sheet(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> LeadSheet:
        """The sheet of ids; CorpusError where they are none's. What is lost: title, notices, exact tempo and swing."""
        return text_tune(self.decode(ids))

    def unknown(self, text: str) -> list[str]:
        """The distinct tokens of a text that the vocabulary lacks, in order of appearance."""
        return [name for name in dict.fromkeys(text.split()) if name not in self._ids]

    def symbol(self, index: int) -> str:
        """The token of one id."""
        return self.vocabulary.names[index]

    def side(self, ids: NDArray[np.int32], lengths: NDArray[np.int64], told: bool = True) -> NDArray[np.int32]:
        """(17, N) the side ids of documents (D,) laid end to end, their changes told or not; see music/side.py."""
        return side_ids(self.vocabulary, ids, lengths, told)

    def varied(self, tokens: Tokens, seed: int, epoch: int) -> Tokens:
        """The training documents as one epoch sees them, each in a key of its own; see music/transposition.py."""
        ids, side = varied(self.vocabulary, np.asarray(tokens.ids, np.int32), tokens.side, tokens.lengths, seed, epoch)
        return Tokens(ids, tokens.lengths, side)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return self.vocabulary.index

    def _sayable(self, names: list[str]) -> list[str]:
        """The tokens of the same tune without meters, or any chords, that the vocabulary has no tokens for."""
        chords = bool(self.vocabulary.qualities)
        structure = {name for name in names if name.startswith("METER_") or (name.startswith("C:") and not chords)}
        if structure <= self._ids.keys():
            return names
        return tokens_of(self.vocabulary.sayable(text_tune(" ".join(names))))


def _are(values: Any, kind: type) -> bool:
    """Whether it is a list of one kind of values."""
    return isinstance(values, list) and all(type(value) is kind for value in values)
