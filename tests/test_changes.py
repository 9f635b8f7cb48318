"""Progressions as players write them."""

from __future__ import annotations

import pytest

from gencli.errors import OptionError
from gencli.music.changes import ascending, lay_out, parse_changes
from gencli.music.chords import parse_chord
from gencli.music.lead_sheet import Bar, Change, Meter


def bars(text, meter=None):
    """The progression with names: "0 Dm7 24 G7" for each bar."""
    parsed = parse_changes(text, meter)
    return [" ".join(f"{change.start} {change.chord or 'N.C.'}" for change in bar) for bar in parsed]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dm7 G7 | Cmaj7 | %", ["0 Dm7 24 G7", "0 Cmaj7", "0 Cmaj7"]),
        ("| Dm7 G7 | Cmaj7 ||", ["0 Dm7 24 G7", "0 Cmaj7"]),
        ("|| Dm7 | G7 |\n Cmaj7 ", ["0 Dm7", "0 G7", "0 Cmaj7"]),
        ("Dm7\nG7\n\nC", ["0 Dm7", "0 G7", "0 C"]),
        ("|: Dm7 | G7 :|", ["0 Dm7", "0 G7"] * 2),
        ("C |: F :|: G | D :| A", ["0 C", "0 F", "0 F", "0 G", "0 D", "0 G", "0 D", "0 A"]),
        ("C :: D :|", ["0 C", "0 C", "0 D", "0 D"]),
        ("C :| D", ["0 C", "0 C", "0 D"]),
        ("C E7 Am", ["0 C 24 E7 36 Am"]),
        ("C / / D | / E", ["0 C 36 D", "0 D 24 E"]),
        ("C D | %", ["0 C 24 D"] * 2),
        ("C C", ["0 C"]),
        ("N.C. | C7(b9,#11)", ["0 N.C.", "0 C7b9#11"]),
        ("C D E F G", ["0 C 12 D 24 E 36 F 42 G"]),
    ],
)
def test_bars(text, expected):
    assert bars(text) == expected


@pytest.mark.parametrize(
    ("meter", "text", "expected"),
    [
        (Meter(3, 4), "C D", "0 C 24 D"),
        (Meter(3, 4), "C D E", "0 C 12 D 24 E"),
        (Meter(6, 8), "C D", "0 C 18 D"),
        (Meter(5, 4), "C D", "0 C 36 D"),
        (Meter(2, 2), "C D", "0 C 24 D"),
        (Meter(7, 8), "C D", "0 C 24 D"),
    ],
)
def test_beats_are_shared(meter, text, expected):
    assert bars(text, meter) == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--chords: no chord in it"),
        ("||", "--chords: no chord in it"),
        ("%", "--chords, bar 1: % repeats the bar before, and there is none"),
        ("/ C", "--chords, bar 1: / holds the chord before, and there is none"),
        ("C | | D", "--chords, bar 2: empty; write %"),
        ("C | Dfoo", '--chords, bar 2: chord "Dfoo": unknown'),
        ("C |: D", "--chords: |: without :|"),
        ("|: C |: D :|", "--chords: |: inside of |:"),
        (":| C", "--chords: :| with nothing to repeat"),
        ("C " * 17, "--chords, bar 1: 17 chords in 4/4"),
        ("C|" * 5000, "--chords: more than 4096 bars"),
        ("C|" * 4000 + "D :|", "--chords: more than 4096 bars"),
    ],
)
def test_what_is_wrong_is_told(text, message):
    with pytest.raises(OptionError) as error:
        parse_changes(text)
    assert str(error.value).startswith(message)


def test_a_progression_is_laid_out_again_and_again_behind_the_pickup():
    meter = Meter(4, 4)
    full = [Bar(12 + 48 * n, 48, meter) for n in range(3)]
    laid = lay_out(parse_changes("Dm7 G7 | C"), [Bar(0, 12, meter), *full, Bar(156, 24, meter)])
    assert [(change.start, str(change.chord)) for change in laid] == [
        *((12, "Dm7"), (36, "G7"), (60, "C"), (108, "Dm7"), (132, "G7"), (156, "C")),
    ]


def test_changes_that_change_nothing_are_left_out():
    c, d = parse_chord("C"), parse_chord("D")
    given = [
        Change(48, d),
        Change(0, None),
        Change(12, c),
        Change(24, c),
        Change(48, c),
        Change(72, None),
        Change(96, None),
    ]
    assert ascending(given) == (Change(12, c), Change(72, None))
    assert ascending([Change(48, d), Change(12, c)]) == (Change(12, c), Change(48, d))
