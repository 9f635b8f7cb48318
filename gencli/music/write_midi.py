"""Standard MIDI files: type 1, 480 ticks a quarter, a track of tempo and meters, then one track a part.

The events are laid out here and turned into bytes by music21. Its stream exporter is not used: that writes elements
without length, such as chord symbols, note-off before note-on, so that they hang.
"""

from __future__ import annotations

from collections.abc import Iterable

from music21 import midi

from gencli.music.backing import Part, parts_of
from gencli.music.chords import chord_name
from gencli.music.lead_sheet import TICKS, Bar, LeadSheet, Meter
from gencli.music.performance import PULSES, Clock, is_compound, play
from gencli.music.spelling import Key, key_of
from gencli.music.write_options import WriteOptions, swing_text

# (pulse, rank, event): at one pulse facts come first, then ends, then beginnings
Timed = tuple[int, int, midi.MidiEvent]
FACT, END, BEGINNING = 0, 1, 2
MICROSECONDS = 60_000_000  # a minute
WHOLE = 4 * TICKS
SHORTEST_UNIT = 64  # time signatures go no finer
MOST_BEATS = 255


def tune_bytes(sheet: LeadSheet, options: WriteOptions) -> bytes:
    """The lead sheet as a MIDI file; the same bytes for the same arguments.

    The melody is on channel 1, chords, bass and drums on 2, 3 and 10. A pickup is filled up with rest. Chord symbols
    stand as markers in the track of the chords, or in the first where there is none.
    """
    clock = Clock(sheet.bars, options.swing_of(sheet))
    end = (clock.lead_in + sheet.length) * PULSES // TICKS
    parts = parts_of(sheet, options)
    symbols = _symbols(sheet, clock, key_of(sheet))
    labelled = next((part for part in parts if part.name == "Chords"), None)
    conductor = _conductor(sheet, options) + ([] if labelled else symbols)
    file = midi.MidiFile()
    file.ticksPerQuarterNote = PULSES
    file.tracks = [_track(0, conductor, end)]
    for number, part in enumerate(parts, 1):
        events = _part_events(part, clock) + (symbols if part is labelled else [])
        file.tracks.append(_track(number, events, end))
    written: bytes = file.writestr()
    return written


def seconds_of(sheet: LeadSheet, options: WriteOptions) -> float:
    """How long the file plays."""
    return (Clock(sheet.bars, 1.0).lead_in + sheet.length) * 60.0 / (TICKS * options.tempo_of(sheet))


def _track(number: int, events: Iterable[Timed], end: int) -> midi.MidiTrack:
    """A track: its events in order, each after its delta time, closed at `end`."""
    track = midi.MidiTrack(number)
    now = 0
    closing = (end, BEGINNING + 1, _meta(midi.MetaEvents.END_OF_TRACK, b""))
    for pulse, _, event in sorted([*events, closing], key=lambda timed: timed[:2]):
        track.events += [midi.DeltaTime(track, time=pulse - now), event]
        now = pulse
    track.updateEvents()
    return track


def _meta(kind: midi.MetaEvents, data: bytes) -> midi.MidiEvent:
    """An event that does not sound."""
    event = midi.MidiEvent(type=kind)
    event.data = data
    return event


def _message(kind: midi.ChannelVoiceMessages, channel: int, first: int, second: int | None = None) -> midi.MidiEvent:
    """An event of a channel, with its one or two values."""
    event = midi.MidiEvent(type=kind, channel=channel)
    event.parameter1, event.parameter2 = first, second
    return event


def _name(text: str) -> bytes:
    """A text in one line, as files carry it."""
    return " ".join(text.split()).encode()


def _conductor(sheet: LeadSheet, options: WriteOptions) -> list[Timed]:
    """Title, tempo, key, swing and the meters."""
    swing = options.swing_of(sheet)
    facts = [
        _meta(midi.MetaEvents.SEQUENCE_TRACK_NAME, _name(sheet.title or "Lead sheet")),
        _meta(midi.MetaEvents.SET_TEMPO, round(MICROSECONDS / options.tempo_of(sheet)).to_bytes(3, "big")),
        _meta(midi.MetaEvents.KEY_SIGNATURE, _key_bytes(key_of(sheet))),
    ]
    if swing > 1:
        facts.append(_meta(midi.MetaEvents.TEXT_EVENT, swing_text(swing).encode()))
    return [(0, FACT, fact) for fact in facts] + _meters(sheet.bars)


def _key_bytes(key: Key) -> bytes:
    """Sharps (flats below 0) and mode."""
    return key.fifths.to_bytes(1, "big", signed=True) + bytes([key.minor])


def _meters(bars: tuple[Bar, ...]) -> list[Timed]:
    """A time signature wherever the bars change their length or their meter."""
    found: list[Timed] = []
    current = None
    lead_in = Clock(bars, 1.0).lead_in
    for number, bar in enumerate(bars):
        meter = bar.meter if number == 0 and lead_in else fitting_meter(bar)
        if meter != current:
            pulse = (bar.start + (lead_in if number else 0)) * PULSES // TICKS
            clicks = 36 if is_compound(bar) else 24  # MIDI clocks, 24 a quarter, of a metronome's beat
            data = bytes([meter.beats, meter.unit.bit_length() - 1, clicks, 8])
            found.append((pulse, FACT, _meta(midi.MetaEvents.TIME_SIGNATURE, data)))
            current = meter
    return found or [(0, FACT, _meta(midi.MetaEvents.TIME_SIGNATURE, bytes([4, 2, 24, 8])))]


def fitting_meter(bar: Bar) -> Meter:
    """The meter that a bar fills: its own, or that of an irregular bar's length; its own too where none fits."""
    unit = bar.meter.unit
    while bar.length != bar.meter.ticks and unit <= SHORTEST_UNIT:
        beats, rest = divmod(bar.length * unit, WHOLE)
        if rest == 0 and 0 < beats <= MOST_BEATS:
            return Meter(beats, unit)
        unit *= 2
    return bar.meter


def _symbols(sheet: LeadSheet, clock: Clock, key: Key) -> list[Timed]:
    """The chord symbols as markers, played when their chords are."""
    onsets = [change.start for change in sheet.changes]
    names = [chord_name(change.chord, sharps=key.fifths > 0).encode() for change in sheet.changes]
    pulses = clock.pulses(onsets, onsets)
    return [(pulse, FACT, _meta(midi.MetaEvents.MARKER, name)) for pulse, name in zip(pulses, names, strict=True)]


def _part_events(part: Part, clock: Clock) -> list[Timed]:
    """A part's name, sound and notes. Ends come before beginnings, so that a note may follow itself."""
    voice = midi.ChannelVoiceMessages
    events: list[Timed] = [
        (0, FACT, _meta(midi.MetaEvents.SEQUENCE_TRACK_NAME, _name(part.name))),
        (0, FACT, _message(voice.PROGRAM_CHANGE, part.channel, part.program)),
    ]
    for note in play(part.strokes, clock):
        events.append((note.start, BEGINNING, _message(voice.NOTE_ON, part.channel, note.pitch, note.velocity)))
        events.append((note.end, END, _message(voice.NOTE_OFF, part.channel, note.pitch, 0)))
    return events
