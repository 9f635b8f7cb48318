"""Tunes from a network: what a player asks for, turned into the form and the rules that a grammar keeps to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote

from gencli.codecs.music import MusicCodec
from gencli.config import SampleConfig, check
from gencli.music.changes import lay_out, parse_changes
from gencli.music.form import Form, Rules, continued, lay_bars
from gencli.music.grammar import Grammar
from gencli.music.home_key import with_home_key
from gencli.music.improvise import Reader, write_tunes
from gencli.music.infill import infill
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter
from gencli.music.sketch import sketch
from gencli.music.tokens import UNTOLD, canonical_key
from gencli.music.vocabulary import Kind
from gencli.music.write_options import FASTEST, SLOWEST, STEEPEST, STRAIGHT

BARS: Final = 32  # of a tune, where neither --bars nor --chords says how long it is
JOINT_BARS: Final = 4  # of a middle
CANDIDATES: Final = 32  # middles that are written before the best is chosen
SWING: Final = 1.5  # at which eighths are played, where the model writes changes and says nothing of swing
ROWS: Final = 16  # tunes written side by side
SKETCHES, SKETCH_BARS = 1, 4  # shown while training
PITCH: Final = re.compile(r"([A-Ga-g])(#|b)?(-?\d+)")
STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Wishes:
    """What is asked of a tune; None leaves the choice to the model, or to the defaults above."""

    bars: int | None = None  # of what is new
    chords: str | None = None  # as in "Dm7 G7 | Cmaj7 | %", repeated to fill the bars
    key: str | None = None
    tempo: float | None = None  # quarters a minute
    meter: str | None = None  # as in "3/4"
    swing: float | None = None  # long:short of a pair of eighths as played; 1 = straight
    range: str | None = None  # the lowest and the highest pitch, as in "55-81" or "G3-A5"
    label: str | None = None  # of those that the model learned
    primer: LeadSheet | None = None  # a tune to go on from
    infill: tuple[LeadSheet, LeadSheet] | None = None  # phrases to join

    def __post_init__(self) -> None:
        both = self.primer is not None and self.infill is not None
        check(not both, "--primer and --infill: give only one of them")
        for name in ("key", "meter", "tempo", "swing", "label"):
            asked = getattr(self, name)
            given = "--primer" if self.primer is not None else "--infill"
            free = asked is None or (self.primer is None and self.infill is None)
            check(free, f"--{name} {asked}: the tune given with {given} has its own; leave it out")
        bars = self.bars
        check(bars is None or 1 <= bars <= 4096, f"--bars {bars}: must lie between 1 and 4096")
        tempo, swing = self.tempo, self.swing
        legal = tempo is None or SLOWEST <= tempo <= FASTEST
        check(legal, f"--tempo {tempo}: must lie between {SLOWEST:g} and {FASTEST:g} quarters a minute")
        legal = swing is None or STRAIGHT <= swing <= STEEPEST
        check(legal, f"--swing {swing}: must lie between {STRAIGHT:g} (straight) and {STEEPEST:g}")
        legal = self.key is None or canonical_key(self.key) is not None
        check(legal, f"--key {self.key}: no key; write one such as C, Bb, F#m or Am")


def improvise(
    reader: Reader, codec: MusicCodec, wishes: Wishes, config: SampleConfig, indices: Sequence[int]
) -> list[LeadSheet]:
    """The seed's tunes of these numbers, each the same whatever the others; OptionError for what cannot be written.

    Of the config temperature, top_k, top_p and seed count. Middles are ranked, and `indices` then are their ranks.
    """
    rules = _rules(codec, wishes)
    if wishes.infill is not None:
        return _joined(reader, codec, wishes, config, indices, rules)
    grammar = Grammar(codec.vocabulary, _form(codec, wishes), rules)
    sheets = []
    for first in range(0, len(indices), ROWS):
        some = indices[first : first + ROWS]
        sheets += [sheet for sheet, _ in write_tunes(reader, grammar, config, some, wishes.primer)]
    return [_finished(sheet, codec, wishes) for sheet in sheets]


def sketches(reader: Reader, codec: MusicCodec, seed: int, bars: int = SKETCH_BARS) -> tuple[str, ...]:
    """A few bars of a model's own, as text."""
    written = improvise(reader, codec, Wishes(bars=bars), SampleConfig(seed=seed), range(SKETCHES))
    return tuple(map(sketch, written))


def labels_of(codec: MusicCodec) -> list[str]:
    """The labels that a model learned."""
    names = codec.vocabulary.names[codec.vocabulary.block(Kind.LABEL)]
    return [unquote(name.removeprefix("LABEL_")) for name in names if name != f"LABEL_{UNTOLD}"]


def parsed_meter(text: str) -> Meter:
    """ "3/4" as a Meter; OptionError for what is none."""
    found = re.fullmatch(r"(\d{1,2})/(1|2|4|8|16)", text.strip())
    check(found is not None and int(found[1]) > 0, f"--meter {text}: no meter; write one such as 4/4, 3/4 or 6/8")
    assert found is not None
    meter = Meter(int(found[1]), int(found[2]))
    check(meter.ticks <= 192, f"--meter {text}: a bar may last 16 quarters at most")
    return meter


def parsed_range(text: str) -> tuple[int, int]:
    """ "55-81" or "G3-A5" as MIDI numbers; OptionError for what is no range."""
    pitch = r"(?:\d{1,3}|[A-Ga-g][#b]?-?\d)"
    found = re.fullmatch(rf"\s*({pitch})\s*(?:-|\.\.|:)\s*({pitch})\s*", text)
    check(found is not None, f"--range {text}: no range; write one such as G3-A5 or 55-81")
    assert found is not None
    low, high = map(_pitch, found.groups())
    fits = 0 <= low <= high <= 127
    check(fits, f"--range {text}: pitches lie between 0 and 127, C-1 and G9, the lower one first")
    return low, high


def _pitch(text: str) -> int:
    """The MIDI number of "60" or "C4"."""
    named = PITCH.fullmatch(text)
    if named is None:
        return int(text)
    return STEPS[named[1].upper()] + {"#": 1, "b": -1, None: 0}[named[2]] + 12 * (int(named[3]) + 1)


def _rules(codec: MusicCodec, wishes: Wishes) -> Rules:
    """Within the range asked for, else that of the training tunes."""
    low, high = (codec.lowest, codec.highest) if wishes.range is None else parsed_range(wishes.range)
    return Rules(lowest=low, highest=high, chord_first=codec.with_chords, lean=codec.lean)


def _form(codec: MusicCodec, wishes: Wishes) -> Form:
    """All that is settled before the first note."""
    if wishes.primer is not None:
        check(bool(wishes.primer.bars), "--primer: a tune without a bar")
        bars, changes = _course(codec, wishes, wishes.primer.bars[-1].meter, BARS)
        return continued(wishes.primer, len(bars), changes)
    label = wishes.label
    if label:
        known = labels_of(codec)
        remedy = f"one of {', '.join(known)}" if known else "it has none; train with --label folder"
        check(f"LABEL_{quote(label)}" in codec.vocabulary.index, f"--label {label}: the model never saw it; {remedy}")
    meter = None if wishes.meter is None else parsed_meter(wishes.meter)
    own = {"label": label, "key": canonical_key(wishes.key), "tempo": wishes.tempo, "swing": wishes.swing}
    if wishes.chords is None:
        return Form(bars=wishes.bars or BARS, meter=meter, **own)  # type: ignore[arg-type]
    layout, changes = _course(codec, wishes, meter or Meter(), BARS)
    return Form(layout=layout, changes=changes, **own)  # type: ignore[arg-type]


def _course(
    codec: MusicCodec, wishes: Wishes, meter: Meter, default: int
) -> tuple[tuple[Bar, ...], tuple[Change, ...] | None]:
    """New bars of a meter from tick 0 on, and the changes over them; None where the model writes its own."""
    if wishes.chords is None:
        return lay_bars(wishes.bars or default, meter), None
    check(bool(codec.vocabulary.qualities), "--chords: the model learned from tunes without chords; leave it out")
    progression = parse_changes(wishes.chords, meter)
    bars = lay_bars(wishes.bars or len(progression), meter)
    return bars, lay_out(progression, bars)


def _joined(
    reader: Reader,
    codec: MusicCodec,
    wishes: Wishes,
    config: SampleConfig,
    indices: Sequence[int],
    rules: Rules,
) -> list[LeadSheet]:
    """Two phrases with the middles of these ranks between them."""
    assert wishes.infill is not None
    check(all(phrase.bars for phrase in wishes.infill), "--infill: a phrase without a bar")
    bars, changes = _course(codec, wishes, wishes.infill[0].bars[-1].meter, JOINT_BARS)
    count = max(CANDIDATES, max(indices, default=0) + 1)
    joints = infill(reader, codec.vocabulary, wishes.infill, len(bars), config, rules, changes, count)
    return [joints[index].sheet for index in indices]


def _finished(sheet: LeadSheet, codec: MusicCodec, wishes: Wishes) -> LeadSheet:
    """A tune in a plausible key where none was asked for, and swung as jazz is where nobody says otherwise."""
    if wishes.primer is not None:
        return sheet
    if wishes.key is None:
        sheet = replace(sheet, key=None if wishes.chords is not None else sheet.key)  # what it drew means little then
        sheet = with_home_key(sheet)
    quarters = all(bar.meter.unit == 4 for bar in sheet.bars)
    if wishes.swing is None and codec.with_chords and quarters and sheet.swing == STRAIGHT:
        sheet = replace(sheet, swing=SWING)
    return sheet
