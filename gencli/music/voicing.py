"""Chords as a pianist's hands play them: four or five voices in the middle register that move as little as they can."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from gencli.music.cheapest_path import Costs, cheapest_path
from gencli.music.chords import QUALITIES, Chord

LOWEST, HIGHEST = 50, 74  # D3 ... D5: below it chords turn to mud, above it they cover the melody
CENTRE = 60  # where the middle of a voicing is drawn to
VOICES = 4  # more where the chord has more to say
MUDDY, NARROW = 55, 3  # below this pitch the lowest two voices keep at least so many semitones apart
CLASH = 6  # what a semitone between the two highest voices costs: it hides the top
BASS_NOTE = 36  # C2: a pianist without bassist plays the bass in the octave from here on

Voicing = tuple[int, ...]  # ascending MIDI pitches


def voiced_pitch_classes(chord: Chord) -> tuple[int, ...]:
    """The pitch classes of a voicing: the chord's essential tones, then its others, fifth before root, up to four.

    So every third, seventh and altered tone sounds, and the root, which the bass has, goes first.
    """
    quality = QUALITIES[chord.quality]
    rest = sorted((tone for tone in quality.pitch_classes if tone not in quality.essential), reverse=True)
    tones = list(quality.essential) + rest
    kept = tones[: max(VOICES, len(quality.essential))]
    return tuple((chord.root + tone) % 12 for tone in kept)


@lru_cache(1024)
def voicings_of(chord: Chord) -> tuple[Voicing, ...]:
    """Every close and every drop-two position of the chord in the register, lowest first; never none.

    A chord of two or three pitch classes doubles the lowest at the octave.
    """
    classes = sorted(set(voiced_pitch_classes(chord)))
    found: set[Voicing] = set()
    for lowest in range(LOWEST, HIGHEST):
        if lowest % 12 not in classes:
            continue
        above = sorted((pitch_class - lowest) % 12 for pitch_class in classes)
        if len(above) < VOICES:
            above.append(12)
        close = [lowest + step for step in above]
        found.add(tuple(close))
        if len(close) >= VOICES:  # the second voice from the top an octave lower
            found.add(tuple(sorted([*close[:-2], close[-2] - 12, close[-1]])))
    legal = [voicing for voicing in found if _sounds_well(voicing)]
    return tuple(sorted(legal or [voicing for voicing in found if voicing[0] >= LOWEST - 12]))


def _sounds_well(voicing: Voicing) -> bool:
    """Whether a voicing lies in the register and its low voices are not crowded."""
    in_register = voicing[0] >= LOWEST and voicing[-1] <= HIGHEST
    return in_register and not (voicing[0] < MUDDY and voicing[1] - voicing[0] < NARROW)


def movement(before: Voicing, after: Voicing) -> int:
    """How far the voices travel: each to the nearest of the other voicing, both ways; 0 for the same voicing."""
    forth = sum(min(abs(pitch - other) for other in after) for pitch in before)
    back = sum(min(abs(pitch - other) for other in before) for pitch in after)
    return forth + back + abs(before[-1] - after[-1])  # the top voice is heard as a melody: it counts once more


def _restlessness(voicing: Voicing) -> int:
    """What a voicing costs by itself: its distance from the centre, and a hidden top voice."""
    away = abs(sum(voicing) - CENTRE * len(voicing)) // len(voicing)
    return away + (CLASH if voicing[-1] - voicing[-2] == 1 else 0)


def lead_voices(chords: Sequence[Chord]) -> list[Voicing]:
    """A voicing for each chord of a progression: of all ways through it the one whose voices move least in all."""
    choices = [voicings_of(chord) for chord in chords]
    costs = [np.array([_restlessness(voicing) for voicing in some], np.int64) for some in choices]
    moves = [_moves(*pair) for pair in pairwise(chords)]
    path = cheapest_path(costs, moves)
    return [some[index] for some, index in zip(choices, path, strict=True)]


@lru_cache(4096)
def _moves(before: Chord, after: Chord) -> Costs:
    """The movement from each voicing of one chord to each of the next."""
    return np.array([[movement(one, two) for two in voicings_of(after)] for one in voicings_of(before)], np.int64)


def bass_of(chord: Chord) -> int:
    """The pitch class the bass plays: the bass of a slash chord, else the root."""
    return chord.root if chord.bass is None else chord.bass


def with_bass(chord: Chord, voicing: Voicing) -> Voicing:
    """The voicing over its bass note, for a pianist who plays alone."""
    return (BASS_NOTE + bass_of(chord) % 12, *voicing)
