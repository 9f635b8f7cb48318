"""Texts as they are read, in memory while they are small in all, from then on in one file on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gencli.scratch import Scratch


@dataclass(frozen=True)
class StoredText:
    """A text that is not blank, as bytes begin ... end - 1 of a store. A line break stands between it and the next."""

    label: str
    begin: int
    end: int


class TextStore:
    """`texts` holds (label, text) pairs while there are at most `most` characters; then `disk` and `stored` all."""

    def __init__(self, most: int) -> None:
        self.texts: list[tuple[str, str]] = []
        self.disk: Scratch | None = None
        self.stored: list[StoredText] = []
        self._most, self._held, self._broken = most, 0, True  # whether the disk's text ends with a line break

    def add(self, label: str, pieces: Iterable[str]) -> bool:
        """Take a text up; where it is blank, False, and where its pieces raise an error nothing of it is kept."""
        parts: list[str] = []
        blank, whole, held = True, False, self._held
        begin = self._next_begin() if self.disk is not None else 0
        try:
            for piece in pieces:
                blank = blank and not piece.strip()
                parts.append(piece)
                self._held += len(piece)
                if self.disk is None and self._held > self._most:
                    self._spill()
                    begin = self._next_begin()
                if self.disk is not None:
                    self._write("".join(parts))
                    parts = []
            whole = not blank
        finally:
            if not whole:
                self._held = held
                if self.disk is not None:
                    self.disk.cut(begin)
                    self._broken = True
        if whole and self.disk is not None:
            self.stored.append(StoredText(label, begin, self.disk.size))
        elif whole:
            self.texts.append((label, "".join(parts)))
        return whole

    def _spill(self) -> None:
        """Move what is held to disk."""
        self.disk = Scratch()
        for label, text in self.texts:
            begin = self._next_begin()
            self._write(text)
            self.stored.append(StoredText(label, begin, self.disk.size))
        self.texts.clear()

    def _next_begin(self) -> int:
        """Where the next text begins on disk: on a new line."""
        if not self._broken:
            self._write("\n")
        return self.disk.size if self.disk is not None else 0

    def _write(self, text: str) -> None:
        if text and self.disk is not None:
            self.disk.write(text.encode("utf-8", "surrogatepass"))
            self._broken = text.endswith("\n")
