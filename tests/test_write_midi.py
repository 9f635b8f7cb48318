"""MIDI files are read back by mido and by music21: what was asked for is there, whole, and nothing hangs."""

from __future__ import annotations

import random
from dataclasses import replace

import music21
import pytest

from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.write_midi import fitting_meter, tune_bytes
from gencli.music.write_options import WriteOptions
from tests import midi_checks
from tests.music21_readers import midi_parts
from tests.tune_cases import bars_of, random_sheet, sheet_of

SCALE = [(12 * n, 12, 60 + n) for n in range(8)]
SEEDS = range(12)


def options_of(seed):
    """Options of every kind."""
    rng = random.Random(seed)
    return WriteOptions(
        backing=rng.choice(("trio", "chords", "none")),
        swing=rng.choice((None, None, 1.0, 2.0)),
        instrument=rng.choice(("tenor-sax", "trumpet")),
        seed=seed,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_every_check_holds_on_pseudo_random_sheets(seed):
    sheet, options = random_sheet(seed), options_of(seed)
    data = tune_bytes(sheet, options)
    midi_checks.check(data, sheet, options)
    assert tune_bytes(sheet, options) == data


@pytest.mark.filterwarnings("default")  # what music21 thinks of meters
@pytest.mark.parametrize("seed", SEEDS)
def test_music21_reads_the_same_notes_as_mido(seed):
    data = tune_bytes(random_sheet(seed), WriteOptions(seed=seed))
    read = {track.name: track.notes for track in midi_checks.read(data)[1:] if track.name != "Drums"}
    parts = midi_parts(data)
    assert {name: parts[name] for name in read if read[name]} == {name: notes for name, notes in read.items() if notes}


@pytest.mark.parametrize("meter", [Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(5, 4)], ids=str)
@pytest.mark.parametrize("swing", [1.0, 1.5, 2.0])
def test_every_check_holds_in_every_meter_and_swing(meter, swing):
    changes = "Dm7b5 G7alt | Cm6/9 | N.C. | F#m7b5/E B7#9 | Em C/E"
    sheet = sheet_of(changes, [(6 * n, 6, 60 + n % 7) for n in range(20)], meter, swing=swing)
    options = WriteOptions()
    data = tune_bytes(sheet, options)
    midi_checks.check(data, sheet, options)
    assert len(midi_checks.read(data)) == 5  # heading, melody, chords, bass, drums


def test_the_heading_says_what_the_sheet_says():
    sheet = sheet_of("Gm7 | C7", SCALE, title="Für  Elise\n2", tempo=200.0, key="Dm", swing=1.5)
    conductor = midi_checks.read(tune_bytes(sheet, WriteOptions()))[0]
    assert midi_checks.facts(conductor, "set_tempo")[0][1].tempo == 300_000
    assert midi_checks.facts(conductor, "key_signature")[0][1].key == "Dm"
    assert midi_checks.facts(conductor, "text")[0][1].text == "Swing 3:2"
    assert conductor.name.encode("latin-1").decode() == "Für Elise 2"


def test_options_win_over_the_sheet():
    sheet = sheet_of("C", [(0, 6, 60), (6, 6, 62)], tempo=200.0, swing=2.0)
    conductor, melody = midi_checks.read(tune_bytes(sheet, WriteOptions(tempo=100.0, swing=1.0, backing="none")))
    assert midi_checks.facts(conductor, "set_tempo")[0][1].tempo == 600_000
    assert midi_checks.facts(conductor, "text") == []
    assert melody.notes == [(0, 240, 60), (240, 480, 62)]


def test_without_a_track_of_chords_the_symbols_stand_in_the_first():
    sheet = sheet_of("Dm7 G7 | N.C.", SCALE)
    conductor, _ = midi_checks.read(tune_bytes(sheet, WriteOptions(backing="none")))
    found = [(tick, message.text) for tick, message in midi_checks.facts(conductor, "marker")]
    assert found == [(0, "Dm7"), (960, "G7"), (1920, "N.C.")]


def test_a_pickup_is_filled_up_so_that_the_first_bar_line_is_a_bar_away():
    bars = bars_of(12, None, None)
    sheet = LeadSheet((Note(0, 12, 60), Note(12, 48, 62)), (), bars)
    _, melody = midi_checks.read(tune_bytes(sheet, WriteOptions()))
    assert melody.notes == [(1440, 1920, 60), (1920, 3840, 62)]
    assert melody.end == 3 * 1920


def test_a_note_may_follow_itself():
    sheet = sheet_of("C", [(0, 6, 60), (6, 6, 60), (12, 1, 60), (13, 1, 60)])
    _, melody = midi_checks.read(tune_bytes(sheet, WriteOptions(backing="none")))
    assert melody.notes == [(0, 240, 60), (240, 480, 60), (480, 520, 60), (520, 560, 60)]


@pytest.mark.parametrize(
    ("length", "meter", "fitting"),
    [
        (48, Meter(4, 4), Meter(4, 4)),
        (36, Meter(4, 4), Meter(3, 4)),
        (18, Meter(4, 4), Meter(3, 8)),
        (6, Meter(6, 8), Meter(1, 8)),
        (3, Meter(2, 2), Meter(1, 16)),
        (60, Meter(4, 4), Meter(5, 4)),
        (4, Meter(4, 4), Meter(4, 4)),  # a third of a quarter: no time signature says so
    ],
)
def test_an_irregular_bar_gets_a_time_signature_of_its_own(length, meter, fitting):
    assert fitting_meter(Bar(0, length, meter)) == fitting


def test_a_chord_off_the_beat_is_labelled_when_it_is_struck():
    sheet = LeadSheet(
        (), (Change(0, sheet_of("C").changes[0].chord), Change(42, sheet_of("G7").changes[0].chord)), bars_of(None)
    )
    chords = midi_checks.read(tune_bytes(sheet, WriteOptions(swing=2.0)))[2]
    assert [tick for tick, _ in midi_checks.facts(chords, "marker")] == [0, 1440 + 320]
    assert 1440 + 320 in {start for start, _, _ in chords.notes}


def test_music21_keeps_its_own_settings():
    before = music21.defaults.ticksPerQuarter
    tune_bytes(sheet_of("C", SCALE), WriteOptions())
    assert music21.defaults.ticksPerQuarter == before == 10_080


def test_an_empty_sheet_is_a_file_without_notes():
    conductor, melody = midi_checks.read(tune_bytes(LeadSheet((), (), ()), WriteOptions()))
    assert (conductor.end, melody.notes) == (0, [])


@pytest.mark.parametrize(("tempo", "written"), [(1e9, 120_000), (0.001, 3_000_000), (None, 500_000), (0.0, 500_000)])
def test_a_tempo_that_no_file_can_hold_becomes_one_that_it_can(tempo, written):
    sheet = replace(sheet_of("C"), tempo=tempo)
    conductor = midi_checks.read(tune_bytes(sheet, WriteOptions()))[0]
    assert midi_checks.facts(conductor, "set_tempo")[0][1].tempo == written
