"""Tunes as ids: nothing is lost, side ids agree with a plain reading, transposition, what the vocabulary lacks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.codecs.codec import EOS, UNK, Tokens, codec_from_state
from gencli.codecs.music import MusicCodec, text_tune, tune_text
from gencli.config import CodecOptions
from gencli.documents import Document
from gencli.errors import CorpusError, ModelFileError, OptionError
from gencli.music.chords import FLATS, Chord, transpose
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.side import BEFORE_CHORDS, DISTANCE, LABEL, sounding_chords
from gencli.music.tokens import END, KEYS, LENGTHS, TEMPOS, UNKNOWN, length_sum, nearest_tempo, sheet_of, tokens_of
from gencli.music.transposition import MOVES, id_table, legal_shifts
from gencli.music.vocabulary import Kind, Vocabulary
from tests.music_cases import plain, sheets
from tests.reference import music_tokens as reference

SOLOS = Path(__file__).parents[2] / "shared" / "data" / "wjazzd"
FOUR = Meter(4, 4)
DM7, G7, C = Chord(2, "m7"), Chord(7, "7"), Chord(0, "maj7")
PHRASE = LeadSheet(
    notes=(Note(0, 6, 62), Note(6, 6, 65), Note(12, 24, 69), Note(36, 24, 67), Note(72, 48, 64)),
    changes=(Change(0, DM7), Change(24, G7), Change(48, C)),
    bars=(Bar(0, 48, FOUR), Bar(48, 48, FOUR), Bar(96, 48, FOUR)),
    tempo=120.0,
    key="C",
    label="jazz",
)


def fitted(*tunes, min_count=1):
    return MusicCodec.fit([Document(tune_text(sheet)) for sheet in tunes], CodecOptions(min_count))


def laid(codec, *tunes):
    """Tunes end to end: ids (N,) and lengths (D,)."""
    encoded = [codec.encode_sheet(sheet) for sheet in tunes]
    return np.concatenate(encoded), np.array([len(ids) for ids in encoded], np.int64)


def test_the_tokens_of_a_phrase():
    assert tune_text(PHRASE).split("BAR") == [
        "LABEL_jazz METER_4/4 SWING_1 TEMPO_120 KEY_C ",
        " C:D:m7 P62 D6 P65 D6 P69 D12 C:G:7 H D12 P67 D12 ",
        " C:C:maj7 H D12 R D12 P64 D24 ",
        " H D24 R D24",
    ]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(sheets())
def test_nothing_of_a_sheet_is_lost(sheet):
    tokens = tokens_of(sheet)
    assert tokens == reference.encode(plain(sheet))
    assert reference.decode(tokens) == plain(sheet)
    assert sheet_of(tokens) == sheet_of([*tokens, END]) == sheet
    codec = fitted(sheet, PHRASE)
    ids = codec.encode_sheet(sheet)
    assert ids[-1] == EOS
    assert UNK not in ids
    assert codec.decode_sheet(ids) == sheet
    assert codec.decode(ids) == tune_text(sheet)
    assert codec.unknown(tune_text(sheet)) == []


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(sheets(), min_size=1, max_size=3))
def test_side_ids_agree_with_a_plain_reading(tunes):
    codec = fitted(*tunes, PHRASE)
    ids, lengths = laid(codec, *tunes)
    vocabulary = codec.vocabulary
    known = [vocabulary.names[vocabulary.block(kind)] for kind in (Kind.LABEL, Kind.KEY)]
    sounding = {}
    for name in vocabulary.names[vocabulary.block(Kind.CHORD)][1:]:
        _, root, quality = name.split(":")
        sounding[name] = Chord(FLATS.index(root), quality).pitch_classes()
    for told in (True, False):
        expected = [reference.side([*tokens_of(sheet), END], *known, told, sounding) for sheet in tunes]
        side = codec.side(ids, lengths, told)
        assert side.dtype == np.int32
        assert side.tolist() == [[index for part in rows for index in part] for rows in zip(*expected, strict=True)]
        assert (side.max(axis=1) < codec.side_sizes).all()


def test_side_ids_are_what_the_module_says():
    codec = fitted(PHRASE)
    side = codec.side(*laid(codec, PHRASE))
    names = codec.decode(codec.encode_sheet(PHRASE)).split()
    g7 = names.index("C:G:7")
    # Before G7 is told: two beats into the bar, two to go, the change is due at once.
    assert side[:5, g7].tolist() == [25, 25, 1, 1, 0]
    # After it: the next change comes at the barline.
    assert side[:5, g7 + 1].tolist() == [25, 25, 25, 1, 0]
    # At the last token no change is to come, the bar is full.
    assert side[:5, -1].tolist() == [49, 1, 97, 1, 0]
    # The tones, C first, those of G B D F: after the change, and at no other step near it.
    assert side[5:, g7 + 1].tolist() == [1, 1, 2, 1, 1, 2, 1, 2, 1, 1, 1, 2]
    assert not side[5:, [0, g7, g7 + 2, -1]].any()
    # Untold: nothing of what is to come, but the key, which is C.
    assert codec.side(*laid(codec, PHRASE), told=False)[:5, g7].tolist() == [25, 25, 0, 1, 1]


def test_the_chord_that_sounds_is_that_of_the_last_change_before():
    codec = fitted(PHRASE)
    names = codec.decode(codec.encode_sheet(PHRASE)).split()
    found = sounding_chords(codec.vocabulary, *laid(codec, PHRASE, PHRASE))
    length = len(found) // 2
    assert found[:length].tolist() == found[length:].tolist(), "no document hears the one before"
    g7 = names.index("C:G:7")
    first = next(place for place, name in enumerate(names) if name[:2] == "C:")
    assert (found[: first + 1] == BEFORE_CHORDS).all()
    dm7, dominant = (codec.vocabulary.chord(int(found[place])) for place in (g7, g7 + 1))
    assert (dm7, dominant) == (Chord(2, "m7"), Chord(7, "7"))


def test_no_tokens_have_no_side_ids():
    codec = fitted(PHRASE)
    assert codec.side(np.empty(0, np.int32), np.empty(0, np.int64)).shape == (17, 0)
    empty = Tokens(np.empty(0, np.int32), np.empty(0, np.int64), np.empty((7, 0), np.int32))
    assert len(codec.varied(empty, 1, 0).ids) == 0


# Transposition


def moved(sheet, semitones):
    """The same tune higher or lower."""
    key = sheet.key and KEYS[(KEYS.index(sheet.key) % 12 + semitones) % 12 + KEYS.index(sheet.key) // 12 * 12]
    return replace(
        sheet,
        notes=tuple(replace(note, pitch=note.pitch + semitones) for note in sheet.notes),
        changes=tuple(replace(change, chord=transpose(change.chord, semitones)) for change in sheet.changes),
        key=key,
    )


@settings(deadline=None, derandomize=True, max_examples=100)
@given(sheets(lowest=20, highest=100), st.integers(0, 11))
def test_transposing_ids_transposes_the_tune(sheet, shift):
    codec = fitted(sheet, PHRASE)
    ids, lengths = laid(codec, sheet)
    move = MOVES[shift]
    assert (move - shift) % 12 == 0
    higher = id_table(codec.vocabulary)[shift, ids]
    assert codec.decode_sheet(higher) == moved(sheet, move)
    assert codec.decode(higher).split() == reference.transposed(tune_text(sheet).split(), move)
    assert legal_shifts(codec.vocabulary, ids, lengths).all()
    side = codec.side(ids, lengths)
    side[5:] = np.roll(side[5:], shift, axis=0)
    assert side.tolist() == codec.side(higher, lengths).tolist()


@pytest.mark.parametrize("changes", [PHRASE.changes, ()], ids=["chords", "no chords"])
def test_every_shift_is_a_permutation_and_twelve_of_one_are_none(changes):
    codec = fitted(replace(PHRASE, changes=changes))
    table, size = id_table(codec.vocabulary), codec.vocabulary_size
    assert table.shape == (12, size)
    assert (np.sort(table, axis=1) == np.arange(size)).all()
    assert (table[0] == np.arange(size)).all()
    assert (table[1] != np.arange(size)).any()
    for shift in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11):  # six semitones twice are an octave
        assert (table[shift][table[(12 - shift) % 12]] == np.arange(size)).all()


def test_shifts_that_leave_the_range_are_dropped():
    wide = replace(PHRASE, notes=(Note(0, 12, 3), Note(12, 12, 124)))  # the vocabulary ends at 0 and 127
    high = replace(PHRASE, notes=(Note(0, 12, 125),))
    codec = fitted(wide, high)
    assert list(codec.vocabulary.pitches) == list(range(128))
    ids, lengths = laid(codec, wide, high)
    legal = legal_shifts(codec.vocabulary, ids, lengths)
    assert [MOVES[shift] for shift in np.flatnonzero(legal[0])] == [0, 1, 2, 3, -3, -2, -1]
    assert [MOVES[shift] for shift in np.flatnonzero(legal[1])] == [0, 1, 2, -5, -4, -3, -2, -1]
    tokens = Tokens(ids, lengths, codec.side(ids, lengths))
    drawn = set()
    for epoch in range(200):
        tune = codec.decode_sheet(codec.varied(tokens, 1, epoch).ids[: lengths[0]])
        drawn.add(tune.notes[0].pitch - 3)
        assert tune.notes[1].pitch - tune.notes[0].pitch == 121
    assert drawn == {-3, -2, -1, 0, 1, 2, 3}


def test_an_epoch_varies_key_label_and_foresight_and_nothing_else():
    tunes = [replace(PHRASE, title=str(number)) for number in range(2000)]
    codec = fitted(PHRASE)
    ids, lengths = laid(codec, *tunes)
    tokens = Tokens(ids, lengths, codec.side(ids, lengths))
    once, again, other = codec.varied(tokens, 5, 3), codec.varied(tokens, 5, 3), codec.varied(tokens, 5, 4)
    assert (once.ids == again.ids).all()
    assert (once.side == again.side).all()
    assert (once.ids != other.ids).any()
    assert (tokens.ids == ids).all(), "the documents themselves stay"
    length = int(lengths[0])
    found, side = once.ids.reshape(-1, length), once.side.reshape(17, -1, length)
    counts = {}
    for row in found:
        tune = codec.decode_sheet(row)
        move = tune.notes[0].pitch - 62
        assert replace(tune, label="jazz") == moved(PHRASE, move)
        counts[move] = counts.get(move, 0) + 1
    assert sorted(counts) == list(range(-5, 7))
    assert min(counts.values()) > 110  # 167 expected, standard deviation 12
    unlabelled = found[:, 0] == codec.vocabulary.id_of("LABEL_?")
    assert 150 < unlabelled.sum() < 250
    assert (side[LABEL, unlabelled] == 0).all()
    assert (side[LABEL, ~unlabelled, 1:] == 1).all()
    untold = (side[DISTANCE] == 0).any(axis=1)
    assert 420 < untold.sum() < 580
    told, blind = (codec.side(once.ids, lengths, told).reshape(17, -1, length) for told in (True, False))
    assert (side == np.where(untold[:, None], blind, told)).all()


# What the vocabulary lacks


def test_ids_are_sorted_by_kind_and_value_whatever_order_the_tunes_come_in():
    six = replace(PHRASE, bars=(Bar(0, 36, Meter(6, 8)), Bar(36, 108, Meter(5, 4))), label="folk")
    codec = fitted(PHRASE, six)
    assert codec.vocabulary == fitted(six, PHRASE).vocabulary
    names = codec.vocabulary.names
    assert names[:9] == ("<EOS>", "<UNK>", "LABEL_?", "LABEL_folk", "LABEL_jazz", "METER_4/4", "METER_5/4",
                         "METER_6/8", "SWING_1")  # fmt: skip
    assert (EOS, UNK) == (Kind.END, Kind.UNKNOWN) == (names.index(END), names.index(UNKNOWN))
    assert len(set(names)) == len(names) == codec.vocabulary_size
    pitches = [name for name in names if re.fullmatch(r"P\d+", name)]
    assert pitches == [f"P{pitch}" for pitch in range(62 - 6, 69 + 6 + 1)]
    assert (codec.lowest, codec.highest) == (62, 69)
    assert sum(name.startswith("C:") for name in names) == 1 + 12 * 3  # 7, m7, maj7
    assert [codec.symbol(codec.vocabulary.id_of(name)) for name in names] == list(names)


def test_foreign_values_go_to_the_nearest():
    codec = fitted(PHRASE, replace(PHRASE, changes=(Change(0, Chord(0, "m7b5")),)), min_count=1)
    foreign = replace(
        PHRASE,
        changes=(Change(0, Chord(2, "m9", 7)), Change(24, Chord(7, "13b9")), Change(48, None)),
        tempo=131.0,
        swing=1.6,
        key="E major",
        label="polka",
    )
    assert codec.unknown(tune_text(foreign)) == ["LABEL_polka", "C:D:m9", "C:G:13b9"]
    back = codec.decode_sheet(codec.encode_sheet(foreign))
    assert back.changes == (Change(0, Chord(2, "m7", 7)), Change(24, G7), Change(48, None))
    assert (back.tempo, back.swing, back.key, back.label) == (120.0, 1.5, "E", "")
    assert back.notes == foreign.notes
    assert codec.vocabulary.id_of("TEMPO_131") == codec.vocabulary.id_of("TEMPO_120")
    assert codec.vocabulary.id_of("SWING_1.6") == codec.vocabulary.id_of("SWING_1.5")


def test_rare_qualities_are_left_out():
    rare = replace(PHRASE, changes=(Change(0, Chord(0, "7alt")),))
    assert fitted(PHRASE, PHRASE, rare, min_count=2).vocabulary.qualities == ("7", "m7", "maj7")
    assert fitted(PHRASE, PHRASE, rare).vocabulary.qualities == ("7", "7alt", "m7", "maj7")


def test_a_foreign_meter_keeps_its_bars():
    codec = fitted(PHRASE)
    foreign = replace(PHRASE, bars=(Bar(0, 60, Meter(5, 4)), Bar(60, 48, Meter(2, 2)), Bar(108, 36, Meter(6, 8))))
    back = codec.decode_sheet(codec.encode_sheet(foreign))
    assert back == replace(foreign, bars=(Bar(0, 60, FOUR), Bar(60, 48, FOUR), Bar(108, 36, FOUR)))


def test_a_pitch_out_of_reach_is_unknown_and_read_back_as_a_rest():
    codec = fitted(PHRASE)
    foreign = replace(PHRASE, notes=(Note(36, 24, 100), Note(60, 12, 65)))
    ids = codec.encode_sheet(foreign)
    assert (ids == UNK).sum() == 1
    assert codec.decode_sheet(ids) == replace(foreign, notes=(Note(60, 12, 65),))


def test_a_vocabulary_without_chords_drops_them():
    codec = fitted(replace(PHRASE, changes=()))
    assert codec.vocabulary.qualities == ()
    assert not codec.side(*laid(codec, PHRASE))[5:].any()
    assert codec.decode_sheet(codec.encode_sheet(PHRASE)) == replace(PHRASE, changes=())
    with pytest.raises(IndexError):
        codec.vocabulary.chord_id(DM7)


@pytest.mark.parametrize("tempo", [0.1, 39, 41, 109, 130, 1000])
def test_the_nearest_tempo_is_nearest_by_ratio(tempo):
    assert nearest_tempo(tempo) == min(TEMPOS, key=lambda known: max(known / tempo, tempo / known))


@given(st.integers(1, 5000))
def test_a_length_is_the_sum_of_its_parts(ticks):
    parts = length_sum(ticks)
    assert sum(parts) == ticks
    assert parts == sorted(parts, reverse=True)
    assert set(parts) <= set(LENGTHS)


# State


def test_the_state_is_json_and_comes_back():
    codec = fitted(PHRASE, replace(PHRASE, changes=(Change(0, Chord(3, "6/9", 5)),), label="50 %"))
    state = json.loads(json.dumps(codec.state()))
    assert MusicCodec.from_state(state) == codec
    assert state["range"] == [62, 69]
    assert state["with_chords"] is True
    assert not fitted(PHRASE, *[replace(PHRASE, changes=())] * 2).with_chords


def test_a_codec_is_found_by_its_level():
    codec = fitted(PHRASE)
    assert codec_from_state(codec.state()) == codec


DAMAGES = {
    "another level": {"level": "char"},
    "no tokens": {"tokens": None},
    "tokens of numbers": {"tokens": [1, 2]},
    "no range": {"range": None},
    "a range of text": {"range": ["60", "70"]},
    "a range upside down": {"range": [69, 62]},
    "a range out of reach": {"range": [0, 69]},
    "a range of three": {"range": [62, 65, 69]},
    "empty": {"tokens": []},
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_refused(change):
    with pytest.raises(ModelFileError, match=r"^codec state: "):
        MusicCodec.from_state({**fitted(PHRASE).state(), **change})


@pytest.mark.parametrize("wrong", ["P60", "C:C:nonsense", "METER_x/4", "METER_0/4", "Px", "BAR", "C:C:7"])
@pytest.mark.parametrize("place", [0, 5, 60, 90])
def test_a_vocabulary_out_of_order_is_refused(wrong, place):
    names = list(fitted(PHRASE).vocabulary.names)
    names[place] = wrong
    with pytest.raises(ModelFileError, match="not a vocabulary of music"):
        Vocabulary.saved(names)


# Faults


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"notes": (Note(0, 12, 60), Note(6, 12, 62))}, "overlaps"),
        ({"notes": (Note(12, 12, 60), Note(0, 6, 62))}, "overlaps"),
        ({"notes": (Note(0, 0, 60),)}, "no length"),
        ({"notes": (Note(140, 12, 60),)}, "outside of the bars"),
        ({"notes": (Note(0, 12, 128),)}, "outside"),
        ({"changes": (Change(0, DM7), Change(0, G7))}, "not after the one before"),
        ({"changes": (Change(144, DM7),)}, "outside of the bars"),
        ({"bars": (Bar(0, 48), Bar(49, 200))}, "bar 2 begins at tick 49, not 48"),
        ({"bars": (Bar(0, 0), Bar(0, 144))}, "bar 1 .* no length"),
    ],
)
def test_a_sheet_that_is_none_is_a_corpus_error(change, fault):
    with pytest.raises(CorpusError, match=rf"^Blue: .*{fault}"):
        tokens_of(replace(PHRASE, title="Blue", **change))


HEAD = "LABEL_? METER_4/4 SWING_1 TEMPO_? KEY_?"
MALFORMED = {
    "nothing": "",
    "no header": "BAR R D48",
    "a header out of order": "METER_4/4 LABEL_? SWING_1 TEMPO_? KEY_? BAR R D48",
    "a bar too short": f"{HEAD} BAR R D24",
    "a bar too long": f"{HEAD} BAR R D24 P60 D25",
    "no duration": f"{HEAD} BAR P60 P62 D24",
    "a hold at the beginning": f"{HEAD} BAR H D48",
    "a hold after a rest": f"{HEAD} BAR R D24 H D24",
    "a change at the end": f"{HEAD} BAR R D48 C:C:7",
    "two changes at once": f"{HEAD} BAR C:C:7 C:D:7 R D48",
    "no barline": f"{HEAD} R D48",
    "an unknown chord": f"{HEAD} BAR C:C:x R D48",
    "an unknown root": f"{HEAD} BAR C:X:7 R D48",
    "a duration of nothing": f"{HEAD} BAR R D0 R D48",
    "a meter of words": "LABEL_? METER_four SWING_1 TEMPO_? KEY_?",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed_tokens_are_refused(text):
    with pytest.raises(CorpusError):
        text_tune(text)


def test_nothing_to_learn_is_an_option_error():
    with pytest.raises(OptionError, match="no notes"):
        fitted(replace(PHRASE, notes=()))
    with pytest.raises(OptionError, match="--min-count 0"):
        fitted(PHRASE, min_count=0)


@pytest.mark.skipif(not SOLOS.exists(), reason=f"{SOLOS} is not there: it belongs to the project, not to the package")
def test_every_solo_of_the_jazz_database_comes_back():
    from gencli.music.read_abc import read_abc

    solos = [read_abc(path.read_text(encoding="utf-8"))[0][0] for path in sorted(SOLOS.glob("*.abc"))]
    assert len(solos) == 256
    codec = fitted(*solos)
    for solo in solos:
        back = codec.decode_sheet(codec.encode_sheet(solo))
        assert (back.notes, back.changes, back.bars) == (solo.notes, solo.changes, solo.bars)
        assert back == sheet_of(tokens_of(back))
    ids, lengths = laid(codec, *solos)
    assert UNK not in ids
    assert 250_000 < len(ids) < 400_000
    assert legal_shifts(codec.vocabulary, ids, lengths).all()
