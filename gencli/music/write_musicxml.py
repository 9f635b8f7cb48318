"""Lead sheets as MusicXML through music21: melody with ties and triplets, chord symbols, straight eighths.

Bytes depend on the sheet alone: what music21 makes up anew each time, ids and the date, is taken out.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import groupby
from typing import Final
from xml.etree import ElementTree

from music21 import (
    clef,
    duration,
    expressions,
    harmony,
    instrument,
    key,
    metadata,
    meter,
    note,
    pitch,
    stream,
    tempo,
    tie,
)
from music21.musicxml.m21ToXml import ScoreExporter

from gencli.music.chords import QUALITIES, Chord, chord_name
from gencli.music.instruments import program_of
from gencli.music.lead_sheet import TICKS, LeadSheet
from gencli.music.notation import Sign, WrittenBar, engrave
from gencli.music.spelling import Key, Spelling, key_of
from gencli.music.write_options import WriteOptions, swing_ratio

VALUES: Final = {  # half ticks of a printed value -> its name and dots
    3: ("32nd", 0),
    6: ("16th", 0),
    9: ("16th", 1),
    12: ("eighth", 0),
    18: ("eighth", 1),
    24: ("quarter", 0),
    36: ("quarter", 1),
    48: ("half", 0),
    72: ("half", 1),
    96: ("whole", 0),
    144: ("whole", 1),
}
LOW = 52  # a melody that lies lower on average is written in the bass clef
PART = "P1"
ROOT_AND_BASS = re.compile(r"([A-G][b#]?).*?(?:/([A-G][b#]?))?")


def tune_bytes(sheet: LeadSheet, options: WriteOptions) -> bytes:
    """The lead sheet as MusicXML; the same bytes for the same arguments. Of the options tempo, swing, instrument."""
    exporter = ScoreExporter(_score(sheet, options), makeNotation=False)
    root: ElementTree.Element = exporter.parse()
    _tidy(root, options.swing_of(sheet))
    ElementTree.indent(root)
    header: bytes = exporter.xmlHeader()
    return header + ElementTree.tostring(root, "unicode").encode() + b"\n"


def _score(sheet: LeadSheet, options: WriteOptions) -> stream.Score:
    """The sheet as music21 holds it, every sign in its final form."""
    written_key = key_of(sheet)
    bars = engrave(sheet)
    part = stream.Part(id=PART)
    part.partName = "Melody"
    part.insert(0, _player(options))
    first = 0 if bars and bars[0].pickup else 1  # a pickup is bar 0
    tied = False  # the sign before goes on in this one
    for number, written in enumerate(bars):
        measure = stream.Measure(number=first + number)
        if written.pickup:
            measure.paddingLeft = Fraction(written.pickup, TICKS)
            measure.showNumber = stream.enums.ShowNumber.NEVER
        if number == 0:
            _place_heading(measure, sheet, options, written_key)
        if number == 0 or written.bar.meter != bars[number - 1].bar.meter:
            measure.timeSignature = meter.TimeSignature(str(written.bar.meter))
        _place_symbols(measure, written, written_key)
        tied = _place_signs(measure, written, written_key, tied)
        part.insert(Fraction(written.bar.start, TICKS), measure)
    if bars:
        part.makeBeams(inPlace=True)
        measure.rightBarline = "final"
    score = stream.Score()
    score.metadata = metadata.Metadata(title=" ".join(sheet.title.split()) or "Lead sheet")
    score.insert(0, part)
    return score


def _player(options: WriteOptions) -> instrument.Instrument:
    """The instrument that a program reading the score plays the melody with."""
    player = instrument.Instrument("Melody")
    player.partId, player.instrumentId = PART, f"{PART}-I1"
    player.midiProgram, player.midiChannel = program_of(options.instrument), 0
    return player


def _place_heading(measure: stream.Measure, sheet: LeadSheet, options: WriteOptions, written_key: Key) -> None:
    """Clef, key, tempo and "Swing" at the beginning."""
    pitches = [note.pitch for note in sheet.notes]
    low = pitches and sum(pitches) < LOW * len(pitches)
    measure.clef = clef.BassClef() if low else clef.TrebleClef()
    mode = "minor" if written_key.minor else "major"
    measure.keySignature = key.KeySignature(written_key.fifths).asKey(mode)
    if options.swing_of(sheet) > 1:
        word = expressions.TextExpression("Swing")
        word.placement = "above"
        measure.insert(0, word)
    quarter = duration.Duration("quarter")
    mark = tempo.MetronomeMark(number=round(options.tempo_of(sheet), 2), referent=quarter)
    mark.placement = "above"
    measure.insert(0, mark)


def _place_symbols(measure: stream.Measure, written: WrittenBar, written_key: Key) -> None:
    """The bar's chord symbols."""
    for change in written.changes:
        measure.insert(Fraction(change.start - written.bar.start, TICKS), _symbol(change.chord, written_key))


def _place_signs(measure: stream.Measure, written: WrittenBar, written_key: Key, tied: bool) -> bool:
    """The bar's notes and rests. `tied`: a note goes on in the first of them; gives whether the last one goes on."""
    start = written.bar.start
    silent = all(sign.pitch is None for sign in written.signs) and written.bar.length == written.bar.meter.ticks
    if silent and all(change.start == start for change in written.changes):  # readers take such a rest for a full bar
        rest = note.Rest(quarterLength=Fraction(written.bar.length, TICKS))
        rest.fullMeasure = True
        measure.insert(0, rest)
        return False
    accidentals: dict[tuple[str, int], int] = {}  # in force, by letter and octave
    for sign, edge in zip(written.signs, _bracket_edges(written.signs), strict=True):
        if sign.spelling is None:
            made = note.Rest()
        else:
            made = note.Note(_pitch(sign.spelling, _is_shown(sign.spelling, accidentals, written_key, tied)))
            if sign.tied or tied:
                made.tie = tie.Tie("continue" if sign.tied and tied else "start" if sign.tied else "stop")
        made.duration = _duration(sign, edge)
        measure.insert(Fraction(sign.start - start, TICKS), made)
        tied = sign.tied
    return tied


def _is_shown(spelling: Spelling, accidentals: dict[tuple[str, int], int], written_key: Key, tied: bool) -> bool:
    """Whether an accidental is printed: it is not the one in force in this bar, and the note is no tied one's end."""
    place = (spelling.letter, spelling.octave)
    in_force = accidentals.get(place, written_key.alter(spelling.letter))
    if tied:
        return False
    accidentals[place] = spelling.alter
    return spelling.alter != in_force


def _pitch(spelling: Spelling, shown: bool) -> pitch.Pitch:
    """The pitch as music21 names it, with its accidental printed or not."""
    made = pitch.Pitch(step=spelling.letter, octave=spelling.octave)
    if spelling.alter or shown:
        made.accidental = pitch.Accidental(spelling.alter)
        made.accidental.displayStatus = shown
    return made


def _bracket_edges(signs: tuple[Sign, ...]) -> list[str | None]:
    """For each sign "start", "stop" or "startStop" where a triplet bracket begins or ends with it."""
    edges: list[str | None] = []
    for bracket, group in groupby(signs, key=lambda sign: sign.bracket):
        count = len(list(group))
        inner: list[str | None] = ["startStop"] if count == 1 else ["start", *[None] * (count - 2), "stop"]
        edges += [None] * count if bracket is None else inner
    return edges


def _duration(sign: Sign, edge: str | None) -> duration.Duration:
    """The printed value, in its triplet where it stands in one."""
    value, dots = VALUES[sign.written]
    made = duration.Duration(value, dots=dots)
    if sign.bracket is not None:
        triplet = duration.Tuplet(3, 2)
        triplet.type = edge
        made.appendTuplet(triplet)
    return made


def _symbol(chord: Chord | None, written_key: Key) -> harmony.ChordSymbol:
    """A chord symbol; what is printed of its quality is our own name for it, so that nothing is lost."""
    if chord is None:
        return harmony.NoChord()
    quality = QUALITIES[chord.quality]
    names = ROOT_AND_BASS.fullmatch(chord_name(chord, sharps=written_key.fifths > 0))
    assert names is not None  # chord_name writes nothing else
    made = harmony.ChordSymbol(
        root=names[1].replace("b", "-"),
        bass=names[2].replace("b", "-") if chord.bass is not None else None,
        kind=quality.kind,
        kindStr="" if chord.quality == "maj" else chord.quality,
    )
    for degree, semitones, change in quality.alterations:
        made.addChordStepModification(harmony.ChordStepModification(change, degree, semitones), updatePitches=False)
    return made


def _tidy(root: ElementTree.Element, swing: float) -> None:
    """Take out what music21 makes up, composer, date, comments and inversions; say in which ratio eighths swing."""
    made_up = ("creator", "encoding-date", "inversion")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in made_up or not isinstance(child.tag, str):  # the tag of a comment is a function
                parent.remove(child)
    words = next((each for each in root.iter("direction") if each.findtext("direction-type/words") == "Swing"), None)
    if words is not None:
        ratio = swing_ratio(swing)
        element = ElementTree.SubElement(ElementTree.SubElement(words, "sound"), "swing")
        for name, text in (("first", ratio.numerator), ("second", ratio.denominator), ("swing-type", "eighth")):
            ElementTree.SubElement(element, name).text = str(text)
