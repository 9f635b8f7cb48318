"""Text as people write it <-> words, without loss. The marks are

  the, 1,000.5, don't     words and numbers: letters, digits and _; inside also ' and, between digits, one of . , :
  , " ( -- ... 中         any other character; -- and ... as one; Chinese and Japanese characters one by one
  line break, tab, ...    white space, each character by itself but spaces in runs; a single space only as told below

Between two marks stands the usual space or nothing, as a typist has it: a space between words, none before a comma,
none after an opening bracket or quote, none around the hyphen of well-known. What is usual costs nothing. What is not
is marked: GLUE + mark has nothing before it though a space is usual (the quote that closes), " " + mark has a space
though none is usual (the hyphen that is a dash). Where a vocabulary lacks such a form, the mark JOINT (nothing) or " "
and the plain mark stand for it, so that every spacing can be written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from gencli.words.split import START, printable

GLUE: Final = "\u203f"
JOINT: Final = ""
REPLACEMENT: Final = "\ufffd"  # how an unknown word is written
REMEMBERED, LONGEST = 1 << 17, 64  # pieces whose steps are kept, and their characters: others hardly come again

# States, by what precedes: START also follows white space; a word or what ends like one; an opening bracket or quote
# or a tight hyphen; JOINT. A space is usual in _WORD alone.
_WORD, _OPEN, _JOINED = 1, 2, 3
STATES = 4


class Kind(NamedTuple):
    """How a mark stands in a text."""

    spaced: bool  # whether a space is usual before it, after a word
    after: int  # the state after it ...
    tight: int  # ... where nothing stands before it though something does precede


WORD = Kind(True, _WORD, _WORD)
CLOSING = Kind(False, _WORD, _WORD)
OPENING = Kind(True, _OPEN, _OPEN)
QUOTE = Kind(True, _OPEN, _WORD)  # after a space it opens, after a word it closes
HYPHEN = Kind(False, _WORD, _OPEN)  # as much space after it as before
SIGN = Kind(True, _WORD, _OPEN)
IDEOGRAPH = Kind(False, _OPEN, _OPEN)
_LISTED = {
    CLOSING: ",.;:!?)]}%\u2026\u2019\u201d\u00bb\u203a\u2030\u00b0\u2122\u060c\u061b\u061f\u06d4\u0964\u0965",
    OPENING: "([{\u00ab\u2039\u201c\u2018\u201e\u201a$\u00a3\u20ac\u00a5#@\u00bf\u00a1",
    QUOTE: "\"'`*~",
    HYPHEN: "-/\\\u2010\u2011\u2014",
    WORD: REPLACEMENT,
}
KINDS = {character: kind for kind, characters in _LISTED.items() for character in characters}
KINDS |= {"...": CLOSING, "--": SIGN}
SCRIPTS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # written without spaces
IDEOGRAPHS, THEIR_SIGNS = re.compile(f"[{SCRIPTS}]"), re.compile("[\u3001-\u303f\uff00-\uffef]")


def kind_of(word: str) -> Kind:
    """How a word, a number or another character stands in a text."""
    known = KINDS.get(word)
    if known is not None:
        return known
    if IDEOGRAPHS.match(word):
        return IDEOGRAPH
    if word[0].isalnum() or word[0] == "_":
        return WORD
    return IDEOGRAPH if THEIR_SIGNS.match(word) else SIGN


def usual(state: int, kind: Kind) -> bool:
    """Whether a space is usual before a mark."""
    return state == _WORD and kind.spaced


def following(state: int, kind: Kind, spaced: bool) -> int:
    """The state after a mark with or without a space before it; the beginning of a text counts as space."""
    if spaced or state == START or (state == _OPEN and kind is QUOTE):
        return kind.after
    return kind.tight


@cache
def pattern() -> re.Pattern[str]:
    """White space, or else a word, a number or another character with the single space before it, if there is one."""
    # Python's \w lacks the signs that are part of a letter in many scripts, and the two unseen ones that join letters.
    combining = (chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
    joined = f"[{''.join(combining)}\u200c\u200d]+"
    letter = rf"[^\W{SCRIPTS}]"
    inside = rf"{joined}{letter}*|['\u2019]{letter}+|(?<=\d)[.,:](?=\d){letter}+"
    return re.compile(rf" ?(?:{letter}+(?:{inside})*|--|\.\.\.|\S)| +|\s")


def is_marked(mark: str) -> bool:
    """Whether a mark that is not white space tells of unusual spacing; GLUE alone is a character of the text."""
    return len(mark) > 1 and mark[0] in (" ", GLUE)


def marked(state: int, piece: str) -> tuple[str, int]:
    """The mark of a piece of text as `pattern` finds it, and the state after it."""
    if piece.isspace():
        return piece, START
    spaced = piece[0] == " "
    word = piece[1:] if spaced else piece
    kind = kind_of(word)
    after = following(state, kind, spaced)
    if spaced == usual(state, kind):
        return word, after
    return (f" {word}" if spaced else f"{GLUE}{word}"), after


def written(state: int, mark: str) -> tuple[str, int]:
    """The text of a mark, and the state after it."""
    if mark == JOINT:
        return "", _JOINED
    if mark.isspace():
        return mark, START
    word = mark[1:] if is_marked(mark) else mark
    kind = kind_of(word)
    spaced = mark[0] == " " if is_marked(mark) else usual(state, kind)
    return (f" {word}" if spaced else word), following(state, kind, spaced)


class _Table(dict[str, tuple[str, "_Table"]]):
    """The steps from one state: what is read -> what comes of it and the table of the state after it."""

    def __init__(self, tables: list[_Table], read: bool) -> None:
        super().__init__()
        self.tables, self.state, self.step = tables, len(tables), marked if read else written

    def __missing__(self, text: str) -> tuple[str, _Table]:
        result, state = self.step(self.state, text)
        if len(self) < REMEMBERED and len(text) <= LONGEST:
            self[text] = result, self.tables[state]
        return result, self.tables[state]


def _tables(read: bool) -> list[_Table]:
    """A table for each state."""
    tables: list[_Table] = []
    for _ in range(STATES):
        tables.append(_Table(tables, read))
    return tables


def _walk(table: _Table, texts: Iterable[str]) -> tuple[list[str], int]:
    """What comes of each text, and the state after all of them."""
    results = []
    for text in texts:
        result, table = table[text]
        results.append(result)
    return results, table.state


class RunningText:
    """Words, numbers and punctuation, with their spacing."""

    always = (JOINT, " ")
    unknown: tuple[str, ...] = ()
    replacement = REPLACEMENT
    manner = ""

    def __init__(self) -> None:
        self._reading, self._writing = _tables(True), _tables(False)

    def normalised(self, text: str) -> str:
        """The text itself."""
        return text

    def opening(self, text: str) -> str:
        """The text without a single space at its end."""
        return text[:-1] if text.endswith(" ") and not text[-2:-1].isspace() else text

    def marks(self, text: str) -> list[str]:
        """The text as marks."""
        return self.marks_from(text)[0]

    def marks_from(self, text: str, state: int = START) -> tuple[list[str], int]:
        """The marks of a text that stands in a state, and the state after it."""
        return _walk(self._reading[state], pattern().findall(text))

    def parts(self, mark: str) -> tuple[str, ...]:
        """A run of spaces one by one, an unusual spacing and the plain mark; else the mark alone."""
        if mark.isspace():
            return tuple(mark)
        return (" " if mark[0] == " " else JOINT, mark[1:]) if is_marked(mark) else (mark,)

    def word(self, mark: str) -> str:
        """The mark without its spacing."""
        return mark[1:] if is_marked(mark) and not mark.isspace() else mark

    def label(self, mark: str) -> str:
        """Spaces as open boxes, JOINT and GLUE as an undertie, other unprintable characters as escapes."""
        return printable((mark or GLUE).replace(" ", "\u2423"))

    def spelled(self, marks: Iterable[str], state: int = START) -> tuple[list[str], int]:
        """What each mark adds to a text that stands in a state, and the state after all of them."""
        return _walk(self._writing[state], marks)
