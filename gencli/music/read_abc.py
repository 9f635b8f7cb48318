"""ABC files to lead sheets: tunes, their heads, their voices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from gencli.errors import CorpusError
from gencli.music.abc_body import Body
from gencli.music.abc_fields import Key, default_unit, parse_key, parse_meter, parse_tempo, parse_unit
from gencli.music.lead_sheet import LeadSheet
from gencli.music.measures import Measure
from gencli.music.parts import lead_sheet
from gencli.music.swing_mark import marked_swing

FIELD = re.compile(r"\s*([A-Za-z+]):(?![|:])(.*)")
TEXT_FIELDS = frozenset("ABCDFGHINOPRSTUWXZmrsw+")  # in a tune's body these tell no music


def read_abc(text: str, track: str | None = None) -> tuple[list[LeadSheet], list[str]]:
    """The tunes of a file, and one line about each that cannot be read; CorpusError where there is no tune at all."""
    sheets: list[LeadSheet] = []
    problems: list[str] = []
    for number, lines in _tunes(text):
        try:
            sheets.append(_read_tune(lines, track))
        except CorpusError as error:
            problems.append(f"X:{number}: {error}")
    if not sheets and not problems:
        raise CorpusError("no tune in it; an ABC tune begins with a line X:1")
    return sheets, problems


def _tunes(text: str) -> Iterator[tuple[str, list[str]]]:
    """Number and lines of each tune; comments are gone."""
    tune: list[str] | None = None
    number = ""
    for line in text.split("\n"):
        plain = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        if plain.startswith("X:"):
            if tune is not None:
                yield number, tune
            number, tune = plain[2:].strip()[:20] or "?", []
        elif tune is not None and plain:
            tune.append(plain)
    if tune is not None:
        yield number, tune


def _read_tune(lines: list[str], track: str | None) -> LeadSheet:
    """One tune; CorpusError where it holds none."""
    head: dict[str, str] = {}
    voices: list[str] = []
    first = len(lines)
    for place, line in enumerate(lines):
        match = FIELD.match(line)
        if match is None:  # K: was forgotten
            first = place
            break
        if match[1] == "V":
            voices.append(match[2])
        head.setdefault(match[1], match[2].strip())
        if match[1] == "K":
            first = place + 1
            break
    meter = parse_meter(head["M"]) if "M" in head else None
    unit = parse_unit(head.get("L", ""))
    key = parse_key(head.get("K", "")) or Key()
    body = Body(unit, meter, key, default_unit(meter))
    for voice in voices:
        body.field("V", voice)
    if voices:
        body.field("V", voices[0])
    for line in lines[first:]:
        match = FIELD.match(line)
        if match is None:
            body.music(line)
        elif match[1] not in TEXT_FIELDS:
            body.field(match[1], match[2])
    tempo = parse_tempo(head.get("Q", ""), unit or Fraction(1)) or body.tempo
    parts: dict[str, list[Measure]] = {}
    for number, read in enumerate(body.voices.values(), 1):
        parts[f"{read.name} {number}" if read.name in parts else read.name] = read.finish()
    sheet = lead_sheet(parts, track, body.notices)
    swing = marked_swing(head.get("R", "")) or marked_swing(head.get("Q", "")) or 1.0
    return replace(sheet, title=head.get("T", ""), tempo=tempo, key=key.name, swing=swing)
