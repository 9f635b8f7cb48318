"""MIDI to lead sheets: real solos against mido, and everything that sequencers and players do."""

from __future__ import annotations

import io
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import mido
import pytest

from gencli.errors import CorpusError
from gencli.music.accompaniment import chord_of_notes
from gencli.music.read_abc import read_abc
from gencli.music.read_midi import read_midi
from tests.hostile_tunes import midi
from tests.sheet_checks import check_sheet, lengths, played, symbols

SOLOS = Path(__file__).parents[2] / "shared" / "data" / "wjazzd"
needs_solos = pytest.mark.skipif(
    not SOLOS.exists(), reason=f"{SOLOS} is not there: it belongs to the project, not to the package"
)


def file_of(*tracks, division=480, kind=1, channels=None, facts=()):
    """A MIDI file written by mido: tracks are (name, notes), notes (start, end, pitch) in file ticks.

    `facts` are (time, message) in a track of their own, before the others.
    """
    file = mido.MidiFile(type=kind, ticks_per_beat=division)
    if facts:
        file.tracks.append(_track(facts))
    for number, (name, notes) in enumerate(tracks):
        channel = channels[number] if channels else number
        events = [(0, mido.MetaMessage("track_name", name=name))] if name else []
        for start, end, pitch in notes:
            events.append((start, mido.Message("note_on", note=pitch, velocity=80, channel=channel)))
            events.append((end, mido.Message("note_off", note=pitch, channel=channel)))
        file.tracks.append(_track(events))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _track(events):
    """Events at times, ends before beginnings, as a track."""
    track, now = mido.MidiTrack(), 0
    for time, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        track.append(message.copy(time=time - now))
        now = time
    return track


def line(*pitches, length=480, gap=0):
    """Notes one after the other."""
    return [(n * (length + gap), n * (length + gap) + length, pitch) for n, pitch in enumerate(pitches)]


def read(*tracks, track=None, **options):
    """The sheet of a file, checked."""
    sheet = read_midi(file_of(*tracks, **options), track)
    check_sheet(sheet)
    return sheet


def parsed(data):
    """What mido finds: notes (start, end, pitch) of each named track in ticks of 12 a quarter, tempo, end."""
    file = mido.MidiFile(file=io.BytesIO(data))
    unit = Fraction(12, file.ticks_per_beat)
    found, tempo = defaultdict(list), None
    for track in file.tracks:
        now, sounding = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                assert message.note not in sounding
                sounding[message.note] = now
            elif message.type in ("note_on", "note_off"):
                found[track.name].append((sounding.pop(message.note) * unit, now * unit, message.note))
            elif message.type == "set_tempo":
                tempo = mido.tempo2bpm(message.tempo)
            elif message.type == "time_signature":
                assert (message.numerator, message.denominator) == (4, 4)
    return {name: sorted(notes) for name, notes in found.items()}, tempo


@needs_solos
def test_every_solo_equals_mido_and_its_abc():
    paths = sorted(SOLOS.glob("*.mid"))
    assert len(paths) == 256
    for path in paths:
        data = path.read_bytes()
        tracks, tempo = parsed(data)
        sheet = read_midi(data)
        check_sheet(sheet)
        assert [(note.start, note.end, note.pitch) for note in sheet.notes] == tracks["Solo"], path.name
        assert sheet.tempo == pytest.approx(tempo, rel=1e-5)
        assert sheet.swing == 1, path.name
        end = max(note[1] for notes in tracks.values() for note in notes)
        assert lengths(sheet) == [48] * -(-end // 48), path.name
        groups = defaultdict(list)
        for start, _, pitch in tracks.get("Chords", []):
            groups[start].append(pitch)
        sounding = None
        at = {change.start: change.chord for change in sheet.changes}
        for tick in sorted(groups.keys() | at.keys()):
            sounding = at.get(tick, sounding)
            if tick in groups:
                assert sounding.root == min(groups[tick]) % 12, path.name
                assert sounding == chord_of_notes(groups[tick]), path.name
                assert {pitch % 12 for pitch in groups[tick]} <= {*sounding.pitch_classes()}, path.name
        (written,), _ = read_abc(path.with_suffix(".abc").read_text(encoding="utf-8"))
        assert [(n.start, n.pitch) for n in sheet.notes] == [(n.start, n.pitch) for n in written.notes], path.name
        assert roots(sheet, end) == roots(written, end), path.name


def roots(sheet, end):
    """Where the root of the changes changes, up to a tick: the MIDI files end with their last sound."""
    found = []
    for change in sheet.changes:
        root = None if change.chord is None else change.chord.root
        if change.start < end and root != (found[-1][1] if found else None):
            found.append((change.start, root))
    return found


def test_a_plain_file():
    facts = [
        (0, mido.MetaMessage("track_name", name="My Tune")),
        (0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(100))),
        (0, mido.MetaMessage("key_signature", key="Bbm")),
        (0, mido.MetaMessage("time_signature", numerator=3, denominator=4)),
    ]
    sheet = read(("Melody", line(60, 62, 64, 65)), facts=facts)
    assert played(sheet) == [(0, 12, 60), (12, 12, 62), (24, 12, 64), (36, 12, 65)]
    assert lengths(sheet) == [36, 36]
    assert (sheet.title, sheet.tempo, sheet.key, sheet.swing) == ("My Tune", 100.0, "Bbm", 1)
    assert str(sheet.bars[0].meter) == "3/4"
    assert sheet.notices == ()


@pytest.mark.parametrize("division", [24, 96, 100, 120, 384, 480, 960, 10080])
def test_triplets_and_sixteenths_of_any_division(division):
    ticks = [0, 4, 8, 12, 15, 18, 21, 24, 30, 36, 48]
    times = [round(tick * division / 12) for tick in ticks]
    notes = [(start, end, 60 + n) for n, (start, end) in enumerate(pairwise(times))]
    assert [note.start for note in read(("Solo", notes), division=division).notes] == ticks[:-1]


def test_meters_change_where_they_are_told_to():
    facts = [
        (0, mido.MetaMessage("time_signature", numerator=4, denominator=4)),
        (1920, mido.MetaMessage("time_signature", numerator=6, denominator=8)),
        (1920 + 1440 + 240, mido.MetaMessage("time_signature", numerator=2, denominator=4)),
    ]
    sheet = read(("Solo", line(*range(60, 72))), facts=facts)
    assert [(str(bar.meter), bar.length) for bar in sheet.bars] == [
        *(("4/4", 48), ("6/8", 36), ("6/8", 6), ("2/4", 24), ("2/4", 24), ("2/4", 24)),
    ]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("Piano", "Melody"), "Melody"),
        (("Bass", "Tenor Sax", "Strings"), "Tenor Sax"),
        (("Chords", "Solo"), "Solo"),
        (("Vocal line", "Lead guitar"), "Vocal line"),
        (("", ""), "channel 1"),
    ],
)
def test_the_melody_is_found_by_name_and_place(names, chosen):
    sheet = read(*((name, line(60 + n, 62 + n, 64 + n)) for n, name in enumerate(names)))
    assert f"melody taken from track: {chosen}" in sheet.notices


def test_the_melody_is_found_by_what_it_plays():
    chords = [(start, start + 960, pitch) for start in (0, 960) for pitch in (48, 52, 55)]
    bass = line(36, 43, 36, 43)
    sheet = read(("", bass), ("", chords), ("", line(72, 74, 76, 77, length=240, gap=240)))
    assert [note.pitch for note in sheet.notes] == [72, 74, 76, 77]


@pytest.mark.parametrize("track", ["2", "flute", "Flute one", "FLU"])
def test_the_user_names_the_track(track):
    tracks = (("Melody", line(60, 62)), ("Flute one", line(72, 74)))
    assert [note.pitch for note in read(*tracks, track=track).notes] == [72, 74]
    with pytest.raises(CorpusError, match="no track tuba with notes; choose --track from: 1 Melody, 2 Flute one"):
        read(*tracks, track="tuba")


def test_channels_of_one_track_are_apart_and_drums_are_not_heard():
    data = file_of(("Melody", line(60, 62)), ("Drums", line(36, 38)), ("Kit", line(40, 41)), channels=[0, 3, 9])
    sheet = read_midi(data)
    assert [note.pitch for note in sheet.notes] == [60, 62]
    assert sheet.changes == ()
    with pytest.raises(CorpusError, match="no notes in it but drums"):
        read(("Kit", line(36, 38)), channels=[9])
    file = mido.MidiFile(file=io.BytesIO(file_of(("a", line(72, 74)), ("b", line(48, 50)))))
    merged = mido.MidiFile(type=0, ticks_per_beat=480, tracks=[mido.merge_tracks(file.tracks)])
    buffer = io.BytesIO()
    merged.save(file=buffer)
    assert [note.pitch for note in read_midi(buffer.getvalue()).notes] == [72, 74]


def test_polyphony_becomes_the_skyline():
    notes = [
        (0, 960, 72),
        (0, 960, 64),
        (480, 960, 60),
        (960, 1500, 71),
        (1440, 1920, 74),
        (2400, 2880, 60),
    ]
    sheet = read(("Solo", notes))
    assert played(sheet) == [(0, 24, 72), (24, 12, 71), (36, 12, 74), (60, 12, 60)]
    assert "2 notes below the melody left out" in sheet.notices


def test_a_track_named_chords_gives_the_changes():
    chords = [(0, 1920, p) for p in (50, 53, 57, 60)] + [(1920, 2880, p) for p in (43, 59, 62, 65)]
    chords += [(3840, 5760, p) for p in (48, 52, 55)]
    sheet = read(("Solo", line(*range(60, 72))), ("Chords", chords))
    assert symbols(sheet) == "0 Dm7 48 G7 72 N.C. 96 C"


def test_symbols_in_texts_win():
    facts = [(0, mido.MetaMessage("marker", text="Dm7")), (960, mido.MetaMessage("marker", text="G7alt"))]
    facts += [(1920, mido.MetaMessage("marker", text="N.C.")), (1000, mido.MetaMessage("text", text="hello"))]
    chords = [(0, 1920, p) for p in (48, 52, 55)]
    sheet = read(("Solo", line(60, 62, 64, 65, 67)), ("Chords", chords), facts=facts)
    assert symbols(sheet) == "0 Dm7 24 G7alt 48 N.C."


def test_bare_letters_are_chords_unless_they_come_as_the_sections_of_a_form():
    facts = [(480 * n, mido.MetaMessage("marker", text=text)) for n, text in enumerate("CFGC")]
    assert symbols(read(("Solo", line(60, 62, 64, 65)), facts=facts)) == "0 C 12 F 24 G 36 C"


@pytest.mark.parametrize("texts", [("A", "B", "A", "C"), ("Verse", "Chorus"), ("La", "Dm7", "la", "lo")])
def test_other_texts_are_no_chords(texts):
    facts = [(480 * n, mido.MetaMessage("marker", text=text)) for n, text in enumerate(texts)]
    assert read(("Solo", line(60, 62, 64, 65)), facts=facts).changes == ()


def test_the_accompaniment_is_heard_where_nothing_names_chords():
    piano = [
        (1920 * bar + 480 * beat, 1920 * bar + 480 * beat + 240, pitch)
        for bar, tones in enumerate(((48, 52, 55), (45, 48, 52), (41, 45, 48), (43, 47, 53)))
        for beat in range(4)
        for pitch in tones
    ]
    sheet = read(("Melody", line(*[72] * 16)), ("Piano", piano))
    assert symbols(sheet) == "0 C 48 Am 96 F 144 G7"
    assert "chords matched from the accompaniment: Piano" in sheet.notices


def swung(late, pattern=(0, 6), beats=16, division=480, jitter=()):
    """Eighths whose second comes at `late` ticks; other places as they are."""
    places = [12 * beat + (late if tick == 6 else tick) for beat in range(beats) for tick in pattern]
    moved = [place + (jitter[n % len(jitter)] if jitter else 0) for n, place in enumerate(places)]
    times = [max(0, round(place * division / 12)) for place in moved]
    return [
        (start, end, 60 + n % 12)
        for n, (start, end) in enumerate(zip(times, [*times[1:], times[-1] + 60], strict=True))
    ]


@pytest.mark.parametrize(("late", "ratio"), [(7.2, 1.5), (8, 2.0), (6.6667, 1.25), (7.5, 1.67), (8.5714, 2.5)])
def test_swung_eighths_are_straightened(late, ratio):
    sheet = read(("Solo", swung(late)))
    assert sheet.swing == pytest.approx(ratio, abs=0.02)
    assert [note.start for note in sheet.notes] == [6 * n for n in range(32)]
    assert any(notice.startswith("swing straightened") for notice in sheet.notices)


def test_real_triplets_in_swing_stay():
    notes = swung(7.2, beats=12) + [
        (12 * 480 + start, 12 * 480 + end, p) for start, end, p in line(70, 71, 72, length=160)
    ]
    sheet = read(("Solo", notes))
    assert sheet.swing == 1.5
    assert [note.start for note in sheet.notes][-3:] == [144, 148, 152]


@pytest.mark.parametrize("pattern", [(0, 6), (0, 4, 8), (0, 3, 6, 9), (0, 9)])
def test_straight_music_is_not_swing(pattern):
    sheet = read(("Solo", swung(6, pattern)))
    assert sheet.swing == 1
    assert [note.start for note in sheet.notes] == [12 * beat + tick for beat in range(16) for tick in pattern]


def test_swing_needs_almost_all_offbeats():
    assert read(("Solo", swung(8, beats=12) + [(s + 5760, e + 5760, p) for s, e, p in swung(6, beats=4)])).swing == 1
    assert read(("Solo", swung(8, beats=4))).swing == 1


def test_a_written_swing_is_believed():
    facts = [(0, mido.MetaMessage("text", text="Swing 3:2"))]
    sheet = read(("Solo", swung(7.2, beats=2)), facts=facts)
    assert sheet.swing == 1.5
    assert [note.start for note in sheet.notes] == [0, 6, 12, 18]


def test_playing_by_hand_falls_on_sixteenths_or_triplets():
    jitter = (0.3, -0.35, 0.25, -0.2, 0.4)
    straight = read(("Solo", swung(6, (0, 3, 6, 9), jitter=jitter)))
    assert [note.start for note in straight.notes] == [3 * n for n in range(64)]
    triplets = read(("Solo", swung(6, (0, 4, 8), jitter=jitter)))
    assert [note.start for note in triplets.notes] == [4 * n for n in range(48)]
    assert read(("Solo", swung(7.5, jitter=jitter))).swing == pytest.approx(1.67, abs=0.25)


def test_silence_at_the_end_is_kept_if_it_is_short():
    def ending(time):
        return read(("Solo", line(60, 62)), facts=[(time, mido.MetaMessage("text", text="end"))])

    assert lengths(ending(1920 * 3)) == [48, 48, 48]
    assert lengths(ending(1920 * 300)) == [48]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"RIFF1234", "not a MIDI file; its first letters are not MThd"),
        (midi(b"\0\x90\x3c\x40\x60\x80\x3c\0", division=0xE250), "its time is in seconds"),
        (midi(b"\0\x90\x3c\x40\x60\x80\x3c\0", kind=2), "a MIDI file of type 2; save it as type 0 or 1"),
        (midi(b"\0\x90\x3c\x40\x60\x80\x3c\0")[:-6], "cut off: it ends in track 1 of 1; copy it again"),
        (midi(b"\0\x90\x3c\x40\x60\x80\x3c\0", count=3), "cut off: it ends in track 2 of 3"),
        (midi(b""), "no notes in it"),
        (midi(b"\0\x90\x3c\x40" + b"\xff\xff\xff\x7f\x80\x3c\0"), "more than 4,096 bars"),
        (b"MThd" + bytes(2**20), "larger than 1 MiB"),
    ],
)
def test_what_cannot_be_read_is_told(data, message):
    with pytest.raises(CorpusError, match=message):
        read_midi(data)


def test_notes_that_hang_end_with_their_track():
    sheet = read_midi(midi(b"\0\x90\x3c\x40\x83\x60\x90\x3e\x40\x83\x60\x80\x3c\0\x83\x60\xff\x01\x01x"))
    check_sheet(sheet)
    assert played(sheet) == [(0, 12, 60), (12, 24, 62)]
    assert sheet.notices == ("1 note never released",)
