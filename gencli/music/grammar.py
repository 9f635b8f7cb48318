"""Which tokens may come next, so that what a model writes is a tune.

The tokens that `allowed` lets through after each other are, under form.STRUCTURE, exactly those that tokens.tokens_of
gives for the sheets of the form asked for; other rules let fewer through. What the form settles (header, bars, given
changes) leaves one token to choose from, at no cost. No choice leads to where nothing may follow.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gencli.music.course import Course, Phase, State
from gencli.music.ending import TICKS_LONG
from gencli.music.form import STRUCTURE, Form, Rules, strong_ticks
from gencli.music.lead_sheet import Meter
from gencli.music.loops import HOLD, REST, extended
from gencli.music.melody_rules import MelodyRules
from gencli.music.side import BEFORE_CHORDS
from gencli.music.tokens import LONGEST, length_sum
from gencli.music.vocabulary import HEADER, Kind, Vocabulary

Mask = NDArray[np.bool_]


class Grammar(Course):
    """The tunes of a form that keep the rules, token by token."""

    def __init__(self, vocabulary: Vocabulary, form: Form, rules: Rules = STRUCTURE) -> None:
        """OptionError where the vocabulary has no pitch within the range."""
        super().__init__(vocabulary, form, rules)
        self.melody = MelodyRules(vocabulary, rules)
        self._blocks = {kind: vocabulary.block(kind) for kind in Kind}
        self._rest, self._hold = vocabulary.first(Kind.REST), vocabulary.first(Kind.HOLD)
        self._fits = np.arange(LONGEST + 1)[:, None] >= TICKS_LONG  # (49, 48) durations that fit so many ticks

    def allowed(self, state: State) -> Mask:
        """(V,) the ids that may come next: at least one until the tune is done, then none."""
        mask = np.zeros(len(self.vocabulary), np.bool_)
        if state.due:
            mask[state.due[0]] = True
        elif state.phase == Phase.HEADER:
            mask[self._blocks[HEADER[state.header]]] = True
        elif state.phase == Phase.BARLINE:
            self._allow_barline(state, mask)
        elif state.phase == Phase.EVENT:
            self._allow_chords(state, mask)
            if not self._must_change(state):
                self._allow_events(state, mask)
                self._break_loops(state, mask)
        elif state.phase == Phase.DURATION:
            durations = self._durations(state)
            if state.figure in state.loops and not self._must_close(state, durations):
                durations[state.bar_end - state.tick - 1 :] = False
            mask[self._blocks[Kind.DURATION]] = durations
        return mask

    def _allow_barline(self, state: State, mask: Mask) -> None:
        """Where the form leaves the bars open: a new meter, an irregular length, a bar, or the end."""
        ticks, said = self.values[state.meter], sum(state.lengths)
        if state.bars > 0 and not state.lengths and not state.new_meter:
            mask[self._blocks[Kind.METER]] = True
            mask[state.meter] = False
            mask[Kind.END] = True
        for index in range(self._blocks[Kind.LENGTH].start, self._blocks[Kind.LENGTH].stop):
            lengths = [*state.lengths, self.values[index]]
            mask[index] = lengths == length_sum(sum(lengths))
        mask[self._blocks[Kind.BAR]] = said != ticks and said + ticks > 0

    def _allow_chords(self, state: State, mask: Mask) -> None:
        """Chords of the model's own, and the bass of one that it has just written."""
        if self.told or not self.vocabulary.qualities:
            return
        if state.root is not None:
            basses = self._blocks[Kind.BASS]
            mask[basses] = True
            mask[basses.start + state.root] = False
        if state.changed < state.tick and self._may_change(state):
            mask[self._blocks[Kind.CHORD]] = True
            if self.rules.strong_changes:
                sounding = max(state.chord, 0)  # before the first change there is no chord either
                mask[self.vocabulary.first(Kind.CHORD) + sounding] = False

    def _may_change(self, state: State) -> bool:
        """Whether a chord of the model's own may stand at this tick."""
        if not self.rules.strong_changes:
            return True
        place = state.tick - state.bar_start
        if state.ending is not None and place > 0:
            return False
        meter = self._meter(state)
        if state.bars == 1:
            place += max(meter.ticks - (state.bar_end - state.bar_start), 0)  # a pickup lacks its beginning
        return place in _strong_ticks(meter)

    def _must_change(self, state: State) -> bool:
        """Whether the first chord of the model's own is due: at the beginning of a full bar."""
        if self.told or not (self.rules.chord_first and self.vocabulary.qualities) or state.chord != BEFORE_CHORDS:
            return False
        full = state.bar_end - state.bar_start >= self._meter(state).ticks
        return full and state.tick == state.bar_start

    def _meter(self, state: State) -> Meter:
        """The meter of the bar under way."""
        layout = state.layout
        return self.vocabulary.meter(state.meter) if layout is None else layout[state.bars - 1].meter

    def _allow_events(self, state: State, mask: Mask) -> None:
        """Notes, rests and holds."""
        rest, hold = state.sounding or state.joint, state.sounding and state.joint
        notes, tones, ending = True, None, state.ending
        if ending is not None:
            left = ending.end - state.tick
            rest = rest and ending.may_rest(state.held, left)
            hold = hold and state.held is not None and ending.may_hold(state.held, left)
            tones = None if ending.may_begin(left, tones_only=False) else ending.tones
            notes = ending.may_begin(left, tones_only=True)
        mask[self._rest], mask[self._hold] = rest, hold
        mask[Kind.UNKNOWN] = self.rules.unknown
        if notes:
            pitches = self.melody.pitches(state.pitch, state.run, tones)
            if not (rest or hold or pitches.any()):
                pitches = self.melody.last_resort(state.pitch, tones)
            mask[self._blocks[Kind.PITCH]] = pitches

    def _break_loops(self, state: State, mask: Mask) -> None:
        """Take away an event that would leave no choice but to say a bar once too often, unless it is the only one."""
        for loop in state.loops:
            for code in (loop[-1][1], HOLD):
                index = self._event_id(code)
                if not mask[index] or extended(state.figure, state.tick - state.bar_start, code) != loop:
                    continue
                after = state.copy()
                self.advance(after, index)
                if self._must_close(after, self._durations(after)) and mask.sum() > 1:
                    mask[index] = False

    def _event_id(self, code: int) -> int:
        """The id of an event of a figure."""
        if code >= 0:
            return self.vocabulary.first(Kind.PITCH) + code - self.melody.first
        return {REST: self._rest, HOLD: self._hold}.get(code, int(Kind.UNKNOWN))

    def _must_close(self, state: State, durations: Mask) -> bool:
        """Whether of these durations (48,) only the one that fills the bar is left; False where none does."""
        fill = state.bar_end - state.tick
        return fill <= LONGEST and bool(durations[fill - 1]) and not durations[: fill - 1].any()

    def _durations(self, state: State) -> Mask:
        """(48,) what the event before may last: it ends at the next barline or given change, or sooner."""
        segment = self.segment_end(state) - state.tick
        durations: Mask = self._fits[min(segment, LONGEST)].copy()
        ending = state.ending
        if ending is not None:
            left, code = ending.end - state.tick, self.event_code(state.event)
            if code == REST:
                durations &= ending.rests(state.held, left, segment)
            else:
                before = state.held.length if code == HOLD and state.held else 0
                durations &= ending.notes(state.pitch, before, left, segment)
        return durations


_strong_ticks = lru_cache(strong_ticks)
