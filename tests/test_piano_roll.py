"""Pictures of a melody: characters for the terminal, a PNG coloured by chord."""

from __future__ import annotations

import io

import numpy as np
import pytest

from gencli.errors import OptionError
from gencli.music import piano_roll
from gencli.music.chords import parse_chord
from gencli.music.lead_sheet import Change, LeadSheet, Note
from gencli.music.note_colors import chord_at, role_of
from gencli.music.terminal_roll import plain_lines, terminal_roll
from gencli.music.write_options import WriteOptions
from tests.tune_cases import bars_of, random_sheet, sheet_of

TUNE = sheet_of("Dm7 G7 | C6", [(0, 12, 65), (12, 6, 66), (18, 6, 64), (24, 24, 62), (48, 24, 60), (72, 24, 60)])


def pixels(sheet):
    """The picture as an array (rows, columns, 3)."""
    from matplotlib.image import imread

    return imread(io.BytesIO(piano_roll.tune_bytes(sheet, WriteOptions())))[:, :, :3]


def share_of(picture, color):
    """How much of a picture is of a colour such as "#d64545"."""
    wanted = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return float((np.abs(picture - wanted).max(axis=2) < 0.02).mean())


def test_a_roll_in_plain_text():
    assert plain_lines(terminal_roll(TUNE)) == [
        "   1 Dm7     G7       C6",
        " F#4 ▄▄▄▄▀▀          │                │",
        "           ▀▀        │                │",
        "             ▀▀▀▀▀▀▀▀│                │",
        "  C4                 │▀▀▀▀▀▀▀ ▀▀▀▀▀▀▀▀│",
    ]


def test_a_roll_in_ascii_tells_chord_tones_by_their_marks():
    lines = plain_lines(terminal_roll(TUNE, ascii_only=True))
    assert lines[1:4] == [
        " F#4     oo          |                |",
        "     ####            |                |",
        "           ==        |                |",
    ]
    assert all(line.isascii() for line in lines)


def test_styles_tell_what_lies_in_the_chord():
    pieces = [piece for line in terminal_roll(TUNE)[1:] for piece in line if set(piece[0]) & set("▀▄")]
    assert [style for _, style in pieces] == ["green", "yellow", "cyan", "green", "green", "green"]


@pytest.mark.parametrize("width", [10, 20, 40, 80, 132])
@pytest.mark.parametrize("seed", range(6))
def test_no_line_is_wider_than_the_terminal(seed, width):
    for ascii_only in (False, True):
        lines = terminal_roll(random_sheet(seed), width, ascii_only)
        assert max(map(len, plain_lines(lines))) <= max(width, 20)
        assert all(sum(len(text) for text, _ in line) <= max(width, 20) for line in lines)


@pytest.mark.parametrize("seed", range(6))
def test_every_note_of_a_sixteenth_and_more_is_drawn(seed):
    sheet = random_sheet(seed)
    lines = plain_lines(terminal_roll(sheet, ascii_only=True))
    drawn = sum(line[5:].count(mark) for line in lines if not line[:5].strip().isdecimal() for mark in "#=o")
    assert drawn >= sum(note.duration >= 6 for note in sheet.notes)
    columns = sum(-(-bar.length // 3) for bar in sheet.bars)
    assert drawn <= columns


def test_bars_come_in_phrases_of_four_and_are_numbered():
    lines = plain_lines(terminal_roll(sheet_of("C | F | G | C | F | C", [(0, 12, 60), (200, 12, 62)])))
    assert [line for line in lines if line[:5].strip().isdecimal()] == [
        "   1 C                F                G                C",
        "   5 F                C",
    ]
    assert "" in lines  # between the two


def test_a_pickup_is_bar_nought():
    sheet = LeadSheet((Note(0, 12, 60),), (), bars_of(12, None))
    assert plain_lines(terminal_roll(sheet))[0] == "   0"


def test_close_symbols_are_cut_and_a_chord_that_goes_on_is_named_again():
    changes = (Change(0, parse_chord("Cmaj7")), Change(6, parse_chord("Am7")), Change(12, None))
    sheet = LeadSheet((Note(0, 12, 60),), changes, bars_of(*[None] * 5))
    found = [line for line in plain_lines(terminal_roll(sheet)) if line[:5].strip().isdecimal()]
    assert found == ["   1 C A N.C.", "   5"]


def test_an_empty_sheet_has_no_lines():
    assert terminal_roll(LeadSheet((), (), ())) == []


@pytest.mark.parametrize(("tick", "symbol"), [(0, None), (5, None), (6, "C"), (29, "C"), (30, None), (47, None)])
def test_the_chord_at_a_tick(tick, symbol):
    sheet = LeadSheet((), (Change(6, parse_chord("C")), Change(30, None)), bars_of(None))
    assert chord_at(sheet, tick) == (parse_chord(symbol) if symbol else None)


@pytest.mark.parametrize(("pitch", "role"), [(64, "chord"), (62, "scale"), (63, "outside")])
def test_the_role_of_a_note(pitch, role):
    assert role_of(Note(0, 6, pitch), parse_chord("C")) == role
    assert role_of(Note(0, 6, pitch), None) == "free"


def test_the_picture_has_the_colours_of_its_chords():
    pytest.importorskip("matplotlib")
    picture = pixels(sheet_of("C | F", [(0, 40, 60), (48, 40, 65)]))
    for root in (0, 5):
        assert share_of(picture, piano_roll.COLORS[root]) > 0.003
    assert share_of(picture, piano_roll.COLORS[7]) == 0
    hollow = pixels(sheet_of("C | F", [(0, 40, 61), (48, 40, 65)]))
    assert share_of(hollow, piano_roll.COLORS[0]) < 0.5 * share_of(picture, piano_roll.COLORS[0])  # no chord tone


def test_a_longer_tune_has_more_rows():
    pytest.importorskip("matplotlib")
    heights = [pixels(sheet_of("|".join(["C"] * count), [(0, 12, 60)])).shape[0] for count in (8, 16, 32)]
    assert heights[2] - heights[1] == pytest.approx(2 * (heights[1] - heights[0]), abs=3)


def test_a_very_long_tune_gets_longer_rows_but_not_more(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(piano_roll, "MOST_ROWS", 3)
    short, long = (sheet_of("|".join(["C"] * count), [(0, 12, 60)]) for count in (24, 300))
    assert abs(pixels(long).shape[0] - pixels(short).shape[0]) <= 3


@pytest.mark.parametrize("sheet", [LeadSheet((), (), ()), sheet_of("N.C.", title="$x^2$"), random_sheet(2)])
def test_pictures_of_anything_are_the_same_each_time(sheet):
    pytest.importorskip("matplotlib")
    data = piano_roll.tune_bytes(sheet, WriteOptions())
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert piano_roll.tune_bytes(sheet, WriteOptions()) == data


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(piano_roll, "find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r"^drawing a \.png needs matplotlib: pip install matplotlib$"):
        piano_roll.tune_bytes(TUNE, WriteOptions())
