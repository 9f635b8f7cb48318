"""MusicXML and kern to lead sheets, through music21."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final
from xml.etree import ElementTree

from gencli.errors import CorpusError, OptionError
from gencli.music.abc_fields import check_meter
from gencli.music.chords import Chord, parse_chord, transpose
from gencli.music.keys import believed_tempo, key_name
from gencli.music.lead_sheet import LeadSheet, Meter
from gencli.music.measures import Measure, Written, snapped
from gencli.music.music_xml import (
    check_score,
    drop_directions,
    first_text,
    swing_of,
    tempo_of,
    transpositions,
    tree,
    unpacked,
)
from gencli.music.notices import Notices
from gencli.music.parts import lead_sheet
from gencli.music.qualities import altered_degrees, nearest_quality

MOST_BAR_LINES = 1024  # of a kern spine: music21 takes time with the square of it, and more than for MusicXML
MOST_TOKENS = 40_000  # of all spines
MOST_SPINES = 64
MOST_SIGNS = 1024  # lines of keys, clefs, meters and the like
KERN_KEY = re.compile(r"^\*([A-Ga-g])([#-]?):", re.MULTILINE)
KERN_TEMPO = re.compile(r"^\*MM(\d{1,4}(?:\.\d+)?)", re.MULTILINE)
KERN_TITLE = re.compile(r"^!!!OTL[^:]*:(.*)$", re.MULTILINE)

KINDS: Final = {  # music21's names of kinds that MusicXML calls otherwise
    "dominant-seventh": "dominant",
    "half-diminished-seventh": "half-diminished",
    "minor-major-seventh": "major-minor",
}


def read_musicxml(data: bytes, track: str | None = None) -> LeadSheet:
    """The lead sheet of MusicXML, plain or zipped; CorpusError where it is damaged, too large, or has no notes."""
    root = tree(unpacked(data) if data[:2] == b"PK" else data)
    check_score(root)
    title, tempo, swing = first_text(root, "work/work-title", "movement-title"), tempo_of(root), swing_of(root)
    drop_directions(root)

    def parse() -> Any:
        """music21's score of it."""
        from music21.musicxml.xmlToM21 import MusicXMLImporter

        importer = MusicXMLImporter()
        importer.xmlRootToScore(root, importer.stream)  # what it returns lacks parts of two staves
        return importer.stream

    shifts = transpositions(root)
    key = None if any(shifts.values()) else _key_of(root)
    return replace(_read(parse, track, shifts), title=title, tempo=believed_tempo(tempo), swing=swing, key=key)


def read_kern(text: str, track: str | None = None) -> LeadSheet:
    """The lead sheet of humdrum's kern; CorpusError where it is damaged, too large, or has no notes."""
    lines = [line for line in text.split("\n") if line and not line.startswith("!")]
    music = [line for line in lines if line[0] not in "*="]
    if not any("**kern" in line for line in lines[:1]):
        raise CorpusError("no kern in it: no spine begins with **kern")
    if max((line.count("\t") for line in lines), default=0) >= MOST_SPINES:
        raise CorpusError(f"more than {MOST_SPINES} spines")
    if sum(line.startswith("=") for line in lines) > MOST_BAR_LINES:
        raise CorpusError(f"more than {MOST_BAR_LINES:,} bars; cut the score into shorter ones")
    if sum(line.startswith("*") for line in lines) > MOST_SIGNS:
        raise CorpusError(f"more than {MOST_SIGNS:,} lines of signs; cut the score into shorter ones")
    if sum(len(line.split()) for line in music) > MOST_TOKENS:
        raise CorpusError(f"more than {MOST_TOKENS:,} notes; cut the score into shorter ones")
    # Comments, slurs and phrases, which tell a melody nothing, cost music21 time.
    plain = "\n".join(line if line[0] in "*=" else re.sub(r"[(){}]", "", line) for line in lines)
    tempo, title, key = KERN_TEMPO.search(text), KERN_TITLE.search(text), KERN_KEY.search(text)
    name = None
    if key:
        name = key[1].upper() + key[2].replace("-", "b") + ("m" if key[1].islower() else "")

    def parse() -> Any:
        from music21 import converter

        return converter.parseData(plain, format="humdrum", forceSource=True, storePickle=False)

    sheet = _read(parse, track)
    quarters = believed_tempo(float(tempo[1])) if tempo else None
    return replace(sheet, title=title[1].strip() if title else "", tempo=quarters, key=name)


def _key_of(root: ElementTree.Element) -> str | None:
    """The first key signature's name."""
    key = next(root.iter("key"), None)
    fifths = first_text(key, "fifths") if key is not None else ""
    if key is None or not re.fullmatch(r"-?[0-7]", fifths):
        return None
    return key_name(int(fifths), first_text(key, "mode") in ("minor", "dorian", "phrygian", "aeolian"))


def _read(parse: Callable[[], Any], track: str | None, shifts: Mapping[str, int] | None = None) -> LeadSheet:
    """The lead sheet of a score that music21 parses; CorpusError where it cannot.

    `shifts` are the semitones by which parts, by their ids, sound higher than they are written.
    """
    notices = Notices()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            score = parse()
            score = next(iter(getattr(score, "scores", ())), score)  # of several tunes the first
            parts = {
                name: list(_measures(part, (shifts or {}).get(_part_id(part), 0), notices))
                for name, part in _named_parts(score)
            }
    except CorpusError:
        raise
    except (Exception, SystemExit) as error:  # music21's errors share no base class
        told = " ".join(str(error).split())[:80]
        raise CorpusError(f"music21 cannot read it ({type(error).__name__}: {told}); save it again") from error
    _even(parts)
    return lead_sheet(parts, track, notices)


def _named_parts(score: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a score with names that differ; a score without parts is one."""
    taken: set[str] = set()
    for number, part in enumerate(list(getattr(score, "parts", ())) or [score], 1):
        name = " ".join(str(part.partName or part.id or "").split())[:60]
        if not name or name.isdigit() or name in taken:
            name = f"{name or 'part'} {number}"
        taken.add(name)
        yield name, part


def _part_id(part: Any) -> str:
    """The name by which MusicXML knows a part; music21 calls the part otherwise and leaves it to its instrument."""
    players = part.recurse().getElementsByClass("Instrument")
    return next((str(player.partId) for player in players if player.partId), "")


def _measures(part: Any, shift: int, notices: Notices) -> Iterator[Measure]:
    """The measures of a music21 part, so many semitones higher."""
    from music21 import bar, spanner, stream

    found = list(part.getElementsByClass(stream.Measure)) or list(
        part.makeMeasures().getElementsByClass(stream.Measure)
    )
    endings: dict[int, frozenset[int]] = {}
    for bracket in part.recurse().getElementsByClass(spanner.RepeatBracket):
        for measure in bracket.getSpannedElements():
            endings[id(measure)] = frozenset(bracket.numberRange)
    meter = Meter()
    for measure in found:
        if measure.timeSignature is not None:
            sign = measure.timeSignature
            meter = check_meter(sign.numerator, sign.denominator, f"measure {measure.number}")
        made = Measure(meter, length=_fraction(measure.highestTime))
        if isinstance(measure.leftBarline, bar.Repeat):
            made.signs.opens = True
        if isinstance(measure.rightBarline, bar.Repeat):
            made.signs.closes = max(1, min(16, (measure.rightBarline.times or 2) - 1))
        made.signs.endings = endings.get(id(measure), frozenset())
        _fill(made, measure, shift, notices)
        yield made


def _fill(made: Measure, measure: Any, shift: int, notices: Notices) -> None:
    """Put a measure's notes and chord symbols into our own, so many semitones higher."""
    from music21 import harmony

    for element in measure.recurse().notes:
        offset = _fraction(element.getOffsetInHierarchy(measure))
        if isinstance(element, harmony.Harmony):
            chord, known = _symbol(element)
            if known:
                made.chords.append((offset, transpose(chord, shift)))
            else:
                notices.name("chord symbols not understood and left out", str(element.figure)[:20])
        elif element.duration.isGrace:
            notices.count("grace note(s) left out")
        else:
            duration = _fraction(element.duration.quarterLength)
            if duration <= 0 or offset < 0:
                notices.count("note(s) of no length left out")
                continue
            for note in getattr(element, "notes", (element,)):
                if hasattr(note, "pitch") and 0 <= note.pitch.midi + shift <= 127:
                    tied = note.tie is not None and note.tie.type in ("start", "continue")
                    made.notes.append(Written(offset, duration, note.pitch.midi + shift, tied))
            made.length = max(made.length, offset + duration)


def _symbol(element: Any) -> tuple[Chord | None, bool]:
    """The chord of a music21 chord symbol, and whether it is one we know."""
    from music21 import harmony

    if isinstance(element, harmony.NoChord):
        return None, True
    if not isinstance(element, harmony.ChordSymbol) or element.root() is None:
        return None, False
    root, bass = element.root().pitchClass, element.bass()
    changes = [
        (step.degree, int(step.interval.semitones) if step.interval is not None else 0, step.modType)
        for step in element.getChordStepModifications()
    ]
    degrees = altered_degrees(KINDS.get(element.chordKind, element.chordKind), changes)
    quality = nearest_quality(degrees) if degrees is not None else _named_quality(element.chordKindStr)
    if quality is None:
        return None, False
    foreign = bass is not None and bass.pitchClass != root
    return Chord(root, quality, bass.pitchClass if foreign else None), True


def _named_quality(text: str | None) -> str | None:
    """The quality that a symbol prints behind its root, where its kind tells none."""
    try:
        chord = parse_chord(f"C{text or '?'}")
    except OptionError:
        return None
    return chord.quality if chord is not None else None


def _fraction(quarters: Any) -> Fraction:
    """music21's number of quarters, a float or a fraction, as a fraction of small numbers."""
    return snapped(Fraction(quarters).limit_denominator(960))


def _even(parts: dict[str, list[Measure]]) -> None:
    """Measures that stand above each other are as long as the longest; silent ones fill their meter."""
    for row in range(max((len(measures) for measures in parts.values()), default=0)):
        across = [measures[row] for measures in parts.values() if row < len(measures)]
        longest = max(measure.length for measure in across)
        for measure in across:
            measure.length = longest or Fraction(4 * measure.meter.beats, measure.meter.unit)
