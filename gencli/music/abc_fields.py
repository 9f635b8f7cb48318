"""What the fields of ABC say: key, meter, unit length, tempo."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from gencli.errors import CorpusError
from gencli.music.keys import believed_tempo
from gencli.music.lead_sheet import TICKS, Meter

SHARPS = "FCGDAEB"  # the order in which they enter a key signature
TONICS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}  # sharps of the major key
MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
MINORS = {"m", "min", "aeo", "dor", "phr", "loc"}
KEY = re.compile(r"([A-G])([#b]?)\s*(maj|ion|mix|dor|min|aeo|phr|loc|lyd|m(?![a-z]))?[a-z]*", re.IGNORECASE)
EXPLICIT = re.compile(r"(?:^|\s)(\^\^|\^|__|_|=)([A-Ga-g])(?![\w=])")
ALTERATIONS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
TEMPO = re.compile(r"(?:(\d+)/(\d+)\s*=\s*)?(\d+(?:\.\d+)?)")
LONGEST_BAR = 16  # quarters


@dataclass(frozen=True)
class Key:
    """A key signature: what it does to each letter, and the key's name for the lead sheet."""

    name: str | None = None
    alterations: dict[str, int] = field(default_factory=dict)


def parse_key(text: str) -> Key | None:
    """The key of a K: field such as "Am", "D mix", "Bb", "Hp", "C ^f"; None where it changes no key ("clef=bass")."""
    text = text.strip()
    if text in ("HP", "Hp"):
        return Key("A", {"F": 1, "C": 1})
    match = KEY.match(text)
    if text.lower().startswith("none") or not text:
        return Key(None, _explicit(text))
    if match is None or not match[1].isupper() or text.lower().startswith("clef"):
        return None
    mode = (match[3] or "").lower()
    tonic = TONICS[match[1]] + {"#": 7, "b": -7}.get(match[2], 0)
    signs = max(-7, min(7, tonic + MODES[mode]))
    altered = dict.fromkeys(SHARPS[:signs], 1) if signs >= 0 else dict.fromkeys(SHARPS[signs:], -1)
    name = match[1] + match[2] + ("m" if mode in MINORS else "")
    return Key(name, {**altered, **_explicit(text)})


def _explicit(text: str) -> dict[str, int]:
    """The accidentals written out in a K: field."""
    return {letter.upper(): ALTERATIONS[sign] for sign, letter in EXPLICIT.findall(text)}


def parse_meter(text: str) -> Meter | None:
    """The meter of an M: field such as "6/8", "C|", "2+3/8"; None where it is free. CorpusError for an unusable one."""
    text = text.strip().lower()
    if text in ("", "none"):
        return None
    if text in ("c", "c|"):
        return Meter(4, 4) if text == "c" else Meter(2, 2)
    match = re.match(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d{1,3})", text)
    if match is None:  # words, which only a reader of their language can count
        return None
    return check_meter(sum(map(int, match[1].split("+"))), int(match[2]), f"M:{text[:20]}")


def check_meter(beats: int, unit: int, where: str) -> Meter:
    """The meter of two numbers; CorpusError unless its bars are whole ticks and not absurdly long."""
    if unit not in (1, 2, 4, 8, 16) or not 0 < beats * 4 <= LONGEST_BAR * unit or beats * 4 * TICKS % unit:
        raise CorpusError(f"{where}: not a usable meter; write one such as 4/4, 3/4 or 6/8")
    return Meter(beats, unit)


def default_unit(meter: Meter | None) -> Fraction:
    """The length of a plain letter in quarters, where no L: says it: a sixteenth in short meters, else an eighth."""
    short = meter is not None and Fraction(meter.beats, meter.unit) < Fraction(3, 4)
    return Fraction(1, 4) if short else Fraction(1, 2)


def parse_unit(text: str) -> Fraction | None:
    """The length of a plain letter in quarters of an L: field such as "1/8"; None for what is none."""
    match = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,4}))?\s*$", text)
    if match is None or not int(match[1]) or not int(match[2] or 1):
        return None
    return Fraction(4 * int(match[1]), int(match[2] or 1))


def parse_tempo(text: str, unit: Fraction) -> float | None:
    """Quarters a minute of a Q: field such as "1/4=120", "3/8=60", "Allegro 120"; None where it tells none."""
    match = TEMPO.search(re.sub(r'"[^"]*"', " ", text))
    if match is None or (match[2] is not None and not int(match[2])):
        return None
    beat = Fraction(4 * int(match[1]), int(match[2])) if match[1] else unit
    return believed_tempo(float(match[3]) * float(beat))
