"""Swing moves second eighths and nothing else; a pickup is filled up; accents lie where a player puts them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gencli.music.lead_sheet import LeadSheet, Meter, Note
from gencli.music.performance import OFF_BEAT, ON_BEAT, PEAK, Clock, Played, Stroke, lead_in, melody_strokes, play
from tests.midi_checks import played_ticks
from tests.tune_cases import bars_of, random_sheet

ONE_BAR = bars_of(None)


def pulses(ticks, swing, onsets, bars=ONE_BAR):
    """When ticks are played in a part whose notes begin at the onsets."""
    return Clock(bars, swing).pulses(ticks, onsets)


def test_straight_time_is_forty_pulses_a_tick():
    assert pulses(range(49), 1.0, range(48)) == [40 * tick for tick in range(49)]


@pytest.mark.parametrize(("swing", "second"), [(1.0, 240), (1.5, 288), (2.0, 320), (3.0, 360)])
def test_the_second_eighth_comes_at_swing_over_one_plus_swing(swing, second):
    assert pulses([0, 6, 12, 18, 24], swing, [0, 6, 18]) == [0, second, 480, 480 + second, 960]


def test_triplets_and_sixteenths_are_played_as_written():
    onsets = [0, 4, 8, 12, 15, 18, 21, 24, 30]
    assert pulses(onsets, 2.0, onsets) == [0, 160, 320, 480, 600, 720, 840, 960, 1280]


def test_a_beat_in_which_nothing_begins_swings_too():
    assert pulses([6], 2.0, []) == [320]


def test_what_ends_between_swung_eighths_is_stretched_in_proportion():
    assert pulses([3, 6, 9, 12], 2.0, [0, 6]) == [160, 320, 400, 480]


@pytest.mark.parametrize("meter", [Meter(6, 8), Meter(12, 8), Meter(7, 8), Meter(3, 8)], ids=str)
def test_meters_in_eighths_do_not_swing(meter):
    ticks = range(0, meter.ticks, 6)
    assert pulses(ticks, 2.0, ticks, bars_of(None, meter=meter)) == [40 * tick for tick in ticks]


@pytest.mark.parametrize("meter", [Meter(3, 4), Meter(5, 4), Meter(2, 2)], ids=str)
def test_meters_in_quarters_and_halves_do(meter):
    assert pulses([6, 30], 2.0, [], bars_of(None, meter=meter)) == [320, 960 + 320]


def test_a_pickup_swings_as_the_end_of_its_bar_does():
    bars = bars_of(6, None)
    assert lead_in(bars) == 42
    assert pulses([0, 6, 12], 2.0, [0, 6, 12], bars) == [1920 - 160, 1920, 1920 + 320]


def test_what_is_left_of_an_irregular_bar_is_played_as_written():
    bars = bars_of(None, 18, None)  # the second is a beat and a half
    assert pulses([54, 60, 63, 66, 72], 2.0, [], bars) == [48 * 40 + 320, 60 * 40, 63 * 40, 66 * 40, 66 * 40 + 320]


@pytest.mark.parametrize("seed", range(20))
def test_time_runs_as_the_twin_says_and_never_backwards(seed):
    sheet = random_sheet(seed)
    onsets = [note.start for note in sheet.notes]
    got = pulses(range(sheet.length + 1), sheet.swing, onsets, sheet.bars)
    twin = played_ticks(sheet, sheet.swing, onsets)
    assert max(abs(mine - twin[tick]) for tick, mine in enumerate(got)) <= 0.5 + 1e-9
    assert all(after - before >= 19 for before, after in pairwise(got))


def test_a_part_is_played_in_its_order():
    strokes = [Stroke(0, 6, 60, 90), Stroke(6, 6, 62, 80)]
    assert play(strokes, Clock(bars_of(None), 2.0)) == [Played(0, 320, 60, 90), Played(320, 480, 62, 80)]


def test_accents_lie_off_the_beat_and_on_peaks():
    notes = (Note(0, 6, 60), Note(6, 6, 62), Note(12, 6, 67), Note(18, 6, 64), Note(24, 4, 65), Note(28, 4, 60))
    found = [stroke.velocity for stroke in melody_strokes(notes)]
    assert found == [ON_BEAT, OFF_BEAT, ON_BEAT + PEAK, OFF_BEAT, ON_BEAT + PEAK, OFF_BEAT]
    assert [(s.start, s.duration, s.pitch) for s in melody_strokes(notes)] == [
        (n.start, n.duration, n.pitch) for n in notes
    ]


def test_without_bars_there_is_nothing_to_fill_up():
    assert lead_in(LeadSheet((), (), ()).bars) == 0
