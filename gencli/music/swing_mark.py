"""The word "Swing" in a file, with or without its ratio."""

from __future__ import annotations

import re

SWING = re.compile(r"\bswing\b(?:\s*\(?(\d{1,3})\s*:\s*(\d{1,3}))?", re.IGNORECASE)
USUAL = 1.5  # long:short where nobody says: what players do at medium tempo, not 2
LEAST, MOST = 1.0, 3.0


def marked_swing(text: str) -> float | None:
    """The ratio that a text such as "Swing 5:3" or "Medium Swing" asks for; None where it is about something else."""
    match = SWING.search(text)
    if match is None:
        return None
    return swing_ratio(int(match[1]), int(match[2])) if match[1] else USUAL


def swing_ratio(long: int, short: int) -> float | None:
    """Long to short as a number; None outside of 1 ... 3."""
    return long / short if short and LEAST <= long / short <= MOST else None
