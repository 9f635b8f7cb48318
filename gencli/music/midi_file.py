"""The bytes of a MIDI file to notes, texts, meters and tempo, in its own ticks; through music21's low-level reader."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gencli.errors import CorpusError
from gencli.music.keys import key_name

LARGEST = 2**20  # bytes: music21 takes time with the square of a track's length
MOST_TRACKS = 256
DRUM_CHANNEL = 10
HIGHEST_PITCH = 127


@dataclass
class MidiTrack:
    """The notes of one channel of one track: (start, end, pitch) in ticks of the file."""

    name: str
    channel: int
    notes: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class MidiTune:
    """What a MIDI file says; times are in ticks of the file, `division` of them to a quarter."""

    division: int
    tracks: list[MidiTrack] = field(default_factory=list)
    texts: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))  # kind -> (time, text)
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # time, beats, unit
    tempo: float | None = None  # quarters a minute, the first that is told
    key: str | None = None
    title: str = ""
    hanging: int = 0  # notes that were never released
    end: int = 0  # when the last track ends


def parse_midi(data: bytes) -> MidiTune:
    """The tune in a file's bytes; CorpusError where it is no whole MIDI file with ticks to the quarter."""
    division = _check_chunks(data)
    from music21 import midi

    file = midi.MidiFile()
    try:
        file.readstr(data)
    except Exception as error:  # its errors share no base class
        raise CorpusError(f"a damaged MIDI file ({type(error).__name__}); save it again") from error
    tune = MidiTune(division)
    for track in file.tracks:
        _read_track(tune, track)
    return tune


def _check_chunks(data: bytes) -> int:
    """The ticks of a quarter, if head and chunks of a MIDI file are as long as they say; CorpusError otherwise."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise CorpusError("not a MIDI file; its first letters are not MThd")
    if len(data) > LARGEST:
        raise CorpusError(f"larger than {LARGEST // 2**20} MiB; export the melody and its chords alone")
    kind, count, division = (int.from_bytes(data[place : place + 2]) for place in (8, 10, 12))
    if kind > 1:
        raise CorpusError(f"a MIDI file of type {kind}; save it as type 0 or 1")
    if division >= 0x8000 or division == 0:
        raise CorpusError("its time is in seconds, not in parts of a quarter; save it with ticks per quarter")
    place, chunks = 14, 0
    while chunks < count:
        length = int.from_bytes(data[place + 4 : place + 8])
        if len(data) < place + 8 or len(data) < place + 8 + length:
            raise CorpusError(f"cut off: it ends in track {chunks + 1} of {count}; copy it again")
        if data[place : place + 4] != b"MTrk":
            raise CorpusError(f"damaged: no track {chunks + 1} of {count} at byte {place}; save it again")
        place, chunks = place + 8 + length, chunks + 1
        if chunks > MOST_TRACKS:
            raise CorpusError(f"more than {MOST_TRACKS} tracks; export the melody and its chords alone")
    return division


def _events(track: Any) -> Iterator[tuple[int, Any]]:
    """The events of a track with their times."""
    time = 0
    for event in track.events:
        if event.isDeltaTime():
            time += event.time
        else:
            yield time, event


def _read_track(tune: MidiTune, track: Any) -> None:
    """Add what a track holds."""
    by_channel: dict[int, MidiTrack] = {}
    open_notes: dict[tuple[int, int], deque[int]] = defaultdict(deque)  # channel and pitch -> starts
    name, time = "", 0
    for time, event in _events(track):
        kind = event.type.name if event.type is not None else ""
        if kind in ("NOTE_ON", "NOTE_OFF") and event.pitch <= HIGHEST_PITCH:
            starts = open_notes[event.channel, event.pitch]
            if kind == "NOTE_ON" and event.velocity:
                starts.append(time)
                by_channel.setdefault(event.channel, MidiTrack("", event.channel))
            elif starts:  # the one that began first ends first
                by_channel[event.channel].notes.append((starts.popleft(), time, event.pitch))
        elif kind == "SEQUENCE_TRACK_NAME":
            name = name or _text(event.data)
        else:
            _read_meta(tune, kind, time, event.data)
    tune.end = max(tune.end, time)
    for (channel, pitch), starts in open_notes.items():
        if starts:
            by_channel[channel].notes += [(start, time, pitch) for start in starts]
            tune.hanging += len(starts)
    if name and not tune.title and not tune.tracks:
        tune.title = name
    for channel in sorted(by_channel):
        by_channel[channel].name = name
        tune.tracks.append(by_channel[channel])


def _read_meta(tune: MidiTune, kind: str, time: int, data: Any) -> None:
    """Note tempo, meter, key or text."""
    if not isinstance(data, bytes):
        return
    if kind == "SET_TEMPO" and len(data) == 3 and tune.tempo is None and int.from_bytes(data):
        tune.tempo = round(60_000_000 / int.from_bytes(data), 3)
    elif kind == "TIME_SIGNATURE" and len(data) >= 2 and data[1] <= 4:
        tune.meters.append((time, data[0], 2 ** data[1]))
    elif kind == "KEY_SIGNATURE" and len(data) == 2 and tune.key is None:
        tune.key = key_name(int.from_bytes(data[:1], signed=True), bool(data[1]))
    elif kind in ("TEXT_EVENT", "LYRIC", "MARKER"):
        tune.texts[kind].append((time, _text(data)))


def _text(data: bytes) -> str:
    """Text of a MIDI event, whatever its encoding."""
    try:
        return data.decode("utf-8").strip("\0 \n")[:200]
    except UnicodeDecodeError:
        return data.decode("latin-1").strip("\0 \n")[:200]
