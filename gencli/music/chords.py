"""Chord symbols: every common spelling to root, quality and bass, and back to one canonical text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gencli.config import check
from gencli.errors import OptionError
from gencli.music.qualities import ACCIDENTALS, QUALITIES, Quality, is_quality, nearest_quality, number

__all__ = ["QUALITIES", "Chord", "Quality", "chord_name", "parse_chord", "read_chord", "transpose"]

LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
FLATS: Final = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
SHARPS: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
STEPS: Final = (0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6)  # letters from the root to a bass so many semitones above it
NO_CHORD: Final = {"nc", "n", "nochord", "none", "tacet"}
LONGEST: Final = 40  # characters of a symbol

SYMBOLS = str.maketrans("♭♯Δ△∆Øº˚\u2212\u2013\u2010", "b#^^^ø°°---")  # the last three: minus, dash, hyphen
NOTE = re.compile(r"([A-G])(bb|##|b|#)?")
BASS = re.compile(r"/([A-Ga-g])(bb|##|b|#)?$")
MAJOR_WORD = r"major|maj|ma(?!dd)|Major|Maj|MAJOR|MAJ|Ma|MA|M(?!I)|\^|j(?=7|9|13)"
HEADS = tuple(
    (name, re.compile(words))
    for name, words in (
        ("half-diminished", r"ø|half-?dim|hdim|h(?=7|9|$)"),
        ("diminished", r"diminished|dim|Dim|DIM|°|o"),
        ("augmented", r"augmented|aug|Aug|AUG|\+"),
        ("major", MAJOR_WORD),
        ("minor", r"minor|min|mi|Minor|Min|MINOR|MIN|Mi|MI|m|-"),
        ("", r"dom(?:inant)?|"),
    )
)
TRIADS = {
    "": {"1", "3", "5"},
    "major": {"1", "3", "5"},
    "minor": {"1", "b3", "5"},
    "diminished": {"1", "b3", "b5"},
    "half-diminished": {"1", "b3", "b5", "b7"},
    "augmented": {"1", "3", "#5"},
}
SEVENTHS = {"major": "7", "diminished": "bb7"}  # of other heads: b7
EXTENSION = re.compile(r"69|13|11|9|7|6|5|4|2")
MODIFIER = re.compile(
    r"(?P<alt>alt(?:ered)?)|sus(?P<sus>2|4)?|(?:add|Add|ADD)(?P<add>[b#+-]?(?:13|11|9|7|6|4|2))"
    r"|(?:no|omit)(?P<no>3|5)|(?P<sign>[b#+-])(?P<place>13|11|9|7|6|5|4)"
    rf"|(?P<major>{MAJOR_WORD})(?P<top>13|11|9|7)?|(?P<aug>aug|\+)|(?P<plain>13|11|9|7|6)"
)
LYING = {"2": "9", "4": "11"}  # an added second is a ninth


@dataclass(frozen=True)
class Chord:
    """A chord: root and bass are pitch classes (C = 0), quality a name of QUALITIES. No bass: the root is the bass."""

    root: int
    quality: str
    bass: int | None = None

    def __post_init__(self) -> None:
        check(self.quality in QUALITIES, f"chord quality {self.quality}: not one of {', '.join(QUALITIES)}")
        legal = 0 <= self.root < 12 and (self.bass is None or 0 <= self.bass < 12)
        check(legal, f"chord root {self.root}, bass {self.bass}: pitch classes lie between 0 and 11")

    def __str__(self) -> str:
        return chord_name(self)

    def pitch_classes(self) -> tuple[int, ...]:
        """The tones that sound, root first; a foreign bass comes last."""
        tones = tuple((self.root + tone) % 12 for tone in QUALITIES[self.quality].pitch_classes)
        return tones if self.bass is None or self.bass in tones else (*tones, self.bass)

    def scale(self) -> tuple[int, ...]:
        """The tones of the chord-scale, ascending from the root; a foreign bass is one of them."""
        tones = set(QUALITIES[self.quality].scale)
        if self.bass is not None:
            tones.add((self.bass - self.root) % 12)
        return tuple((self.root + tone) % 12 for tone in sorted(tones))


def parse_chord(text: str) -> Chord | None:
    """The chord of a symbol such as "F#m7b5", "C-7", "CΔ", "Bb7(b9,#11)/D"; None for "N.C.".

    What no quality has exactly becomes the nearest one (see read_chord). OptionError names an unknown symbol.
    """
    return read_chord(text)[0]


@lru_cache(4096)
def read_chord(text: str) -> tuple[Chord | None, bool]:
    """As parse_chord, and whether the chord is exactly what was written: "C7b5b9" becomes C7alt, which is not."""
    symbol = text.strip().translate(SYMBOLS)
    if re.sub(r"[\s.]", "", symbol).lower() in NO_CHORD:
        return None, True
    match = NOTE.match(symbol) if len(symbol) <= LONGEST else None
    if match is None:
        raise _unknown(text)
    root = _pitch_class(match)
    rest = symbol[match.end() :]
    bass = None
    slash = BASS.search(rest)
    if slash:
        bass = _pitch_class(slash)
        rest = rest[: slash.start()]
    degrees = _degrees(re.sub(r"[\s(),\[\]/]", "", rest))
    if degrees is None:
        raise _unknown(text)
    return Chord(root, nearest_quality(degrees), None if bass == root else bass), is_quality(degrees)


def chord_name(chord: Chord | None, sharps: bool = False) -> str:
    """The canonical text: "Cmaj7" not "CΔ", flats unless told otherwise (but F#m7); parse_chord gives it back."""
    if chord is None:
        return "N.C."
    minor = "b3" in QUALITIES[chord.quality].degrees
    root = "F#" if chord.root == 6 and minor else (SHARPS if sharps else FLATS)[chord.root]
    quality = "" if chord.quality == "maj" else chord.quality
    return root + quality + ("" if chord.bass is None else f"/{_bass_name(root, chord.bass)}")


def _bass_name(root: str, bass: int) -> str:
    """A bass spelt as a degree of its chord, D/F# and Ebm/Gb, unless that takes a rare name such as Cb."""
    steps = STEPS[(bass - LETTERS[root[0]] - ACCIDENTALS[root[1:]]) % 12]
    letter = "CDEFGAB"[("CDEFGAB".index(root[0]) + steps) % 7]
    sign = {0: "", 1: "#", 11: "b"}.get((bass - LETTERS[letter]) % 12)
    spelt = "" if sign is None else letter + sign
    return spelt if spelt in FLATS or spelt in SHARPS else FLATS[bass]


def transpose(chord: Chord | None, semitones: int) -> Chord | None:
    """The chord so many semitones higher; no chord stays none."""
    if chord is None:
        return None
    bass = None if chord.bass is None else (chord.bass + semitones) % 12
    return Chord((chord.root + semitones) % 12, chord.quality, bass)


def _pitch_class(match: re.Match[str]) -> int:
    """Of a letter with accidentals."""
    return (LETTERS[match[1].upper()] + ACCIDENTALS[match[2]]) % 12


def _unknown(text: str) -> OptionError:
    """The one line about a symbol that is none."""
    shown = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    return OptionError(f'chord "{shown}": unknown; write symbols such as Dm7, G7alt, Cmaj9, F#m7b5, Bb6/9, C/E or N.C.')


def _degrees(suffix: str) -> set[str] | None:
    """The degrees of what follows the root, without blanks, brackets and slashes; None where it is no chord."""
    head, place = next((name, found.end()) for name, words in HEADS if (found := words.match(suffix)))
    degrees = set(TRIADS[head])
    seventh = SEVENTHS.get(head, "b7")
    if head in ("minor", "diminished", "augmented") and (word := re.compile(MAJOR_WORD).match(suffix, place)):
        seventh, place = "7", word.end()  # as in CmMaj7
        degrees.add("7")
    extension = EXTENSION.match(suffix, place)
    if extension:
        place = extension.end()
        _extend(degrees, extension[0], seventh, head)
    elif suffix[:place].endswith("^"):
        degrees.add("7")  # the triangle alone is a major seventh
    while place < len(suffix):
        modifier = MODIFIER.match(suffix, place)
        if modifier is None:
            return None
        place = modifier.end()
        _modify(degrees, modifier, seventh)
    return degrees


def _extend(degrees: set[str], extension: str, seventh: str, head: str) -> None:
    """Add the figure behind the triad: 6, 7, 9, 11, 13, 6/9, and the rarer 5, 4, 2."""
    if extension in ("6", "69"):
        degrees |= {"6"} if extension == "6" else {"6", "9"}
    elif extension in ("7", "9", "11", "13"):
        degrees |= {seventh} if extension == "7" else {seventh, "9"}
        if extension == "11" and head == "":
            _suspend(degrees, "4")  # nobody plays the third under the eleventh of a dominant
        elif extension != "7":
            degrees |= {extension}
    elif extension == "5" and head == "":
        degrees.discard("3")
    elif extension == "4":
        _suspend(degrees, "4")
    elif extension == "2":
        degrees.add("9")


def _modify(degrees: set[str], modifier: re.Match[str], seventh: str) -> None:
    """Apply one modifier: alt, sus4, add9, no3, b9, maj7, + or a further figure."""
    if modifier["alt"]:
        degrees -= {"5", "9"}
        degrees |= {"b7", "#5", "b9", "#9"}
    elif modifier["add"]:
        added = modifier["add"].replace("+", "#").replace("-", "b")
        degrees.add(added[:-1] + LYING[added[-1]] if added[-1] in LYING else added)
    elif modifier["no"]:
        degrees.difference_update({degree for degree in degrees if number(degree) == int(modifier["no"])})
    elif modifier["sign"]:
        _alter(degrees, "b" if modifier["sign"] in "b-" else "#", modifier["place"])
    elif modifier["major"]:
        degrees -= {"b7"}
        degrees |= {"7"} if modifier["top"] in (None, "7") else {"7", modifier["top"]}
    elif modifier["aug"]:
        _alter(degrees, "#", "5")
    elif modifier["plain"]:
        degrees |= {modifier["plain"]} if modifier["plain"] != "7" else {seventh}
        if modifier["plain"] in ("9", "11", "13") and not degrees & {"6", "7", "b7", "bb7"}:
            degrees.add(seventh)  # as in Csus9
    else:
        _suspend(degrees, modifier["sus"] or "4")


def _alter(degrees: set[str], sign: str, place: str) -> None:
    """Lower or raise a degree; the plain one makes way."""
    place = {"4": "11", "6": "13"}.get(place, place)
    if place == "7":  # as in Cm+7 and Cm#7
        degrees -= {"b7"}
        degrees.add("7" if sign == "#" else "b7")
        return
    if (sign, place) == ("b", "11"):
        place, sign = "3", ""  # a lowered eleventh is the third
    degrees.discard(place)
    degrees.add(sign + place)


def _suspend(degrees: set[str], place: str) -> None:
    """Put the second or the fourth in the place of the third."""
    degrees -= {"3", "b3"}
    degrees.add(place)
