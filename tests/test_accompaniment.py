"""Chords heard: struck whole, or in an accompaniment."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gencli.music.accompaniment import chord_of_notes, chords_struck, hear_chords
from gencli.music.chords import QUALITIES, Chord, parse_chord
from gencli.music.lead_sheet import Bar, Meter, Note
from gencli.music.skyline import Sounding
from gencli.music.tunes import read_tunes

BARS = tuple(Bar(48 * n, 48, Meter()) for n in range(8))


def text(changes):
    """The changes as text: "0 Dm7 24 G7"."""
    return " ".join(f"{change.start} {change.chord or 'N.C.'}" for change in changes)


@pytest.mark.parametrize(
    ("pitches", "name"),
    [
        ((48, 52, 55), "C"),
        ((48, 52, 55, 57), "C6"),
        ((45, 48, 52, 55), "Am7"),
        ((52, 55, 60), "C/E"),
        ((48, 52, 58, 61), "C7b9"),  # without its fifth
        ((48, 51, 58, 62), "Cm9"),
        ((48, 52, 58, 69), "C13"),  # without fifth and ninth
        ((48, 51, 58, 65), "Cm11"),
        ((47, 50, 53, 56), "Bdim7"),
        ((43, 48, 50, 53), "G7sus4"),
        ((48, 53, 55), "Csus4"),
        ((48, 60), "C5"),
    ],
)
def test_a_chord_of_notes(pitches, name):
    assert str(chord_of_notes(pitches)) == name
    assert str(chord_of_notes([pitch + 12 for pitch in reversed(pitches)])) == name


def test_a_chord_with_all_its_tones_is_itself():
    """But for the few sets of tones that are two chords; then the other one has the same tones."""
    for name, quality in QUALITIES.items():
        tones = sorted(quality.pitch_classes)
        heard = chord_of_notes([60 + 7 + tone for tone in tones])
        assert heard.root == 7
        assert set(heard.pitch_classes()) == {(7 + tone) % 12 for tone in tones}
        if sum(set(other.pitch_classes) == set(tones) for other in QUALITIES.values()) == 1:
            assert heard.quality == name
    assert chord_of_notes([]) is None


def strike(*chords):
    """Notes: (start, end, symbol) each."""
    return [
        Sounding(start, end, 48 + (parse_chord(name).root + tone) % 12 + (12 if tone else 0))
        for start, end, name in chords
        for tone in QUALITIES[parse_chord(name).quality].pitch_classes
    ]


def test_struck_chords_and_silence_between():
    notes = strike((0, 48, "Dm7"), (48, 72, "G7"), (72, 96, "G7"), (96, 120, "Cmaj7"), (144, 186, "Am"))
    assert text(chords_struck(notes, 186)) == "0 Dm7 48 G7 96 Cmaj7 120 N.C. 144 Am"
    assert text(chords_struck(notes, 192)).endswith("186 N.C.")
    assert chords_struck([], 48) == ()


def test_short_strokes_go_on_sounding():
    notes = strike(*((24 * n + 12, 24 * n + 16, name) for n, name in enumerate(("C", "C", "F", "F", "G7"))))
    assert text(chords_struck(notes, 144)) == "12 C 60 F 108 G7"
    assert text(chords_struck(notes, 192)) == "12 C 60 F 108 G7 112 N.C."


def test_chords_of_broken_figures_and_passing_notes():
    figure = [
        Sounding(48 * bar + 6 * n, 48 * bar + 6 * n + 6, pitch)
        for bar, tones in enumerate(
            ((48, 55, 64, 55, 60, 62, 64, 55), (45, 52, 60, 52, 57, 59, 60, 52), (43, 50, 59, 50, 43, 53, 59, 50))
        )
        for n, pitch in enumerate(tones)
    ]
    assert text(hear_chords(figure, [], BARS[:3])) == "0 C 48 Am 96 G 120 G7"


def test_two_tones_are_no_harmony_and_silence_before_the_first_chord_is_none():
    assert hear_chords([Sounding(0, 48, 48), Sounding(0, 48, 55)], [], BARS) == ()
    assert text(hear_chords(strike((96, 144, "Dm"), (144, 192, "A7")), [Note(0, 96, 60)], BARS)) == "96 Dm 144 A7"


def test_random_triads_and_sevenths_are_heard():
    rng = random.Random(4)
    right = 0
    for _ in range(50):
        chords = [Chord(rng.randrange(12), rng.choice(("maj", "m", "7", "m7"))) for _ in BARS]
        notes = strike(*((bar.start, bar.start + 48, str(chord)) for bar, chord in zip(BARS, chords, strict=True)))
        heard = {change.start: change.chord for change in hear_chords(notes, [], BARS)}
        for bar, chord in zip(BARS, chords, strict=True):
            sounding = [heard[start] for start in heard if start <= bar.start][-1]
            right += sounding == chord
    assert right >= 0.98 * 50 * len(BARS)


CHORALE = "bwv66.6.mxl"


def test_a_chorale_ends_on_its_tonic():
    from music21 import corpus

    sheet = read_tunes(Path(corpus.__file__).parent / "bach" / CHORALE)[0]
    assert sheet.changes[-1].chord == parse_chord("F#")  # F sharp minor, with the third of Picardy
    assert sheet.notices == ("melody taken from: Soprano", "chords matched from the accompaniment: Alto, Tenor, Bass")
