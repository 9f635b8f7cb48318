"""Tables in plain text, a line at a time, so that each stands there as soon as it is measured."""

from __future__ import annotations

Cell = str | None


class Table:
    """Columns of fixed widths, the first one aligned to the left; a cell that is None shows a dash."""

    def __init__(self, *columns: tuple[str, int]) -> None:
        self.names = [name for name, _ in columns]
        self.widths = [width for _, width in columns]

    def head(self) -> str:
        """The columns' names."""
        return self.line(*self.names)

    def line(self, *cells: Cell) -> str:
        """One row; cells that are not given are left out."""
        texts = ["-" if cell is None else cell for cell in cells]
        padded = [f"{text:>{width}}" for text, width in zip(texts[1:], self.widths[1:], strict=False)]
        return f"{texts[0]:<{self.widths[0]}}{''.join(padded)}".rstrip()


def count(x: float | None) -> Cell:
    """A large number, whole."""
    return None if x is None else f"{x:,.0f}"


def times(x: float | None) -> Cell:
    """A ratio."""
    return None if x is None else f"{x:.2f}x"


def percent(x: float | None) -> Cell:
    """A share."""
    return None if x is None else f"{x:.0%}"


def giga(x: float | None) -> Cell:
    """Floating-point operations a second, in thousands of millions."""
    return None if x is None else f"{x / 1e9:.0f}"
