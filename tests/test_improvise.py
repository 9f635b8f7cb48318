"""Writing tunes with a network, scoring them, going on from a primer, joining phrases."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gencli.codecs.codec import Tokens
from gencli.codecs.music import MusicCodec, tune_text
from gencli.config import NetworkConfig, SampleConfig
from gencli.documents import Document
from gencli.errors import OptionError
from gencli.music.changes import lay_out, parse_changes
from gencli.music.chords import Chord
from gencli.music.form import STRUCTURE, Form, Rules, continued, form_of, lay_bars
from gencli.music.grammar import Grammar
from gencli.music.improvise import improvise, pick, score_tunes, write_tunes
from gencli.music.infill import infill
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.splicing import first_bars, joined, moved
from gencli.music.vocabulary import Kind
from gencli.scoring import token_logprobs
from tests.network_cases import random_network
from tests.reference import pick as reference

FOUR = Meter(4, 4)
C7, DM7, G7 = Chord(0, "7"), Chord(2, "m7"), Chord(7, "7")
TUNE = LeadSheet(
    notes=(Note(6, 6, 57), Note(12, 24, 60), Note(36, 24, 64), Note(72, 12, 67), Note(96, 36, 72)),
    changes=(Change(0, DM7), Change(24, G7), Change(48, C7)),
    bars=lay_bars(3, FOUR),
    title="Tune",
    tempo=120.0,
    key="C",
)
CODEC = MusicCodec.fit([Document(tune_text(TUNE)), Document(tune_text(replace(TUNE, label="jazz")))])
WORDS = CODEC.vocabulary
SIXTEEN = lay_bars(16, FOUR)
BLUES = lay_out(parse_changes("C7 | F7 | C7 | C7"), SIXTEEN)


@pytest.fixture(scope="module")
def network():
    config = NetworkConfig(CODEC.vocabulary_size, hidden_size=12, layers=2, side_sizes=CODEC.side_sizes)
    network = random_network(config, dtype=np.float32)
    yield network
    network.team.close()


class Always:
    """A reader whose every step gives the same logits (V,), in columns padded as a network's are."""

    def __init__(self, logits):
        self.row = np.concatenate([logits, np.full(7, 1e9)])

    def state(self, rows):
        return None

    def logits(self, inputs, starts, side, state):
        return np.broadcast_to(self.row, (*inputs.shape, len(self.row)))


class Following(Always):
    """A reader whose logits depend on the last token alone: row `index` of a (V, V) table follows that id."""

    def __init__(self, table):
        self.table = table

    def logits(self, inputs, starts, side, state):
        return self.table[inputs]


def log_softmax(logits):
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())


# Drawing


@pytest.mark.parametrize("temperature", [0.0, 1e-300, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (3, 1.0), (0, 0.6), (5, 0.9), (1, 0.1), (100, 0.999)])
def test_pick_is_the_reference(temperature, top_k, top_p):
    rng = np.random.default_rng(1)
    config = SampleConfig(temperature, top_k, top_p)
    for size in (1, 2, 17):
        for _ in range(20):
            logits = np.round(rng.normal(size=size) * 2, 1)  # equal ones among them
            shares = reference.distribution(logits, temperature, top_k, top_p)
            for uniform in (0.0, *rng.random(4), 1 - 2.0**-53):
                # At the edge of a share the last bit decides, which is another in the reference.
                picked = pick(logits, config, uniform)
                assert picked in {reference.pick(shares, uniform), reference.pick(shares, uniform - 1e-12)}


def test_what_is_drawn_has_the_shares_of_the_legal_tokens():
    rng = np.random.default_rng(2)
    reader = Always(rng.normal(size=len(WORDS)) * 2)
    form = Form(layout=lay_bars(1, Meter(1, 4)), changes=(), label="", key="C", tempo=120.0, swing=1.0)
    grammar = Grammar(WORDS, form, replace(STRUCTURE, lowest=60, highest=63, unknown=False))
    written = improvise(reader, grammar, SampleConfig(temperature=0.7, seed=3), range(4000))
    at = next(place for place, index in enumerate(written[0].ids) if index == WORDS.index["BAR"]) + 1
    legal = [WORDS.index[name] for name in ("R", "P60", "P61", "P62", "P63")]
    shares = np.exp(log_softmax(reader.row[legal] / 0.7))
    counts = np.array([sum(tune.ids[at] == index for tune in written) for index in legal])
    assert counts.sum() == 4000, "nothing else may begin"
    assert (np.abs(counts - 4000 * shares) < 5 * np.sqrt(4000 * shares * (1 - shares))).all()


def test_log_probabilities_are_those_of_all_and_of_the_legal_tokens():
    rng = np.random.default_rng(4)
    reader = Always(rng.normal(size=len(WORDS)) * 2)
    logits = reader.row[: len(WORDS)]
    grammar = Grammar(WORDS, Form(layout=SIXTEEN, changes=BLUES, label=""), Rules())
    [tune] = improvise(reader, grammar, SampleConfig(), [0])
    state = grammar.start()
    assert tune.raw == pytest.approx(log_softmax(logits)[tune.ids])
    for index, allowed in zip(tune.ids.tolist(), tune.allowed, strict=True):
        mask = grammar.allowed(state)
        assert allowed == pytest.approx(log_softmax(np.where(mask, logits, -np.inf))[index], abs=1e-12)
        grammar.advance(state, index)
    forced = np.isin(WORDS.kinds[tune.ids], (Kind.CHORD, Kind.BAR, Kind.END, Kind.METER, Kind.LABEL))
    assert (tune.allowed[forced] == 0).all()
    assert (tune.raw < 0).all()


def test_a_tune_depends_on_seed_and_number_alone(network):
    grammar = Grammar(WORDS, Form(layout=SIXTEEN, changes=BLUES), Rules())
    together = improvise(network, grammar, SampleConfig(seed=5), range(4))
    for number in (0, 3):
        [alone] = improvise(network, grammar, SampleConfig(seed=5), [number])
        assert alone.ids.tolist() == together[number].ids.tolist()
        assert alone.raw == pytest.approx(together[number].raw, rel=1e-5)
    assert len({tuple(tune.ids.tolist()) for tune in together}) == 4
    [other] = improvise(network, grammar, SampleConfig(seed=6), [0])
    assert other.ids.tolist() != together[0].ids.tolist()


def test_the_coldest_model_takes_the_likeliest_legal_token(network):
    grammar = Grammar(WORDS, Form(layout=SIXTEEN, changes=BLUES), Rules())
    greedy, narrow, other = (
        improvise(network, grammar, config, [0])[0].ids.tolist()
        for config in (SampleConfig(temperature=0), SampleConfig(top_k=1), SampleConfig(temperature=0, seed=9))
    )
    assert greedy == narrow == other


def test_a_network_writes_what_was_asked_for(network):
    for told in (BLUES, None):
        grammar = Grammar(WORDS, Form(layout=SIXTEEN, changes=told), Rules(lowest=55, highest=76))
        for tune in improvise(network, grammar, SampleConfig(temperature=1.2), range(8)):
            sheet = CODEC.decode_sheet(tune.ids)
            assert sheet.bars == SIXTEEN
            assert CODEC.encode_sheet(sheet).tolist() == tune.ids.tolist()
            assert sheet.notes[-1].duration >= 12
            chord = C7 if told else sheet.changes[-1].chord
            assert chord is None or sheet.notes[-1].pitch % 12 in chord.pitch_classes()
            assert all(55 <= note.pitch <= 76 for note in sheet.notes)
            assert tune.notes == len(sheet.notes)
            assert tune.bars.max() == 15


def test_what_the_vocabulary_cannot_say_is_put_back(network):
    meter = Meter(7, 8)
    layout = lay_bars(4, meter)
    asked = lay_out(parse_changes("Bb13b9/D | Am7b5 D7alt", meter), layout)
    form = Form(layout=layout, changes=asked, tempo=133.0, swing=1.62, key="Bb", label="jazz")
    grammar = Grammar(WORDS, form, Rules())
    [(sheet, tune)] = write_tunes(network, grammar, SampleConfig(), [0])
    assert (sheet.bars, sheet.changes) == (layout, asked)
    assert (sheet.tempo, sheet.swing, sheet.key, sheet.label) == (133.0, 1.62, "Bb", "jazz")
    assert sheet.notes == CODEC.decode_sheet(tune.ids).notes


# Scoring


def test_scoring_what_was_written_gives_the_same_numbers(network):
    grammar = Grammar(WORDS, Form(layout=SIXTEEN, changes=BLUES), Rules())
    written = improvise(network, grammar, SampleConfig(seed=2), range(3))
    scored = score_tunes(network, [(grammar, tune.ids) for tune in written])
    for one, other in zip(written, scored, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert one.raw == pytest.approx(other.raw, rel=1e-4, abs=1e-5)
        assert one.allowed == pytest.approx(other.allowed, rel=1e-4, abs=1e-5)
    [later] = score_tunes(network, [(grammar, written[0].ids)], begin=20)
    assert np.isnan(later.allowed[:20]).all()
    assert later.allowed[20:] == pytest.approx(scored[0].allowed[20:], rel=1e-5, abs=1e-5)
    assert score_tunes(network, []) == []


@pytest.mark.parametrize("told", [True, False])
def test_raw_scores_are_those_of_training_on_the_side_ids_of_whole_tunes(network, told):
    other = replace(TUNE, notes=TUNE.notes[:2], bars=(Bar(0, 30), Bar(30, 100), Bar(130, 48)), label="jazz")
    ids = [CODEC.encode_sheet(sheet) for sheet in (TUNE, other)]
    lengths = np.array([len(one) for one in ids], np.int64)
    side = CODEC.side(np.concatenate(ids), lengths, told)
    expected = token_logprobs(network, Tokens(np.concatenate(ids), lengths, side))
    grammars = [Grammar(WORDS, form_of(sheet, with_changes=told)) for sheet in (TUNE, other)]
    scored = score_tunes(network, list(zip(grammars, ids, strict=True)))
    assert np.concatenate([tune.raw for tune in scored]) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_score_counts_the_melody_given_the_chords():
    scored = score_tunes(Always(np.zeros(len(WORDS))), [(Grammar(WORDS, form_of(TUNE)), CODEC.encode_sheet(TUNE))])[0]
    assert scored.notes == 5
    words = [WORDS.names[index] for index in scored.ids[scored.melody]]
    assert " ".join(words) == "R D6 P57 D6 P60 D12 H D12 P64 D12 H D12 R D12 P67 D12 R D12 P72 D36 R D12"
    assert (scored.allowed[~scored.melody] == 0).all()
    assert scored.raw == pytest.approx(-math.log(len(WORDS)))
    # P57 follows a rest: any of the pitches, no rest, no hold, or an unknown pitch.
    at = list(scored.ids).index(WORDS.index["P57"])
    assert scored.allowed[at] == pytest.approx(-math.log(len(WORDS.pitches) + 1))
    assert scored.allowed[at + 1] == pytest.approx(-math.log(18))  # 18 ticks to the change
    bars = scored.bars
    assert [bars[place] for place, index in enumerate(scored.ids) if index == WORDS.index["BAR"]] == [0, 1, 2]
    assert bars[0] == -1


def test_what_the_rules_forbid_is_impossible_but_has_a_raw_score(network):
    leap = replace(TUNE, notes=(Note(0, 12, 51), Note(12, 12, 78), Note(96, 24, 70)))
    ids = CODEC.encode_sheet(leap)
    at = ids.tolist().index(WORDS.index["P78"])
    grammars = [Grammar(WORDS, form_of(leap), rules) for rules in (Rules(), STRUCTURE)]
    strict, plain = score_tunes(network, [(grammar, ids) for grammar in grammars])
    assert strict.allowed[at] == -np.inf
    assert np.isfinite(np.delete(strict.allowed, at)).all()
    assert np.isfinite(plain.allowed).all()
    assert strict.raw == pytest.approx(plain.raw)


# Primers


def test_a_primer_is_kept_and_continued():
    reader = Always(np.where(np.arange(len(WORDS)) == WORDS.index["H"], 3.0, 0.0))
    primer = replace(TUNE, notes=(*TUNE.notes[:-1], Note(120, 24, 72)))  # still sounding when it ends
    form = continued(primer, 5, lay_out(parse_changes("Fmaj7 | G7alt"), lay_bars(5, FOUR)))
    grammar = Grammar(WORDS, form, Rules())
    ids = WORDS.encode(primer)
    held = set()
    for sheet, tune in write_tunes(reader, grammar, SampleConfig(), range(20), primer):
        assert tune.ids[: len(ids)].tolist() == ids.tolist()
        assert len(sheet.bars) == 8
        assert sheet.title == "Tune"
        assert sheet.notes[:4] == primer.notes[:4]
        assert (sheet.notes[4].start, sheet.notes[4].pitch) == (120, 72)
        held.add(sheet.notes[4].duration > 24)
        assert [str(change.chord) for change in sheet.changes[3:]] == ["Fmaj7", "G7alt", "Fmaj7", "G7alt", "Fmaj7"]
        assert (tune.raw[: len(ids)] < 0).all()
    assert held == {True, False}


def test_a_primer_out_of_the_vocabulary_comes_back_whole(network):
    primer = replace(TUNE, notes=(Note(0, 24, 100), *TUNE.notes[2:]), changes=(Change(0, Chord(4, "m9")),))
    form = continued(primer, 2)
    [(sheet, _)] = write_tunes(network, Grammar(WORDS, form, Rules()), SampleConfig(), [0], primer)
    assert sheet.notes[: len(primer.notes)] == primer.notes
    assert sheet.changes[0] == primer.changes[0]


def test_it_stops_after_the_bars_asked_for(network):
    grammar = Grammar(WORDS, Form(layout=SIXTEEN, changes=BLUES), Rules())
    whole = improvise(network, grammar, SampleConfig(), [0, 1])
    for some, tune in zip(improvise(network, grammar, SampleConfig(), [0, 1], bars=5), whole, strict=True):
        assert some.ids.tolist() == tune.ids[: len(some.ids)].tolist()
        assert len(WORDS.decode(some.ids).bars) == 5


# Splicing and infilling


def test_sheets_are_joined_and_cut():
    both = joined(TUNE, replace(TUNE, changes=(Change(0, C7), Change(60, G7)), tempo=90.0))
    assert both.length == 288
    assert both.tempo == 120.0
    assert both.changes == (*TUNE.changes, Change(204, G7))  # C7 sounds already
    assert both.notes[5:] == moved(TUNE, 144).notes
    assert first_bars(both, 3) == TUNE
    tied = replace(TUNE, notes=(*TUNE.notes[:-1], Note(80, 64, 72)), bars=TUNE.bars)
    assert first_bars(tied, 2).notes[-1] == Note(80, 16, 72)
    assert first_bars(tied, 2).length == 96
    assert first_bars(tied, 0).notes == ()


SECOND = replace(TUNE, title="", notes=(Note(0, 48, 62), Note(48, 48, 60), Note(96, 48, 60)))


@pytest.mark.parametrize(
    "changes", [None, (Change(0, Chord(9, "m7")), Change(48, Chord(2, "9")))], ids=["own", "given"]
)
def test_middles_lie_between_the_phrases(network, changes):
    joints = infill(network, WORDS, (TUNE, SECOND), 2, SampleConfig(seed=4), changes=changes, candidates=6, look=2)
    assert sorted(joint.index for joint in joints) == list(range(6))
    assert [joint.logprob for joint in joints] == sorted((joint.logprob for joint in joints), reverse=True)
    assert len({joint.sheet.notes for joint in joints}) == 6
    for joint in joints:
        sheet = joint.sheet
        assert [bar.length for bar in sheet.bars] == [48] * 8
        assert sheet.notes[:4] == TUNE.notes[:4]
        after = moved(SECOND, 144 + 96)
        assert sheet.notes[-3:] == after.notes
        sounding = [[c.chord for c in sheet.changes if c.start <= 240 + own.start][-1] for own in SECOND.changes]
        assert sounding == [DM7, G7, C7], "a change to the chord that sounds already is none"
        if changes is not None:
            between = [change for change in sheet.changes if 144 <= change.start < 240]
            assert between == [Change(144, Chord(9, "m7")), Change(192, Chord(2, "9"))]


def test_the_logprob_of_a_middle_is_that_of_its_tokens_and_of_the_next_bars(network):
    rules = replace(STRUCTURE, unknown=False)  # so that one grammar tells all
    changes = (Change(0, C7),)
    joints = infill(network, WORDS, (TUNE, SECOND), 2, SampleConfig(), rules, changes, candidates=3, look=2)
    for joint in joints:
        grammar = Grammar(WORDS, form_of(joint.sheet), rules)
        [scored] = score_tunes(network, [(grammar, CODEC.encode_sheet(joint.sheet))])
        assert joint.middle == pytest.approx(scored.allowed[np.isin(scored.bars, (3, 4))].sum(), rel=1e-4)
        assert joint.following == pytest.approx(scored.allowed[np.isin(scored.bars, (5, 6))].sum(), rel=1e-2)


def test_a_middle_that_leads_into_the_second_phrase_wins():
    """P62 is likely at a barline after D1 alone: the best middles end in that."""
    rng = np.random.default_rng(0)
    size = len(WORDS)
    table = rng.normal(size=(size, size)) * 0.1
    first = WORDS.index["P62"]
    table[:, first] = -12.0

    class Leading(Following):
        """What follows BAR depends on what came before it, as in a network with a memory."""

        def state(self, rows):
            return np.zeros((2, rows), np.int64)

        def logits(self, inputs, starts, side, state):
            found = []
            for ids in inputs:
                row = self.table[ids].copy()
                led = (ids == WORDS.index["BAR"]) & (state[0] == WORDS.index["D1"])
                row[led, first] = 8.0
                state[0] = ids
                found.append(row)
            return np.array(found)

    second = replace(SECOND, changes=())
    joints = infill(Leading(table), WORDS, (replace(TUNE, changes=()), second), 1, SampleConfig(), changes=(),
                    candidates=48, look=1)  # fmt: skip

    def leads(joint):
        ids = WORDS.encode(joint.sheet)
        place = np.flatnonzero(ids == WORDS.index["BAR"])[4]
        return ids[place - 1] == WORDS.index["D1"]

    led = [leads(joint) for joint in joints]
    assert 0 < sum(led) < 48
    assert led[0]
    gain = np.mean([joint.following for joint in joints if leads(joint)])
    assert gain > np.mean([joint.following for joint in joints if not leads(joint)]) + 8


@pytest.mark.parametrize(
    ("phrases", "settings", "fault"),
    [
        ((replace(TUNE, bars=(), notes=(), changes=()), TUNE), {"bars": 2}, "without a bar"),
        ((TUNE, TUNE), {"bars": 0}, "--bars 0"),
        ((TUNE, TUNE), {"bars": 2, "candidates": 0}, "--bars"),
    ],
)
def test_impossible_joints_are_option_errors(network, phrases, settings, fault):
    with pytest.raises(OptionError, match=fault):
        infill(network, WORDS, phrases, config=SampleConfig(), **settings)
