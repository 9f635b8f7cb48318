"""What a writer is told besides the lead sheet."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gencli.config import check, check_name
from gencli.music.instruments import program_of

if TYPE_CHECKING:
    from gencli.music.lead_sheet import LeadSheet

Backing = Literal["trio", "chords", "none"]

DEFAULT_TEMPO = 120.0  # quarters a minute, MIDI's own default
SLOWEST, FASTEST = 20.0, 500.0
STRAIGHT, STEEPEST = 1.0, 3.0  # long:short of a pair of eighths; at 3 they are a dotted eighth and a sixteenth


@dataclass(frozen=True)
class WriteOptions:
    """How a lead sheet is written. None: as the sheet has it."""

    instrument: str = "tenor-sax"  # of the melody: a name or a General MIDI number, see instruments.py
    swing: float | None = None  # long:short of a pair of eighths as played; 1 = straight
    tempo: float | None = None  # quarters a minute
    backing: Backing = "trio"  # trio: piano, bass and drums; chords: piano; none
    soundfont: Path | None = None  # for .wav; None: one that the system has
    seed: int = 1  # of what the backing leaves to chance

    def __post_init__(self) -> None:
        check_name(self.backing, Backing, "--backing")
        legal = self.swing is None or STRAIGHT <= self.swing <= STEEPEST
        check(legal, f"--swing {self.swing}: must lie between {STRAIGHT:g} (straight) and {STEEPEST:g}")
        legal = self.tempo is None or SLOWEST <= self.tempo <= FASTEST
        check(legal, f"--tempo {self.tempo}: must lie between {SLOWEST:g} and {FASTEST:g} quarters a minute")
        check(0 <= self.seed < 2**63, f"--seed {self.seed}: must lie between 0 and 2**63 - 1")
        program_of(self.instrument)

    def tempo_of(self, sheet: LeadSheet) -> float:
        """The tempo to write: the one asked for, else the sheet's own, within what players and files can do."""
        if self.tempo is not None:
            return self.tempo
        return min(max(sheet.tempo, SLOWEST), FASTEST) if sheet.tempo else DEFAULT_TEMPO

    def swing_of(self, sheet: LeadSheet) -> float:
        """The swing to write: the one asked for, else the sheet's own, between straight and a dotted eighth."""
        return self.swing if self.swing is not None else min(max(sheet.swing, STRAIGHT), STEEPEST)


def swing_ratio(swing: float) -> Fraction:
    """A swing as two small whole numbers: 1.5 -> 3/2."""
    return Fraction(swing).limit_denominator(100)


def swing_text(swing: float) -> str:
    """A swing as files name it: "Swing 3:2"."""
    ratio = swing_ratio(swing)
    return f"Swing {ratio.numerator}:{ratio.denominator}"
