"""What every way of splitting a text into words offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

START: Final = 0  # the state at the beginning of a text


class Split(Protocol):
    """Text <-> marks: strings that a vocabulary of words holds, each a word or something else that stands in a text.

    A mark's text depends on what precedes it (that is the state), never on what follows.
    """

    @property
    def always(self) -> tuple[str, ...]:
        """The marks that every vocabulary holds, however rare."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """The words by which a text itself says that a word is unknown."""

    @property
    def replacement(self) -> str:
        """How an unknown word is written."""

    @property
    def manner(self) -> str:
        """What a person should know of it in a few words; may be empty."""

    def normalised(self, text: str) -> str:
        """The text as its marks give it back."""

    def opening(self, text: str) -> str:
        """A text that is to be continued, without the space at its end that the next word brings itself."""

    def marks(self, text: str) -> list[str]:
        """The text as marks; nothing is lost but what `normalised` drops."""

    def marks_from(self, text: str, state: int = START) -> tuple[list[str], int]:
        """The marks of a text that stands in a state, and the state after it.

        The parts of a text, cut after line breaks or before spaces and read one after another, make the whole's marks.
        """

    def parts(self, mark: str) -> tuple[str, ...]:
        """Simpler marks that together say the same; the mark alone where there are none."""

    def word(self, mark: str) -> str:
        """The mark without what it says of the space before it; white space is itself."""

    def label(self, mark: str) -> str:
        """The mark in printable characters."""

    def spelled(self, marks: Iterable[str], state: int = START) -> tuple[list[str], int]:
        """What each mark adds to a text that stands in a state, and the state after all of them."""


def printable(text: str) -> str:
    """A text with escapes, such as \\n, for characters that are not printable."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
