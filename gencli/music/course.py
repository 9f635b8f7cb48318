"""A tune under way: what every token changes, and the side ids of the next one. See grammar.py for what may come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NoReturn
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from gencli.music.chords import Chord
from gencli.music.ending import Ending, Held
from gencli.music.form import STRUCTURE, Form, Rules, beat_ticks
from gencli.music.lead_sheet import Bar
from gencli.music.lean import leaned
from gencli.music.loops import HOLD, REST, UNKNOWN, Figure, extended, loop_ends, remembered
from gencli.music.side import BEFORE_CHORDS, MOST, NOT_TOLD, ROWS, TONES, place_id, span_id, tone_ids
from gencli.music.tokens import LONGEST, UNTOLD, canonical_key, chord_tokens, length_sum
from gencli.music.vocabulary import HEADER, Kind, Vocabulary

EVENTS = (Kind.PITCH, Kind.REST, Kind.HOLD, Kind.UNKNOWN)
CODES = {Kind.REST: REST, Kind.HOLD: HOLD, Kind.UNKNOWN: UNKNOWN}


class Phase(IntEnum):
    """What is to come."""

    HEADER = 0
    BARLINE = 1
    EVENT = 2  # or a chord before it
    DURATION = 3
    DONE = 4


@dataclass
class State:
    """How far a tune has come. `copy` before trying out what may follow."""

    phase: Phase = Phase.HEADER
    header: int = 0  # header tokens so far
    due: tuple[int, ...] = ()  # ids that must come next, whatever the model thinks
    label: int = 0  # side id
    key: int = 0  # side id, 0 where changes are told
    layout: tuple[Bar, ...] | None = None  # all bars, where they are settled
    meter: int = 0  # id
    new_meter: bool = False  # a METER stands before the next BAR
    lengths: tuple[int, ...] = ()  # LENGTHs before the next BAR
    bars: int = 0  # begun so far
    tick: int = 0
    bar_start: int = 0
    bar_end: int = 0
    chord: int = BEFORE_CHORDS  # its value in the vocabulary
    changed: int = -1  # the tick of the last CHORD
    coming: int = 0  # which of the given changes is next
    root: int | None = None  # of a chord of the model's own that may still take a BASS
    joint: bool = True  # a bar or chord has just begun, or the longest duration ended: R after R and H may stand here
    event: int = 0  # id whose duration is to come, or that came last
    sounding: bool = False  # the last event was no rest
    pitch: int | None = None  # of the last note
    run: int = 0  # notes of that pitch in a row
    held: Held | None = None  # the last note as far as it has sounded
    ending: Ending | None = None  # in the last bar
    figure: Figure = ()  # what the bar holds so far
    past: tuple[Figure, ...] = ()  # the last bars, oldest first
    loops: tuple[Figure, ...] = ()  # what the bar must not become

    def copy(self) -> State:
        """An independent copy: every field is immutable."""
        return replace(self)


class Course:
    """How tunes of a form go on, token by token."""

    def __init__(self, vocabulary: Vocabulary, form: Form, rules: Rules = STRUCTURE) -> None:
        self.vocabulary, self.form, self.rules = vocabulary, form, rules
        self.told = form.changes is not None
        given = form.changes if form.changes is not None and vocabulary.qualities else ()
        self.changes = [(change.start, tuple(map(vocabulary.id_of, chord_tokens(change.chord)))) for change in given]
        self.kinds: list[int] = vocabulary.kinds.tolist()
        self.values: list[int] = vocabulary.values.tolist()
        self._tone_ids = tone_ids(vocabulary)
        self.header = self._given_header()

    def start(self) -> State:
        """Before the first token."""
        return State(due=self._due_header(0))

    def side(self, state: State) -> NDArray[np.int32]:
        """(17,) the side ids at the step that predicts the next token; see side.py."""
        place = place_id(state.tick - state.bar_start) if state.bars else 0
        left = span_id(state.bar_end - state.tick) if state.bars else 0
        distance = NOT_TOLD
        if self.told:
            to_come = state.coming < len(self.changes)
            distance = span_id(self.changes[state.coming][0] - state.tick if to_come else MOST)
        side = np.zeros(ROWS, np.int32)
        side[: TONES.start] = place, left, distance, state.label, state.key
        if state.phase == Phase.EVENT and state.changed == state.tick:
            side[TONES] = self._tone_ids[:, state.chord]
        return side

    def leaned(self, state: State, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits (V,) of the next token as the sounding chord leans on them; see lean.py."""
        return leaned(self.vocabulary, logits, state.chord, self.rules.lean) if state.phase == Phase.EVENT else logits

    def advance(self, state: State, index: int) -> None:
        """Move on by one token; ValueError for one that cannot stand here in any tune of the form."""
        kind = self.kinds[index]
        if state.due:
            if index != state.due[0]:
                self._refuse(state, index)
            state.due = state.due[1:]
        if state.phase == Phase.DURATION and kind == Kind.DURATION:
            self._last(state, index)
        elif state.phase == Phase.EVENT and kind in EVENTS:
            self._begin_event(state, index)
        elif state.phase == Phase.EVENT and kind == Kind.CHORD:
            self._change(state, index)
        elif state.phase == Phase.EVENT and kind == Kind.BASS:
            state.root = None
        elif state.phase == Phase.BARLINE:
            self._cross(state, index)
        elif state.phase == Phase.HEADER and kind == HEADER[state.header]:
            self._head(state, index)
        else:
            self._refuse(state, index)

    def segment_end(self, state: State) -> int:
        """The tick of the next barline or given change."""
        if state.coming < len(self.changes):
            return min(state.bar_end, self.changes[state.coming][0])
        return state.bar_end

    def event_code(self, index: int) -> int:
        """An event as figures know it."""
        kind = self.kinds[index]
        return self.values[index] if kind == Kind.PITCH else CODES[Kind(kind)]

    def _refuse(self, state: State, index: int) -> NoReturn:
        raise ValueError(f"bar {state.bars}, tick {state.tick}: {self.vocabulary.names[index]} cannot stand here")

    def _given_header(self) -> tuple[int | None, ...]:
        """The ids that the form settles, None where it does not."""
        form, id_of = self.form, self.vocabulary.id_of
        meter = form.layout[0].meter if form.layout else form.meter
        key = canonical_key(form.key)
        return (
            None if form.label is None else id_of(f"LABEL_{quote(form.label) or UNTOLD}"),
            None if meter is None else self.vocabulary.meter_id(meter),
            None if form.swing is None else id_of(f"SWING_{form.swing}"),
            None if form.tempo is None else id_of(f"TEMPO_{form.tempo}"),
            None if key is None else id_of(f"KEY_{key}"),
        )

    def _due_header(self, place: int) -> tuple[int, ...]:
        """The header token at a place if the form settles it."""
        given = self.header[place] if place < len(HEADER) else None
        return () if given is None else (given,)

    def _head(self, state: State, index: int) -> None:
        """A header token."""
        if self.kinds[index] == Kind.LABEL:
            state.label = self.values[index]
        elif self.kinds[index] == Kind.KEY:
            state.key = 0 if self.told else self.values[index]
        elif self.kinds[index] == Kind.METER:
            state.meter = index
            state.layout = self.form.laid_out(self.vocabulary.meter(index))
        state.header += 1
        state.due = self._due_header(state.header)
        if state.header == len(HEADER):
            self._end_bar(state)

    def _end_bar(self, state: State) -> None:
        """Before a bar, or the end."""
        state.phase = Phase.BARLINE
        state.lengths, state.new_meter = (), False
        if state.layout is not None:
            over = state.bars == len(state.layout)
            state.due = (int(Kind.END),) if over else self._bar_ids(state.layout[state.bars], state.meter)

    def _bar_ids(self, bar: Bar, meter: int) -> tuple[int, ...]:
        """What must begin a given bar after one in a meter."""
        index = self.vocabulary.index
        own = self.vocabulary.meter_id(bar.meter)
        lengths = length_sum(bar.length) if bar.length != self.values[own] else []
        return (*([own] if own != meter else []), *(index[f"LENGTH_{ticks}"] for ticks in lengths), index["BAR"])

    def _cross(self, state: State, index: int) -> None:
        """A token between two bars."""
        kind = self.kinds[index]
        if kind == Kind.METER:
            state.meter, state.new_meter = index, True
        elif kind == Kind.LENGTH:
            state.lengths = (*state.lengths, self.values[index])
        elif kind == Kind.BAR:
            self._begin_bar(state)
        elif kind == Kind.END:
            state.phase = Phase.DONE
        else:
            self._refuse(state, index)

    def _begin_bar(self, state: State) -> None:
        """The barline itself."""
        state.phase = Phase.EVENT
        state.bars += 1
        state.bar_start = state.tick
        state.bar_end = state.tick + (sum(state.lengths) or self.values[state.meter])
        state.joint = True
        state.figure, state.loops = (), loop_ends(state.past, self.rules.loops)
        state.due = self._due_change(state)
        if self.rules.settle and state.layout is not None and state.bars == len(state.layout):
            state.ending = self._ending(state)

    def _ending(self, state: State) -> Ending:
        """What the last bar must come to; made again where the model writes a chord of its own at its beginning."""
        bar = Bar(state.bar_start, state.bar_end - state.bar_start) if not state.layout else state.layout[-1]
        start, chord = max(state.changed, 0), None
        if self.form.changes is not None:
            given = [change for change in self.form.changes if change.start < state.bar_end]
            start, chord = (given[-1].start, given[-1].chord) if given else (0, None)
        elif state.chord > 0:
            chord = self.vocabulary.chord(state.chord)
        return Ending(state.bar_end, min(beat_ticks(bar.meter), bar.length), start, self._tones(chord))

    def _tones(self, chord: Chord | None) -> NDArray[np.bool_] | None:
        """(128,) the pitches that belong to a chord; None without one, or where none is within reach."""
        pitches = np.arange(128)
        tones = np.isin(pitches % 12, [] if chord is None else chord.pitch_classes())
        known, rules = self.vocabulary.pitches, self.rules
        reach = (pitches >= max(rules.lowest, known[0])) & (pitches <= min(rules.highest, known[-1]))
        return tones if (tones & reach).any() else None

    def _due_change(self, state: State) -> tuple[int, ...]:
        """A given chord that begins at this tick."""
        here = state.coming < len(self.changes) and self.changes[state.coming][0] == state.tick
        return self.changes[state.coming][1] if here else ()

    def _change(self, state: State, index: int) -> None:
        """A chord."""
        value = self.values[index]
        state.chord, state.changed, state.joint = value, state.tick, True
        if self.told:
            state.coming += 1
        elif value:
            state.root = (value - 1) % 12
        if state.ending is not None:
            state.ending = self._ending(state)

    def _begin_event(self, state: State, index: int) -> None:
        """A note, a rest or a hold."""
        state.phase, state.event, state.root = Phase.DURATION, index, None
        code = self.event_code(index)
        state.figure = extended(state.figure, state.tick - state.bar_start, code)
        if code >= 0:
            state.run = state.run + 1 if code == state.pitch else 1
            state.pitch = code
        elif code == UNKNOWN:
            state.pitch, state.run = None, 0

    def _last(self, state: State, index: int) -> None:
        """The duration of the event before."""
        ticks, code = self.values[index], self.event_code(state.event)
        state.tick += ticks
        if state.tick > self.segment_end(state):
            self._refuse(state, index)
        state.joint, state.sounding = ticks == LONGEST, code != REST
        if code != REST:
            before = state.held.length if code == HOLD and state.held else 0
            state.held = Held(state.pitch, before + ticks, state.tick)
        if state.tick == state.bar_end:
            state.past = (*state.past, state.figure)[-remembered(self.rules.loops) :]
            self._end_bar(state)
        else:
            state.phase = Phase.EVENT
            state.due = self._due_change(state)
