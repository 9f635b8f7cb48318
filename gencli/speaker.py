"""A network that writes: samples side by side, many tokens a call, rows shared out among the threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.generate import Rows, Rule, generate
from gencli.cells.step import tag_of
from gencli.kernels.threads import bounds
from gencli.network import ROWS_A_THREAD, Network

Array = NDArray[Any]
REMEMBERED = 64  # tokens last written that a penalty applies to
_NOTHING = np.zeros(0, np.int32)


class Speaker:
    """Samples under way. `numbers` names them: what a sample draws depends on its number alone.

    All begin at a document's beginning, or where another speaker of one sample stands. banned (V,) bool: never drawn.
    """

    def __init__(
        self, network: Network, rule: Rule, banned: Array, numbers: Array, after: Speaker | None = None
    ) -> None:
        # What is banned stays so at any length.
        self.network, self.rule = network, rule._replace(min_length=0) if banned[rule.eos] else rule
        network.begin_reading()
        self.position = 0
        shares = max(1, min(network.team.size, len(numbers) // ROWS_A_THREAD))
        parts = [bounds(len(numbers), share, shares) for share in range(shares)]
        beginning = self._beginning(banned) if after is None else after._rows[0]
        self._rows: list[Rows] = [self._repeat(beginning, numbers, *part) for part in parts]
        self._active = [last - first for first, last in parts]
        self._work = [network.workspace(count) for count in self._active]
        self._count = len(numbers)

    def _beginning(self, banned: Array) -> Rows:
        """One row before its document's first token."""
        state = self.network.state(1)
        return Rows(
            state=np.stack([state.hidden, state.hidden], axis=1),
            memory=np.stack([state.memory, state.memory], axis=1),
            ids=np.full((1, 1), -1, np.int32),
            place=np.zeros(1, np.int64),
            number=np.zeros(1, np.uint64),
            handicap=np.where(banned, -np.inf, 0).astype(np.float32)[None],
            recent=np.full((1, REMEMBERED if self.rule.penalty else 0), -1, np.int32),
        )

    def _repeat(self, row: Rows, numbers: Array, first: int, last: int) -> Rows:
        """Rows for samples [first, last), all where the one row stands."""
        count = last - first
        return Rows(
            state=np.repeat(row.state[:, :, :1], count, axis=2),
            memory=np.repeat(row.memory[:, :, :1], count, axis=2),
            ids=np.repeat(row.ids[:, :1], count, axis=1),
            place=np.arange(first, last),
            number=numbers[first:last].astype(np.uint64),
            handicap=np.repeat(row.handicap[:1], count, axis=0),
            recent=np.repeat(row.recent[:1], count, axis=0),
        )

    @property
    def under_way(self) -> int:
        """Samples that have not ended."""
        return sum(self._active)

    def advance(self, steps: int, forced: Array = _NOTHING) -> tuple[Array, Array]:
        """Up to `steps` more tokens (n, steps) of every sample, and their log-probabilities; -1 where it has ended.

        The first of them are those of `forced`, the others drawn.
        """
        tokens = np.full((self._count, steps), -1, np.int32)
        told = np.zeros((self._count, steps))

        def job(share: int, shares: int) -> None:
            """One thread's rows; threads beyond the shares have none."""
            if share < len(self._rows) and self._active[share]:
                own = (self._rows[share], self._work[share], forced, self.position, self._active[share])
                cell = tag_of(self.network.config.cell)
                self._active[share] = generate(cell, self.network.weights, self.rule, *own, tokens, told)

        if len(self._rows) == 1:
            job(0, 1)
        else:
            self.network.team.run(job)
        self.position += steps
        return tokens, told

    def end(self, places: set[int]) -> None:
        """Let these samples end here."""
        for share, rows in enumerate(self._rows):
            active = self._active[share]
            kept = [row for row in range(active) if int(rows.place[row]) not in places]
            if len(kept) < active:
                count = len(kept)
                for array in (rows.place, rows.number, rows.handicap, rows.recent):
                    array[:count] = array[kept]
                rows.state[:, 0, :count], rows.memory[:, 0, :count] = rows.state[:, 0, kept], rows.memory[:, 0, kept]
                rows.ids[0, :count] = rows.ids[0, kept]
                self._active[share] = count
