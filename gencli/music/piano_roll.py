"""A melody as a picture: a piano roll, eight bars a row, coloured by the chord that sounds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from gencli.config import check
from gencli.music.chord_spans import beats_of, chord_spans
from gencli.music.chords import chord_name
from gencli.music.lead_sheet import Bar, LeadSheet
from gencli.music.note_colors import chord_at, role_of
from gencli.music.performance import lead_in
from gencli.music.spelling import Key, key_of, spell

if TYPE_CHECKING:
    from gencli.music.write_options import WriteOptions

BARS_A_ROW = 8
MOST_ROWS = 40  # a longer tune gets more bars a row
MOST_DETAILED = 24  # bars of a row that are all numbered and divided into beats
WIDTH, TITLE, ROW, SEMITONE = 12.0, 0.7, 0.55, 0.062  # inches
DOTS = 130  # an inch
LETTER, LINE, LINES_OF_SYMBOLS = 0.085, 0.14, 3  # inches that a chord symbol takes; beyond three lines none is shown
GAP = 0.25  # ticks at either end of a note that are left blank
LEAST_RANGE = 12  # semitones shown
BLACK_KEYS = {1, 3, 6, 8, 10}
FREE = "#8a8f98"  # where no chord sounds
COLORS: Final = {  # of roots, around the circle of fifths: chords that often follow each other look akin
    0: "#d64545",
    7: "#d9742b",
    2: "#c99700",
    9: "#8fa31e",
    4: "#4d9a2f",
    11: "#1f9161",
    6: "#128c8c",
    1: "#1f7fb8",
    8: "#3c66cf",
    3: "#6a52c7",
    10: "#9646b3",
    5: "#c23c83",
}


def check_matplotlib() -> None:
    """OptionError unless pictures can be drawn."""
    check(find_spec("matplotlib") is not None, "drawing a .png needs matplotlib: pip install matplotlib")


def tune_bytes(sheet: LeadSheet, options: WriteOptions) -> bytes:
    """The piano roll as PNG; OptionError without matplotlib. Filled notes are chord tones, pale ones other tones."""
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = _rows(sheet.bars)
    low, high = _range(sheet)
    height = ROW + SEMITONE * (high - low)
    figure = Figure(figsize=(WIDTH, TITLE + height * max(len(rows), 1)), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    key = key_of(sheet)
    facts = [sheet.title or "Lead sheet", key.name, f"{options.tempo_of(sheet):.0f} bpm"]
    swing = options.swing_of(sheet)
    figure.suptitle("   ".join([*facts, f"swing {swing:.2g}"] if swing > 1 else facts).replace("$", r"\$"), fontsize=11)
    longest = max((_length(row) for row in rows), default=1)
    first_number = 0 if lead_in(sheet.bars) else 1
    for number, row in enumerate(rows):
        axes = figure.add_subplot(len(rows), 1, number + 1)
        _set_up(axes, row, low, high, longest, key)
        _draw_bars(axes, sheet, row, first_number)
        _draw_chords(axes, sheet, row, key)
        _draw_notes(axes, sheet, row)
        first_number += len(row)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _rows(bars: Sequence[Bar]) -> list[Sequence[Bar]]:
    """The bars of each row; a pickup stands before the first eight."""
    count = max(BARS_A_ROW, -(-len(bars) // MOST_ROWS))
    first = count + (1 if lead_in(bars) else 0)
    rest = [bars[start : start + count] for start in range(first, len(bars), count)]
    return [bars[:first], *rest] if bars else []


def _length(row: Sequence[Bar]) -> int:
    """The ticks of a row."""
    return row[-1].start + row[-1].length - row[0].start


def _range(sheet: LeadSheet) -> tuple[int, int]:
    """The lowest and the highest pitch shown: a little more than the melody's range, at least an octave."""
    pitches = [note.pitch for note in sheet.notes] or [60, 72]
    low, high = min(pitches) - 2, max(pitches) + 2
    spare = max(LEAST_RANGE - (high - low), 0)
    return low - spare // 2, high + (spare + 1) // 2


def _set_up(axes: Any, row: Sequence[Bar], low: int, high: int, longest: int, key: Key) -> None:
    """Scales, the names of the Cs and Gs, and a shade where the black keys are."""
    axes.set_xlim(row[0].start, row[0].start + longest)
    axes.set_ylim(low - 0.5, high + 0.5)
    named = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 7)]
    axes.set_yticks(named, [f"{spell(pitch, key).letter}{spell(pitch, key).octave}" for pitch in named], fontsize=6)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            axes.barh(pitch, _length(row), left=row[0].start, height=1.0, color="#000000", alpha=0.035, linewidth=0)


def _draw_bars(axes: Any, sheet: LeadSheet, row: Sequence[Bar], first_number: int) -> None:
    """Lines at beats and bars, the bars' numbers below."""
    low, high = axes.get_ylim()
    beats = [start for bar in row for start, _ in beats_of(bar, lead_in(sheet.bars) if bar is sheet.bars[0] else 0)]
    lines = [*(bar.start for bar in row), row[-1].start + row[-1].length]
    if len(row) <= MOST_DETAILED:
        axes.vlines(beats, low, high, color="#000000", alpha=0.08, linewidth=0.5)
    axes.vlines(lines, low, high, color="#333333", linewidth=0.9, clip_on=False)
    every = -(-len(row) // MOST_DETAILED)
    for number, bar in list(enumerate(row, first_number))[::every]:
        axes.text(bar.start, low - 0.4, str(number), fontsize=6, color="#777777", va="top")


def _draw_chords(axes: Any, sheet: LeadSheet, row: Sequence[Bar], key: Key) -> None:
    """A tint under each chord, its symbol above; a line higher where the symbol before is in the way."""
    low, high = axes.get_ylim()
    first, last = row[0].start, row[0].start + _length(row)
    ticks_an_inch = (axes.get_xlim()[1] - first) / WIDTH
    taken = [float(first)] * LINES_OF_SYMBOLS  # up to where each line is written on
    tinted: dict[int, list[tuple[int, int]]] = {}  # root -> (start, width)
    for span in chord_spans(sheet):
        start, end = max(span.start, first), min(span.end, last)
        if start >= end:
            continue
        tinted.setdefault(span.chord.root, []).append((start, end - start))
        name = chord_name(span.chord, sharps=key.fifths > 0)
        line = next((number for number, until in enumerate(taken) if until <= start), None)
        if line is not None:
            taken[line] = start + len(name) * LETTER * ticks_an_inch
            height = high + 0.4 + line * LINE / SEMITONE
            color = COLORS[span.chord.root]
            axes.text(start + 1, height, name, fontsize=8, color=color, va="bottom", fontweight="bold")
    for root, spans in tinted.items():
        axes.broken_barh(spans, (low, high - low), color=COLORS[root], alpha=0.13, linewidth=0)


def _draw_notes(axes: Any, sheet: LeadSheet, row: Sequence[Bar]) -> None:
    """The notes in their chord's colour."""
    first, last = row[0].start, row[0].start + _length(row)
    alike: dict[tuple[int, str, str], list[tuple[float, float]]] = {}  # pitch, edge, face -> (start, width)
    for note in sheet.notes:
        start, end = max(note.start, first), min(note.end, last)
        if start >= end:
            continue
        chord = chord_at(sheet, note.start)
        color = COLORS[chord.root] if chord else FREE
        face = color if role_of(note, chord) in ("chord", "free") else "#ffffff"
        alike.setdefault((note.pitch, color, face), []).append((start + GAP, end - start - 2 * GAP))
    for (pitch, color, face), spans in alike.items():
        axes.broken_barh(spans, (pitch - 0.43, 0.86), facecolor=face, edgecolor=color, linewidth=1.1)
