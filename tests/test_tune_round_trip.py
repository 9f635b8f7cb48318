"""What the writers write, the readers read: the same notes, changes and bars."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gencli.music import write_abc, write_midi, write_musicxml
from gencli.music.changes import ascending
from gencli.music.read_abc import read_abc
from gencli.music.read_midi import read_midi
from gencli.music.read_score import read_musicxml
from gencli.music.write_options import WriteOptions
from tests.sheet_checks import check_sheet, played
from tests.tune_cases import random_sheet

SEEDS = range(30)


def sheet_of(seed):
    """A pseudo-random sheet with notes, its changes as readers give them."""
    sheet = next(sheet for sheet in map(random_sheet, range(seed, 10_000, 100)) if sheet.notes)
    return replace(sheet, changes=ascending(change for change in sheet.changes if change.start < sheet.length))


@pytest.mark.parametrize("seed", SEEDS)
def test_abc(seed):
    sheet = sheet_of(seed)
    (back,), problems = read_abc(write_abc.tune_bytes(sheet, WriteOptions()).decode())
    assert problems == []
    check_sheet(back)
    assert played(back) == played(sheet)
    assert back.changes == sheet.changes
    assert back.swing == pytest.approx(max(1.0, sheet.swing), rel=1e-2)


@pytest.mark.parametrize("seed", SEEDS)
def test_musicxml(seed):
    sheet = sheet_of(seed)
    back = read_musicxml(write_musicxml.tune_bytes(sheet, WriteOptions()))
    check_sheet(back)
    assert played(back) == played(sheet)
    assert back.changes == sheet.changes


@pytest.mark.parametrize("backing", ["trio", "chords", "none"])
@pytest.mark.parametrize("seed", SEEDS)
def test_midi(seed, backing):
    sheet = replace(sheet_of(seed), swing=1.0)
    back = read_midi(write_midi.tune_bytes(sheet, WriteOptions(backing=backing)))
    check_sheet(back)
    lead_in = max(0, sheet.bars[0].meter.ticks - sheet.bars[0].length)
    assert played(back) == [(start + lead_in, duration, pitch) for start, duration, pitch in played(sheet)]
    assert back.changes == tuple(replace(change, start=change.start + lead_in) for change in sheet.changes)
