"""What music21 reads from a written file: notes, ties joined, as (start, end, pitch)."""

from __future__ import annotations

from fractions import Fraction

from music21 import chord, harmony, midi, note


def sounding(stream, unit):
    """The notes of a part in units of so many to a quarter; tied ones are one. Chord symbols are none."""
    found, held = [], {}
    for element in stream.flatten().notes:
        if isinstance(element, harmony.Harmony):
            continue
        start = Fraction(element.offset).limit_denominator(10_080) * unit
        end = start + Fraction(element.quarterLength).limit_denominator(10_080) * unit
        for one in element.notes if isinstance(element, chord.Chord) else [element]:
            if not isinstance(one, note.Note):
                continue  # a drum
            pitch, tie = one.pitch.midi, element.tie.type if element.tie else None
            if tie in ("stop", "continue"):
                begun, until = held.pop(pitch)
                assert until == start, f"{pitch} is tied over a gap at {start}"
            else:
                begun = start
            if tie in ("start", "continue"):
                held[pitch] = (begun, end)
            else:
                found.append((begun, end, pitch))
    assert held == {}, "a tie leads nowhere"
    return sorted(found)


def midi_parts(data):
    """Part name -> its notes in MIDI's 480 a quarter."""
    file = midi.MidiFile()
    file.readstr(data)
    score = midi.translate.midiFileToStream(file, quantizePost=False)
    return {part.partName: [tuple(round(n) for n in one) for one in sounding(part, 480)] for part in score.parts}


def bars(part):
    """(start, length) of the measures, in ticks of twelve a quarter."""
    measures = part.getElementsByClass("Measure")
    return [(Fraction(one.offset) * 12, Fraction(one.highestTime) * 12) for one in measures]
