"""The trio: a bass that walks from root to root, a piano that never stops, drums that keep the pattern."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gencli.errors import OptionError
from gencli.music.backing import parts_of
from gencli.music.chances import BASS, DRUMS, chances
from gencli.music.chord_spans import ChordSpan, beats_of, chord_spans
from gencli.music.chords import parse_chord
from gencli.music.comping import comping
from gencli.music.instruments import PROGRAMS, program_of
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter
from gencli.music.swing_drums import CRASH, KICK, PEDAL_HAT, RIDE, SNARE, swing_drums
from gencli.music.walking_bass import HIGHEST, LOWEST, walking_bass
from gencli.music.write_options import WriteOptions
from tests.tune_cases import bars_of, random_sheet, sheet_of

BLUES = sheet_of("Bb7 | Eb7 | Bb7 | Fm7 Bb7 | Eb7 | Edim7 | Bb7 | G7alt | Cm7 | F7 | Bb7 G7 | Cm7 F7 | Bb6")
SEEDS = range(10)


def strikes(part, key):
    """When a drum is struck."""
    return [stroke.start for stroke in part if stroke.pitch == key]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bass_plays_the_root_where_a_chord_begins_and_a_note_on_every_beat(seed):
    line = walking_bass(BLUES, seed)
    at = {note.start: note for note in line}
    for change in BLUES.changes:
        assert at[change.start].pitch % 12 == change.chord.root
    assert list(at) == [*range(0, 12 * 48, 12), 12 * 48]
    assert line[-1].duration == 48  # the end is held
    assert all(before.start + before.duration == after.start for before, after in pairwise(line))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bass_steps_into_a_new_chord_and_never_leaps_beyond_an_octave(seed):
    line = walking_bass(BLUES, seed)
    begins = {change.start for change in BLUES.changes}
    for before, after in pairwise(line):
        distance = abs(after.pitch - before.pitch)
        assert 0 < distance <= 12
        if after.start in begins:
            assert distance in (1, 2, 5, 7), (before, after)
    assert all(LOWEST <= note.pitch <= HIGHEST for note in line)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bass_is_in_the_scale_but_for_the_note_before_a_new_chord(seed):
    for span in chord_spans(BLUES):
        inside = [note for note in walking_bass(BLUES, seed) if span.start <= note.start < span.end]
        assert all(note.pitch % 12 in span.chord.scale() for note in inside[:-1])


def test_the_bass_of_a_slash_chord_is_its_bass():
    line = walking_bass(sheet_of("C/E | D7/C | C"), 1)
    assert [note.pitch % 12 for note in line if note.start in (0, 48)] == [4, 0]


def test_the_bass_rests_where_there_is_no_chord():
    line = walking_bass(sheet_of("C | N.C. | N.C. C | F"), 1)
    assert {note.start // 12 for note in line} & set(range(4, 10)) == set()


def test_a_chord_off_the_beat_cuts_it():
    chord, other = parse_chord("C"), parse_chord("F")
    sheet = LeadSheet((), (Change(0, chord), Change(42, other)), bars_of(None, None))
    line = walking_bass(sheet, 1)
    assert [(note.start, note.duration) for note in line] == [(0, 12), (12, 12), (24, 12), (36, 6), (42, 6), (48, 48)]
    assert line[4].pitch % 12 == 5


def test_another_seed_walks_otherwise_and_the_same_the_same():
    assert walking_bass(BLUES, 1) == walking_bass(BLUES, 1)
    assert len({tuple(note.pitch for note in walking_bass(BLUES, seed)) for seed in SEEDS}) > 5


@pytest.mark.parametrize(
    ("meter", "starts"),
    [
        (Meter(3, 4), [0, 12, 24]),
        (Meter(6, 8), [0, 18]),
        (Meter(5, 4), [0, 12, 24, 36, 48]),
        (Meter(7, 8), [0, 12, 24, 36]),
    ],
    ids=str,
)
def test_a_bass_note_falls_on_every_beat_of_any_meter(meter, starts):
    line = walking_bass(sheet_of("C | F", meter=meter), 1)
    assert [note.start for note in line if note.start < meter.ticks] == starts


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_piano_sounds_at_every_tick_of_a_chord(seed, alone):
    for sheet in (BLUES, random_sheet(seed)):
        part = comping(sheet, seed, alone)
        sounding = {tick for stroke in part for tick in range(stroke.start, stroke.start + stroke.duration)}
        wanted = {tick for span in chord_spans(sheet) for tick in range(span.start, span.end)}
        assert sounding == wanted


def test_the_piano_has_rhythms_but_not_the_same_in_every_bar():
    places = {stroke.start % 48 for stroke in comping(BLUES, 1, False)}
    assert {0, 18} <= places
    rhythms = {
        tuple(sorted({s.start % 48 for s in comping(BLUES, 1, False) if s.start // 48 == bar})) for bar in range(8)
    }
    assert len(rhythms) > 2


def test_the_piano_alone_plays_the_bass_below_its_voicing():
    with_bass, without = comping(BLUES, 1, True), comping(BLUES, 1, False)
    assert {s.start for s in with_bass} == {s.start for s in without}
    assert [s.pitch for s in with_bass if s.pitch < 48][:2] == [46, 46] or with_bass[0].pitch == 46


def test_the_drums_of_a_bar_are_the_ride_pattern_with_hi_hat_on_two_and_four():
    part = swing_drums(sheet_of("C | C | C"), 1)
    first = [stroke for stroke in part if stroke.start < 48]
    assert strikes(first, RIDE) == [0, 12, 18, 24, 36, 42]
    assert strikes(first, PEDAL_HAT) == [12, 36]
    assert strikes(first, KICK) == [0, 24]
    assert set(strikes(part, CRASH)) == {96}
    assert [stroke.start for stroke in part if stroke.start >= 96] == [96, 96]


def test_the_drums_of_a_waltz():
    part = [stroke for stroke in swing_drums(sheet_of("C | C", meter=Meter(3, 4)), 1) if stroke.start < 36]
    assert strikes(part, RIDE) == [0, 12, 18, 24]
    assert strikes(part, PEDAL_HAT) == [12]


def test_the_drums_of_a_jig_ride_in_eighths():
    part = [stroke for stroke in swing_drums(sheet_of("C | C", meter=Meter(6, 8)), 1) if stroke.start < 36]
    assert strikes(part, RIDE) == [0, 12, 18, 30]
    assert strikes(part, PEDAL_HAT) == [18]


def test_the_drums_leave_a_pickup_alone():
    sheet = LeadSheet((), (Change(0, parse_chord("C")),), bars_of(12, None, None))
    assert min(stroke.start for stroke in swing_drums(sheet, 1)) == 12


def test_the_snare_speaks_now_and_then():
    long = sheet_of("|".join(["C"] * 65))
    assert 4 <= len(strikes(swing_drums(long, 1), SNARE)) <= 32
    assert len({tuple(strikes(swing_drums(long, seed), SNARE)) for seed in SEEDS}) == len(SEEDS)


def test_no_drum_overlaps_itself():
    for seed in range(30):
        ends = {}
        for stroke in swing_drums(random_sheet(seed), seed):
            assert ends.get(stroke.pitch, 0) <= stroke.start
            ends[stroke.pitch] = stroke.start + stroke.duration


@pytest.mark.parametrize(
    ("backing", "names"),
    [("trio", ["Melody", "Chords", "Bass", "Drums"]), ("chords", ["Melody", "Chords"]), ("none", ["Melody"])],
)
def test_who_plays(backing, names):
    parts = parts_of(BLUES, WriteOptions(backing=backing, instrument="Muted Trumpet"))
    assert [part.name for part in parts] == names
    assert len({part.channel for part in parts}) == len(parts)
    assert parts[0].program == 59


def test_a_tune_without_chords_is_not_accompanied():
    for changes in ((), (Change(0, None),)):
        assert [part.name for part in parts_of(LeadSheet((), changes, bars_of(None)), WriteOptions())] == ["Melody"]


def test_spans_end_where_the_next_chord_or_the_tune_does():
    chord = parse_chord("C")
    changes = (Change(6, chord), Change(12, None), Change(24, chord), Change(90, chord))
    sheet = LeadSheet((), changes, bars_of(None))
    assert chord_spans(sheet) == [ChordSpan(6, 12, chord), ChordSpan(24, 48, chord)]


@pytest.mark.parametrize(
    ("bar", "pickup", "beats"),
    [
        (Bar(48, 48), 0, [(48, 60), (60, 72), (72, 84), (84, 96)]),
        (Bar(0, 18), 30, [(0, 6), (6, 18)]),
        (Bar(0, 30), 0, [(0, 12), (12, 24), (24, 30)]),
        (Bar(0, 36, Meter(6, 8)), 0, [(0, 18), (18, 36)]),
        (Bar(0, 6, Meter(6, 8)), 30, [(0, 6)]),
    ],
)
def test_the_beats_of_a_bar(bar, pickup, beats):
    assert beats_of(bar, pickup) == beats


def test_chance_is_the_same_everywhere_and_a_longer_tune_begins_like_a_shorter_one():
    assert chances(BASS, 1, 6, 100).tolist() == [41, 73, 7, 76, 75, 61]
    assert chances(BASS, 1, 100, 100)[:6].tolist() == chances(BASS, 1, 6, 100).tolist()
    assert chances(DRUMS, 1, 6, 100).tolist() != chances(BASS, 1, 6, 100).tolist() != chances(BASS, 2, 6, 100).tolist()


@pytest.mark.parametrize(
    ("name", "program"), [("piano", 0), ("Tenor Sax", 66), ("alto_sax", 65), ("1", 0), ("128", 127)]
)
def test_instruments_by_name_and_number(name, program):
    assert program_of(name) == program


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tenor-sex", "did you mean tenor-sax"),
        ("0", "from 1 to 128"),
        ("129", "from 1 to 128"),
        ("??", "one of accordion, "),
    ],
)
def test_an_unknown_instrument_is_told_in_one_line(name, told):
    with pytest.raises(OptionError, match=told) as caught:
        program_of(name)
    assert str(caught.value).startswith(f"--instrument {name}: ")


def test_every_instrument_is_one_of_general_midi():
    assert all(0 <= program < 128 for program in PROGRAMS.values())
    assert list(PROGRAMS) == sorted(PROGRAMS)
