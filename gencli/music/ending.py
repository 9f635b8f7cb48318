"""How a tune comes to rest: its last note is a tone of the last chord and lasts a beat, whatever was drawn before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gencli.music.tokens import LONGEST

Mask = NDArray[np.bool_]
TICKS_LONG: Final = np.arange(1, LONGEST + 1)  # what the durations last


@dataclass(frozen=True)
class Held:
    """A note as far as it has sounded; the pitch is None where the vocabulary lacks it."""

    pitch: int | None
    length: int
    end: int  # tick


@dataclass(frozen=True)
class Ending:
    """The last bar. In it only such tokens are let through after which the tune can still come to rest.

    Either the last note has settled (a tone, a beat long or more, not over before the last chord begins), or a beat at
    least is left for another, or the note that sounds can be held until it has.
    """

    end: int  # the tick at which the tune is over
    beat: int  # ticks that the last note lasts at least
    change: int  # the tick of the last chord
    tones: Mask | None  # (128,) its tones; None: every pitch will do

    def is_tone(self, pitch: int | None) -> bool:
        """Whether the tune may end on this pitch."""
        return self.tones is None or (pitch is not None and bool(self.tones[pitch]))

    def settled(self, last: Held | None) -> bool:
        """Whether the tune could end with this note."""
        return last is not None and self.is_tone(last.pitch) and last.length >= self.beat and last.end > self.change

    def may_rest(self, last: Held | None, left: int) -> bool:
        """Whether a rest may begin with `left` ticks to go."""
        return self.settled(last) or left > self.beat

    def may_hold(self, last: Held, left: int) -> bool:
        """Whether the last note may be held."""
        return left > self.beat or (self.is_tone(last.pitch) and last.length + left >= self.beat)

    def may_begin(self, left: int, tones_only: bool) -> bool:
        """Whether a note may begin: a tone of the chord needs a beat, any other more."""
        return left >= self.beat if tones_only else left > self.beat

    def rests(self, last: Held | None, left: int, segment: int) -> Mask:
        """(48,) the durations of a rest, `segment` ticks before the next barline or change."""
        room: Mask = left - TICKS_LONG >= self.beat
        if not self.settled(last):
            return room
        room |= (segment == TICKS_LONG) | (TICKS_LONG == LONGEST)  # after these another rest may stand
        return room

    def notes(self, pitch: int | None, before: int, left: int, segment: int) -> Mask:
        """(48,) the durations of a note that has sounded for `before` ticks already."""
        after = left - TICKS_LONG
        room: Mask = after >= self.beat
        if not self.is_tone(pitch):
            return room
        length = before + TICKS_LONG
        settled = (length >= self.beat) & (self.end - after > self.change)
        joint = (segment == TICKS_LONG) | (TICKS_LONG == LONGEST)
        room |= settled | (joint & (after > 0) & (length + after >= self.beat))
        return room
