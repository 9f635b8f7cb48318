"""What a written MIDI file must be, read by mido, which shares no code with the writer."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from fractions import Fraction

import mido

from gencli.music.chords import QUALITIES, parse_chord

PROGRAMS = {"Melody": 66, "Chords": 0, "Bass": 32, "Drums": 0}
CHANNELS = {"Melody": 0, "Chords": 1, "Bass": 2, "Drums": 9}  # as mido counts, from 0


@dataclass
class Track:
    """A track as read: notes are (start, end, pitch), facts (tick, message)."""

    name: str = ""
    channels: set = field(default_factory=set)
    programs: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    facts: list = field(default_factory=list)
    end: int = 0


def read(data):
    """The tracks of a type 1 file of 480 ticks a quarter, in which every note ends and none overlaps itself."""
    file = mido.MidiFile(file=io.BytesIO(data), clip=False)
    assert (file.type, file.ticks_per_beat) == (1, 480)
    return [_track(messages) for messages in file.tracks]


def _track(messages):
    track, now, sounding, order = Track(messages.name), 0, {}, []
    for message in messages:
        now += message.time
        if message.type == "note_on" and message.velocity > 0:
            assert message.note not in sounding, f"{track.name}: {message.note} overlaps itself at {now}"
            sounding[message.note] = now
        elif message.type in ("note_off", "note_on"):
            start = sounding.pop(message.note)  # KeyError: an orphan
            assert start < now, f"{track.name}: no length at {now}"
            track.notes.append((start, now, message.note))
        elif message.type == "program_change":
            track.programs.append(message.program)
        elif message.is_meta:
            track.facts.append((now, message))
        order.append(message.type)
        if hasattr(message, "channel"):
            track.channels.add(message.channel)
    assert sounding == {}, f"{track.name}: notes hang"
    assert order[-1] == "end_of_track"
    assert order.count("end_of_track") == 1
    track.end = now
    track.notes.sort()
    return track


def facts(track, kind):
    """(tick, message) of the meta messages of a kind."""
    return [(tick, message) for tick, message in track.facts if message.type == kind]


def padding(sheet):
    """The ticks of rest before a pickup."""
    return max(sheet.bars[0].meter.ticks - sheet.bars[0].length, 0) if sheet.bars else 0


def played_ticks(sheet, swing, onsets):
    """A twin of the swing rule: a dictionary from every tick of the sheet to the pulse it is played at."""
    pad, table = padding(sheet), {}
    for number, bar in enumerate(sheet.bars):
        first, last = bar.start - (pad if number == 0 else 0), bar.start + bar.length
        for tick in range(bar.start, last + 1):
            table[tick] = 40 * (pad + tick)
        if bar.meter.unit not in (2, 4):
            continue
        for beat in range(first, last - 11, 12):
            starts = {tick - beat for tick in onsets if beat <= tick < beat + 12}
            if starts - {0, 6}:
                continue
            for place in range(1, 12):
                longer, shorter = 480 * swing / (1 + swing), 480 / (1 + swing)
                after = longer * place / 6 if place <= 6 else longer + shorter * (place - 6) / 6
                table[beat + place] = 40 * (pad + beat) + after
    return table


def check(data, sheet, options):
    """Checks that hold for every file; gives its tracks by name."""
    conductor, *parts = read(data)
    swing = options.swing if options.swing is not None else sheet.swing
    by_name = {track.name: track for track in parts}
    _check_heading(conductor, parts, options)
    _check_bars(conductor, parts, sheet)
    _check_melody(by_name["Melody"], sheet, swing)
    chords = any(change.chord for change in sheet.changes)
    wanted = {"trio": ["Chords", "Bass", "Drums"], "chords": ["Chords"], "none": []}[
        options.backing if chords else "none"
    ]
    assert list(by_name) == ["Melody", *wanted]
    labelled = by_name.get("Chords", conductor)
    assert labelled is conductor or facts(conductor, "marker") == []
    _check_symbols(labelled, sheet, swing)
    if "Chords" in by_name:
        _check_chords(by_name["Chords"], sheet, swing, options.backing == "chords")
    return by_name


def _check_heading(conductor, parts, options):
    for kind in ("set_tempo", "time_signature", "key_signature", "track_name"):
        assert facts(conductor, kind)[0][0] == 0, kind
    assert conductor.notes == []
    channels = [track.channels for track in parts]
    assert channels == [{CHANNELS[track.name]} for track in parts]
    programs = {**PROGRAMS, "Melody": {"tenor-sax": 66, "trumpet": 56}[options.instrument]}
    assert [track.programs for track in parts] == [[programs[track.name]] for track in parts]


def _check_bars(conductor, parts, sheet):
    """Bar lines counted out from the time signatures alone are the sheet's."""
    pad = padding(sheet)
    ends = [40 * (pad + bar.start + bar.length) for bar in sheet.bars]
    assert {track.end for track in [conductor, *parts]} == {ends[-1] if ends else 0}
    signatures = {tick: Fraction(4 * m.numerator, m.denominator) for tick, m in facts(conductor, "time_signature")}
    now, length, lines = 0, None, []
    while now < conductor.end:
        length = signatures.pop(now, length)
        now += int(480 * length)
        lines.append(now)
    assert lines == ends
    assert not signatures or not ends


def _check_melody(track, sheet, swing):
    table = played_ticks(sheet, swing, [note.start for note in sheet.notes])
    wanted = [(table[note.start], table[note.end], note.pitch) for note in sheet.notes]
    assert len(track.notes) == len(wanted)
    for got, want in zip(track.notes, wanted, strict=True):
        assert got[2] == want[2]
        assert max(abs(got[0] - want[0]), abs(got[1] - want[1])) <= 0.5 + 1e-9, (got, want)


def _check_symbols(track, sheet, swing):
    """The changes, read back from the markers; those off the beat swing like notes."""
    table = played_ticks(sheet, swing, [change.start for change in sheet.changes])
    read_back = [(tick, parse_chord(message.text)) for tick, message in facts(track, "marker")]
    assert [chord for _, chord in read_back] == [change.chord for change in sheet.changes]
    for (tick, _), change in zip(read_back, sheet.changes, strict=True):
        assert abs(tick - table[change.start]) <= 0.5 + 1e-9


def _check_chords(track, sheet, swing, alone):
    """Tones of the chord sound at every tick of it, all that are essential to it, and nothing sounds in N.C."""
    pulses = [tick for tick, _ in facts(track, "marker")] + [track.end]
    for change, start, end in zip(sheet.changes, pulses, pulses[1:], strict=False):
        inside = [note for note in track.notes if note[0] < end and note[1] > start]
        if change.chord is None:
            assert inside == [], change
            continue
        edges = sorted({max(note[0], start) for note in inside} | {start})
        for edge in edges:
            pitches = sorted(note[2] for note in inside if note[0] <= edge < note[1])
            classes = {pitch % 12 for pitch in pitches}
            tones = {(change.chord.root + tone) % 12 for tone in QUALITIES[change.chord.quality].essential}
            assert tones <= classes <= set(change.chord.pitch_classes()), (change, edge, pitches)
            if alone:
                assert pitches[0] % 12 == (change.chord.root if change.chord.bass is None else change.chord.bass)
    first = pulses[0]
    assert all(note[0] >= first for note in track.notes)
