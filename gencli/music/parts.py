"""Parts that were written as measures to one lead sheet: the melody of one, the chords of any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gencli.music.accompaniment import hear_chords
from gencli.music.lead_sheet import LeadSheet
from gencli.music.measures import Measure, assemble, sounding
from gencli.music.melody_track import Part, choose_part
from gencli.music.notices import Notices
from gencli.music.repeats import play_order

HEARD = "chords matched from the accompaniment"


def lead_sheet(parts: Mapping[str, Sequence[Measure]], track: str | None, notices: Notices) -> LeadSheet:
    """The lead sheet of parts; CorpusError where no part has notes, or none that `track` names.

    The changes are the chord symbols of the melody's part, else of the first part that has some, else what the other
    parts sound like.
    """
    names, written = list(parts), list(parts.values())
    silent = Notices()  # what happens in the other parts is no news
    notes = [sounding(measures, silent) for measures in written] if len(parts) > 1 else []
    place = choose_part([Part(*pair) for pair in zip(names, notes, strict=True)], track) if notes else 0
    melody = list(written[place]) if written else []
    others = [measures for measures in written if len(measures) == len(melody) and measures is not written[place]]
    if len(parts) > 1:
        notices.name("melody taken from", names[place])
    if not any(measure.chords for measure in melody):
        symbols = next((other for other in others if any(measure.chords for measure in other)), None)
        if symbols is not None:
            pairs = zip(melody, symbols, strict=True)
            melody = [replace(measure, chords=other.chords) for measure, other in pairs]
    sheet = assemble(melody, notices)
    if sheet.changes or not others:
        return sheet
    order = play_order([measure.signs for measure in melody])
    backing = [note for other in others for note in sounding([other[n] for n in order], silent)]
    changes = hear_chords(backing, sheet.notes, sheet.bars)
    if changes:
        notices.name(HEARD, ", ".join(name for name in names if name != names[place]))
    return replace(sheet, changes=changes, notices=notices.texts())
