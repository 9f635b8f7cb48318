"""Words <-> ids: <EOS> is 0, <UNK> 1; the words, with the marks of their spacing, follow by falling count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gencli.codecs.codec import EOS, UNK, Tokens
from gencli.config import CodecOptions, Level, SplitName, check
from gencli.document import Document, text_batches
from gencli.errors import ModelFileError
from gencli.words.running import RunningText
from gencli.words.split import START, Split
from gencli.words.tokenised import Tokenised

FIRST: Final = 2  # the id of the most frequent word
SPLITS: Final[dict[SplitName, Callable[[], Split]]] = {"words": RunningText, "whitespace": Tokenised}
RARE = ((500_000, 2), (5_000_000, 3), (float("inf"), 5))  # words of training text -> the count below which one is rare
MOST_RARE = 0.25  # share of the training text that rare words may take and still be given up


@dataclass(frozen=True)
class WordCodec:
    """One id a word or punctuation mark; see gencli/words for what these are and how spacing is kept.

    `words` holds the marks of the vocabulary, the most frequent first, equals in the order of their code points;
    `counts` (V,) how often each id stands in the training text, <EOS> and <UNK> included. Words too rare for the
    vocabulary stand in the training text as <UNK>, and so teach the network what an unknown word is like.

    With `lowercase` all text is read in small letters and written so.
    """

    words: tuple[str, ...] = field(repr=False)
    counts: tuple[int, ...] = field(repr=False)
    split: SplitName = "words"
    lowercase: bool = False
    min_count: int = 1
    level: ClassVar[Level] = "word"
    side_sizes: ClassVar[tuple[int, ...]] = ()
    keeps_unknown: ClassVar[bool] = True

    @property
    def vocabulary_size(self) -> int:
        """V: the words, <EOS> and <UNK>."""
        return FIRST + len(self.words)

    @property
    def description(self) -> str:
        """The size and the manner of the vocabulary."""
        notes = [f"seen {self.min_count} times or more"] if self.min_count > 1 else []
        notes += [note for note in (self._split.manner, "lowercase" * self.lowercase) if note]
        return f"{self.vocabulary_size:,} words" + (f" ({', '.join(notes)})" if notes else "")

    @property
    def options(self) -> dict[str, Any]:
        """How text is split and the vocabulary chosen, as plain JSON."""
        return {"split": self.split, "lowercase": self.lowercase, "min_count": self.min_count}

    @classmethod
    def fit(cls, documents: Sequence[Document], options: CodecOptions | None = None) -> WordCodec:
        """The vocabulary of the training documents: the words seen min_count times, of these the vocab_size commonest.

        A word unusually spaced, such as a quote that closes, counts as a word of its own where it is frequent enough.
        The marks of spacing are always there and do not count towards vocab_size. For an open min_count see `rarest`.
        OptionError where no word is left.
        """
        options = options or CodecOptions()
        name: SplitName = options.split or "words"
        split = SPLITS[name]()
        seen: Counter[str] = Counter()
        state = START
        for batch in text_batches(documents):
            for text in batch.texts:
                cased = text.lower() if options.lowercase else text
                marks, state = split.marks_from(cased, START if batch.begins else state)
                seen.update(marks)
        totals: Counter[str] = Counter()
        for mark, count in seen.items():
            if mark not in split.unknown:
                totals[split.word(mark)] += count
        least = rarest(totals, any(seen[word] for word in split.unknown), options)
        known = frequent(seen, totals, split, least, options.vocab_size)
        check(len(known) > 0, f"--min-count {least}: no word occurs that often; lower it")
        known |= set(split.always)
        counts = Counter(dict.fromkeys(known, 0))
        unknown = 0
        for mark, count in seen.items():
            for part in (mark,) if mark in known else split.parts(mark):
                if part in known:
                    counts[part] += count
                else:
                    unknown += count
        words = sorted(known, key=lambda word: (-counts[word], word))
        return cls(
            tuple(words), (len(documents), unknown, *map(counts.__getitem__, words)), name, options.lowercase, least
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> WordCodec:
        """The codec that gave this state; ModelFileError where none can have."""
        names = ("words", "counts", "split", "lowercase", "min_count")
        words, counts, split, lowercase, least = (cast(Any, state.get(name)) for name in names)
        if state.get("level") != cls.level or split not in get_args(SplitName) or not isinstance(lowercase, bool):
            raise ModelFileError('codec state: needs level "word", a known split and whether it is lowercase')
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ModelFileError("codec state: needs a list of words")
        if len(set(words)) < len(words) or not set(SPLITS[split]().always) <= set(words):
            raise ModelFileError("codec state: a word is repeated, or the marks of spacing are missing")
        if not isinstance(counts, list) or not all(isinstance(count, int) and count >= 0 for count in [*counts, least]):
            raise ModelFileError("codec state: needs the counts of the words and the least of them")
        if len(counts) != FIRST + len(words) or counts[FIRST:] != sorted(counts[FIRST:], reverse=True):
            raise ModelFileError("codec state: the counts are not those of the words, the most frequent first")
        return cls(tuple(words), tuple(counts), split, lowercase, least)

    def state(self) -> dict[str, Any]:
        """Everything from_state needs, as plain JSON."""
        return {"level": self.level, **self.options, "words": list(self.words), "counts": list(self.counts)}

    def normalised(self, text: str) -> str:
        """The text as the codec reads it: without capitals, or with single spaces only, where it does so."""
        return self._split.normalised(self._cased(text))

    def opening(self, prompt: str) -> str:
        """The prompt without the space at its end that the next word brings; unknown words stay, read as <UNK>."""
        return self._split.opening(prompt)

    def encode(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The ids (N,) of a text, <EOS> at the end unless told otherwise; <UNK> for words not in the vocabulary."""
        return np.array(self._found(self._split.marks(self._cased(text))) + [EOS] * eos, np.int32)

    def encode_all(self, texts: Sequence[str], eos: bool = True) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids (N,) of whole texts end to end, and how many each has (D,)."""
        found: list[int] = []
        lengths = []
        for text in texts:
            before = len(found)
            found += self._found(self._split.marks(self._cased(text)))
            found += [EOS] * eos
            lengths.append(len(found) - before)
        return np.array(found, np.int32), np.array(lengths, np.int64)

    def encode_from(self, text: str, state: int = START) -> tuple[NDArray[np.int32], int]:
        """The ids (N,) of a text that stands in a state, without <EOS>, and the state after it."""
        marks, state = self._split.marks_from(self._cased(text), state)
        return np.array(self._found(marks), np.int32), state

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text of ids in 0 ... V - 1; <EOS> is dropped wherever it stands, <UNK> becomes U+FFFD or <unk>."""
        return self.decode_from(ids)[0]

    def decode_from(self, ids: Sequence[int] | NDArray[np.integer[Any]], state: int = START) -> tuple[str, int]:
        """What ids add to a text that stands in a state, and the state after them."""
        texts, state = self._split.spelled([self._marks[i] for i in np.asarray(ids).tolist() if i != EOS], state)
        return "".join(texts), state

    def token_characters(self, text: str, eos: bool = True) -> NDArray[np.int32]:
        """The characters (N,) of each token of `encode(text, eos)`, the space before it included; 0 for <EOS>."""
        texts, _ = self._split.spelled(self._parts(self._split.marks(self._cased(text))))
        return np.array([*map(len, texts), *[0] * eos], np.int32)

    def unknown(self, text: str) -> list[str]:
        """The distinct words of a text that the vocabulary lacks, in order of appearance."""
        parts = self._parts(self._split.marks(self._cased(text)))
        return [part for part in dict.fromkeys(parts) if part not in self._ids]

    def symbol(self, index: int) -> str:
        """A printable label: the word; an undertie before it means no space, an open box a space, where unusual."""
        return ("<EOS>", "<UNK>")[index] if index < FIRST else self._split.label(self.words[index - FIRST])

    def side(self, ids: NDArray[np.integer[Any]], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """None (0, N)."""
        return np.empty((0, len(ids)), np.int32)

    def varied(self, tokens: Tokens, seed: int, epoch: int) -> Tokens:
        """The documents as they are."""
        return tokens

    def _cased(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    def _found(self, marks: Sequence[str]) -> list[int]:
        """The ids of marks, <UNK> for what the vocabulary lacks."""
        found = list(map(self._ids.get, marks))
        if None in found:
            return [self._ids.get(part, UNK) for part in self._parts(marks)]
        return cast(list[int], found)

    def _parts(self, marks: Sequence[str]) -> list[str]:
        """The marks, those that the vocabulary lacks as simpler ones."""
        ids, parts = self._ids, self._split.parts
        return [part for mark in marks for part in ((mark,) if mark in ids else parts(mark))]

    @cached_property
    def _split(self) -> Split:
        return SPLITS[self.split]()

    @cached_property
    def _ids(self) -> dict[str, int]:
        """Mark -> id, also of the words that say themselves that a word is unknown."""
        return {**{word: i for i, word in enumerate(self.words, FIRST)}, **dict.fromkeys(self._split.unknown, UNK)}

    @cached_property
    def _marks(self) -> tuple[str, ...]:
        """Id -> mark."""
        return ("", self._split.replacement, *self.words)


def rarest(totals: Mapping[str, int], told: bool, options: CodecOptions) -> int:
    """The count below which a word becomes <UNK>: the one asked for, or else one that lets <UNK> be learned.

    That is 2 below 500,000 words of training text, 3 below 5 million, then 5. It is 1, and every word is kept, where
    <UNK> is learned anyway, since the text itself says of words that they are unknown (`told`) or vocab_size cuts some
    off; and where rare words make more than a quarter of a text so small that it could not spare them. <UNK> is then
    never learned, as where no word is rare or min_count 1 is asked for; the plan of a training run says so.
    """
    if options.min_count is not None:
        return options.min_count
    if told or (options.vocab_size is not None and len(totals) > options.vocab_size):
        return 1
    words = sum(totals.values())
    least = next(count for most, count in RARE if words < most)
    rare = sum(count for count in totals.values() if count < least)
    return least if rare <= MOST_RARE * words else 1


def frequent(
    seen: Mapping[str, int], totals: Mapping[str, int], split: Split, least: int, vocab_size: int | None
) -> set[str]:
    """The marks seen `least` times, of these the vocab_size commonest; plain ones count with all their spacings."""
    counts = {word: count for word, count in totals.items() if count >= least}
    counts |= {mark: n for mark, n in seen.items() if n >= least and mark not in totals and mark not in split.unknown}
    ranked = sorted(counts.keys() - set(split.always), key=lambda mark: (-counts[mark], mark not in totals, mark))
    return set(ranked[:vocab_size])
