"""The drums: the ride cymbal's pattern, the hi-hat on two and four, a feathered bass drum, now and then the snare."""

from __future__ import annotations

from gencli.music.chances import DRUMS, chances
from gencli.music.chord_spans import beats_of
from gencli.music.lead_sheet import TICKS, Bar, LeadSheet
from gencli.music.performance import Stroke, is_compound, lead_in

KICK, SNARE, PEDAL_HAT, CRASH, RIDE = 36, 38, 44, 49, 51  # General MIDI's keys
LENGTH = TICKS // 4  # ticks that a stroke lasts in the file; drums ring as long as they like
RIDE_STRONG, RIDE_WEAK, RIDE_SKIP, HAT, FEATHER, GHOST, END = 60, 68, 52, 58, 32, 36, 76  # loudness
CHANCES = 8  # two of them let the snare speak in a bar, after its second beat or after its fourth


def swing_drums(sheet: LeadSheet, seed: int) -> list[Stroke]:
    """The drums' part, in order of time. A pickup is left to the melody; the last bar is a crash on its first beat."""
    bars = sheet.bars[1:] if lead_in(sheet.bars) else sheet.bars
    part: list[Stroke] = []
    for bar, chance in zip(bars[:-1], chances(DRUMS, seed, len(bars), CHANCES)[:-1], strict=True):
        part += _bar(bar, int(chance))
    if bars:
        part += [_stroke(bars[-1].start, KICK, END), _stroke(bars[-1].start, CRASH, END)]
    return part


def _stroke(start: int, key: int, velocity: int) -> Stroke:
    """One stroke."""
    return Stroke(start, LENGTH, key, velocity)


def _bar(bar: Bar, chance: int) -> list[Stroke]:
    """A bar: ride on every beat and after the weak ones, hi-hat on the weak beats, bass drum on the strong ones."""
    skip = 2 * TICKS // 2 if is_compound(bar) else TICKS // 2  # the ride's note between beats
    part: list[Stroke] = []
    for number, (start, end) in enumerate(beats_of(bar)):
        weak = number % 2 == 1
        part.append(_stroke(start, KICK, FEATHER) if not weak else _stroke(start, PEDAL_HAT, HAT))
        part.append(_stroke(start, RIDE, RIDE_WEAK if weak else RIDE_STRONG))
        if (weak or is_compound(bar)) and start + skip + LENGTH <= end:
            if weak and number == 2 * chance + 1:
                part.append(_stroke(start + skip, SNARE, GHOST))
            part.append(_stroke(start + skip, RIDE, RIDE_SKIP))
    return part
