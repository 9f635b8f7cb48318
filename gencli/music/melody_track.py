"""Which of several tracks, parts or voices is the melody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from gencli.errors import CorpusError
from gencli.music.lead_sheet import TICKS
from gencli.music.skyline import Sounding, skyline

MELODY = re.compile(r"melod|solo|lead|vocal|voice|vox|sing|sopran|theme|tune|head|cantus|superius", re.IGNORECASE)
HORN = re.compile(r"sax|trumpet|trombone|flute|clarinet|violin|fiddle|oboe|whistle|cornet|harmonica", re.IGNORECASE)
BACKING = re.compile(
    r"chord|change|bass|drum|perc|pad|comp|string|accomp|backing|rhythm|click|metronom|left|alto|tenor|harmon(?!ica)",
    re.IGNORECASE,
)
DRUMS = re.compile(r"drum|percussion|metronom|click", re.IGNORECASE)
MOST_LISTED = 12  # tracks named in a message


@dataclass(frozen=True)
class Part:
    """A track, part or voice with its notes."""

    name: str
    notes: Sequence[Sounding]


def choose_part(parts: Sequence[Part], track: str | None = None) -> int:
    """The place of the melody among parts; CorpusError where there is none, or none that `track` names.

    `track` is a number counted from 1, a name, or a piece of one, in any case of letters. Without it each part gets
    points: for its name, for few notes at once, for lying high, for being first, for having many notes.
    """
    sounding = [place for place, part in enumerate(parts) if part.notes]
    if not sounding:
        raise CorpusError("no notes in it")
    if track is None:
        most = max(len(part.notes) for part in parts)
        return max(sounding, key=lambda place: (_points(parts[place], place, most), -place))
    wanted = track.strip().lower()
    if wanted.isdigit() and 1 <= int(wanted) <= len(parts) and parts[int(wanted) - 1].notes:
        return int(wanted) - 1
    equal = [place for place in sounding if parts[place].name.strip().lower() == wanted]
    alike = [place for place in sounding if wanted and wanted in parts[place].name.lower()]
    if equal or alike:
        return (equal or alike)[0]
    listed = ", ".join(f"{place + 1} {parts[place].name}".strip() for place in sounding[:MOST_LISTED])
    raise CorpusError(f"no track {track} with notes; choose --track from: {listed}")


def _points(part: Part, place: int, most: int) -> float:
    """How much a part looks like a melody."""
    name = (
        3.0 * bool(MELODY.search(part.name))
        + 1.5 * bool(HORN.search(part.name))
        - 3.0 * bool(BACKING.search(part.name))
    )
    melody, hidden = skyline(part.notes)
    alone = len(melody) / (len(melody) + len(hidden))
    steps = sum(note.duration <= 2 * TICKS for note in melody) / len(melody)  # long notes are pads
    high = max(-1.0, min(1.0, (fmean(note.pitch for note in melody) - 64) / 12))
    return name + 2 * alone + steps + high + 0.5 * (place == 0) + len(part.notes) / most
