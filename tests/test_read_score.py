"""MusicXML and kern to lead sheets, through music21."""

from __future__ import annotations

from pathlib import Path

import pytest

from gencli.errors import CorpusError
from gencli.music.chords import QUALITIES
from gencli.music.read_score import read_kern, read_musicxml
from tests.hostile_tunes import KERN, zipped
from tests.sheet_checks import check_sheet, lengths, played, symbols

STEPS = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}


def note(pitch, duration, *inner, chord=False, grace=False, staff=""):
    """A note or rest (pitch "") of so many ticks; pitch as in "C4", "Bb3"."""
    parts = ["<grace/>"] if grace else []
    parts += ["<chord/>"] if chord else []
    if pitch:
        alter = {"b": "<alter>-1</alter>", "#": "<alter>1</alter>"}.get(pitch[1], "")
        parts.append(f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>")
    else:
        parts.append("<rest/>")
    parts += [] if grace else [f"<duration>{duration}</duration>"]
    return f"<note>{''.join(parts)}{''.join(inner)}{staff}</note>"


def attributes(meter="4/4", fifths=0, mode="major", divisions=12):
    """Divisions, key and meter."""
    beats, unit = meter.split("/")
    return (
        f"<attributes><divisions>{divisions}</divisions><key><fifths>{fifths}</fifths><mode>{mode}</mode></key>"
        f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time></attributes>"
    )


def score(*parts, head="", names=("Lead", "Piano", "Bass")):
    """MusicXML of parts, each a list of measures; a measure is its text, or its text and its attributes."""
    listed = "".join(f'<score-part id="P{n}"><part-name>{names[n]}</part-name></score-part>' for n in range(len(parts)))
    written = ""
    for number, measures in enumerate(parts):
        inner = ""
        for place, measure in enumerate(measures, 1):
            text, more = measure if isinstance(measure, tuple) else (measure, "")
            inner += f'<measure number="{place}"{more}>{text}</measure>'
        written += f'<part id="P{number}">{inner}</part>'
    text = f'<?xml version="1.0"?><score-partwise>{head}<part-list>{listed}</part-list>{written}</score-partwise>'
    return text.encode()


def read(*parts, track=None, **options):
    """The sheet of a score, checked."""
    sheet = read_musicxml(score(*parts, **options), track)
    check_sheet(sheet)
    return sheet


def harmony(root, kind, *, bass="", degrees=(), text=""):
    """A chord symbol; degrees are (value, alter, type)."""
    changed = "".join(
        f"<degree><degree-value>{value}</degree-value><degree-alter>{alter}</degree-alter>"
        f"<degree-type>{change}</degree-type></degree>"
        for value, alter, change in degrees
    )
    lower = f"<bass><bass-step>{bass}</bass-step></bass>" if bass else ""
    shown = f' text="{text}"' if text else ""
    return f"<harmony><root><root-step>{root}</root-step></root><kind{shown}>{kind}</kind>{lower}{changed}</harmony>"


WHOLE = note("C4", 48)


def test_notes_ties_triplets_and_rests():
    triplet = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    first = note("Bb4", 4, triplet) * 3 + note("", 12) + note("F#4", 24, '<tie type="start"/>')
    sheet = read([attributes() + first, note("F#4", 12, '<tie type="stop"/>') + note("G3", 36)])
    assert played(sheet) == [(0, 4, 70), (4, 4, 70), (8, 4, 70), (24, 36, 66), (60, 36, 55)]
    assert lengths(sheet) == [48, 48]
    assert sheet.notices == ()


def test_what_is_said_above_the_notes():
    said = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>80</per-minute></metronome>"
        "</direction-type></direction>"
        "<direction><direction-type><words>Swing</words></direction-type><sound><swing><first>2</first><second>1</second>"
        "<swing-type>eighth</swing-type></swing></sound></direction>"
    )
    head = "<work><work-title>Blue Something</work-title></work>"
    sheet = read([attributes(fifths=-3, mode="minor") + said + WHOLE], head=head)
    assert (sheet.title, sheet.tempo, sheet.key, sheet.swing) == ("Blue Something", 160, "Cm", 2)
    assert read([attributes() + '<sound tempo="99"/>' + WHOLE]).tempo == 99
    plain = read([attributes() + WHOLE])
    assert (plain.title, plain.tempo, plain.key, plain.swing) == ("", None, "C", 1)


@pytest.mark.parametrize("name", QUALITIES)
def test_every_quality_comes_back(name):
    quality = QUALITIES[name]
    written = harmony("D", quality.kind, degrees=quality.alterations)
    over = harmony("D", quality.kind, degrees=quality.alterations, bass="E")
    sheet = read([attributes() + written + note("C4", 24) + over + note("C4", 24)])
    assert [(c.start, c.chord.root, c.chord.quality, c.chord.bass) for c in sheet.changes] == [
        *((0, 2, name, None), (24, 2, name, 4)),
    ]


def test_other_chord_symbols():
    named = harmony("G", "other", text="7alt")
    none = "<harmony><root><root-step>C</root-step></root><kind>none</kind></harmony>"
    strange = harmony("C", "other", text="quux")
    sheet = read([attributes() + named + note("C4", 24) + none + note("C4", 12) + strange + note("C4", 12)])
    assert symbols(sheet) == "0 G7alt 24 N.C."
    assert any(notice.startswith("chord symbols not understood and left out") for notice in sheet.notices)


def test_repeats_and_endings_are_written_out():
    back = '<barline location="right"><repeat direction="backward"/></barline>'
    measures = [
        attributes() + '<barline location="left"><repeat direction="forward"/></barline>' + WHOLE,
        '<barline location="left"><ending number="1" type="start"/></barline>'
        + note("D4", 48)
        + '<barline location="right"><ending number="1" type="stop"/><repeat direction="backward"/></barline>',
        '<barline location="left"><ending number="2" type="start"/></barline>'
        + note("E4", 48)
        + '<barline location="right"><ending number="2" type="stop"/></barline>',
        note("F4", 48) + back,
    ]
    assert [n.pitch for n in read(measures).notes] == [60, 62, 60, 64, 65, 65]


def test_pickups_irregular_bars_and_meters():
    pickup = (attributes() + note("G4", 12), ' implicit="yes"')
    sheet = read([pickup, WHOLE, attributes("3/4") + note("C4", 36), note("C4", 24), note("", 36)])
    assert lengths(sheet) == [12, 48, 36, 24, 36]
    assert [str(bar.meter) for bar in sheet.bars] == ["4/4", "4/4", "3/4", "3/4", "3/4"]
    assert sheet.notices == ("1 bar shorter or longer than the meter",)


def test_chords_grace_notes_and_voices():
    first = note("C4", 24) + note("G4", 24, chord=True) + note("A4", 0, grace=True) + note("E4", 24)
    second = "<backup><duration>48</duration></backup>" + note("C3", 48, "<voice>2</voice>")
    sheet = read([attributes() + first + second])
    assert [(n.start, n.pitch) for n in sheet.notes] == [(0, 67), (24, 64)]
    assert set(sheet.notices) == {"1 grace note left out", "2 notes below the melody left out"}


def test_the_melody_is_a_part_and_the_others_its_chords():
    chords = note("C3", 48) + note("E3", 48, chord=True) + note("G3", 48, chord=True)
    minor = note("A2", 48) + note("C3", 48, chord=True) + note("E3", 48, chord=True)
    parts = [attributes() + note("E5", 48), note("C5", 48)], [attributes() + chords, minor]
    sheet = read(*parts)
    assert [n.pitch for n in sheet.notes] == [76, 72]
    assert symbols(sheet) == "0 C 48 Am"
    assert sheet.notices == ("melody taken from: Lead", "chords matched from the accompaniment: Piano")
    assert [n.pitch for n in read(*parts, track="piano").notes] == [55, 52]
    below = [attributes() + harmony("F", "major") + chords, minor]
    assert symbols(read(parts[0], below)) == "0 F"
    with pytest.raises(CorpusError, match="no track tuba with notes; choose --track from: 1 Lead, 2 Piano"):
        read(*parts, track="tuba")


def test_a_transposing_instrument_is_read_as_it_sounds():
    transpose = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>"
    first = attributes(fifths=2).replace("</attributes>", transpose)
    sheet = read([first + harmony("E", "minor-seventh", bass="A") + note("D5", 24) + note("F#4", 24)])
    assert [n.pitch for n in sheet.notes] == [72, 64]
    assert symbols(sheet) == "0 Dm7/G"
    assert sheet.key is None


def test_an_archive_is_read_as_its_score():
    data = score([attributes() + WHOLE])
    container = b'<container><rootfiles><rootfile full-path="a/tune.xml"/></rootfiles></container>'
    files = {"META-INF/container.xml": container, "zz.xml": b"<x/>", "a/tune.xml": data}
    assert read_musicxml(zipped(files)) == read_musicxml(data) == read_musicxml(zipped({"any.musicxml": data}))


def test_kern():
    sheet = read_kern("!!!OTL: A tune\n" + KERN.decode().replace("*G:\t*G:", "*G:\t*G:\n*MM96\t*MM96"))
    check_sheet(sheet)
    assert played(sheet) == [(0, 12, 67), (12, 12, 69), (24, 6, 71), (30, 6, 72), (36, 12, 74), (48, 48, 71)]
    assert (sheet.title, sheet.tempo, sheet.key) == ("A tune", 96, "G")
    assert lengths(sheet) == [48, 48]


def test_kern_of_the_corpus():
    from music21 import corpus

    folder = Path(corpus.__file__).parent / "palestrina"
    for path in sorted(folder.glob("*.krn"))[:3]:
        sheet = read_kern(path.read_text(encoding="latin-1"))
        check_sheet(sheet)
        assert {bar.meter.ticks for bar in sheet.bars} <= {96, 144, 72}
        assert len(sheet.changes) > 10


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<score-partwise><part", "not well-formed XML"),
        (b"<html/>", "XML but no MusicXML score of parts: it begins with html"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><score-partwise/>", "XML that declares an entity"),
        (score([attributes()]), "no notes in it"),
        (b"PK\x03\x04broken", "a damaged archive"),
        (zipped({"a.txt": b"x"}), "an archive without a MusicXML score in it"),
        (zipped({"a.xml": bytes(17 * 2**20)}), "a.xml in it is larger than 16 MiB"),
        (score([attributes() + WHOLE] * 3000), "more than 2,048 measures; cut the score"),
        (score([attributes("7/64") + WHOLE]), "measure 1: not a usable meter"),
    ],
)
def test_what_cannot_be_read_is_told(data, message):
    with pytest.raises(CorpusError, match=message):
        read_musicxml(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "no kern in it"),
        ("**kern\n" + "=\n4c\n" * 2000 + "*-\n", "more than 1,024 bars"),
        ("\t".join(["**kern"] * 70) + "\n", "more than 64 spines"),
        ("**kern\n*M4/4\n4c\t4d\n*-\n", "music21 cannot read it"),
    ],
)
def test_what_is_no_kern_is_told(text, message):
    with pytest.raises(CorpusError, match=message):
        read_kern(text)
