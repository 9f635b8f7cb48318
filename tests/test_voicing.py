"""Voicings say what the chord says, lie in a pianist's middle register, and move as little as they can."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from gencli.music.cheapest_path import cheapest_path
from gencli.music.chords import QUALITIES, Chord, parse_chord
from gencli.music.voicing import (
    HIGHEST,
    LOWEST,
    lead_voices,
    movement,
    voiced_pitch_classes,
    voicings_of,
    with_bass,
)

RHYTHM_CHANGES = "Bb6 G7 Cm7 F7 Dm7 G7b9 Cm7 F7 Fm7 Bb7 Ebmaj7 Ebm6 Dm7 G7alt Cm7 F13 Bb6/9"


def chords(text):
    """Symbols -> chords."""
    return [parse_chord(symbol) for symbol in text.split()]


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_voicing_of_every_chord_says_what_is_essential_and_nothing_foreign(quality):
    for root in range(12):
        chord = Chord(root, quality)
        tones = set(chord.pitch_classes())
        essential = {(root + tone) % 12 for tone in QUALITIES[quality].essential}
        assert len(voicings_of(chord)) >= 2
        for voicing in voicings_of(chord):
            assert essential <= {pitch % 12 for pitch in voicing} <= tones
            assert voicing[0] >= LOWEST
            assert voicing[-1] <= HIGHEST
            assert list(voicing) == sorted(set(voicing))
            assert 3 <= len(voicing) <= 6


@pytest.mark.parametrize(
    ("symbol", "classes"),
    [
        ("Dm7", {2, 5, 9, 0}),
        ("G7", {7, 11, 2, 5}),
        ("C", {0, 4, 7}),
        ("G9", {11, 2, 5, 9}),  # the root makes way, the bass has it
        ("G13", {11, 5, 9, 4}),  # and so does the fifth
        ("G7alt", {11, 5, 8, 10, 3}),
        ("C/E", {0, 4, 7}),
        ("C5", {0, 7}),
    ],
)
def test_roots_and_fifths_make_way_for_what_tells_more(symbol, classes):
    assert set(voiced_pitch_classes(parse_chord(symbol))) == classes


def test_the_two_five_one_moves_as_textbooks_show_it():
    first, second, third = lead_voices(chords("Dm7 G7 Cmaj7"))
    assert len(set(first) & set(second)) >= 2  # the common tones stay
    assert len(set(second) & set(third)) >= 2
    for before, after in ((first, second), (second, third)):
        assert all(min(abs(pitch - other) for other in before) <= 2 for pitch in after)


def test_no_voice_leaps_through_rhythm_changes():
    led = lead_voices(chords(RHYTHM_CHANGES))
    for before, after in pairwise(led):
        assert abs(after[-1] - before[-1]) <= 4, (before, after)
        assert max(min(abs(pitch - other) for other in before) for pitch in after) <= 4


def test_the_same_chord_keeps_its_voicing():
    assert len(set(lead_voices(chords("Cmaj7 Cmaj7 Cmaj7")))) == 1


def test_no_other_voicings_would_move_less():
    progression = chords("Dm7b5 G7alt Cm6 F7")

    def restless(voicing):
        away = abs(sum(voicing) - 60 * len(voicing)) // len(voicing)
        return away + (6 if voicing[-1] - voicing[-2] == 1 else 0)

    def cost(path):
        return sum(map(restless, path)) + sum(movement(*pair) for pair in pairwise(path))

    least = min(map(cost, product(*map(voicings_of, progression))))
    assert cost(lead_voices(progression)) == least


def test_movement_counts_every_voice_both_ways_and_the_top_once_more():
    assert movement((60, 64, 67), (60, 64, 67)) == 0
    assert movement((60, 64, 67), (60, 65, 69)) == (0 + 1 + 2) + (0 + 1 + 2) + 2
    assert movement((60, 64, 67, 70), (60, 64, 67)) == 3 + 0 + 3


@pytest.mark.parametrize(("symbol", "bass"), [("C", 36), ("Bb7", 46), ("C/E", 40), ("D7/C", 36)])
def test_a_lonely_pianist_plays_the_bass_too(symbol, bass):
    chord = parse_chord(symbol)
    assert with_bass(chord, (60, 64, 67)) == (bass, 60, 64, 67)


def test_the_cheapest_path_is_the_cheapest_of_all():
    rng = np.random.default_rng(1)
    for _ in range(20):
        sizes = rng.integers(1, 5, 5)
        costs = [rng.integers(0, 9, n) for n in sizes]
        moves = [rng.integers(0, 9, pair) for pair in pairwise(sizes)]

        def total(path, costs=costs, moves=moves):
            steps = zip(moves, pairwise(path), strict=True)
            return sum(c[i] for c, i in zip(costs, path, strict=True)) + sum(move[pair] for move, pair in steps)

        found = cheapest_path(costs, moves)
        assert total(found) == min(map(total, product(*map(range, sizes))))
    assert cheapest_path([], []) == []
