"""The parts of a performance: the melody, and the trio or the piano that accompanies it."""

from __future__ import annotations

from dataclasses import dataclass

from gencli.music.comping import comping
from gencli.music.instruments import PROGRAMS, program_of
from gencli.music.lead_sheet import LeadSheet
from gencli.music.performance import Stroke, melody_strokes
from gencli.music.swing_drums import swing_drums
from gencli.music.walking_bass import walking_bass
from gencli.music.write_options import WriteOptions

DRUM_CHANNEL = 10  # channels count from 1; General MIDI gives the tenth to drums


@dataclass(frozen=True)
class Part:
    """One player's part: a track of its own, on a channel of its own."""

    name: str
    channel: int  # 1 ... 16
    program: int  # 0 ... 127
    strokes: list[Stroke]  # in order of time


def parts_of(sheet: LeadSheet, options: WriteOptions) -> list[Part]:
    """The melody, then what `options.backing` names. A tune without any chord is not accompanied."""
    parts = [Part("Melody", 1, program_of(options.instrument), melody_strokes(sheet.notes))]
    if options.backing == "none" or not any(change.chord for change in sheet.changes):
        return parts
    alone = options.backing == "chords"
    parts.append(Part("Chords", 2, PROGRAMS["piano"], comping(sheet, options.seed, alone)))
    if not alone:
        parts.append(Part("Bass", 3, PROGRAMS["acoustic-bass"], walking_bass(sheet, options.seed)))
        parts.append(Part("Drums", DRUM_CHANNEL, 0, swing_drums(sheet, options.seed)))
    return parts
