"""Notation: every rhythm of the grid as printable signs, spelt as a musician reads it."""

from __future__ import annotations

import pytest

from gencli.music.chords import parse_chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.notation import engrave
from gencli.music.spelling import Key, key_of, parse_key, spell
from tests.tune_cases import bars_of, random_sheet, sheet_of

PRINTABLE = {3, 6, 9, 12, 18, 24, 36, 48, 72, 96, 144}  # half ticks: from a thirty-second to a dotted whole
NAMES = {-1: "b", 0: "", 1: "#"}


ONE_BAR = bars_of(None)


def signs(*notes, bars=ONE_BAR, changes=()):
    """(start, ticks, pitch, bracket, tied) of the signs of the first bar."""
    sheet = LeadSheet(tuple(Note(*note) for note in notes), tuple(changes), bars)
    return [(s.start, s.ticks, s.pitch, s.bracket, s.tied) for s in engrave(sheet)[0].signs]


def values(*notes, **options):
    """Only how long the signs are."""
    return [ticks for _, ticks, *_ in signs(*notes, **options)]


def text(pitch, key, chord=None):
    """A spelling as text: "Bb4"."""
    spelling = spell(pitch, key, chord)
    return f"{spelling.letter}{NAMES[spelling.alter]}{spelling.octave}"


@pytest.mark.parametrize("seed", range(40))
def test_signs_fill_the_bars_are_printable_and_sound_as_the_notes_do(seed):
    sheet = random_sheet(seed)
    place, sounding, joined = 0, [], False
    for written in engrave(sheet):
        assert place == written.bar.start
        for sign in written.signs:
            assert sign.start == place
            assert sign.written in PRINTABLE
            assert (sign.spelling is None) == (sign.pitch is None)
            place += sign.ticks
            if joined:
                begun = sounding[-1]
                assert begun.pitch == sign.pitch
                sounding[-1] = Note(begun.start, begun.duration + sign.ticks, begun.pitch)
            elif sign.pitch is not None:
                sounding.append(Note(sign.start, sign.ticks, sign.pitch))
            joined = sign.tied
        assert place == written.bar.start + written.bar.length
    assert not joined
    assert tuple(sounding) == sheet.notes


def test_the_signs_of_a_bracket_fill_a_beat_or_half_a_beat():
    for seed in range(40):
        for written in engrave(random_sheet(seed)):
            brackets = {}
            for sign in written.signs:
                if sign.bracket is not None:
                    brackets[sign.bracket] = brackets.get(sign.bracket, 0) + sign.ticks
            if written.bar.length % 6 == 0:
                assert set(brackets.values()) <= {6, 12}


def test_eighths_and_syncopations_are_written_whole():
    assert values((0, 6, 60), (6, 12, 60), (18, 6, 60), (24, 24, 60)) == [6, 12, 6, 24]
    assert values((0, 18, 60), (18, 6, 60), (24, 18, 60), (42, 6, 60)) == [18, 6, 18, 6]
    assert values((0, 6, 60), (6, 18, 60), (24, 24, 60)) == [6, 18, 24]


def test_no_sign_hides_the_middle_of_a_common_bar():
    assert signs((0, 18, 60), (18, 12, 62), (30, 18, 64))[1:3] == [(18, 6, 62, None, True), (24, 6, 62, None, False)]


def test_triplets_stand_in_brackets_and_the_beats_beside_them_do_not():
    assert signs((0, 4, 60), (4, 4, 62), (8, 4, 64), (12, 36, 65)) == [
        (0, 4, 60, 0, False),
        (4, 4, 62, 0, False),
        (8, 4, 64, 0, False),
        (12, 36, 65, None, False),
    ]


def test_half_a_beat_may_be_a_triplet_of_its_own():
    assert [(s[1], s[3]) for s in signs((0, 2, 60), (2, 2, 62), (4, 2, 64), (6, 6, 65), (12, 36, 60))[:4]] == [
        (2, 0),
        (2, 0),
        (2, 0),
        (6, None),
    ]


def test_a_long_triplet_is_split_at_the_beat():
    assert signs((0, 8, 60), (8, 8, 62), (16, 8, 64), (24, 24, 65))[:4] == [
        (0, 8, 60, 0, False),
        (8, 4, 62, 0, True),
        (12, 4, 62, 12, False),
        (16, 8, 64, 12, False),
    ]


def test_seven_twelfths_of_a_beat_are_tied_triplets():
    found = signs((0, 7, 60))
    assert found[:2] == [(0, 4, 60, 0, True), (4, 3, 60, 0, False)]


def test_a_note_is_tied_over_the_bar_line_and_where_the_chord_changes():
    sheet = LeadSheet((Note(24, 48, 60),), (Change(36, parse_chord("F")),), bars_of(None, None))
    first, second = engrave(sheet)
    assert [(s.start, s.ticks, s.tied) for s in first.signs if s.pitch] == [(24, 12, True), (36, 12, True)]
    assert [(s.start, s.ticks, s.tied) for s in second.signs if s.pitch] == [(48, 24, False)]
    assert first.changes == sheet.changes


def test_jigs_are_counted_in_dotted_quarters():
    bars = bars_of(None, meter=Meter(6, 8))
    assert values((0, 18, 60), (18, 18, 62), bars=bars) == [18, 18]
    assert values((0, 36, 60), bars=bars) == [36]
    assert values((12, 12, 60), bars=bars) == [12, 6, 6, 6, 6]


def test_a_pickup_lies_at_the_end_of_its_bar():
    assert values((0, 30, 60), bars=bars_of(30, None)) == [6, 24]
    assert values((0, 30, 60), bars=(Bar(0, 30, Meter(3, 4)), Bar(30, 36, Meter(3, 4)))) == [18, 12]
    assert values((0, 30, 60), bars=bars_of(None)) == [24, 6, 6, 12]


def test_a_tied_note_keeps_its_name_when_the_chord_changes():
    changes = (Change(0, parse_chord("D7")), Change(24, parse_chord("Ebm7")))
    sheet = LeadSheet((Note(0, 48, 66),), changes, bars_of(None), key="C")
    assert [sign.spelling.letter for sign in engrave(sheet)[0].signs] == ["F", "F"]


@pytest.mark.parametrize(
    ("pitch", "key", "symbol", "spelt"),
    [
        (61, "C", "A7", "C#4"),  # a third
        (61, "C", "Ebm7", "Db4"),  # a seventh
        (66, "Bb", "D7", "F#4"),
        (66, "Bb", "Abm7b5", "Gb4"),
        (71, "C", "Db7", "Cb5"),
        (66, "C", "Cm7b5", "Gb4"),  # a flat fifth, not a sharp fourth
        (66, "C", "Cmaj7#11", "F#4"),
        (68, "C", "Caug", "G#4"),
        (70, "F", None, "Bb4"),
        (61, "D", None, "C#4"),
        (66, "C", None, "F#4"),  # the sharp fourth
        (70, "C", None, "Bb4"),  # the flat seventh
        (63, "G", None, "D#4"),  # the leading note of its minor
        (68, "Am", None, "G#4"),  # the leading note
        (60, "C#", "C#", "B#3"),
        (61, "Eb", "G7b9", "C#4"),  # in neither chord nor key: a degree of the chord
        (68, "Eb", "G7b9", "Ab4"),
    ],
)
def test_notes_are_spelt_by_the_chord_then_by_the_key(pitch, key, symbol, spelt):
    assert text(pitch, parse_key(key), parse_chord(symbol) if symbol else None) == spelt


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_every_spelling_sounds_as_its_pitch(fifths):
    for pitch in range(21, 109):
        for chord in (None, *(parse_chord(s) for s in ("C7alt", "F#m7b5", "Dbmaj7#11", "Baug", "Ebdim7"))):
            spelling = spell(pitch, Key(fifths), chord)
            assert 12 * (spelling.octave + 1) + "C D EF G A B".index(spelling.letter) + spelling.alter == pitch
            assert abs(spelling.alter) <= 1


@pytest.mark.parametrize(
    ("name", "fifths", "minor"),
    [
        ("C", 0, False),
        ("Bb", -2, False),
        ("F#m", 3, True),
        ("A minor", 0, True),
        ("Cb", -7, False),
        ("G#", -4, False),
        ("g", 1, False),
    ],
)
def test_keys_are_read(name, fifths, minor):
    assert parse_key(name) == Key(fifths, minor)


@pytest.mark.parametrize("name", [None, "", "H", "C lydian dominant", "12"])
def test_what_is_no_key_is_none(name):
    assert parse_key(name) is None


@pytest.mark.parametrize("fifths", range(-7, 8))
@pytest.mark.parametrize("minor", [False, True])
def test_the_name_of_a_key_is_read_as_that_key(fifths, minor):
    key = Key(fifths, minor)
    assert parse_key(key.name) == key
    assert [key.alter(letter) for letter in "FCGDAEB"].count(1 if fifths > 0 else -1) == abs(fifths)


@pytest.mark.parametrize(
    ("changes", "pitches", "key"),
    [
        ("Cm7 | F7 | Bbmaj7", (72, 70, 69, 65, 62, 63), Key(-2)),
        ("Bm7b5 | E7b9 | Am6", (71, 72, 69, 68, 64), Key(0, minor=True)),
        ("E | A | B7 | E", (64, 68, 71, 66, 69), Key(4)),
    ],
)
def test_a_sheet_that_names_no_key_gets_the_one_it_is_in(changes, pitches, key):
    notes = [(12 * n, 12, pitch) for n, pitch in enumerate(pitches)]
    assert key_of(sheet_of(changes, notes)) == key
    assert key_of(sheet_of(changes, notes, key="Gb")) == Key(-6)


def test_a_sheet_without_anything_is_in_c():
    assert key_of(LeadSheet((), (), ())) == Key()
