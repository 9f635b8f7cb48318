"""Corpora whose tokens are parted by white space already, such as the Penn Treebank's."""

from __future__ import annotations

from collections.abc import Iterable

from gencli.words.split import START, printable

_INSIDE = 1  # the state after a token


class Tokenised:
    """What stands between white space is a token; tokens are joined by single spaces.

    Lines that differ only in their runs of white space are therefore one and the same. Line breaks inside a document
    (in a stream, a paragraph, a file) are marks of their own. <unk> and <UNK> are the unknown word itself. Any other
    token is a word, <eos> too: where a document ends is never told by a word of its text.
    """

    always: tuple[str, ...] = ()
    unknown = ("<unk>", "<UNK>")
    replacement = "<unk>"
    manner = "split at white space"

    def normalised(self, text: str) -> str:
        """The tokens of each line joined by single spaces."""
        return "\n".join(" ".join(line.split()) for line in text.split("\n"))

    def opening(self, text: str) -> str:
        """The text without spaces at its end."""
        return text.rstrip(" ")

    def marks(self, text: str) -> list[str]:
        """The tokens, and the line breaks between lines."""
        if "\n" not in text:
            return text.split()
        marks: list[str] = []
        for line in text.split("\n"):
            marks += line.split()
            marks.append("\n")
        return marks[:-1]

    def marks_from(self, text: str, state: int = START) -> tuple[list[str], int]:
        """The marks of a text; every state is 0, since no mark depends on what precedes it."""
        return self.marks(text), state

    def parts(self, mark: str) -> tuple[str, ...]:
        """The mark alone."""
        return (mark,)

    def word(self, mark: str) -> str:
        """The mark itself."""
        return mark

    def label(self, mark: str) -> str:
        """The token, unprintable characters as escapes."""
        return printable(mark)

    def spelled(self, marks: Iterable[str], state: int = START) -> tuple[list[str], int]:
        """Each token with a space before it, but for the first of a line."""
        texts = []
        for mark in marks:
            texts.append(f" {mark}" if state == _INSIDE and mark != "\n" else mark)
            state = START if mark == "\n" else _INSIDE
        return texts, state
