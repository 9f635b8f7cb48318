"""Lead sheets for tests of music: drawn by hypothesis, and in the plain form that the reference reads."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from gencli.music.chords import QUALITIES, Chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.tokens import KEYS, SWINGS, TEMPOS, chord_tokens, header_tokens

METERS = [Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(2, 2), Meter(5, 4), Meter(12, 8), Meter(4, 2)]
LABELS = ["", "jazz", "Irish reels", "?", "50 %", "\u00e9t\u00e9_1"]


@st.composite
def chords(draw):
    """A chord, or none."""
    root = draw(st.integers(0, 11))
    bass = draw(st.sampled_from([None, *(pitch for pitch in range(12) if pitch != root)]))
    chord = Chord(root, draw(st.sampled_from(sorted(QUALITIES))), bass)
    return draw(st.sampled_from([chord, chord, chord, None]))


@st.composite
def bars(draw, most=6):
    """Adjoining bars: mixed meters, pickups, bars of any other length."""
    found, start = [], 0
    meter = draw(st.sampled_from(METERS))
    for _ in range(draw(st.integers(1, most))):
        meter = draw(st.sampled_from([meter, meter, *METERS]))
        length = draw(st.sampled_from([meter.ticks] * 3 + [draw(st.integers(1, 150))]))
        found.append(Bar(start, length, meter))
        start += length
    return tuple(found)


@st.composite
def sheets(draw, lowest=0, highest=127):
    """Any lead sheet whose tempo, swing and key are of the classes that have tokens."""
    laid = draw(bars())
    end = laid[-1].start + laid[-1].length
    cuts = sorted(draw(st.sets(st.integers(0, end), max_size=24)))
    notes = tuple(
        Note(a, b - a, draw(st.integers(lowest, highest))) for a, b in pairwise(cuts) if draw(st.integers(0, 4))
    )
    starts = sorted(draw(st.sets(st.integers(0, end - 1), max_size=5)))
    return LeadSheet(
        notes=notes,
        changes=tuple(Change(start, draw(chords())) for start in starts),
        bars=laid,
        tempo=draw(st.sampled_from([None, *map(float, TEMPOS)])),
        key=draw(st.sampled_from([None, *KEYS])),
        swing=draw(st.sampled_from(SWINGS)),
        label=draw(st.sampled_from(LABELS)),
    )


def plain(sheet):
    """A sheet as tests/reference/music_tokens.py knows tunes."""
    return {
        "header": header_tokens(sheet, sheet.bars[0].meter),
        "bars": [(bar.length, str(bar.meter)) for bar in sheet.bars],
        "notes": [(note.start, note.duration, note.pitch) for note in sheet.notes],
        "changes": [(change.start, chord_tokens(change.chord)) for change in sheet.changes],
    }
