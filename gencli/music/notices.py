"""What a reader had to change, counted, and told in plain words."""

from __future__ import annotations

from collections import Counter

MOST_NAMED = 5  # different symbols named in one notice


class Notices:
    """Counts what was changed; `texts` are its sentences, in order of first appearance."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._named: dict[str, dict[str, None]] = {}

    def count(self, what: str, times: int = 1) -> None:
        """Note that `what` happened; "(s)" in it stands for the plural: "grace note(s) left out"."""
        if times:
            self._counts[what] += times

    def name(self, what: str, thing: str) -> None:
        """Note that `what` happened to a thing that should be named: "chord symbols not understood"."""
        self._named.setdefault(what, {})[thing] = None

    def texts(self) -> tuple[str, ...]:
        """One sentence for each kind of change."""
        counted = [f"{n:,} {what.replace('(s)', '' if n == 1 else 's')}" for what, n in self._counts.items()]
        named = []
        for what, things in self._named.items():
            more = f" and {len(things) - MOST_NAMED} more" if len(things) > MOST_NAMED else ""
            named.append(f"{what}: {', '.join(list(things)[:MOST_NAMED])}{more}")
        return (*counted, *named)
