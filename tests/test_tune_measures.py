"""The figures by which solos are compared, each against what a few notes give by hand."""

from __future__ import annotations

import pytest

from gencli.music.chords import parse_chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Note
from tests.tune_measures import entropy, groove, in_chord, is_settled, longest_copy, same_bars, steps_of

BAR = 48


def tune(*pitches, length=12, chords=("C",)):
    """Notes of one length in bars of 4/4, a chord a bar."""
    notes = tuple(Note(length * n, length, pitch) for n, pitch in enumerate(pitches))
    bars = tuple(Bar(start, BAR) for start in range(0, notes[-1].end, BAR))
    changes = tuple(Change(BAR * n, parse_chord(chord)) for n, chord in enumerate(chords))
    return LeadSheet(notes=notes, changes=changes, bars=bars)


@pytest.mark.parametrize(
    ("own", "other", "bars"),
    [
        ((60, 62, 64, 65), (67, 69, 71, 72), 0.75),  # three steps, transposed
        ((60, 62, 64, 72), (67, 69, 71, 72), 0.0),  # two steps are no phrase
        ((60, 62, 64, 65, 60), (50, 60, 62, 64, 65, 67, 60), 0.75),  # it ends where the next step differs
        ((60, 62, 64, 65, 67), (60, 62, 64, 66, 68), 0.0),
    ],
)
def test_the_longest_copy(own, other, bars):
    assert longest_copy(tune(*own), [steps_of(tune(1, 2, 4)), steps_of(tune(*other))]) == bars * BAR


def test_notes_around_a_long_rest_are_no_copy():
    one, two = Note(0, 12, 60), Note(3 * BAR, 12, 62)
    sheet = LeadSheet(notes=(one, two), changes=(), bars=tuple(Bar(n * BAR, BAR) for n in range(4)))
    assert longest_copy(sheet, [steps_of(sheet)]) == 0


def test_entropies_by_hand():
    sheet = tune(60, 60, 60, 60, 60, 64, 60, 64)
    assert entropy(sheet, 1) == pytest.approx(0.5)  # 0 and 1 bit
    assert entropy(sheet, 2) == pytest.approx(0.8113, abs=1e-4)  # six of eight


def test_a_groove_by_hand():
    assert groove(tune(60, 60, 60, 60, 60, 60, 60, 60)) == 1.0
    assert groove(tune(60, 60, 60, 60, 60, 60)) == 1 - 2 / 64


def test_bars_that_are_alike():
    assert same_bars(tune(60, 62, 64, 65, 60, 62, 64, 65, 60, 62, 64, 67)) == 2


def test_notes_in_the_chord_and_the_last_of_them():
    sheet = tune(60, 62, 64, 65, 67, 69, 71, 72, chords=("C", "F"))
    assert in_chord(sheet, sheet.changes) == 4 / 8  # C E; A C
    assert is_settled(sheet)
    assert not is_settled(tune(60, 62))
