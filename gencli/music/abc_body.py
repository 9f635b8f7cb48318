"""The music lines of an ABC tune, token by token, into its voices."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from gencli.errors import CorpusError, OptionError
from gencli.music.abc_fields import ALTERATIONS, Key, parse_key, parse_meter, parse_tempo, parse_unit
from gencli.music.abc_voice import MOST_PASSES, Voice
from gencli.music.chords import Chord, parse_chord
from gencli.music.lead_sheet import Meter
from gencli.music.notices import Notices

LENGTH = r"(?:\d{1,5})?(?:/{1,6}\d{0,4})?"  # matches in one way only: else long lines of notes could take for ever
NOTE = re.compile(rf"(\^\^|\^|__|_|=)?([A-Ga-g])([,']{{0,12}})({LENGTH})(-?)")
TOKEN = re.compile(
    rf"""(?P<text>"[^"]*"?)
    |\[(?P<field>[A-Za-z]:[^\]\[\n]{{0,200}})\]
    |(?P<bar>(?::+|\[)?\|+(?:\]|:+)?|::+)(?P<ending>\d[\d,-]*)?
    |\[(?P<bracket_ending>\d[\d,.-]*)
    |(?P<grace>\{{[^}}\n]*\}}?)
    |\+(?P<old_chord>(?:(?:\^\^|\^|__|_|=)?[A-Ga-g][,']{{0,12}}{LENGTH}-?){{2,}})\+
    |(?P<decoration>![^!|\n]{{0,40}}!|\+[^+|\n]{{1,40}}\+)
    |\((?P<tuplet>[2-9](?::\d*){{0,2}})
    |\[(?P<chord>[^\]\[|\n]*)\](?P<chord_length>{LENGTH})(?P<chord_tie>-?)
    |(?P<note>(?:\^\^|\^|__|_|=)?[A-Ga-g][,']{{0,12}}{LENGTH}-?)
    |(?P<rest>[zx]{LENGTH})|(?P<bars>[ZX]\d{{0,7}})
    |(?P<broken>>{{1,3}}|<{{1,3}})|(?P<tie>-)|(?P<overlay>&)""",
    re.VERBOSE,
)
DIRECTION = re.compile(r"D\.? ?[CS]\b|D[ae]l? |Fine|Coda", re.IGNORECASE)
TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # so many notes in the time of; 5, 7 and 9 depend on the meter
CHORD_LETTERS = frozenset("ABCDEFG")


class Body:
    """The voices of a tune, and the handler of every kind of token."""

    def __init__(self, unit: Fraction | None, meter: Meter | None, key: Key, default_unit: Fraction) -> None:
        self.notices = Notices()
        self.tempo: float | None = None
        self.key = key
        self.voices: dict[str, Voice] = {}
        self._unit = unit or default_unit
        self._meter = meter
        self._names: dict[str, str] = {}
        self._voice: Voice | None = None
        self._handlers: dict[str, Callable[[re.Match[str]], None]] = {
            "text": self._text,
            "field": self._inline_field,
            "bar": self._bar,
            "ending": self._bar,
            "bracket_ending": self._bracket_ending,
            "grace": self._grace,
            "tuplet": self._tuplet,
            "chord_tie": self._bracketed,
            "old_chord": self._bracketed,
            "note": self._note,
            "rest": self._rest,
            "bars": self._bars,
            "broken": self._broken,
            "tie": self._tie,
            "overlay": self._overlay,
        }

    @property
    def voice(self) -> Voice:
        """The voice that is being read."""
        if self._voice is None:
            self.field("V", "1")
        assert self._voice is not None
        return self._voice

    def music(self, line: str) -> None:
        """Read a line of music."""
        for match in TOKEN.finditer(line):
            kind = match.lastgroup or ""
            if kind in self._handlers and (kind in ("bar", "ending", "field") or not self.voice.overlaid):
                self._handlers[kind](match)

    def field(self, letter: str, text: str) -> None:
        """Obey a field in the tune's body, or V: in its head."""
        if letter == "V":
            words = text.split()
            name = re.search(r'(?:name|nm)\s*=\s*"?([^"\n]*?)"?(?:\s+\w+=|$)', text)
            label = words[0] if words else "1"
            self._names.setdefault(label, name[1] if name else label)
            if label not in self.voices:
                if len(self.voices) >= 64:
                    raise CorpusError("more than 64 voices")
                voice = Voice(self.notices, self._unit, self._meter, self.key, self._names[label])
                self.voices[label] = voice
            self._voice = self.voices[label]
        elif letter == "K":
            self.voice.key = parse_key(text) or self.voice.key
        elif letter == "M":
            self.voice.meter = parse_meter(text)
        elif letter == "L":
            self.voice.unit = parse_unit(text) or self.voice.unit
        elif letter == "Q":
            self.tempo = self.tempo or parse_tempo(text, self.voice.unit)

    def _inline_field(self, match: re.Match[str]) -> None:
        letter, _, text = match["field"].partition(":")
        self.field(letter, text)

    def _text(self, match: re.Match[str]) -> None:
        """A chord symbol, or an annotation, which tells nothing."""
        symbol = match["text"].strip('"').strip()
        if symbol[:1] in "^_<>@":
            return
        for spelling in (symbol, symbol.split("(")[0], symbol.strip("()")):  # in "G(Em)" Em is an alternative
            try:
                self.voice.chord(_chord(spelling))
                return
            except OptionError:
                continue
        if DIRECTION.match(symbol):
            self.notices.name("directions not followed", symbol[:20])
        elif symbol[:1] in CHORD_LETTERS:
            self.notices.name("chord symbols not understood and left out", symbol[:20])

    def _bar(self, match: re.Match[str]) -> None:
        line = match["bar"]
        closing = len(line) - len(line.lstrip(":"))
        opening = line.endswith(":")
        if not line.strip(":"):  # :: ends one section and begins the next
            closing = 1
        ends = "||" in line or "]" in line or "[" in line
        self.voice.bar(closing, opening, ends, _passes(match["ending"]))

    def _bracket_ending(self, match: re.Match[str]) -> None:
        self.voice.ending(_passes(match["bracket_ending"]))

    def _grace(self, match: re.Match[str]) -> None:
        self.notices.count("grace note(s) left out", len(NOTE.findall(match["grace"])))

    def _tuplet(self, match: re.Match[str]) -> None:
        notes, time, count = ([int(part or 0) for part in match["tuplet"].split(":")] + [0, 0])[:3]
        meter = self.voice.meter
        compound = meter is not None and meter.beats % 3 == 0 and meter.unit == 8
        self.voice.tuplet(notes, min(time, 99) or TUPLETS.get(notes, 3 if compound else 2), count or notes)

    def _note(self, match: re.Match[str]) -> None:
        letter_octave, pitch, length, tied = self._tone(match["note"])
        self.voice.sound({letter_octave: pitch}, length, tied)

    def _bracketed(self, match: re.Match[str]) -> None:
        """Notes in brackets, or between + in old files; the first one's length counts for all."""
        inner = re.sub(r'"[^"]*"|![^!]*!', "", match["old_chord"] or match["chord"])
        tones = [self._tone(found[0]) for found in NOTE.finditer(inner)]
        if tones:
            tied = bool(match["chord_tie"]) or all(tone[3] for tone in tones)
            self.voice.sound(
                {tone[0]: tone[1] for tone in tones}, tones[0][2] * _length(match["chord_length"] or ""), tied
            )

    def _rest(self, match: re.Match[str]) -> None:
        self.voice.sound({}, _length(match["rest"][1:]), False)

    def _bars(self, match: re.Match[str]) -> None:
        self.voice.rest_bars(int(match["bars"][1:] or 1))

    def _broken(self, match: re.Match[str]) -> None:
        signs = match["broken"]
        self.voice.broken(len(signs) if signs[0] == ">" else -len(signs))

    def _tie(self, match: re.Match[str]) -> None:
        self.voice.tie()

    def _overlay(self, match: re.Match[str]) -> None:
        self.voice.overlaid = True
        self.notices.count("overlaid voice(s) left out")

    def _tone(self, text: str) -> tuple[tuple[str, int], int, Fraction, bool]:
        """Letter and octave, pitch, length in units, and whether it is tied."""
        match = NOTE.fullmatch(text)
        assert match is not None
        accidental, letter, marks, length, tie = match.groups()
        octave = letter.islower() + marks.count("'") - marks.count(",")
        pitch = self.voice.pitch(letter.upper(), octave, ALTERATIONS[accidental] if accidental else None)
        return (letter.upper(), octave), pitch, _length(length), bool(tie)


def _chord(symbol: str) -> Chord | None:
    """The chord of a symbol that begins like one; OptionError for anything else."""
    if symbol[:1] in CHORD_LETTERS or symbol.lower().startswith("n"):
        return parse_chord(symbol)
    raise OptionError(f"{symbol}: no chord")


def _length(text: str) -> Fraction:
    """The number behind a letter: "" = 1, "3/2", "/" = 1/2, "//" = 1/4."""
    if not text:
        return Fraction(1)
    above, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()  # type: ignore[union-attr]
    return Fraction(int(above or 1), int(below or 0) or 2 ** len(slashes))


def _passes(text: str | None) -> frozenset[int]:
    """The numbers of an ending: "1", "1,3", "1-3"; none where nothing is said."""
    found: set[int] = set()
    for part in re.split(r"[,.]", text or ""):
        first, _, last = part.partition("-")
        if first.isdigit():
            found |= set(range(int(first), int(last if last.isdigit() else first) + 1)) if len(part) <= 5 else set()
    return frozenset(number for number in found if 0 < number <= MOST_PASSES)
