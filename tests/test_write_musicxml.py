"""MusicXML lead sheets: music21 reads back the notes and the chords, and the bytes hold nothing of the day."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from music21 import converter, harmony

from gencli.music.chords import QUALITIES, Chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.write_musicxml import tune_bytes
from gencli.music.write_options import WriteOptions
from tests.music21_readers import bars, sounding
from tests.tune_cases import bars_of, random_sheet, sheet_of

OPTIONS = WriteOptions()


def part_of(sheet, options=OPTIONS):
    """The part that music21 reads from a sheet's MusicXML."""
    data = tune_bytes(sheet, options)
    return converter.parse(data.decode(), format="musicxml", forceSource=True).parts[0]


def tree_of(sheet, options=OPTIONS):
    """The elements of a sheet's MusicXML."""
    return ElementTree.fromstring(tune_bytes(sheet, options))


def chords_in(part):
    """(tick, chord) as music21 reads them; the quality is what is printed."""
    for symbol in part.recurse().getElementsByClass(harmony.ChordSymbol):
        tick = symbol.getOffsetInHierarchy(part) * 12
        if isinstance(symbol, harmony.NoChord):
            yield tick, None
            continue
        root, bass = symbol.root().pitchClass, symbol.bass().pitchClass
        yield tick, Chord(root, symbol.chordKindStr or "maj", None if bass == root else bass)


@pytest.mark.parametrize("seed", range(8))
def test_music21_reads_back_bars_notes_and_chords(seed):
    sheet = random_sheet(seed)
    part = part_of(sheet)
    assert bars(part) == [(bar.start, bar.length) for bar in sheet.bars]
    assert sounding(part, 12) == [(note.start, note.end, note.pitch) for note in sheet.notes]
    assert list(chords_in(part)) == [(change.start, change.chord) for change in sheet.changes]


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_quality_comes_back(quality):
    sheet = LeadSheet((), (Change(0, Chord(10, quality)), Change(24, Chord(10, quality, 2))), bars_of(None))
    part = part_of(sheet)
    assert [chord for _, chord in chords_in(part)] == [change.chord for change in sheet.changes]


@pytest.mark.parametrize(
    ("symbol", "kind", "degrees"),
    [
        ("F#m7b5", "half-diminished", []),
        ("Bb7", "dominant", []),
        ("C7sus4", "dominant", [("3", "0", "subtract"), ("4", "0", "add")]),
        ("G7alt", "augmented-seventh", [("9", "-1", "add"), ("9", "1", "add")]),
        ("Eb6/9", "major-sixth", [("9", "0", "add")]),
        ("Am(maj7)", "major-minor", []),
    ],
)
def test_programs_that_do_not_know_our_names_find_kind_and_degrees(symbol, kind, degrees):
    element = next(tree_of(sheet_of(symbol)).iter("harmony"))
    assert element.findtext("kind") == kind
    names = ("degree-value", "degree-alter", "degree-type")
    assert sorted(tuple(degree.findtext(name) for name in names) for degree in element.iter("degree")) == degrees
    assert (element.findtext("root/root-step"), element.findtext("root/root-alter")) == {
        "F": ("F", "1"),
        "B": ("B", "-1"),
        "E": ("E", "-1"),
    }.get(symbol[0], (symbol[0], None))


def test_the_heading_says_title_key_meter_tempo_and_swing():
    root = tree_of(sheet_of("F6", [(0, 6, 65)], title="Blues <für> Alice", tempo=184.0, key="F", swing=1.5))
    assert root.findtext("work/work-title") == "Blues <für> Alice"
    assert root.findtext(".//fifths") == "-1"
    assert [root.findtext(f".//{name}") for name in ("beats", "beat-type", "per-minute")] == ["4", "4", "184"]
    words = [direction for direction in root.iter("direction") if direction.find("direction-type/words") is not None]
    assert [direction.findtext("direction-type/words") for direction in words] == ["Swing"]
    assert [words[0].findtext(f"sound/swing/{name}") for name in ("first", "second", "swing-type")] == [
        "3",
        "2",
        "eighth",
    ]


def test_straight_tunes_are_not_marked():
    assert "Swing" not in tune_bytes(sheet_of("C", swing=1.0), WriteOptions()).decode()


def test_eighths_are_written_straight_however_they_swing():
    notes = [(6 * n, 6, 60) for n in range(8)]
    root = tree_of(sheet_of("C", notes, swing=2.0))
    assert {note.findtext("type") for note in root.iter("note")} == {"eighth"}
    assert len({note.findtext("duration") for note in root.iter("note")}) == 1


def test_a_triplet_is_bracketed_from_its_first_to_its_last_note():
    root = tree_of(sheet_of("C", [(0, 4, 60), (4, 4, 62), (8, 4, 64), (12, 36, 65)]))
    notes = list(root.iter("note"))
    assert [note.findtext("time-modification/actual-notes") for note in notes] == ["3", "3", "3", None]
    edges = [[tuplet.get("type") for tuplet in note.iter("tuplet")] for note in notes]
    assert edges == [["start"], [], ["stop"], []]


def test_a_pickup_is_bar_nought():
    root = tree_of(LeadSheet((Note(0, 12, 60),), (), bars_of(12, None)))
    found = [(measure.get("number"), measure.get("implicit")) for measure in root.iter("measure")]
    assert found == [("0", "yes"), ("1", "no")]


def test_a_new_meter_is_written_once():
    waltz = Meter(3, 4)
    root = tree_of(LeadSheet((), (), (*bars_of(None), Bar(48, 36, waltz), Bar(84, 36, waltz))))
    assert [time.findtext("beats") for time in root.iter("time")] == ["4", "3"]


def test_accidentals_are_printed_once_a_bar_and_not_on_tied_notes():
    notes = [(0, 12, 66), (12, 12, 66), (24, 12, 65), (36, 24, 66), (60, 12, 66)]
    root = tree_of(sheet_of("C | C", notes, key="C"))
    found = [note.findtext("accidental") for note in root.iter("note") if note.find("pitch") is not None]
    assert found == ["sharp", None, "natural", "sharp", None, "sharp"]


def test_nothing_of_the_day_or_of_chance_is_in_the_file():
    sheet = random_sheet(3)
    data = tune_bytes(sheet, WriteOptions())
    assert tune_bytes(sheet, WriteOptions()) == data
    assert b"encoding-date" not in data
    assert b"creator" not in data
    assert data.count(b'id="P1"') == 2


@pytest.mark.parametrize(("instrument", "program"), [("tenor-sax", "67"), ("piano", "1")])
def test_the_score_names_the_sound(instrument, program):
    assert tree_of(sheet_of("C"), WriteOptions(instrument=instrument)).findtext(".//midi-program") == program


def test_a_low_melody_is_in_the_bass_clef():
    assert tree_of(sheet_of("C", [(0, 48, 40)])).findtext(".//clef/sign") == "F"
    assert tree_of(sheet_of("C", [(0, 48, 60)])).findtext(".//clef/sign") == "G"


def test_silence_is_a_rest_of_a_bar():
    root = tree_of(sheet_of("C | F G"))
    assert [rest.get("measure") for rest in root.iter("rest")] == ["yes", None, None]
