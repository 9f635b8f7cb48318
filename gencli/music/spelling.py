"""How notes are spelt: the key, and a letter with an accidental for each pitch, by the chord and the key around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gencli.music.chords import QUALITIES, Chord
from gencli.music.lead_sheet import LeadSheet

LETTERS: Final = "FCGDAEB"  # in fifths
KEY = re.compile(r"\s*([A-Ga-g])\s*(#|b|-|♯|♭)?\s*(m|min|minor|maj|major)?\s*", re.IGNORECASE)
FLATTEST, SHARPEST = -7, 11  # fifths from C: spellings from Cb to E#; doubles are left to scholars
DEGREES: Final = {  # semitones above a chord's root -> fifths above it
    0: 0,
    1: -5,
    2: 2,
    3: -3,
    4: 4,
    5: -1,
    6: 6,
    7: 1,
    8: -4,
    9: 3,
    10: -2,
    11: 5,
}
MAJOR: Final = (0, 2, 4, 5, 7, 9, 11)
CHORD_SHARE: Final = 0.25  # a tone of a chord tells less of the key than the same time of melody


@dataclass(frozen=True)
class Key:
    """A key signature."""

    fifths: int = 0  # sharps; flats below 0
    minor: bool = False

    @property
    def name(self) -> str:
        """As musicians write it: "Bb", "F#m"."""
        tonic = note_name(self.fifths + 3 if self.minor else self.fifths)
        return tonic + ("m" if self.minor else "")

    @property
    def tonic(self) -> int:
        """The pitch class of its first degree."""
        return 7 * (self.fifths + (3 if self.minor else 0)) % 12

    def alter(self, letter: str) -> int:
        """What the signature does to a letter: 1 sharp, -1 flat, 0 nothing."""
        place = LETTERS.index(letter)
        return (self.fifths - place + 6) // 7


@dataclass(frozen=True)
class Spelling:
    """A pitch as written."""

    letter: str  # A ... G
    alter: int  # -1 flat, 0 natural, 1 sharp
    octave: int  # 4: the one that begins with middle C


def note_name(fifths: int) -> str:
    """The note so many fifths above C: -1 -> "F", 6 -> "F#"."""
    sharps, place = divmod(fifths + 1, 7)
    return LETTERS[place] + ("#" * sharps if sharps > 0 else "b" * -sharps)


def parse_key(text: str | None) -> Key | None:
    """The key of a text such as "Bb", "F#m", "A minor"; None where it is none."""
    match = KEY.fullmatch(text or "")
    if match is None:
        return None
    mode = match[3] or ""
    minor = mode == "m" or mode.lower() in ("min", "minor")
    sign = {"#": 1, "♯": 1}.get(match[2] or "", -1 if match[2] else 0)
    fifths = LETTERS.index(match[1].upper()) - 1 + 7 * sign - (3 if minor else 0)
    # A key of eight or more accidentals is written as the one that sounds the same.
    return Key(fifths - 12 if fifths > 7 else fifths + 12 if fifths < -7 else fifths, minor)


def key_of(sheet: LeadSheet) -> Key:
    """The sheet's key, or where it names none the key signature that fits its notes and chords best."""
    return parse_key(sheet.key) or _estimated(sheet)


@lru_cache(8)
def _estimated(sheet: LeadSheet) -> Key:
    """The signature that leaves the least of melody and chords out; of equals one that the last chord is at home in."""
    weight = [0.0] * 12
    for note in sheet.notes:
        weight[note.pitch % 12] += note.duration
    ends = [*(change.start for change in sheet.changes[1:]), sheet.length]
    chords = [(change.chord, end - change.start) for change, end in zip(sheet.changes, ends, strict=False)]
    for chord, length in chords:
        for tone in chord.pitch_classes() if chord else ():
            weight[tone] += CHORD_SHARE * length
    last = next((chord for chord, _ in reversed(chords) if chord), None)

    def rank(fifths: int) -> tuple[float, int]:
        tonics = (7 * fifths % 12, (7 * fifths + 9) % 12)
        inside = sum(weight[(7 * fifths + step) % 12] for step in MAJOR)
        at_home = last is not None and last.root == tonics["b3" in QUALITIES[last.quality].degrees]
        return inside + (1.0 if at_home else 0.0), -abs(fifths)

    best = max(range(-5, 7), key=rank) if any(weight) else 0
    relative = (7 * best + 9) % 12
    minor = last is not None and last.root == relative and "b3" in QUALITIES[last.quality].degrees
    return Key(best, minor)


def spell(pitch: int, key: Key, chord: Chord | None = None) -> Spelling:
    """A pitch as it is read most easily.

    A chord tone is spelt as the chord's degree, another note of the key as the key has it, a foreign one as a degree
    of the chord, or of the key's tonic where no chord sounds.
    """
    sharps, place = divmod(_line_of_fifths(pitch % 12, key, chord) + 1, 7)
    octave = (pitch - sharps) // 12 - 1  # of the letter without its accidental: B#3 sounds as C4
    return Spelling(LETTERS[place], sharps, octave)


@lru_cache(4096)
def _line_of_fifths(pitch_class: int, key: Key, chord: Chord | None) -> int:
    """How many fifths above C a pitch class is spelt."""
    in_key = (pitch_class * 7 - key.fifths + 1) % 12  # 0 ... 6: a note of the key, in fifths from its flattest
    if in_key < 7 and not (chord and pitch_class in chord.pitch_classes()):
        return key.fifths - 1 + in_key
    if chord is not None:
        return _without_doubles(_root_fifths(chord.root, key) + _degree(pitch_class, chord))
    above = (pitch_class - 7 * key.fifths) % 12
    raised = (above == 1 and key.fifths > 0) or (above == 8 and (key.fifths > 0 or key.minor))
    return _without_doubles(key.fifths + DEGREES[above] + (12 if raised else 0))


def _root_fifths(root: int, key: Key) -> int:
    """A chord's root on the line of fifths: as near to the key as can be, from a tritone below it to five above."""
    centre = key.fifths
    return next(fifths for fifths in range(centre - 5, centre + 7) if 7 * fifths % 12 == root)


def _degree(pitch_class: int, chord: Chord) -> int:
    """A pitch class as a degree of a chord, in fifths above the root."""
    above = (pitch_class - chord.root) % 12
    degrees = QUALITIES[chord.quality].degrees
    if above == 6 and "b5" in degrees:
        return -6
    if above == 8 and "#5" in degrees:
        return 8
    return DEGREES[above]


def _without_doubles(fifths: int) -> int:
    """The same pitch class between Cb and E#."""
    return fifths + 12 if fifths < FLATTEST else fifths - 12 if fifths > SHARPEST else fifths
