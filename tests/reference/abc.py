"""A small reader of plain ABC: one tune, one voice, every length and accidental written out, no repeats.

What the lead sheets of the Weimar Jazz Database need, and no more. Chord symbols are looked up in a table.
"""

from __future__ import annotations

import re
from fractions import Fraction

TICKS = 12  # a quarter
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {"": 0, "=": 0, "^": 1, "_": -1, "#": 1, "b": -1}
CHORDS = {  # suffix -> semitones above the root
    "": "0 4 7",
    "6": "0 4 7 9",
    "6/9": "0 2 4 7 9",
    "maj7": "0 4 7 11",
    "maj9": "0 2 4 7 11",
    "maj9#11": "0 2 4 6 7 11",
    "aug": "0 4 8",
    "sus4": "0 5 7",
    "m": "0 3 7",
    "m6": "0 3 7 9",
    "mmaj7": "0 3 7 11",
    "m7": "0 3 7 10",
    "m9": "0 2 3 7 10",
    "m11": "0 2 3 5 7 10",
    "m7b5": "0 3 6 10",
    "dim": "0 3 6",
    "dim7": "0 3 6 9",
    "7": "0 4 7 10",
    "9": "0 2 4 7 10",
    "13": "0 2 4 7 9 10",
    "7b9": "0 1 4 7 10",
    "7#9": "0 3 4 7 10",
    "7#5": "0 4 8 10",
    "9#5": "0 2 4 8 10",
    "9#11": "0 2 4 6 7 10",
    "9#5#11": "0 2 4 6 8 10",
    "9b13": "0 2 4 7 8 10",
    "7b9b13": "0 1 4 7 8 10",
    "13b9": "0 1 4 7 9 10",
    "13#9": "0 3 4 7 9 10",
    "7#5#9": "0 3 4 8 10",
    "7alt": "0 1 3 4 8 10",
    "7sus4": "0 5 7 10",
    "9sus4": "0 2 5 7 10",
}
TOKEN = re.compile(r'\s*(?:"([^"]*)"|(\|\]?)|([=^_]?)([A-Ga-gz])([,\']*)(\d*)(?:/(\d+))?(-?))\s*')


def chord(symbol):
    """Root, tones and bass as pitch classes; None for no chord."""
    if symbol == "N.C.":
        return None
    root, suffix, bass = re.fullmatch(r"([A-G][b#]?)(.*?)(?:/([A-G][b#]?))?", symbol).groups()
    pitch = {name: (LETTERS[name[0]] + sum(SIGNS[sign] for sign in name[1:])) % 12 for name in (root, bass) if name}
    tones = frozenset((pitch[root] + int(tone)) % 12 for tone in CHORDS[suffix].split())
    return pitch[root], tones, pitch[bass] if bass else pitch[root]


def tune(text):
    """Head fields, bars (start, length), notes (start, duration, pitch) and changes (start, chord), in ticks.

    Tied notes are one; a change to the chord that sounds already, or to none before the first, is left out.
    """
    head, body = re.split(r"(?m)^K:.*\n", text, maxsplit=1)
    fields = dict(line.split(":", 1) for line in head.splitlines())
    assert fields["L"] == "1/4"
    bars, notes, changes = [], [], []
    now = begin = Fraction(0)
    place, tied = 0, False
    body = body.replace("\n", " ").strip()
    while place < len(body):
        match = TOKEN.match(body, place)
        assert match, body[place : place + 20]
        place = match.end()
        symbol, line, sign, letter, marks, above, below, tie = match.groups()
        if symbol is not None:
            if chord(symbol) != (changes[-1][1] if changes else None):
                changes.append((ticks(now), chord(symbol)))
        elif line:
            bars.append((ticks(begin), ticks(now - begin)))
            begin = now
        else:
            length = Fraction(int(above or 1), int(below or 1))
            if letter != "z":
                octave = letter.islower() + marks.count("'") - marks.count(",")
                pitch = 60 + LETTERS[letter.upper()] + 12 * octave + SIGNS[sign]
                if tied:
                    assert notes[-1][2] == pitch
                    notes[-1] = (notes[-1][0], notes[-1][1] + ticks(length), pitch)
                else:
                    notes.append((ticks(now), ticks(length), pitch))
                tied = bool(tie)
            now += length
    assert begin == now
    return fields, bars, notes, changes


def ticks(quarters):
    """A number of quarters that is a whole number of ticks."""
    assert TICKS % quarters.denominator == 0
    return int(quarters * TICKS)
