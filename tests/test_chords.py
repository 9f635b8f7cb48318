"""Chord symbols: every spelling, one canonical name, tones, scales, MusicXML."""

from __future__ import annotations

from itertools import product

import pytest

from gencli.errors import OptionError
from gencli.music.chords import QUALITIES, Chord, chord_name, parse_chord, read_chord, transpose
from gencli.music.qualities import KINDS, altered_degrees, nearest_quality

SPELLINGS = {  # quality -> spellings above C that mean it
    "maj": "C CM Cmaj Cmajor",
    "maj7": "Cmaj7 CM7 CMaj7 CMA7 Cma7 CΔ CΔ7 C△7 C^ C^7 Cj7 C7M Cmajor7",
    "maj9": "Cmaj9 CM9 C^9 CΔ9 Cma9 Cmaj7(9)",
    "maj7#11": "Cmaj7#11 C^7#11 CΔ(#11) Cmaj7(#11) CM7+11",
    "maj7#5": "Cmaj7#5 CM7#5 C+M7 C+maj7 Caug(maj7)",
    "6": "C6 Cmaj6 CM6",
    "6/9": "C6/9 C69 C6add9 C6(9) CM69",
    "add9": "Cadd9 C(add9) C2 Cadd2",
    "sus4": "Csus4 Csus C4",
    "sus2": "Csus2",
    "5": "C5 Cno3",
    "aug": "Caug C+ C(#5)",
    "m": "Cm C- Cmi Cmin CMIN Cminor C−",  # noqa: RUF001
    "m6": "Cm6 C-6 Cmin6",
    "m6/9": "Cm6/9 C-69 Cm6add9",
    "m7": "Cm7 C-7 Cmi7 Cmin7 CMI7 Cminor7",
    "m9": "Cm9 C-9 Cmi9 Cm7(9)",
    "m11": "Cm11 C-11 Cmin11",
    "m(maj7)": "Cm(maj7) CmMaj7 CmM7 C-Δ7 C-^7 Cmmaj7 Cmin(ma7) CmiMA7 Cm+7 Cm/maj7",
    "m(maj9)": "Cm(maj9) CmMaj9 Cm9(maj7) C-^9",
    "madd9": "Cmadd9 Cm(add9) C-add9",
    "m7b5": "Cm7b5 Cø Cø7 CØ C-7b5 Cm7-5 Cm7(b5) Ch7 Cm7♭5 Chalfdim",
    "m9b5": "Cm9b5 Cø9 Cm7b5(9)",
    "dim": "Cdim C° Co",
    "dim7": "Cdim7 C°7 Co7 Cº7",
    "7": "C7 Cdom7",
    "9": "C9 C7(9)",
    "13": "C13",
    "7sus4": "C7sus4 C7sus Csus7 C7(sus4)",
    "9sus4": "C9sus4 C9sus Csus9 C11",
    "13sus4": "C13sus4 C13sus",
    "7b9sus4": "C7b9sus4 C7sus4b9 C7sus(b9)",
    "7b5": "C7b5 C7-5 C7(b5)",
    "7#5": "C7#5 C7+5 C+7 C7+ Caug7 C7aug",
    "9#5": "C9#5 C+9 C9+",
    "7b9": "C7b9 C7(b9) C7-9 C7♭9 C7/b9",
    "7#9": "C7#9 C7+9 C7(#9) C7♯9",
    "7#11": "C7#11 C7+11 C7#4 C7(#11)",
    "9#11": "C9#11 C9(#11)",
    "13#11": "C13#11 C13(#11)",
    "13b9": "C13b9 C13(b9)",
    "7b13": "C7b13 C7(b13) C7b6",
    "7b9b13": "C7b9b13 C7(b9,b13)",
    "7b9#11": "C7b9#11 C7(b9,#11)",
    "7#5#9": "C7#5#9 C7(#5,#9) C7#9#5",
    "7alt": "C7alt Calt C7(alt) C7altered",
}


@pytest.mark.parametrize(("quality", "spelling"), [(q, s) for q, text in SPELLINGS.items() for s in text.split()])
def test_a_spelling_means_its_quality_exactly(quality, spelling):
    assert read_chord(spelling) == (Chord(0, quality), True)
    # The same on a root with an accidental and over a bass: neither may be taken for a part of the suffix.
    assert read_chord(f"F#{spelling[1:]}/A#") == (Chord(6, quality, 10), True)
    if spelling[1:2] not in ("b", "♭"):
        assert read_chord(f"Bb{spelling[1:]}") == (Chord(10, quality), True)


@pytest.mark.parametrize("text", ["N.C.", "NC", "n.c.", "N.C", " NC ", "No chord"])
def test_no_chord(text):
    assert parse_chord(text) is None
    assert chord_name(None) == "N.C."
    assert transpose(None, 5) is None


@pytest.mark.parametrize(
    ("text", "chord"),
    [
        ("F/A", Chord(5, "maj", 9)),
        ("C6/9/E", Chord(0, "6/9", 4)),
        ("Am/g", Chord(9, "m", 7)),
        ("C/C", Chord(0, "maj")),
        ("Cb", Chord(11, "maj")),
        ("E#m7", Chord(5, "m7")),
        ("Abb7", Chord(7, "7")),
        ("B♭-7", Chord(10, "m7")),
        ("Gaug/Ab", Chord(7, "aug", 8)),
    ],
)
def test_roots_and_basses(text, chord):
    assert parse_chord(text) == chord


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("C13#9#11", "7#9#11"),
        ("C7b5b9", "7alt"),
        ("Cm7(11)", "m11"),
        ("C7(13)", "13"),
        ("C7no5", "7"),
        ("C(b5)", "maj"),
    ],
)
def test_what_no_quality_has_becomes_the_nearest_and_says_so(text, nearest):
    assert read_chord(text) == (Chord(0, nearest), False)


@pytest.mark.parametrize(
    "text", ["", "H7", "C7foo", "xyz", "Cb#", "7", "/G", "Fine", "D.C. al Coda", "C7sus5", "Cmajx", "m7", "C" * 60]
)
def test_an_unknown_symbol_is_named(text):
    with pytest.raises(OptionError, match="unknown; write symbols such as") as error:
        parse_chord(text)
    assert f'"{text[:40]}' in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("sharps", [False, True])
def test_every_name_gives_its_chord_back(sharps):
    for quality, root, bass in product(QUALITIES, range(12), [None, *range(12)]):
        chord = Chord(root, quality, None if bass == root else bass)
        assert read_chord(chord_name(chord, sharps)) == (chord, True)


def test_names_are_those_of_players():
    assert [str(parse_chord(text)) for text in ("CΔ7", "C-7", "Gbm7", "D#7", "D/F#", "Cm/D#", "Ab7/F#")] == [
        *("Cmaj7", "Cm7", "F#m7", "Eb7", "D/F#", "Cm/Eb", "Ab7/Gb"),
    ]
    assert chord_name(parse_chord("Bb7"), sharps=True) == "A#7"


def test_transposition_moves_all_tones():
    for quality, bass in product(QUALITIES, (None, 2)):
        chord = Chord(0, quality, bass)
        for semitones in range(-12, 13):
            moved = transpose(chord, semitones)
            assert moved.pitch_classes() == tuple((tone + semitones) % 12 for tone in chord.pitch_classes())
            assert moved.scale() == tuple((tone + semitones) % 12 for tone in chord.scale())
        assert transpose(transpose(chord, 7), -7) == chord


@pytest.mark.parametrize("name", QUALITIES)
def test_a_quality_is_consistent(name):
    quality = QUALITIES[name]
    assert quality.name == name
    assert quality.pitch_classes[0] == 0
    assert len(set(quality.pitch_classes)) == len(quality.pitch_classes)
    assert set(quality.pitch_classes) <= set(quality.scale)
    assert list(quality.scale) == sorted(set(quality.scale))
    assert set(quality.essential) <= set(quality.pitch_classes)
    assert quality.kind in KINDS
    assert altered_degrees(quality.kind, quality.alterations) == set(quality.degrees)


def test_qualities_are_sorted_and_differ():
    assert list(QUALITIES) == sorted(QUALITIES)
    assert len({quality.degrees for quality in QUALITIES.values()}) == len(QUALITIES)


def test_tones_of_some_chords():
    assert parse_chord("Dm7").pitch_classes() == (2, 5, 9, 0)
    assert parse_chord("Dm7").scale() == (2, 4, 5, 7, 9, 11, 0)
    assert parse_chord("G7/F").pitch_classes() == (7, 11, 2, 5)
    assert parse_chord("C/D").pitch_classes() == (0, 4, 7, 2)
    assert set(parse_chord("Eb/C").scale()) == {3, 5, 7, 8, 10, 0, 2}
    assert QUALITIES["7"].essential == (4, 10)
    assert QUALITIES["13b9"].essential == (4, 10, 1, 9)
    assert QUALITIES["m"].essential == (0, 3, 7)


def test_musicxml_counts_an_added_seventh_from_the_minor_one():
    assert QUALITIES["dim(maj7)"].alterations == ((7, 1, "add"),)
    assert set(QUALITIES["7sus4"].alterations) == {(4, 0, "add"), (3, 0, "subtract")}
    assert QUALITIES["13b9"].alterations == ((9, -1, "alter"),)
    assert altered_degrees("dominant", [(5, -1, "alter"), (9, 1, "add")]) == {"1", "3", "b5", "b7", "#9"}
    assert altered_degrees("pedal", []) is None


def test_the_nearest_among_few():
    few = ("maj", "m", "7", "m7", "maj7", "dim7")
    found = {
        name: nearest_quality(QUALITIES[name].degrees, few) for name in ("7alt", "13", "m9", "6/9", "maj13", "m7b5")
    }
    assert found == {"7alt": "7", "13": "7", "m9": "m7", "6/9": "maj", "maj13": "maj7", "m7b5": "m7"}


@pytest.mark.parametrize("arguments", [(12, "7"), (-1, "7"), (0, "seven"), (0, "7", 12)])
def test_a_chord_checks_itself(arguments):
    with pytest.raises(OptionError, match="chord"):
        Chord(*arguments)
