"""The kinds of chords: their tones, the scale that goes with each, and what MusicXML calls them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from gencli.errors import OptionError

DEGREE = re.compile(r"(bb|b|#)?(13|11|9|7|6|5|4|3|2|1)")
MAJOR = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 9: 14, 11: 17, 13: 21}  # semitones above the root
ACCIDENTALS: Final[dict[str | None, int]] = {None: 0, "": 0, "b": -1, "bb": -2, "#": 1, "##": 2}
WEIGHTS = {3: 12, 7: 12, 4: 6, 2: 6, 6: 4, 5: 3, 9: 2, 11: 2, 13: 1}  # what a degree too many costs; one missing thrice

SCALES: Final = {  # semitones above the root
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "lydian augmented": (0, 2, 4, 6, 8, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "locrian natural 2": (0, 2, 3, 5, 6, 8, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian dominant": (0, 2, 4, 6, 7, 9, 10),
    "mixolydian b13": (0, 2, 4, 5, 7, 8, 10),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
    "dorian b2": (0, 1, 3, 5, 7, 9, 10),
    "altered": (0, 1, 3, 4, 6, 8, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "half-whole": (0, 1, 3, 4, 6, 7, 9, 10),
    "whole-half": (0, 2, 3, 5, 6, 8, 9, 11),
}

KINDS: Final = {  # MusicXML's name -> the degrees it implies
    "major": "1 3 5",
    "minor": "1 b3 5",
    "augmented": "1 3 #5",
    "diminished": "1 b3 b5",
    "power": "1 5",
    "suspended-second": "1 2 5",
    "suspended-fourth": "1 4 5",
    "major-sixth": "1 3 5 6",
    "minor-sixth": "1 b3 5 6",
    "dominant": "1 3 5 b7",
    "major-seventh": "1 3 5 7",
    "minor-seventh": "1 b3 5 b7",
    "diminished-seventh": "1 b3 b5 bb7",
    "augmented-seventh": "1 3 #5 b7",
    "half-diminished": "1 b3 b5 b7",
    "major-minor": "1 b3 5 7",
    "dominant-ninth": "1 3 5 b7 9",
    "major-ninth": "1 3 5 7 9",
    "minor-ninth": "1 b3 5 b7 9",
    "dominant-11th": "1 3 5 b7 9 11",
    "major-11th": "1 3 5 7 9 11",
    "minor-11th": "1 b3 5 b7 9 11",
    "dominant-13th": "1 3 5 b7 9 13",
    "major-13th": "1 3 5 7 9 13",
    "minor-13th": "1 b3 5 b7 9 13",
}

# Canonical name -> degrees, scale, MusicXML kind. The scales are those that textbooks of improvisation teach first.
TABLE: Final = {
    "maj": ("1 3 5", "major", "major"),
    "6": ("1 3 5 6", "major", "major-sixth"),
    "6/9": ("1 3 5 6 9", "major", "major-sixth"),
    "add9": ("1 3 5 9", "major", "major"),
    "maj7": ("1 3 5 7", "major", "major-seventh"),
    "maj9": ("1 3 5 7 9", "major", "major-ninth"),
    "maj13": ("1 3 5 7 9 13", "major", "major-13th"),
    "maj7#11": ("1 3 5 7 #11", "lydian", "major-seventh"),
    "maj9#11": ("1 3 5 7 9 #11", "lydian", "major-ninth"),
    "maj13#11": ("1 3 5 7 9 #11 13", "lydian", "major-13th"),
    "maj7#5": ("1 3 #5 7", "lydian augmented", "major-seventh"),
    "aug": ("1 3 #5", "whole tone", "augmented"),
    "5": ("1 5", "mixolydian", "power"),
    "sus2": ("1 2 5", "mixolydian", "suspended-second"),
    "sus4": ("1 4 5", "mixolydian", "suspended-fourth"),
    "m": ("1 b3 5", "dorian", "minor"),
    "madd9": ("1 b3 5 9", "dorian", "minor"),
    "m6": ("1 b3 5 6", "melodic minor", "minor-sixth"),
    "m6/9": ("1 b3 5 6 9", "melodic minor", "minor-sixth"),
    "m(maj7)": ("1 b3 5 7", "melodic minor", "major-minor"),
    "m(maj9)": ("1 b3 5 7 9", "melodic minor", "major-minor"),
    "m7": ("1 b3 5 b7", "dorian", "minor-seventh"),
    "m9": ("1 b3 5 b7 9", "dorian", "minor-ninth"),
    "m11": ("1 b3 5 b7 9 11", "dorian", "minor-11th"),
    "m13": ("1 b3 5 b7 9 13", "dorian", "minor-13th"),
    "m7#5": ("1 b3 #5 b7", "aeolian", "minor-seventh"),
    "m7b5": ("1 b3 b5 b7", "locrian", "half-diminished"),
    "m9b5": ("1 b3 b5 b7 9", "locrian natural 2", "half-diminished"),
    "dim": ("1 b3 b5", "whole-half", "diminished"),
    "dim7": ("1 b3 b5 bb7", "whole-half", "diminished-seventh"),
    "dim(maj7)": ("1 b3 b5 7", "whole-half", "diminished"),
    "7": ("1 3 5 b7", "mixolydian", "dominant"),
    "9": ("1 3 5 b7 9", "mixolydian", "dominant-ninth"),
    "13": ("1 3 5 b7 9 13", "mixolydian", "dominant-13th"),
    "7b5": ("1 3 b5 b7", "lydian dominant", "dominant"),
    "9b5": ("1 3 b5 b7 9", "lydian dominant", "dominant-ninth"),
    "7#11": ("1 3 5 b7 #11", "lydian dominant", "dominant"),
    "9#11": ("1 3 5 b7 9 #11", "lydian dominant", "dominant-ninth"),
    "13#11": ("1 3 5 b7 9 #11 13", "lydian dominant", "dominant-13th"),
    "7#5": ("1 3 #5 b7", "whole tone", "augmented-seventh"),
    "9#5": ("1 3 #5 b7 9", "whole tone", "dominant-ninth"),
    "9#5#11": ("1 3 #5 b7 9 #11", "whole tone", "dominant-ninth"),
    "7b13": ("1 3 5 b7 b13", "mixolydian b13", "dominant"),
    "9b13": ("1 3 5 b7 9 b13", "mixolydian b13", "dominant-ninth"),
    "7b9": ("1 3 5 b7 b9", "half-whole", "dominant"),
    "7b9#11": ("1 3 5 b7 b9 #11", "half-whole", "dominant"),
    "7b9b13": ("1 3 5 b7 b9 b13", "phrygian dominant", "dominant"),
    "13b9": ("1 3 5 b7 b9 13", "half-whole", "dominant-13th"),
    "7#9": ("1 3 5 b7 #9", "half-whole", "dominant"),
    "7#9#11": ("1 3 5 b7 #9 #11", "half-whole", "dominant"),
    "13#9": ("1 3 5 b7 #9 13", "half-whole", "dominant-13th"),
    "7#5b9": ("1 3 #5 b7 b9", "altered", "augmented-seventh"),
    "7#5#9": ("1 3 #5 b7 #9", "altered", "augmented-seventh"),
    "7alt": ("1 3 #5 b7 b9 #9", "altered", "augmented-seventh"),
    "7sus4": ("1 4 5 b7", "mixolydian", "dominant"),
    "9sus4": ("1 4 5 b7 9", "mixolydian", "dominant-ninth"),
    "13sus4": ("1 4 5 b7 9 13", "mixolydian", "dominant-13th"),
    "7b9sus4": ("1 4 5 b7 b9", "dorian b2", "dominant"),
}


def semitones(degree: str) -> int:
    """The distance of a degree from the root: "b9" -> 13; OptionError for what is no degree."""
    match = DEGREE.fullmatch(degree)
    if match is None:
        raise OptionError(f"{degree}: not a degree of a chord, such as 5, b9 or #11")
    return MAJOR[int(match[2])] + ACCIDENTALS[match[1]]


def number(degree: str) -> int:
    """The degree without its accidental: "b9" -> 9."""
    return int(degree.lstrip("b#"))


@dataclass(frozen=True)
class Quality:
    """A kind of chord. Pitch classes are semitones above the root."""

    name: str
    degrees: tuple[str, ...]  # "1", "b3", ..., the root first
    pitch_classes: tuple[int, ...]  # of the degrees, in their order
    scale: tuple[int, ...]  # the chord-scale, ascending from 0; it holds every pitch class of the chord
    essential: tuple[
        int, ...
    ]  # what a voicing must sound: without root and plain fifth where four tones are left to say
    kind: str  # MusicXML's name of the nearest kind of chord it knows
    alterations: tuple[tuple[int, int, str], ...]  # MusicXML's (degree, semitones, "add" | "alter" | "subtract") to it


def _alterations(degrees: Iterable[str], implied: Iterable[str]) -> Iterable[tuple[int, int, str]]:
    """How MusicXML turns the degrees that a kind implies into others, in the order of the degrees.

    It counts an added degree from the tones of a dominant chord, an altered one from what the kind implies.
    """
    wanted, given = set(degrees), set(implied)
    replaceable = {number(degree): degree for degree in given - wanted}
    for degree in sorted(wanted - given, key=semitones):
        old = replaceable.pop(number(degree), None)
        if old is None:
            yield (
                number(degree),
                semitones(degree) - semitones("b7" if number(degree) == 7 else str(number(degree))),
                "add",
            )
        else:
            yield number(degree), semitones(degree) - semitones(old), "alter"
    for place in sorted(replaceable):
        yield place, 0, "subtract"


def altered_degrees(kind: str, alterations: Iterable[tuple[int, int, str]]) -> set[str] | None:
    """The degrees of a chord as MusicXML tells it, the reverse of a Quality's kind and alterations.

    None for a kind that is none of KINDS; a degree that cannot be is left out.
    """
    if kind not in KINDS:
        return None
    degrees = set(KINDS[kind].split())
    for place, shift, change in alterations:
        had = next((degree for degree in degrees if number(degree) == place), None)
        if change == "add" or had is None:
            base = "b7" if place == 7 else str(place)
        else:
            degrees.discard(had)
            base = had
        if change != "subtract" and place in MAJOR:
            sign = semitones(base) + shift - MAJOR[place]
            degrees |= {
                spelt + str(place) for spelt, value in ACCIDENTALS.items() if spelt is not None and value == sign
            }
    return degrees - {"##" + str(place) for place in MAJOR}


def _quality(name: str, spelling: str, scale: str, kind: str) -> Quality:
    """One row of the table, spelt out."""
    degrees = tuple(spelling.split())
    tones = tuple(semitones(degree) % 12 for degree in degrees)
    essential = tuple(tone for tone in tones if tone not in (0, 7)) if len(tones) >= 4 else tones
    return Quality(
        name, degrees, tones, SCALES[scale], essential, kind, tuple(_alterations(degrees, KINDS[kind].split()))
    )


QUALITIES: Final[dict[str, Quality]] = {name: _quality(name, *row) for name, row in sorted(TABLE.items())}
_SIMPLEST: Final = list(TABLE)
_EXACT: Final = {frozenset(quality.degrees): name for name, quality in QUALITIES.items()}


def nearest_quality(degrees: Collection[str], among: Collection[str] = tuple(QUALITIES)) -> str:
    """The name of the quality whose degrees differ least; third and seventh weigh most, of equals the simplest wins.

    A dominant seventh with altered fifth and altered ninth is 7alt where that is among the names.
    """
    wanted = frozenset(degrees)
    if _EXACT.get(wanted) in among:
        return _EXACT[wanted]
    altered = {"3", "b7"} <= wanted and wanted & {"b5", "#5", "b13"} and wanted & {"b9", "#9"} and "5" not in wanted
    if altered and "7alt" in among:
        return "7alt"
    ranked = ((_difference(wanted, frozenset(QUALITIES[name].degrees)), _SIMPLEST.index(name), name) for name in among)
    return min(ranked)[2]


def is_quality(degrees: Collection[str]) -> bool:
    """Whether some quality has exactly these degrees."""
    return frozenset(degrees) in _EXACT


def _difference(wanted: frozenset[str], had: frozenset[str]) -> int:
    """How far the degrees of a quality are from those wanted."""
    missing, surplus = (sum(WEIGHTS.get(number(degree), 0) for degree in some) for some in (wanted - had, had - wanted))
    return 3 * missing + surplus
