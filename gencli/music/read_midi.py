"""MIDI files to lead sheets: the melody's track, its chords, the grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby

from gencli.errors import CorpusError, OptionError
from gencli.music.abc_fields import LONGEST_BAR
from gencli.music.accompaniment import chords_struck, hear_chords
from gencli.music.changes import ascending
from gencli.music.chords import Chord, parse_chord
from gencli.music.keys import believed_tempo
from gencli.music.lead_sheet import TICKS, Bar, Change, LeadSheet, Meter
from gencli.music.measures import HIDDEN, OFF_GRID, to_ticks
from gencli.music.melody_track import DRUMS, Part, choose_part
from gencli.music.midi_file import DRUM_CHANNEL, MidiTrack, MidiTune, parse_midi
from gencli.music.notices import Notices
from gencli.music.parts import HEARD
from gencli.music.quantise import Beats, Grid, find_grid
from gencli.music.repeats import check_bars
from gencli.music.skyline import Sounding, skyline
from gencli.music.swing_mark import marked_swing

CHORD_TRACK = re.compile(r"chords?|changes|harmony|comping|akkorde|accords|acordes", re.IGNORECASE)
SYMBOL = re.compile(r"[A-G][^\s]*|N\.?C\.?")
TEXTS = {"MARKER": (1, 0.6), "TEXT_EVENT": (2, 0.6), "LYRIC": (2, 0.9)}  # chords, if so many and so many a text are
MOST_SILENCE = 8 * 4 * TICKS  # at the end; longer, and a sequencer's window was saved
MOVED = 0.25  # ticks; a note that moves by more is counted


def read_midi(data: bytes, track: str | None = None) -> LeadSheet:
    """The lead sheet of a MIDI file; CorpusError where it is damaged, has no notes, or not the track.

    The changes are those of texts that are chord symbols, else of a track named Chords that strikes them whole, else
    what all but the melody sounds like. Drums are not heard.
    """
    tune = parse_midi(data)
    notices = Notices()
    pitched = [t for t in tune.tracks if t.notes and t.channel != DRUM_CHANNEL and not DRUMS.search(t.name)]
    if not pitched:
        raise CorpusError("no notes in it but drums" if any(t.notes for t in tune.tracks) else "no notes in it")
    rough = Grid(tune.division, Beats(_bars(tune, _end(tune))))
    chosen = choose_part([Part(_name(t), _sounding(t, rough)) for t in pitched], track)
    melody = pitched[chosen]
    grid = find_grid([start for start, _, _ in melody.notes], tune.division, _bars(tune, _end(tune)), _marked(tune))
    notes, hidden = skyline(_sounding(melody, grid))
    if len(pitched) > 1:
        notices.name("melody taken from track", _name(melody))
    notices.count(HIDDEN, len(hidden))
    notices.count(OFF_GRID, _moved(melody, grid))
    notices.count("note(s) never released", tune.hanging)
    if grid.swing != 1:
        notices.name("swing straightened", f"{grid.swing:.3g}:1")
    others = [t for place, t in enumerate(pitched) if place != chosen]
    backing = [note for t in others for note in _sounding(t, grid)]
    end = max([notes[-1].end, *(note.end for note in backing)])
    silence = to_ticks(Fraction(tune.end, tune.division)) - end
    end += silence if 0 < silence <= MOST_SILENCE else 0
    bars = _bars(tune, end)
    changes = _written(tune, grid, end) or _struck(others, grid, end)
    if not changes:
        changes = hear_chords([*backing, *hidden], notes, bars)
        if changes:
            notices.name(HEARD, ", ".join(dict.fromkeys(_name(t) for t in others)) or _name(melody))
    tempo = believed_tempo(tune.tempo)
    return LeadSheet(tuple(notes), changes, bars, tune.title, tempo, tune.key, grid.swing, notices=notices.texts())


def _end(tune: MidiTune) -> int:
    """The tick by which the last note is over, and a little more."""
    return max(end for t in tune.tracks for _, end, _ in t.notes) * TICKS // tune.division + 2 * TICKS


def _marked(tune: MidiTune) -> float | None:
    """The swing that a text asks for."""
    return next((swing for _, text in tune.texts["TEXT_EVENT"] if (swing := marked_swing(text))), None)


def _name(track: MidiTrack) -> str:
    """A track's name, or its channel where it has none."""
    return track.name or f"channel {track.channel}"


def _sounding(track: MidiTrack, grid: Grid) -> list[Sounding]:
    """A track's notes in ticks."""
    return [Sounding(grid.tick(start), grid.tick(end), pitch) for start, end, pitch in track.notes]


def _moved(track: MidiTrack, grid: Grid) -> int:
    """How many notes begin elsewhere than they were played, swing apart."""
    if grid.swing != 1:
        return 0
    places = ((start * TICKS / grid.division, grid.tick(start)) for start, _, _ in track.notes)
    return sum(abs(place - tick) > MOVED for place, tick in places)


def _bars(tune: MidiTune, end: int) -> tuple[Bar, ...]:
    """Bars from tick 0 on until tick `end`; a new meter begins a new bar."""
    meters: list[tuple[int, Meter]] = [(0, Meter())]
    for time, beats, unit in sorted(tune.meters):
        start = to_ticks(Fraction(time, tune.division))
        if not 0 < beats * 4 <= LONGEST_BAR * unit:
            continue
        if meters[-1][0] == start:
            meters.pop()
        meters.append((start, Meter(beats, unit)))
    bars: list[Bar] = []
    limits = [start for start, _ in meters[1:] if start < end]
    for (start, meter), limit in zip(meters, [*limits, None], strict=False):
        last = end if limit is None else limit
        check_bars((last - start) // meter.ticks)
        for begin in range(start, last, meter.ticks):
            bars.append(Bar(begin, meter.ticks if limit is None else min(meter.ticks, limit - begin), meter))
        check_bars(len(bars))
    return tuple(bars)


def _written(tune: MidiTune, grid: Grid, end: int) -> tuple[Change, ...]:
    """The changes that are written as texts."""
    for kind, (least, share) in TEXTS.items():
        texts = [(time, text) for time, text in tune.texts.get(kind, []) if text]
        found = [(time, chord) for time, text in texts for chord in _symbol(text)]
        different = "".join(dict.fromkeys(text for _, text in texts))
        form = "ABCDEFG".startswith(different)  # letters as they come are the sections of a form
        if len(found) >= least and not form and len(found) >= share * len(texts):
            return ascending(Change(tick, chord) for time, chord in found if (tick := grid.tick(time)) < end)
    return ()


def _symbol(text: str) -> list[Chord | None]:
    """The chord of a text, if it is one."""
    try:
        return [parse_chord(text)] if SYMBOL.fullmatch(text) else []
    except OptionError:
        return []


def _struck(tracks: Sequence[MidiTrack], grid: Grid, end: int) -> tuple[Change, ...]:
    """The changes of a track named Chords, if it mostly strikes three notes and more at once."""
    for track in tracks:
        if CHORD_TRACK.fullmatch(track.name.strip()):
            notes = _sounding(track, grid)
            sizes = [len(list(group)) for _, group in groupby(sorted(note.start for note in notes))]
            if 2 * sum(size >= 3 for size in sizes) >= len(sizes):
                return chords_struck(notes, end)
    return ()
