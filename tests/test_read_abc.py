"""ABC to lead sheets: real solos against an independent reader, and everything else that ABC has."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from gencli.errors import CorpusError
from gencli.music.chords import Chord
from gencli.music.lead_sheet import Meter
from gencli.music.read_abc import read_abc
from gencli.music.tunes import read_source
from tests.reference import abc
from tests.sheet_checks import check_sheet, lengths, played, symbols

SOLOS = Path(__file__).parents[2] / "shared" / "data" / "wjazzd"

# Accidentals that last for a bar, ties to other notes, > before a decoration, sections without |:, texts, decorations.
MISREAD = re.compile(r"[\^_=][A-Ga-g]|-|[<>][^A-Ga-g]|\[|[|:][12]|:[|:]|[+!~H-Wh-w\"]")


def read(body, head="M:4/4\nL:1/4\nK:C"):
    """The one tune of a body under a head, checked."""
    sheets, problems = read_abc(f"X:1\nT:Test\n{head}\n{body}\n")
    assert problems == []
    (sheet,) = sheets
    check_sheet(sheet)
    return sheet


def starts(sheet):
    """Start and pitch of each note."""
    return [(note.start, note.pitch) for note in sheet.notes]


def pitches(sheet):
    """The pitches alone."""
    return [note.pitch for note in sheet.notes]


@pytest.mark.skipif(not SOLOS.exists(), reason=f"{SOLOS} is not there: it belongs to the project, not to the package")
def test_every_solo_equals_an_independent_reading():
    paths = sorted(SOLOS.glob("*.abc"))
    assert len(paths) == 256
    for path in paths:
        text = path.read_text(encoding="utf-8")
        fields, bars, notes, changes = abc.tune(text)
        (sheet,), problems = read_abc(text)
        assert problems == []
        assert sheet.notices == ()
        check_sheet(sheet)
        assert played(sheet) == notes, path.name
        assert [(bar.start, bar.length) for bar in sheet.bars] == bars, path.name
        assert {bar.meter for bar in sheet.bars} == {Meter(4, 4)}
        assert [(change.start, spelt(change.chord)) for change in sheet.changes] == changes, path.name
        assert (sheet.title, sheet.tempo) == (fields["T"], float(fields["Q"].split("=")[1])), path.name


def spelt(chord: Chord | None):
    """A chord as the independent reader has it."""
    if chord is None:
        return None
    bass = chord.root if chord.bass is None else chord.bass
    tones = Chord(chord.root, chord.quality).pitch_classes()
    return chord.root, frozenset(tones), bass


@pytest.mark.parametrize("collection", ["airdsAirs", "oneills1850", "essenFolksong"])
def test_twenty_tunes_of_a_collection_agree_with_music21(collection):
    """Tunes without what music21 misreads: see MISREAD; also grace notes in triplets, bars that are too long."""
    from music21 import converter, stream

    folder = Path(converter.__file__).parents[1] / "corpus" / collection
    texts = [text for path in sorted(folder.glob("*.abc")) for text in tunes_of(path)]
    plain = [text for text in texts if not MISREAD.search(music(text))]
    compared = 0
    for text in random.Random(1).sample(plain, min(40, len(plain))):
        theirs = converter.parse(text, format="abc", forceSource=True)
        theirs = theirs.scores[0] if isinstance(theirs, stream.Opus) else theirs
        (sheet,), _ = read_abc(text)
        check_sheet(sheet)
        if sheet.notices:
            continue
        expected = [(n.offset * 12, n.pitch.midi) for n in theirs.flatten().notes if not n.duration.isGrace]
        if all(float(start).is_integer() for start, _ in expected):
            assert starts(sheet) == expected, text
            compared += 1
    assert compared >= 20


def tunes_of(path):
    """The tunes of a file as texts of their own."""
    return re.split(r"(?m)^(?=X:)", path.read_text(encoding="utf-8", errors="replace"))[1:]


def music(text):
    """A tune without its fields."""
    return re.sub(r"(?m)^[A-Za-z]:[^|:\n].*$", "", text)


def test_lengths_and_octaves():
    assert played(read("C2 c/ c// c'1/3 C,3/2 z/ | G,,4")) == [
        *((0, 24, 60), (24, 6, 72), (30, 3, 72), (33, 4, 84), (37, 18, 48), (61, 48, 43)),
    ]


@pytest.mark.parametrize(
    ("meter", "unit", "ticks"),
    [("4/4", 6, 48), ("2/4", 3, 24), ("6/8", 6, 36), ("C", 6, 48), ("C|", 6, 48), ("5/8", 3, 30)],
)
def test_the_length_of_a_plain_letter_follows_the_meter(meter, unit, ticks):
    sheet = read("C" * (ticks // unit) + "|C|", f"M:{meter}\nK:C")
    assert sheet.notes[0].duration == unit
    assert sheet.bars[0].length == sheet.bars[0].meter.ticks == ticks


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("(3c/c/c/ c c c", [0, 4, 8, 12, 24, 36]),
        ("(3:2:2c2c c c", [0, 16, 24, 36]),
        ("(5:4cccccz", [0, 10, 19, 29, 38]),
        ("(2cc c2", [0, 18, 36]),
        ("(3(c c) c c2", [0, 8, 16, 24]),
        ("c>c c<c", [0, 18, 24, 30]),
        ("c>>c c<<c", [0, 21, 24, 27]),
        ("c > c c{d}<c", [0, 18, 24, 30]),
        ('c>.c c>"F"c', [0, 18, 24, 42]),
        ("(3c>cc c c", [0, 12, 16, 24, 36]),
    ],
)
def test_tuplets_and_broken_rhythm(body, expected):
    assert [note.start for note in read(body + "|").notes] == expected


def test_tuplets_of_compound_meters():
    assert [note.start for note in read("(2ccc2|", "M:6/8\nL:1/8\nK:C").notes] == [0, 9, 18]


def test_ties_join_over_bar_lines_and_carry_their_accidental():
    assert played(read("z2 ^F2-|F4-|F z F2|")) == [(24, 84, 66), (120, 24, 65)]
    assert played(read("C2-D2|")) == [(0, 24, 60), (24, 24, 62)]  # no tie: another note
    assert played(read("^F4 -|F4|")) == [(0, 96, 66)]
    assert played(read("C2- C2|C4-|")) == [(0, 48, 60), (48, 48, 60)]


def test_accidentals_last_for_their_bar_in_all_octaves():
    assert pitches(read("^F F f =f|F ^^C __B =c|")) == [66, 66, 78, 77, 65, 62, 69, 72]


@pytest.mark.parametrize(
    ("key", "expected", "name"),
    [
        ("G", [66, 71, 60], "G"),
        ("Em", [66, 71, 60], "Em"),
        ("Edor", [66, 71, 61], "Em"),
        ("D mix", [66, 71, 60], "D"),
        ("F", [65, 70, 60], "F"),
        ("Bb", [65, 70, 60], "Bb"),
        ("F#m", [66, 71, 61], "F#m"),
        ("A Minor", [65, 71, 60], "Am"),
        ("C lydian clef=treble", [66, 71, 60], "C"),
        ("Hp", [66, 71, 61], "A"),
        ("HP", [66, 71, 61], "A"),
        ("none", [65, 71, 60], None),
        ("C ^f _b", [66, 70, 60], "C"),
        ("clef=bass", [65, 71, 60], None),
    ],
)
def test_key_signatures(key, expected, name):
    sheet = read("F B C2|", f"M:4/4\nL:1/4\nK:{key}")
    assert pitches(sheet) == expected
    assert sheet.key == name


def test_fields_in_the_music_hold_from_there_on():
    sheet = read("F4|[K:G]F2[L:1/8]F4|[M:3/4]F6|\nM:6/8\nF6|\nK:C\nF6|")
    assert pitches(sheet) == [65, 66, 66, 66, 66, 65]
    assert lengths(sheet) == [48, 48, 36, 36, 36]
    assert [str(bar.meter) for bar in sheet.bars] == ["4/4", "4/4", "3/4", "6/8", "6/8"]


def test_a_pickup_is_a_bar_of_its_own_and_short_bars_around_a_repeat_become_one():
    assert lengths(read("G|CDEF|GABz:|")) == [12, 48, 48, 12, 48, 48]
    assert lengths(read("G|CDEF|GAB:|G|cdef|c3:|")) == [12, *[48] * 7, 36]
    assert starts(read("G|CDEF|GAB:|"))[8:10] == [(96, 67), (108, 60)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C4|D4:|E4|", "CDCDE"),
        ("|:C4|D4:|:E4:|F4", "CDCDEEF"),
        ("C4::D4:|", "CCDD"),
        ("|:C4|1D4:|2E4|F4", "CDCEF"),
        ("|:C4|[1D4|E4:|[2F4||G4", "CDECFG"),
        ("|:C4|1,3D4:|2E4:|4F4|]", "CDCECDCF"),
        ("|:C4|1-2D4:|3E4|]", "CDCDCE"),
        ("|:C4|1D4|2E4||F4", "CDCEF"),  # the :| of the first ending was forgotten
        ("|:C4|1D4:|2E4:|F4", "CDCEF"),  # the last ending's :| only ends it
        ("|:C4|1D4:|2E4|:F4:|", "CDCEFF"),
        ("|::C4::|D4", "CCCD"),
        ("|:C4|D4|:E4:|", "CDEE"),
        ("C4|D4:|E4|F4:|", "CDCDEFEF"),  # a section begins behind the one before
        ("C4:||:D4:|", "CCDD"),
        ("C4 :: D4 :|]", "CCDD"),
    ],
)
def test_repeats_and_endings_are_written_out(body, expected):
    letters = {60: "C", 62: "D", 64: "E", 65: "F", 67: "G"}
    sheet = read(body)
    assert "".join(letters[note.pitch] for note in sheet.notes) == expected
    assert lengths(sheet) == [48] * len(expected)


def test_chord_symbols_stand_where_they_are_written():
    sheet = read('"Dm7"z2"G7alt"z2|"CΔ7"C4-|C2"C-7"C2|"^slow""_1""4""Am(C)"C4|"N.C."z4|"C6/9"C4|"C6/9"C4|')
    assert symbols(sheet) == "0 Dm7 24 G7alt 48 Cmaj7 120 Cm7 144 Am 192 N.C. 240 C6/9"
    assert sheet.notices == ()
    assert symbols(read('"N.C."C4|"Bb/D"C4|')) == "48 Bb/D"


def test_what_is_left_out_is_told():
    sheet = read("{ab}C D \"Cfoo\"E \"Fine\"F|[CEG]2 C0 C2 &E4|c''''''C3|\"D.C.\"C4|")
    assert pitches(sheet) == [60, 62, 64, 65, 67, 60, 60, 60]
    assert set(sheet.notices) == {
        "1 overlaid voice left out",
        "2 grace notes left out",
        "1 note of no length left out",
        "1 note out of range left out",
        "2 notes below the melody left out",
        "directions not followed: Fine, D.C.",
        "chord symbols not understood and left out: Cfoo",
    }


def test_notes_off_the_grid_move_and_are_counted():
    sheet = read("(5:4:5c/c/c/c/c/ c2|C4|")
    assert [note.start for note in sheet.notes] == [0, 5, 10, 14, 19, 24, 48]
    assert lengths(sheet) == [48, 48]
    assert sheet.notices == ("4 notes moved to the grid of 12 ticks a quarter",)


def test_decorations_slurs_and_comments_tell_nothing():
    body = "!trill!C +fermata+D (vE .uF)|% a comment\n`~G$HA *Ty B c|"
    assert pitches(read(body)) == [60, 62, 64, 65, 67, 69, 71, 72]
    assert pitches(read("+CEG+4|")) == [67]  # a chord as old files write it


def test_rests_of_bars_and_bars_that_were_not_drawn():
    sheet = read("C4|Z3|z4|x4|D4|")
    assert played(sheet) == [(0, 48, 60), (288, 48, 62)]
    assert lengths(sheet) == [48] * 7
    assert lengths(read("C4D4E4F2")) == [48, 48, 48, 24]


def test_irregular_bars_are_kept_and_told():
    sheet = read("C4|CDEFG|C2|C4|")
    assert lengths(sheet) == [48, 60, 24, 48]
    assert sheet.notices == ("2 bars shorter or longer than the meter",)


def test_a_tune_without_meter_takes_that_of_most_of_its_bars():
    sheet = read("C|CDE|CDE|CDE|C2|", "M:none\nL:1/4\nK:C")
    assert {str(bar.meter) for bar in sheet.bars} == {"3/4"}
    assert lengths(sheet) == [12, 36, 36, 36, 24]


@pytest.mark.parametrize(
    ("field", "tempo"),
    [("1/4=120", 120), ("3/8=60", 90), ('"Allegro" 1/2=50', 100), ("90", 90), ("1/4=0", None), ("Lento", None)],
)
def test_tempo(field, tempo):
    assert read("C4|", f"Q:{field}\nM:4/4\nL:1/4\nK:C").tempo == tempo
    assert read("[Q:1/4=77]C4|").tempo == 77


def test_swing_is_read_from_where_it_is_written():
    assert read("C4|", "R:Swing 5:3\nM:4/4\nL:1/4\nK:C").swing == 5 / 3
    assert read("C4|", 'Q:"Medium Swing" 1/4=140\nM:4/4\nL:1/4\nK:C').swing == 1.5
    assert read("C4|", "R:reel\nM:4/4\nL:1/4\nK:C").swing == 1


def test_the_melody_is_the_first_voice_unless_a_name_or_the_user_says_otherwise():
    body = "V:1\nC4|D4|\nV:2\n[CEG]4|[DFA]4|\nV:1\nD4|\n[V:2][CEG]4|"
    sheet = read(body)
    assert pitches(sheet) == [60, 62, 62]
    assert "melody taken from: 1" in sheet.notices
    assert symbols(sheet) == "0 C 48 Dm 96 C"
    (named,), _ = read_abc('X:1\nM:4/4\nL:1/4\nV:a name=Bass\nV:b name="Lead Sax"\nK:C\n[V:a]C4|[V:b]c4|\n')
    assert pitches(named) == [72]
    text = f"X:1\nM:4/4\nL:1/4\nK:C\n{body}"
    assert pitches(read_abc(text, "2")[0][0]) == [67, 69, 67]
    _, problems = read_abc(text, "tuba")
    assert problems == ["X:1: no track tuba with notes; choose --track from: 1 1, 2 2"]


def test_a_file_of_tunes_keeps_the_good_ones():
    head = "M:4/4\nL:1/4\nK:C\n"
    text = f"% a file\nX:1\nT:One\n{head}C4|\n\nX:7\nT:Bad\nM:3/0\nK:C\nC4|\n\nX:3\nT:Two\n{head}D4|\n"
    sheets, problems = read_abc(text)
    assert [sheet.title for sheet in sheets] == ["One", "Two"]
    assert problems == ["X:7: M:3/0: not a usable meter; write one such as 4/4, 3/4 or 6/8"]
    with pytest.raises(CorpusError, match="no tune in it; an ABC tune begins with a line X:1"):
        read_abc("K:C\nCDEF|\n")


@pytest.mark.parametrize("collection", ["ryansMammoth", "oneills1850", "bach", "essenFolksong"])
def test_twenty_tunes_of_a_collection_read(collection, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pieces = {"bach": "bach/bwv24", "essenFolksong": "essenFolksong/ballad1", "oneills1850": "oneills1850/0001"}
    found = read_source("music21:" + pieces.get(collection, "ryansMammoth/B"))
    assert found.skipped == []
    assert len(found.sheets) >= 20
    for sheet in found.sheets[:20]:
        check_sheet(sheet)
        assert sheet.label == collection
        assert len(sheet.notes) >= 16
