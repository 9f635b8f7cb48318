"""A melody as a piano roll of characters: bars from left to right, pitches from top to bottom, chord symbols above.

Nothing is printed here: a line is a row of pieces, each a text with the name of a style that terminals know.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from gencli.music.chords import Chord, chord_name
from gencli.music.lead_sheet import TICKS, Bar, LeadSheet, Note
from gencli.music.note_colors import Role, chord_at, role_of
from gencli.music.performance import lead_in
from gencli.music.spelling import Key, key_of, spell

RollLine = tuple[tuple[str, str], ...]  # (text, style); "" is the terminal's own style

STYLES: Final[dict[Role, str]] = {"chord": "green", "scale": "cyan", "outside": "yellow", "free": "blue"}
ASCII_MARKS: Final[dict[Role, str]] = {"chord": "#", "scale": "=", "outside": "o", "free": "="}
FAINT, STRONG = "dim", "bold"
MARGIN = 5  # columns left of the bars: bar numbers and names of pitches
FINEST = TICKS // 4  # ticks of a column, a sixteenth; more where a bar would not fit
BARS_A_PHRASE = 4


def terminal_roll(sheet: LeadSheet, width: int = 80, ascii_only: bool = False) -> list[RollLine]:
    """The lines of a piano roll, none wider than `width` (at least 20) columns; a blank one between two systems.

    A character is two semitones high, one with `ascii_only`. Chord tones are green (#), other tones of the chord's
    scale cyan (=), the rest yellow (o).
    """
    width = max(width, 20)
    step = FINEST
    longest = max((bar.length for bar in sheet.bars), default=1)
    while _columns(longest, step) + 1 + MARGIN > width:
        step *= 2
    key = key_of(sheet)
    first_number = 0 if lead_in(sheet.bars) else 1
    lines: list[RollLine] = []
    for start, end in _systems(sheet.bars, step, width - MARGIN):
        lines += [()] if lines else []
        system = _System(sheet, sheet.bars[start:end], step, key)
        lines += system.lines(first_number + start, ascii_only)
    return lines


def plain_lines(lines: Sequence[RollLine]) -> list[str]:
    """The lines as text without styles, for files and pipes."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def _columns(length: int, step: int) -> int:
    """The columns that so many ticks take."""
    return -(-length // step)


def _systems(bars: Sequence[Bar], step: int, room: int) -> list[tuple[int, int]]:
    """(first, last + 1) of the bars of each system: as many as fit, in phrases of four where four fit."""
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(bars):
        end, used = start, 0
        while end < len(bars) and used + _columns(bars[end].length, step) + 1 <= room:
            used += _columns(bars[end].length, step) + 1
            end += 1
        if end < len(bars) and end - start > BARS_A_PHRASE:
            end -= (end - start) % BARS_A_PHRASE
        found.append((start, end))
        start = end
    return found


class _System:
    """Some bars side by side."""

    def __init__(self, sheet: LeadSheet, bars: Sequence[Bar], step: int, key: Key) -> None:
        self.sheet, self.bars, self.step, self.key = sheet, bars, step, key
        self.start, self.end = bars[0].start, bars[-1].start + bars[-1].length
        self.ticks: list[int | None] = []  # of each column; None: a bar line
        for bar in bars:
            self.ticks += [*range(bar.start, bar.start + bar.length, step), None]
        first = bisect_right(sheet.notes, self.start, key=lambda note: note.end)
        sounding = sheet.notes[first : bisect_left(sheet.notes, self.end, key=lambda note: note.start)]
        self.notes = dict(self._heard(sounding))

    def _heard(self, sounding: Sequence[Note]) -> list[tuple[int, Note]]:
        """(column, note): the note that fills most of a column. A gap parts a note from the same one after it."""
        bar_of = [bar for bar in self.bars for _ in range(_columns(bar.length, self.step) + 1)]
        heard = []
        for column, tick in enumerate(self.ticks):
            if tick is None:
                continue
            end = min(tick + self.step, bar_of[column].start + bar_of[column].length)
            best: tuple[int, Note] | None = None
            for number, note in enumerate(sounding):
                share = min(note.end, end) - max(note.start, tick)
                after = sounding[number + 1] if number + 1 < len(sounding) else None
                again = after is not None and after.start == note.end and after.pitch == note.pitch
                if again and note.end <= end and note.start < tick:
                    continue  # its last column stays empty
                if share > 0 and (best is None or share > best[0]):
                    best = (share, note)
            if best is not None:
                heard.append((column, best[1]))
        return heard

    def lines(self, number: int, ascii_only: bool) -> list[RollLine]:
        """The system's lines, the chord symbols first; `number` is that of its first bar."""
        lines: list[RollLine] = [((f"{number:>{MARGIN - 1}} ", FAINT), (self._symbols(), STRONG))]
        if not self.notes:
            return [*lines, self._row((), "", ascii_only)]
        pitches = [note.pitch for note in self.notes.values()]
        height = 1 if ascii_only else 2
        for top in range(max(pitches), min(pitches) - 1, -height):
            row = tuple(range(top, top - height, -1))
            named = next((pitch for pitch in row if pitch % 12 == 0), top if top == max(pitches) else None)
            lines.append(self._row(row, "" if named is None else self._name(named), ascii_only))
        return lines

    def _name(self, pitch: int) -> str:
        """A pitch as text: "Bb4"."""
        spelling = spell(pitch, self.key)
        return f"{spelling.letter}{'#' * spelling.alter}{'b' * -spelling.alter}{spelling.octave}"

    def _symbols(self) -> str:
        """The chord symbols above their columns; what sounds at the beginning is named again. Close ones are cut."""
        changes = self.sheet.changes
        sounding = chord_at(self.sheet, self.start)
        places: dict[int, Chord | None] = {0: sounding} if sounding else {}
        first = bisect_left(changes, self.start, key=lambda change: change.start)
        last = bisect_left(changes, self.end, key=lambda change: change.start)
        for change in changes[first:last]:
            column = max(c for c, tick in enumerate(self.ticks) if tick is not None and tick <= change.start)
            places[column] = change.chord
        text = ""
        for column, end in pairwise([*sorted(places), len(self.ticks) + 1]):
            name = chord_name(places[column], sharps=self.key.fifths > 0)
            text = text.ljust(column) + name[: max(end - column - 1, 1)]
        return text

    def _row(self, row: Sequence[int], name: str, ascii_only: bool) -> RollLine:
        """One line of the roll: its name, then its columns, neighbours of one style in one piece."""
        pieces: list[tuple[str, str]] = [(f"{name:>{MARGIN - 1}} ", FAINT)]
        for column, tick in enumerate(self.ticks):
            note = self.notes.get(column)
            text, style = " ", ""
            if tick is None:
                text, style = "|" if ascii_only else "│", FAINT
            elif note is not None and note.pitch in row:
                role = role_of(note, chord_at(self.sheet, note.start))
                text, style = ASCII_MARKS[role] if ascii_only else "▀▄"[row.index(note.pitch)], STYLES[role]
            if pieces[-1][1] == style:
                pieces[-1] = (pieces[-1][0] + text, style)
            else:
                pieces.append((text, style))
        return tuple(pieces)
