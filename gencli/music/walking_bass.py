"""The bass walks: a note a beat, of all lines the one that the rules below charge least for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gencli.music.chances import BASS, chances
from gencli.music.cheapest_path import FORBIDDEN, Costs, cheapest_path
from gencli.music.chord_spans import ChordSpan, beats_of, chord_spans
from gencli.music.chords import Chord
from gencli.music.lead_sheet import LeadSheet
from gencli.music.performance import Stroke, lead_in
from gencli.music.voicing import bass_of

# The rules. A line pays for each of its notes and each of its steps; where two cost the same, chance decides.
LOWEST, HIGHEST = 28, 52  # E1, a bass's lowest string, ... E3
DEEPEST, CROWN = 31, 46  # outside G1 ... Bb2 each semitone costs 1
FIFTH, THIRD, OTHER = 2, 3, 6  # at a bar line within a chord: what other chord tones cost more than the bass note
STRONG_SCALE, WEAK_SCALE, FOREIGN = 8, 2, 30  # notes of the chord-scale on strong and weak beats, notes of neither
APPROACH = 3  # any note of neither just before a new chord
STEPS = {0: 14, 1: 0, 2: 0, 3: 2, 4: 3, 5: 4, 6: 8, 7: 4, 8: 9, 9: 9, 10: 11, 11: 14, 12: 7}  # semitones -> cost
ARRIVALS = {0: 14, 1: 0, 2: 1, 5: 4, 7: 4}  # the same into a new chord's bass note
FAR = 20  # steps and arrivals not named above
TURN, LEAP = 3, 5  # a change of direction costs, but for leaps of so many semitones
WHIM = 4  # chance adds 0 ... 3 to each note
LOUD, SOFT = 80, 72

PITCHES = np.arange(LOWEST, HIGHEST + 1)
WAYS = 2  # a state is a pitch and whether it was reached from below (0) or from above (1): 2 * place + way


@dataclass(frozen=True)
class Beat:
    """One note to choose."""

    start: int
    end: int
    chord: Chord
    new_chord: bool  # the chord begins here
    new_bar: bool
    strong: bool  # an even beat of the bar, counted from 0
    leads_on: bool  # the next beat begins another chord


def walking_bass(sheet: LeadSheet, seed: int) -> list[Stroke]:
    """The bass's part, in order of time: the bass note where a chord begins, and where the tune ends, held."""
    beats = _beats(sheet)
    whims = chances(BASS, seed, len(beats) * len(PITCHES), WHIM).reshape(len(beats), len(PITCHES))
    costs = [np.repeat(_note_costs(beat) + whim, WAYS) for beat, whim in zip(beats, whims, strict=True)]
    moves = [_ARRIVALS if beat.new_chord else _STEPS for beat in beats[1:]]
    pitches = [int(PITCHES[state // WAYS]) for state in cheapest_path(costs, moves)]
    return [
        Stroke(beat.start, beat.end - beat.start, pitch, LOUD if beat.strong else SOFT)
        for beat, pitch in zip(beats, pitches, strict=True)
    ]


def _beats(sheet: LeadSheet) -> list[Beat]:
    """The beats at which a chord sounds, cut where chords change off the beat; the last bar's are held together."""
    pickup = lead_in(sheet.bars)
    places: list[tuple[int, int, int]] = []  # start, end, number in the bar
    for number, bar in enumerate(sheet.bars):
        whole = [(bar.start, bar.start + bar.length)]
        last = number == len(sheet.bars) - 1
        beats = whole if last else beats_of(bar, pickup if number == 0 else 0)
        places += [(start, end, place) for place, (start, end) in enumerate(beats)]
    found: list[tuple[ChordSpan, int, int, int]] = []
    spans = iter([*chord_spans(sheet)])
    span = next(spans, None)
    for start, end, place in places:
        while span is not None and span.start < end:
            found.append((span, max(start, span.start), min(end, span.end), place))
            if span.end > end:
                break
            span = next(spans, None)
    last_of = {id(span): index for index, (span, *_) in enumerate(found)}
    bar_starts = {bar.start for bar in sheet.bars}
    return [
        Beat(
            start=start,
            end=end,
            chord=span.chord,
            new_chord=start == span.start,
            new_bar=start in bar_starts,
            strong=place % 2 == 0,
            leads_on=last_of[id(span)] == index and index + 1 < len(found),
        )
        for index, (span, start, end, place) in enumerate(found)
    ]


def _note_costs(beat: Beat) -> Costs:
    """What each of PITCHES costs at a beat."""
    bass, tones, scale = bass_of(beat.chord), beat.chord.pitch_classes(), beat.chord.scale()
    by_class = np.full(12, FOREIGN, np.int64)
    by_class[list(scale)] = STRONG_SCALE if beat.strong else WEAK_SCALE
    by_class[list(tones)] = 0
    if beat.new_chord:
        by_class[:] = FORBIDDEN
    elif beat.new_bar:
        by_class[list(tones)] = OTHER
        for above, cost in ((3, THIRD), (4, THIRD), (7, FIFTH)):
            if (bass + above) % 12 in tones:
                by_class[(bass + above) % 12] = cost
    elif beat.leads_on:
        by_class = np.minimum(by_class, APPROACH)
    if beat.new_chord or beat.new_bar:
        by_class[bass] = 0
    outside = np.maximum(DEEPEST - PITCHES, 0) + np.maximum(PITCHES - CROWN, 0)
    costs: Costs = by_class[PITCHES % 12] + outside
    return costs


def _move_costs(prices: dict[int, int]) -> Costs:
    """What it costs to go from each state to each other."""
    count = len(PITCHES) * WAYS
    costs = np.full((count, count), FORBIDDEN, np.int64)
    for before in range(count):
        for after in range(count):
            distance = after // WAYS - before // WAYS
            if after % WAYS != (1 if distance < 0 else 0):
                continue  # not the way it was reached
            turned = before % WAYS != after % WAYS and abs(distance) < LEAP
            costs[before, after] = prices.get(abs(distance), FAR) + (TURN if turned else 0)
    return costs


_STEPS, _ARRIVALS = _move_costs(STEPS), _move_costs(ARRIVALS)
