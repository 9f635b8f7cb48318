"""Chord changes as a player writes them, "Dm7 G7 | Cmaj7 | %", to chords at ticks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

from gencli.config import check
from gencli.errors import OptionError
from gencli.music.chords import Chord, parse_chord
from gencli.music.lead_sheet import Bar, Change, Meter

MOST_BARS = 4096
HOLDS = {"/", "%", "."}  # a place in a bar in which the chord before it goes on
TOKEN = re.compile(r"\|:|:\|:?|::|\|+|\n|[^\s|]+(?<!:)|:")


def parse_changes(text: str, meter: Meter | None = None, option: str = "--chords") -> list[list[Change]]:
    """The bars of a progression; the starts of the changes are ticks from their bar's beginning.

    Bars stand between `|`; those at both ends and `||` may be there or not, and a new line ends a bar too. The chords
    of a bar share its beats equally, the first ones taking what is left over: three chords in 4/4 have 2, 1 and 1.
    `/` holds the chord for one more share, `%` alone repeats the bar before, `N.C.` is silence, `|: ... :|` is played
    twice. Every bar begins with a change, even if the chord goes on. OptionError tells what is wrong in which bar.
    """
    meter = meter or Meter()
    bars: list[list[Change]] = []
    for number, symbols in enumerate(_unrolled(_split(text, option), option), 1):
        where = f"{option}, bar {number}"
        if symbols == ["%"]:
            check(bool(bars), f"{where}: % repeats the bar before, and there is none; write a chord")
            bars.append(list(bars[-1]))
            continue
        bars.append(_bar(symbols, meter, where, bars[-1][-1].chord if bars else None, first=not bars))
    check(bool(bars), f'{option}: no chord in it; write something like "Dm7 G7 | Cmaj7 | %"')
    return bars


def lay_out(progression: Sequence[Sequence[Change]], bars: Sequence[Bar]) -> tuple[Change, ...]:
    """A progression over the bars of a tune, again and again from its beginning; as `ascending` leaves it.

    The progression begins with the first full bar: a pickup has no chord.
    """
    first = 1 if len(bars) > 1 and bars[0].length < bars[0].meter.ticks else 0
    laid = [
        Change(bar.start + change.start, change.chord)
        for place, bar in enumerate(bars[first:])
        for change in progression[place % len(progression)]
        if change.start < bar.length
    ]
    return ascending(laid)


def ascending(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes in order, each at its own tick (the last of several there) and to another chord than the one before.

    Before the first change there is no chord, so that it is never N.C.
    """
    at = {change.start: change.chord for change in sorted(changes, key=lambda change: change.start)}
    kept: list[Change] = []
    sounding: Chord | None = None
    for start, chord in at.items():
        if chord != sounding:
            kept.append(Change(start, chord))
            sounding = chord
    return tuple(kept)


def _split(text: str, option: str) -> list[tuple[str, list[str]]]:
    """(barline before it, symbols) of each bar; a bar line with nothing between it and the next makes no bar."""
    found: list[tuple[str, list[str]]] = [("", [])]
    lines = re.sub(r"[^\S\n]+", " ", text.strip())
    for token in TOKEN.findall(lines):
        if not (token in ("|:", ":|", ":|:", "::", "\n") or set(token) == {"|"}):
            found[-1][1].append(token)
            check(len(found) <= MOST_BARS, f"{option}: more than {MOST_BARS} bars; give fewer, they are repeated")
        elif found[-1][1]:
            found.append((token, []))
        else:
            line, _ = found[-1]
            empty = line == token == "|"
            check(not empty, f"{option}, bar {len(found)}: empty; write % to repeat the bar before")
            found[-1] = (line + token, [])
    return found


def _unrolled(bars: Sequence[tuple[str, list[str]]], option: str) -> list[list[str]]:
    """The symbols of each bar in the order of playing: what stands between |: and :| twice."""
    played: list[list[str]] = []
    opened = 0  # where the section to be repeated begins in `played`
    inside = False
    for line, symbols in bars:
        if ":|" in line or "::" in line:
            check(len(played) > opened, f"{option}: :| with nothing to repeat before it")
            played += played[opened:]
            check(len(played) <= MOST_BARS, f"{option}: more than {MOST_BARS} bars; give fewer, they are repeated")
            opened, inside = len(played), False
        if "|:" in line or "::" in line:
            check(not inside, f"{option}: |: inside of |: ... :|; end the first repeat before")
            opened, inside = len(played), True
        if symbols:
            played.append(symbols)
    check(not inside, f"{option}: |: without :|; say where the repeat ends")
    return played


def _bar(symbols: Sequence[str], meter: Meter, where: str, before: Chord | None, first: bool) -> list[Change]:
    """The changes of one bar, whose symbols share its beats."""
    changes: list[Change] = []
    starts = _shares(len(symbols), meter, where)
    for start, symbol in zip(starts, symbols, strict=True):
        if symbol in HOLDS:
            check(bool(changes) or not first, f"{where}: {symbol} holds the chord before, and there is none")
            if not changes:
                changes.append(Change(start, before))
            continue
        try:
            chord = parse_chord(symbol)
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from error
        if not changes or changes[-1].chord != chord:
            changes.append(Change(start, chord))
    return changes


def _shares(count: int, meter: Meter, where: str) -> list[int]:
    """The ticks at which `count` chords of a bar begin: on beats, or on halves of beats where they are more."""
    beats, unit = meter.beats, meter.unit
    while count > beats and 2 * unit <= 16:
        beats, unit = 2 * beats, 2 * unit
    check(count <= beats, f"{where}: {count} chords in {meter}; put a | between them")
    each, more = divmod(beats, count)
    lengths = [each + (place < more) for place in range(count)]
    return [beat * meter.ticks // beats for beat in accumulate([0, *lengths[:-1]])]
