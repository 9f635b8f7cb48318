"""Lead sheets as ABC: chord symbols in quotes, triplets in brackets, four bars a line, straight eighths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from gencli.music.chord_spans import beat_length
from gencli.music.chords import chord_name
from gencli.music.lead_sheet import LeadSheet
from gencli.music.notation import Sign, WrittenBar, engrave
from gencli.music.spelling import Key, key_of
from gencli.music.write_options import WriteOptions, swing_text

UNIT: Final = 12  # half ticks of a plain letter: L:1/8
ACCIDENTALS: Final = {-1: "_", 0: "=", 1: "^"}
BARS_A_LINE: Final = 4


def tune_bytes(sheet: LeadSheet, options: WriteOptions) -> bytes:
    """The lead sheet as ABC in UTF-8; the same bytes for the same arguments. Of the options tempo and swing."""
    return (abc_text(sheet, options) + "\n").encode()


def abc_text(sheet: LeadSheet, options: WriteOptions) -> str:
    """The lead sheet as ABC, without a last line end."""
    key = key_of(sheet)
    meter = str(sheet.bars[0].meter) if sheet.bars else "4/4"
    title = " ".join(sheet.title.split()).replace("\\", "\\\\").replace("%", "\\%") or "Lead sheet"
    lines = ["X:1", f"T:{title}", f"M:{meter}", "L:1/8", f"Q:1/4={options.tempo_of(sheet):.6g}"]
    swing = options.swing_of(sheet)
    if swing > 1:
        lines.append(f"R:{swing_text(swing)}")
    lines.append(f"K:{key.name}")
    return "\n".join([*lines, *_lines(engrave(sheet), key)])


def _lines(bars: list[WrittenBar], key: Key) -> Iterator[str]:
    """The bars, four a line, a field before one whose meter is new."""
    line: list[str] = []
    for number, written in enumerate(bars):
        is_new = number > 0 and written.bar.meter != bars[number - 1].bar.meter
        if line and (is_new or len(line) == BARS_A_LINE):
            yield " | ".join(line) + " |"
            line = []
        if is_new:
            yield f"M:{written.bar.meter}"
        line.append(_bar(written, key))
    yield " | ".join(line) + " |]"


def _bar(written: WrittenBar, key: Key) -> str:
    """The text of a bar. Notes of a beat, and of a triplet, stand together."""
    symbols = {change.start: change.chord for change in written.changes}
    altered: set[str] = set()  # letters that had an accidental in this bar
    groups = []
    for (_, bracket), signs in groupby(written.signs, key=lambda sign: _group(written, sign)):
        members = list(signs)
        text = "" if bracket is None else f"(3:2:{len(members)}"
        for sign in members:
            if sign.start in symbols:
                text += f'"{chord_name(symbols[sign.start], sharps=key.fifths > 0)}"'
            text += _sign(sign, key, altered)
        groups.append(text)
    return " ".join(groups)


def _group(written: WrittenBar, sign: Sign) -> tuple[int, int | None]:
    """Signs of the same beat and the same bracket are written without a space between."""
    within = sign.start - written.bar.start + written.pickup
    return within // beat_length(written.bar), sign.bracket


def _sign(sign: Sign, key: Key, altered: set[str]) -> str:
    """A note or a rest with its length.

    An accidental is written wherever a reader might doubt: on every note that is not the key's, and on each further
    note of a letter that had one in the bar, for programs differ on how far an accidental reaches.
    """
    length = _length(sign.written)
    spelling = sign.spelling
    if spelling is None:
        return f"z{length}"
    doubtful = spelling.alter != key.alter(spelling.letter) or spelling.letter in altered
    accidental = ""
    if doubtful:
        altered.add(spelling.letter)
        accidental = ACCIDENTALS[spelling.alter]
    letter = spelling.letter if spelling.octave < 5 else spelling.letter.lower()
    octave = "," * (4 - spelling.octave) + "'" * (spelling.octave - 5)
    return f"{accidental}{letter}{octave}{length}{'-' if sign.tied else ''}"


def _length(written: int) -> str:
    """A printed value in units: "" for one, "3/2", "/2" for a half."""
    whole, rest = divmod(written, UNIT)
    if rest == 0:
        return "" if whole == 1 else str(whole)
    parts = 4 if rest % 6 else 2
    count = written * parts // UNIT
    return f"{count if count > 1 else ''}/{parts}"
