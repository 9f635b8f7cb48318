"""A lead sheet as a row of tokens, and back. Nothing of notes, changes and bars is lost.

    tune    = LABEL METER SWING TEMPO KEY bar*
    bar     = [METER] LENGTH* BAR segment+       METER where it changes; LENGTHs, added up, where it is not as long
    segment = [CHORD [BASS]] (event DURATION)+   a new one begins where a chord changes
    event   = P60 (a note begins) | R (rest) | H (the note before goes on)

Events fill their segment exactly, so that barlines and changes always stand between tokens: what reaches across is
split there, and again where it is longer than the longest duration. There is one way only to write each sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, unquote

from gencli.errors import CorpusError
from gencli.music.chords import FLATS, LETTERS, Chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.qualities import ACCIDENTALS
from gencli.music.spelling import Key, parse_key

END: Final = "<EOS>"
UNKNOWN: Final = "<UNK>"  # as an event: a note whose pitch the vocabulary lacks
UNTOLD: Final = "?"  # the value of a header token that says nothing
LONGEST: Final = 48  # ticks of the longest duration: a bar of 4/4
LENGTHS: Final = (1, 3, 6, 12, 24, 48)  # ticks; the length of an irregular bar is a sum of these
SWINGS: Final = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
TEMPOS: Final = (40, 50, 60, 72, 88, 104, 120, 144, 168, 200, 240, 288, 340)  # quarters a minute
NO_CHORD: Final = "C:NC"


def _key_names() -> tuple[str, ...]:
    """The 24 keys: major ones by their tonics from C on, then the minor ones."""
    keys = [Key(fifths, minor) for minor in (False, True) for fifths in range(-5, 7)]
    return tuple(key.name for key in sorted(keys, key=lambda key: (key.minor, key.tonic)))


KEYS: Final = _key_names()


def canonical_key(text: str | None) -> str | None:
    """One name for each of the 24 keys, "Gb" and "F# major" being the same; None for what is no key."""
    key = parse_key(text)
    return None if key is None else KEYS[key.tonic + 12 * key.minor]


def tokens_of(sheet: LeadSheet) -> list[str]:
    """The tokens of a sheet, without END. Title and notices are left out; tempo and swing go to their nearest class.

    CorpusError where notes, changes or bars are not as LeadSheet promises.
    """
    _check(sheet)
    meter = sheet.bars[0].meter if sheet.bars else Meter()
    tokens = header_tokens(sheet, meter)
    notes = _Melody(sheet.notes)
    changes = iter([*sheet.changes, None])
    change = next(changes)
    for bar in sheet.bars:
        end = bar.start + bar.length
        tokens += bar_tokens(bar, meter)
        meter, tick = bar.meter, bar.start
        while tick < end:
            if change is not None and change.start == tick:
                tokens += chord_tokens(change.chord)
                change = next(changes)
            stop = end if change is None else min(end, change.start)
            tokens += notes.events(tick, stop)
            tick = stop
    return tokens


def header_tokens(sheet: LeadSheet, meter: Meter) -> list[str]:
    """What is said before the first bar."""
    label = quote(sheet.label) if sheet.label else UNTOLD
    tempo = UNTOLD if sheet.tempo is None else str(nearest_tempo(sheet.tempo))
    key = canonical_key(sheet.key) or UNTOLD
    return [f"LABEL_{label}", f"METER_{meter}", f"SWING_{nearest_swing(sheet.swing):g}", f"TEMPO_{tempo}", f"KEY_{key}"]


def bar_tokens(bar: Bar, before: Meter) -> list[str]:
    """What begins a bar after one in the meter `before`."""
    meter = [] if bar.meter == before else [f"METER_{bar.meter}"]
    lengths = [] if bar.length == bar.meter.ticks else [f"LENGTH_{ticks}" for ticks in length_sum(bar.length)]
    return [*meter, *lengths, "BAR"]


def chord_tokens(chord: Chord | None) -> list[str]:
    """A change; a bass that is not the root has a token of its own."""
    if chord is None:
        return [NO_CHORD]
    bass = [] if chord.bass is None else [f"B:{FLATS[chord.bass]}"]
    return [f"C:{FLATS[chord.root]}:{chord.quality}", *bass]


def length_sum(ticks: int) -> list[int]:
    """The one way to write a length: the largest of LENGTHS that fits, again and again."""
    parts = []
    for unit in reversed(LENGTHS):
        count, ticks = divmod(ticks, unit)
        parts += [unit] * count
    return parts


def nearest_tempo(tempo: float) -> int:
    """The class of a tempo, by ratio; of equally near ones the slower."""
    return min(TEMPOS, key=lambda known: abs(math.log(known / max(tempo, 1.0))))


def nearest_swing(swing: float) -> float:
    """The class of a swing ratio; of equally near ones the straighter."""
    return min(SWINGS, key=lambda known: abs(known - swing))


class _Melody:
    """The notes of a sheet, read off once from left to right."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self.notes, self.place = notes, 0

    def events(self, start: int, stop: int) -> Iterator[str]:
        """The events of a segment."""
        tick = start
        while tick < stop:
            while self.place < len(self.notes) and self.notes[self.place].end <= tick:
                self.place += 1
            note = self.notes[self.place] if self.place < len(self.notes) else None
            if note is None or note.start > tick:
                first, rest, end = "R", "R", stop if note is None else min(stop, note.start)
            else:
                first, rest, end = f"P{note.pitch}" if note.start == tick else "H", "H", min(stop, note.end)
            event = first
            while tick < end:
                length = min(LONGEST, end - tick)
                yield event
                yield f"D{length}"
                tick += length
                event = rest


def _check(sheet: LeadSheet) -> None:
    """CorpusError unless bars adjoin, and notes and changes ascend within them."""
    name = sheet.title or "tune"
    tick = 0
    for number, bar in enumerate(sheet.bars, 1):
        if bar.start != tick or bar.length < 1:
            raise CorpusError(f"{name}: bar {number} begins at tick {bar.start}, not {tick}, or has no length")
        tick += bar.length
    tick = 0
    for note in sheet.notes:
        if note.start < tick or note.duration < 1 or note.end > sheet.length or not 0 <= note.pitch < 128:
            raise CorpusError(f"{name}: {note} overlaps another, has no length or lies outside of the bars")
        tick = note.end
    tick = -1
    for change in sheet.changes:
        if not tick < change.start < sheet.length:
            raise CorpusError(f"{name}: {change} is not after the one before, or lies outside of the bars")
        tick = change.start


def sheet_of(tokens: Sequence[str]) -> LeadSheet:
    """The sheet that tokens say; they may stop after any whole bar, with END or without. An UNKNOWN event is a rest.

    ValueError names the first token that cannot stand where it does.
    """
    return _Reading(tokens).sheet()


class _Reading:
    """Tokens read from left to right."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens, self.place = tokens, 0
        self.tick = 0
        self.bars: list[Bar] = []
        self.changes: list[Change] = []
        self.notes: list[Note] = []
        self.sounding = False  # whether a note, perhaps one of unknown pitch, has just ended and may go on
        self.known = False  # whether that note is the last one of `notes`

    def sheet(self) -> LeadSheet:
        """The header, then bar by bar to the end."""
        kinds = ("LABEL_", "METER_", "SWING_", "TEMPO_", "KEY_")
        label, meter, swing, tempo, key = map(self.value, kinds)
        current = parse_meter(meter)
        while self.peek() not in ("", END):
            current = self.bar(current)
        return LeadSheet(
            notes=tuple(self.notes),
            changes=tuple(self.changes),
            bars=tuple(self.bars),
            tempo=None if tempo == UNTOLD else float(tempo),
            key=None if key == UNTOLD else key,
            swing=float(swing),
            label="" if label == UNTOLD else unquote(label),
        )

    def peek(self) -> str:
        """The next token, "" at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def value(self, prefix: str) -> str:
        """The next token without its prefix."""
        token = self.peek()
        if not token.startswith(prefix):
            raise ValueError(f"token {self.place}: {token or 'the end'} where {prefix}... should stand")
        self.place += 1
        return token[len(prefix) :]

    def bar(self, meter: Meter) -> Meter:
        """One bar; gives its meter."""
        if self.peek().startswith("METER_"):
            meter = parse_meter(self.value("METER_"))
        length = 0
        while self.peek().startswith("LENGTH_"):
            length += int(self.value("LENGTH_"))
        self.value("BAR")
        bar = Bar(self.tick, length or meter.ticks, meter)
        self.bars.append(bar)
        end = bar.start + bar.length
        while self.tick < end:
            if self.peek().startswith("C:"):
                self.change()
            self.event(end)
        return meter

    def change(self) -> None:
        """A chord and its bass."""
        name = self.value("C:")
        chord = None if name == "NC" else Chord(pitch_class(name.partition(":")[0]), name.partition(":")[2])
        if chord is not None and self.peek().startswith("B:"):
            chord = replace(chord, bass=pitch_class(self.value("B:")))
        self.changes.append(Change(self.tick, chord))

    def event(self, end: int) -> None:
        """A note, a rest or a hold, and its duration."""
        event, at = self.peek(), self.place
        self.place += 1
        duration = int(self.value("D"))
        if not 0 < duration <= end - self.tick:
            raise ValueError(f"token {self.place - 1}: D{duration} reaches over the barline")
        if event.startswith("P"):
            self.notes.append(Note(self.tick, duration, int(event[1:])))
        elif event == "H" and self.sounding:
            if self.known:
                self.notes[-1] = replace(self.notes[-1], duration=self.notes[-1].duration + duration)
        elif event not in ("R", UNKNOWN):
            raise ValueError(f"token {at}: {event or 'the end'} where an event should stand")
        self.known = event.startswith("P") or (event == "H" and self.known)
        self.sounding = event != "R"
        self.tick += duration


def parse_meter(text: str) -> Meter:
    """ "6/8" -> Meter(6, 8); ValueError for what is none."""
    beats, _, unit = text.partition("/")
    return Meter(int(beats), int(unit))


def pitch_class(name: str) -> int:
    """ "Bb" -> 10."""
    return (LETTERS[name[0]] + ACCIDENTALS[name[1:]]) % 12
