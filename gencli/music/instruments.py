"""The instruments a melody can be played on: General MIDI's sounds by the names musicians use."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from gencli.config import check

PROGRAMS: Final = {  # name -> program number, counted from 0
    "accordion": 21,
    "acoustic-bass": 32,
    "alto-sax": 65,
    "banjo": 105,
    "baritone-sax": 67,
    "bassoon": 70,
    "cello": 42,
    "clarinet": 71,
    "electric-bass": 33,
    "electric-piano": 4,
    "english-horn": 69,
    "fiddle": 110,
    "flute": 73,
    "guitar": 24,
    "harmonica": 22,
    "harp": 46,
    "harpsichord": 6,
    "horn": 60,
    "jazz-guitar": 26,
    "marimba": 12,
    "muted-trumpet": 59,
    "oboe": 68,
    "ocarina": 79,
    "organ": 16,
    "pan-flute": 75,
    "piano": 0,
    "piccolo": 72,
    "recorder": 74,
    "soprano-sax": 64,
    "steel-guitar": 25,
    "strings": 48,
    "tenor-sax": 66,
    "trombone": 57,
    "trumpet": 56,
    "tuba": 58,
    "vibraphone": 11,
    "viola": 41,
    "violin": 40,
    "voice": 53,
    "whistle": 78,
    "xylophone": 13,
}
MOST: Final = 128  # sounds of General MIDI; people count them from 1


def program_of(name: str) -> int:
    """The program 0 ... 127 of an instrument's name, or of General MIDI's number 1 ... 128; OptionError for others."""
    text = name.strip().lower().replace(" ", "-").replace("_", "-")
    if text.isascii() and text.isdigit():
        check(1 <= int(text[:9]) <= MOST, f"--instrument {name}: General MIDI counts its sounds from 1 to {MOST}")
        return int(text) - 1
    close = get_close_matches(text, PROGRAMS, n=3)
    remedy = f"did you mean {' or '.join(close)}?" if close else f"one of {', '.join(PROGRAMS)}, or 1 to {MOST}"
    check(text in PROGRAMS, f"--instrument {name}: unknown; {remedy}")
    return PROGRAMS[text]
