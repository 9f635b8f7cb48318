"""Key signatures by name, and tempos that can be believed."""

from __future__ import annotations

from typing import Final

SLOWEST, FASTEST = 10.0, 1000.0  # quarters a minute
CIRCLE: Final = (
    *("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"),
    *("G#", "D#", "A#"),  # of minor keys alone
)


def key_name(sharps: int, minor: bool) -> str | None:
    """The key of a signature, such as "Bb" or "F#m"; flats count below 0. None for an impossible one."""
    return CIRCLE[sharps + 7 + 3 * minor] + "m" * minor if -7 <= sharps <= 7 else None


def believed_tempo(tempo: float | None) -> float | None:
    """The tempo in quarters a minute, None where it cannot be meant."""
    return tempo if tempo is not None and SLOWEST <= tempo <= FASTEST else None
