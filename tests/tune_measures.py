"""What can be counted of a melody over changes: the figures by which solos are compared. See `measures`."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from itertools import combinations, groupby, pairwise
from math import log2

SLOTS = 64  # of a bar, in which a groove has its onsets
PHRASE = 3  # steps that what was copied has at least: any two notes around a long rest stand somewhere
GATES = {  # the 5th and 95th percentile of 431 solos of the Weimar Jazz Database
    "H1": (1.41, 2.55),
    "H4": (2.45, 3.27),
    "groove": (0.69, 1.0),
    "notes a bar": (3.7, 12.4),
    "empty bars": (0.0, 0.17),
    "in chord": (0.45, 0.65),
}


def measures(sheet, learned=()):
    """Every figure of a sheet by name; `copied` is in bars, against `learned`, what `steps_of` gave of other tunes."""
    return {
        "H1": entropy(sheet, 1),
        "H4": entropy(sheet, 4),
        "groove": groove(sheet),
        "notes a bar": len(sheet.notes) / len(sheet.bars),
        "empty bars": sum(not notes for notes in by_bar(sheet)) / len(sheet.bars),
        "in chord": in_chord(sheet, sheet.changes),
        "chance": sum(in_chord(sheet, shuffled) for shuffled in rotations(sheet.changes)) / 11,
        "small leaps": sum(abs(b.pitch - a.pitch) <= 12 for a, b in pairwise(sheet.notes)) / (len(sheet.notes) - 1),
        "same pitch": max(len(list(run)) for _, run in groupby(note.pitch for note in sheet.notes)),
        "same bar": same_bars(sheet),
        "copied": longest_copy(sheet, learned) / sheet.bars[0].meter.ticks,
        "settled": float(is_settled(sheet)),
    }


def by_bar(sheet):
    """The notes that begin in each bar."""
    starts = [bar.start for bar in sheet.bars]
    found = [[] for _ in starts]
    for note in sheet.notes:
        found[bisect_right(starts, note.start) - 1].append(note)
    return found


def entropy(sheet, bars):
    """H_n: bits of the pitch classes of every n bars in a row that have notes, on average."""
    notes, found = by_bar(sheet), []
    for first in range(len(notes) - bars + 1):
        classes = Counter(note.pitch % 12 for bar in notes[first : first + bars] for note in bar)
        total = classes.total()
        if total:
            found.append(-sum(count / total * log2(count / total) for count in classes.values()))
    return sum(found) / len(found)


def groove(sheet):
    """GS: 1 less the share of slots in which one of two bars alone has an onset, on average over all pairs."""
    slots = []
    for bar, notes in zip(sheet.bars, by_bar(sheet), strict=True):
        slots.append({(note.start - bar.start) * SLOTS // bar.length for note in notes})
    found = [1 - len(one ^ other) / SLOTS for one, other in combinations(slots, 2)]
    return sum(found) / len(found)


def in_chord(sheet, changes):
    """The share of notes whose pitch class the chord has that sounds when they begin."""
    starts = [change.start for change in changes]
    hits = total = 0
    for note in sheet.notes:
        place = bisect_right(starts, note.start) - 1
        if place >= 0 and changes[place].chord is not None:
            total += 1
            hits += note.pitch % 12 in changes[place].chord.pitch_classes()
    return hits / total if total else 0.0


def rotations(changes):
    """The same times with the chords of eleven other places of the tune: spread evenly, then one after the other."""
    chords = [change.chord for change in changes]
    for turn in range(1, 12):
        step = max(1, turn * len(chords) // 12)
        yield [replace(change, chord=chords[(n + step) % len(chords)]) for n, change in enumerate(changes)]


def same_bars(sheet):
    """How many bars in a row hold the same notes at most; bars without one count nothing."""
    found = []
    for bar, notes in zip(sheet.bars, by_bar(sheet), strict=True):
        found.append(tuple((note.start - bar.start, note.duration, note.pitch) for note in notes))
    return max((len(list(run)) for bar, run in groupby(found) if bar), default=0)


def steps_of(sheet):
    """A melody without its key: the interval to each next note, and the ticks from onset to onset."""
    return [(b.pitch - a.pitch, b.start - a.start) for a, b in pairwise(sheet.notes)]


def longest_copy(sheet, learned):
    """The ticks of the longest run of PHRASE steps or more that stands in one of the `learned` lists of steps too."""
    own = steps_of(sheet)
    longest = 0
    for other in learned:
        runs = {}  # place of the step that a run ends with -> (steps, ticks)
        places = {}
        for place, step in enumerate(other):
            places.setdefault(step, []).append(place)
        for step in own:
            before = [(place, runs.get(place - 1, (0, 0))) for place in places.get(step, ())]
            runs = {place: (steps + 1, ticks + step[1]) for place, (steps, ticks) in before}
            longest = max([longest, *(ticks for steps, ticks in runs.values() if steps >= PHRASE)])
    return longest


def is_settled(sheet):
    """Whether the last note lasts a beat or more and belongs to the chord, if any, that sounds when it ends."""
    last = sheet.notes[-1]
    sounding = [change.chord for change in sheet.changes if change.start < last.end]
    chord = sounding[-1] if sounding else None
    return last.duration >= 12 and (chord is None or last.pitch % 12 in chord.pitch_classes())
