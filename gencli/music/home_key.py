"""The key a tune is in, where its file says none, or one that its notes and chords deny."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gencli.music.chord_spans import chord_spans
from gencli.music.lead_sheet import LeadSheet
from gencli.music.spelling import CHORD_SHARE, MAJOR, key_of, parse_key

BELIEVED: Final = 0.86  # share of the best signature's notes that a stated one must hold


def with_home_key(sheet: LeadSheet) -> LeadSheet:
    """The sheet in its own key where that is plausible, else in the one that fits best.

    Files without a key often say C: what notes and chords have in that signature is compared with the best one's.
    """
    best = key_of(replace(sheet, key=None))
    stated = parse_key(sheet.key)
    weights = _weights(sheet)
    if stated is not None and _inside(weights, stated.fifths) >= BELIEVED * _inside(weights, best.fifths):
        return sheet
    return replace(sheet, key=best.name)


def _weights(sheet: LeadSheet) -> list[float]:
    """How long each pitch class sounds, in chords a quarter as much as in the melody."""
    weights = [0.0] * 12
    for note in sheet.notes:
        weights[note.pitch % 12] += note.duration
    for span in chord_spans(sheet):
        for tone in span.chord.pitch_classes():
            weights[tone] += CHORD_SHARE * (span.end - span.start)
    return weights


def _inside(weights: list[float], fifths: int) -> float:
    """What lies within a signature."""
    return sum(weights[(7 * fifths + step) % 12] for step in MAJOR)
