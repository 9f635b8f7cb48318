"""ABC: read back by music21, and read by eye."""

from __future__ import annotations

import re

import pytest
from music21 import converter

from gencli.music.chords import parse_chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.write_abc import abc_text, tune_bytes
from gencli.music.write_options import WriteOptions
from tests.music21_readers import bars, sounding
from tests.tune_cases import bars_of, random_sheet, sheet_of

OPTIONS = WriteOptions()


def body(*notes, changes="C", **facts):
    """The lines after the head."""
    text = abc_text(sheet_of(changes, notes, **{"key": "C", **facts}), OPTIONS)
    return text.split("\n", text[: text.index("\nK:")].count("\n") + 2)[-1]


def read(sheet):
    """The part that music21 reads."""
    return converter.parse(abc_text(sheet, OPTIONS), format="abc", forceSource=True).parts[0]


@pytest.mark.parametrize("seed", range(12))
def test_music21_reads_back_the_notes(seed):
    sheet = random_sheet(seed)
    assert sounding(read(sheet), 12) == [(note.start, note.end, note.pitch) for note in sheet.notes]


@pytest.mark.parametrize("meter", ["4/4", "3/4", "6/8", "5/4"])
def test_music21_reads_back_the_bars(meter):
    beats, unit = map(int, meter.split("/"))
    sheet = sheet_of("Dm7 G7 | C6 | Am7", [(6, 6, 60), (12, 50, 62)], Meter(beats, unit))
    assert bars(read(sheet)) == [(bar.start, bar.length) for bar in sheet.bars]


@pytest.mark.parametrize("seed", range(12))
def test_the_symbols_are_all_there_in_order(seed):
    sheet = random_sheet(seed)
    symbols = re.findall(r'"([^"]*)"', abc_text(sheet, OPTIONS))
    assert [parse_chord(symbol) for symbol in symbols] == [change.chord for change in sheet.changes]


@pytest.mark.parametrize("seed", range(12))
def test_every_bar_sums_by_its_own_text(seed):
    """Lengths and brackets counted out of the text alone, without any reader of ABC."""
    sheet = random_sheet(seed)
    text = abc_text(sheet, OPTIONS)
    lines = [line for line in text[text.index("\nK:") + 1 :].split("\n")[1:] if not line.startswith("M:")]
    found = []
    for bar in re.split(r"\s*\|\]?\s*", " ".join(lines))[:-1]:
        total, bracket = 0, 0
        token = r"\(3:2:(\d+)|(?:[\^_=]?[A-Ga-g][,']*|z)(\d*)(/\d+)?-?"
        for match in re.finditer(token, re.sub(r'"[^"]*"', "", bar)):
            if match[1]:
                bracket = int(match[1])
                continue
            value = 6 * int(match[2] or 1) / int((match[3] or "/1")[1:])
            total += value * 2 / 3 if bracket else value
            bracket = max(bracket - 1, 0)
        found.append(round(total, 6))
    assert found == [bar.length for bar in sheet.bars]


def test_a_bar_as_a_musician_writes_it():
    notes = [(0, 6, 62), (6, 6, 65), (12, 4, 69), (16, 4, 72), (20, 4, 69), (24, 18, 71), (42, 12, 67)]
    assert body(*notes, changes="Dm7 G7 | Cmaj7") == '"Dm7"DF (3:2:3AcA "G7"B3 G- | "Cmaj7"Gz z2 z4 |]'


def test_octaves_lengths_and_rests():
    assert body((0, 12, 48), (12, 6, 36), (18, 3, 84), (21, 3, 96), (24, 9, 72), (33, 3, 60)) == (
        "\"C\"C,2 C,,c'/2c''/2 c3/2C/2 z2 |]"
    )


def test_accidentals_are_written_wherever_a_reader_might_doubt():
    written = body((0, 12, 66), (12, 12, 65), (24, 12, 78), (36, 12, 65), (48, 48, 65), changes="N.C. | N.C.")
    assert written == '"N.C."^F2 =F2 ^f2 =F2 | "N.C."F8 |]'


def test_a_tie_keeps_the_name_of_its_note():
    changes = (Change(0, parse_chord("D7")), Change(24, parse_chord("Ebm7")))
    text = abc_text(LeadSheet((Note(0, 48, 66),), changes, bars_of(None), key="C"), OPTIONS)
    assert text.endswith('"D7"^F4- "Ebm7"^F4 |]')


def test_four_bars_stand_in_a_line_and_meters_before_them():
    bars = (*bars_of(None, None, None, None, None), Bar(240, 36, Meter(3, 4)), Bar(276, 36, Meter(3, 4)))
    text = abc_text(LeadSheet((), (), bars), OPTIONS)
    assert text.split("K:C\n")[1] == "z8 | z8 | z8 | z8 |\nz8 |\nM:3/4\nz6 | z6 |]"


def test_the_head():
    sheet = sheet_of("F", title="100 % Blues\nfor A", tempo=133.3, key="Dm", swing=1.5, meter=Meter(3, 4))
    assert abc_text(sheet, OPTIONS).split("\n")[:7] == [
        "X:1",
        "T:100 \\% Blues for A",
        "M:3/4",
        "L:1/8",
        "Q:1/4=133.3",
        "R:Swing 3:2",
        "K:Dm",
    ]


def test_straight_tunes_have_no_rhythm_and_options_win():
    assert "R:" not in abc_text(sheet_of("C", swing=2.0), WriteOptions(swing=1.0))
    assert "Q:1/4=90\n" in abc_text(sheet_of("C", tempo=200.0), WriteOptions(tempo=90.0))


def test_the_bytes_are_the_text_in_utf_8():
    sheet = sheet_of("C", title="Für Elise")
    assert tune_bytes(sheet, OPTIONS) == (abc_text(sheet, OPTIONS) + "\n").encode("utf-8")
