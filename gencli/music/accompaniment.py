"""Chords heard in an accompaniment: one for each beat, by templates, changing where that explains more notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from gencli.music.changes import ascending
from gencli.music.chords import QUALITIES, Chord
from gencli.music.lead_sheet import TICKS, Bar, Change, Note
from gencli.music.skyline import Sounding

# What an accompaniment is taken for where nothing names its chords, the commonest first: of equals the first wins.
COMMON = {  # and what each loses for being rarer: passing notes must not make a sixth or a seventh of every triad
    **{"maj": 0.0, "7": 0.1, "m": 0.0, "m7": 0.15, "maj7": 0.25, "6": 0.3, "m6": 0.3, "m7b5": 0.15, "dim7": 0.15},
    **{"dim": 0.1, "sus4": 0.25, "7sus4": 0.25, "aug": 0.2, "m(maj7)": 0.4},
}
MELODY = 0.3  # how much the melody counts beside its accompaniment
MISSING = 0.15  # what a chord loses for each of its tones that is not heard
BASS = 0.3  # what it gains for its root in the bass
CHANGE = {"bar": 0.25, "half": 0.35, "beat": 0.6}  # what a change costs there
LEGATO = 0.5  # share of the chords of a track that last until the next one, where a rest is meant
LEAST_TONES = 3  # pitch classes; with fewer there is no harmony to hear


def chord_of_notes(pitches: Iterable[int]) -> Chord | None:
    """The chord that notes struck together spell, by the quality that lacks and adds least; None without notes.

    The lowest note is the root wherever some quality allows it: C E G A is C6, not Am7/C.
    """
    struck = sorted(pitches)
    return _spelt(frozenset(pitch % 12 for pitch in struck), struck[0] % 12) if struck else None


@lru_cache(4096)
def _spelt(heard: frozenset[int], bass: int) -> Chord:
    """The chord of pitch classes over a bass."""
    roots, needed, welcome, sizes = _spellings()
    sounding = np.zeros(12)
    sounding[list(heard)] = 1
    silent = 1 - sounding
    foreign = 1 - needed - welcome
    strange = 3 * (needed @ silent) + 0.5 * (welcome @ silent) + 3 * (foreign @ sounding) + 1.5 * (roots != bass)
    best = int(np.argmin(np.where(sounding[roots] > 0, strange + 0.01 * sizes, np.inf)))
    root, quality = divmod(best, len(QUALITIES))
    return Chord(root, list(QUALITIES)[quality], None if root == bass else bass)


@cache
def _spellings() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """For each root and quality, R of them: the root (R,), the tones that must sound and those that may be left out
    of a voicing (R, 12): fifths, and what lies below the highest extension; how many there are in all (R,).
    """
    needed = np.zeros((12, len(QUALITIES), 12))
    welcome = np.zeros_like(needed)
    for place, quality in enumerate(QUALITIES.values()):
        for tone, degree in zip(quality.pitch_classes, quality.degrees, strict=True):
            table = welcome if degree in ("5", "9", "11") else needed
            for root in range(12):
                table[root, place, (root + tone) % 12] = 1
    sizes = (needed + welcome).sum(2).ravel().astype(np.int64)
    roots = np.repeat(np.arange(12), len(QUALITIES))
    return roots, needed.reshape(-1, 12), welcome.reshape(-1, 12), sizes


def hear_chords(notes: Sequence[Sounding], melody: Sequence[Note], bars: Sequence[Bar]) -> tuple[Change, ...]:
    """The changes of an accompaniment below a melody, at beats; () where it has fewer than three different tones.

    A chord's score in a beat is the share of sound in it less the share outside; the sequence of chords that is best
    in all, changes being dearer within a bar, is found by dynamic programming.
    """
    if len({note.pitch % 12 for note in notes}) < LEAST_TONES:
        return ()
    starts, costs = _beats(bars)
    weights, basses = _heard(notes, starts)
    above, _ = _heard([Sounding(note.start, note.end, note.pitch) for note in melody], starts)
    sounding = weights.sum(1, keepdims=True) > 0
    weights += MELODY * above
    chords = [Chord(root, quality) for root in range(12) for quality in COMMON]
    tones = np.zeros((len(chords), 12))
    for row, chord in enumerate(chords):
        tones[row, list(chord.pitch_classes())] = 1
    roots = np.array([chord.root for chord in chords])
    shares = weights / np.where(sounding, weights.sum(1, keepdims=True), 1)
    unheard = (shares == 0).astype(np.float64) @ tones.T
    rarity = np.array([COMMON[chord.quality] for chord in chords])
    scores = 2 * shares @ tones.T - 1 - MISSING * unheard - rarity + BASS * (basses[:, None] == roots)
    scores = np.where(sounding, scores, 0)
    chosen = _best_path(scores, costs)
    first = int(np.argmax(sounding[:, 0]))  # nothing is known before the first sound
    changes = [Change(int(starts[beat]), chords[chosen[beat]]) for beat in range(first, len(chosen))]
    return ascending(changes)


def chords_struck(notes: Sequence[Sounding], end: int) -> tuple[Change, ...]:
    """The changes of a track that strikes each chord whole, up to tick `end`.

    Where most chords last until the next, silence means no chord; where they are short, a bar of it does.
    """
    groups = [(start, list(group)) for start, group in groupby(sorted(notes), key=lambda note: note.start)]
    ends = [max(note.end for note in group) for _, group in groups]
    gaps = [start - over for over, start in zip(ends, [*(start for start, _ in groups[1:]), end], strict=False)]
    least = 1 if sum(gap < 1 for gap in gaps[:-1]) >= LEGATO * (len(gaps) - 1) else 4 * TICKS
    changes: list[Change] = []
    for (start, group), over, gap in zip(groups, ends, gaps, strict=True):
        changes.append(Change(start, chord_of_notes(note.pitch for note in group)))
        if gap >= least:
            changes.append(Change(over, None))
    return ascending(changes)


def _beats(bars: Sequence[Bar]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where beats begin, and where the last one ends (N + 1,); what a change costs at each (N,)."""
    starts: list[int] = []
    costs: list[float] = []
    for bar in bars:
        compound = bar.meter.unit == 8 and bar.meter.beats % 3 == 0
        beat = 3 * TICKS // 2 if compound else max(TICKS, 4 * TICKS // bar.meter.unit)
        for offset in range(0, bar.length, beat):
            half = 2 * offset == bar.meter.ticks
            starts.append(bar.start + offset)
            costs.append(CHANGE["bar" if offset == 0 else "half" if half else "beat"])
    starts.append(bars[-1].start + bars[-1].length)
    return np.array(starts), np.array(costs)


def _heard(notes: Sequence[Sounding], starts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How long each pitch class sounds in each beat (N, 12), and the lowest note's pitch class (N,), or -1."""
    lengths = np.diff(starts)
    weights = np.zeros((len(lengths), 12))
    lowest = np.full(len(lengths), 128)
    for note in notes:
        first = max(0, int(np.searchsorted(starts, note.start, "right")) - 1)
        end = min(len(lengths), int(np.searchsorted(starts, note.end, "left")))
        if first >= end:
            continue
        weights[first:end, note.pitch % 12] += lengths[first:end]
        weights[first, note.pitch % 12] -= note.start - starts[first]
        weights[end - 1, note.pitch % 12] -= max(0, starts[end] - note.end)
        np.minimum(lowest[first:end], note.pitch, out=lowest[first:end])
    return weights, np.where(lowest < 128, lowest % 12, -1)


def _best_path(scores: NDArray[np.float64], costs: NDArray[np.float64]) -> list[int]:
    """The sequence of columns of (N, C) scores whose sum, less a cost for each change, is highest."""
    total = scores[0].copy()
    back = np.zeros(scores.shape, np.int64)
    columns = np.arange(scores.shape[1])
    for beat in range(1, len(scores)):
        best = int(np.argmax(total))
        changing = total[best] - costs[beat] > total
        back[beat] = np.where(changing, best, columns)
        total = np.where(changing, total[best] - costs[beat], total) + scores[beat]
    path = [int(np.argmax(total))]
    for beat in range(len(scores) - 1, 0, -1):
        path.append(int(back[beat, path[-1]]))
    return path[::-1]
