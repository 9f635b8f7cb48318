"""Lead sheets to write: made by hand from a line of changes, or pseudo-random ones of every kind."""

from __future__ import annotations

import random

from gencli.music.chords import QUALITIES, Chord, parse_chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note

COMMON = Meter(4, 4)
METERS = ("4/4", "4/4", "3/4", "6/8", "5/4", "2/2", "7/8", "12/8", "9/8", "2/4", "3/8")
# What a rhythm is made of: eighths and longer; beats of sixteenths, triplets and eighths; anything the grid allows.
STYLES = {
    "eighths": [(6,), (6, 6), (12,), (18, 6), (24,)],
    "beats": [(12,), (6, 6), (4, 4, 4), (8, 4), (3, 3, 6), (9, 3), (6, 2, 2, 2), (24,)],
    "anything": [(n,) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 24, 48, 61)],
}


def meter(text):
    """ "6/8" -> Meter(6, 8)"""
    return Meter(*map(int, text.split("/")))


def bars_of(*lengths, meter=COMMON):
    """Bars of so many ticks each, None for a full one."""
    bars, start = [], 0
    for length in lengths:
        bars.append(Bar(start, meter.ticks if length is None else length, meter))
        start += bars[-1].length
    return tuple(bars)


def sheet_of(changes, notes=(), meter=COMMON, **facts):
    """A lead sheet of "Dm7 G7 | C6"; bars share their ticks equally. `notes` are (start, duration, pitch)."""
    bars = bars_of(*[None] * len(changes.split("|")), meter=meter)
    found = []
    for bar, text in zip(bars, changes.split("|"), strict=True):
        symbols = text.split()
        for number, symbol in enumerate(symbols):
            found.append(Change(bar.start + number * bar.length // len(symbols), parse_chord(symbol)))
    return LeadSheet(tuple(Note(*note) for note in notes), tuple(found), bars, **facts)


def random_sheet(seed):
    """A pseudo-random lead sheet: meters and their changes, pickups, short bars, all chords, N.C., slashes, swings."""
    rng = random.Random(seed)
    bars, start, current = [], 0, meter(rng.choice(METERS))
    for number in range(rng.choice((1, 2, 4, 8, 12, 16, 32))):
        if number and rng.random() < 0.1:
            current = meter(rng.choice(METERS))
        length = current.ticks
        if number == 0 and rng.random() < 0.4:
            length = rng.choice([n for n in (3, 6, 12, 18, 24, 30, 36) if n < length])
        elif number and rng.random() < 0.04:
            length = rng.choice((12, 18, 24, 30))
        bars.append(Bar(start, length, current))
        start += length
    return LeadSheet(
        tuple(_notes(rng, start)),
        tuple(_changes(rng, bars)),
        tuple(bars),
        title=f"Tune {seed}",
        tempo=rng.choice((None, 66.0, 90.0, 133.3, 240.0)),
        key=rng.choice((None, "C", "Bb", "Eb", "F#m", "A", "Dm", "Gb", "E", "Cb", "C#")),
        swing=rng.choice((1.0, 1.5, 2.0, 1.59)),
    )


def _notes(rng, end):
    """A melody up to tick `end`, with rests, repeated notes and notes across bar lines."""
    figures, place, pitch = STYLES[rng.choice(list(STYLES))], 0, 65
    while place < end:
        for duration in rng.choice(figures):
            duration = min(duration, end - place)
            if duration > 0 and rng.random() < 0.85:
                yield Note(place, duration, pitch)
                pitch = min(88, max(50, pitch + rng.randint(-4, 4)))
            place += max(duration, 0)


def _changes(rng, bars):
    """None, one or two changes a bar, sometimes at an odd place."""
    common = ["m7", "7", "maj7", "7alt", "6/9", "m7b5", "m", "maj"]
    for bar in bars:
        kind = rng.random()
        places = [0] if kind < 0.6 or bar.length < 24 else [0, bar.length // 12 * 6]
        places = [] if kind < 0.12 else [rng.randrange(bar.length)] if kind > 0.95 else places
        for place in places:
            root, bass = rng.randrange(12), rng.choice((None, None, None, rng.randrange(12)))
            quality = rng.choice(common if rng.random() < 0.7 else list(QUALITIES))
            chord = Chord(root, quality, None if bass == root else bass)
            yield Change(bar.start + place, None if rng.random() < 0.08 else chord)
