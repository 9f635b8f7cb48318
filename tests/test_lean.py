"""What the sounding chord adds to a model's own logits, and how much of it suits the tunes held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gencli.codecs.codec import Tokens, codec_from_state
from gencli.codecs.music import MusicCodec, tune_text
from gencli.config import NetworkConfig
from gencli.documents import Document
from gencli.errors import ModelFileError
from gencli.leaning import with_lean
from gencli.music.chords import Chord
from gencli.music.form import STRUCTURE, form_of, lay_bars
from gencli.music.grammar import Grammar
from gencli.music.improvise import score_tunes
from gencli.music.lead_sheet import Change, LeadSheet, Meter, Note
from gencli.music.lean import SPREAD, fitted_lean, leaned, log_sum, tone_table
from gencli.music.vocabulary import Kind
from tests.network_cases import random_network

DM7, G7 = Chord(2, "m7"), Chord(7, "7")
# Over Dm7 four of its tones; over G7 a B and a G, and two notes that are none of its tones.
TUNE = LeadSheet(
    notes=tuple(Note(12 * n, 12, pitch) for n, pitch in enumerate((62, 65, 69, 60, 71, 61, 66, 67))),
    bars=lay_bars(2, Meter(4, 4)),
    changes=(Change(0, DM7), Change(48, G7)),
)
CODEC = MusicCodec.fit([Document(tune_text(TUNE))])
WORDS = CODEC.vocabulary
PITCHES = WORDS.block(Kind.PITCH)
IDS = CODEC.encode_sheet(TUNE)
LENGTHS = np.array([len(IDS)], np.int64)
TOKENS = Tokens(IDS, LENGTHS, CODEC.side(IDS, LENGTHS))


def value_of(chord):
    return WORDS.chord_id(chord) - WORDS.block(Kind.CHORD).start


class Uniform:
    """A reader to which all tokens are equally likely, in columns padded as a network's are."""

    def state(self, rows):
        return None

    def logits(self, inputs, starts, side, state):
        return np.zeros((*inputs.shape, len(WORDS) + 5), np.float32)


def test_tones_are_those_of_the_chord_in_every_octave():
    table = tone_table(WORDS)
    assert not table[0].any()
    for chord, classes in ((DM7, {2, 5, 9, 0}), (G7, {7, 11, 2, 5})):
        expected = [pitch % 12 in classes for pitch in WORDS.pitches]
        assert table[value_of(chord)].tolist() == expected


def test_tones_gain_so_many_nats_on_other_pitches_and_nothing_else_moves():
    logits = np.random.default_rng(0).normal(size=len(WORDS))
    found = leaned(WORDS, logits, value_of(G7), 0.7)
    assert log_sum(found[PITCHES]) == pytest.approx(log_sum(logits[PITCHES]), rel=1e-12)
    others = np.ones(len(WORDS), bool)
    others[PITCHES] = False
    assert (found[others] == logits[others]).all()
    gained = found[PITCHES] - logits[PITCHES]
    tones = tone_table(WORDS)[value_of(G7)]
    assert gained[tones] == pytest.approx(gained[~tones].mean() + 0.7, rel=1e-12)
    assert np.ptp(gained[~tones]) < 1e-12


@pytest.mark.parametrize(("chord", "lean"), [(value_of(G7), 0.0), (0, 0.7), (-1, 0.7)], ids=["none", "N.C.", "before"])
def test_nothing_moves_without_a_chord_or_a_lean(chord, lean):
    logits = np.arange(float(len(WORDS)))
    assert leaned(WORDS, logits, chord, lean) is logits


@pytest.mark.parametrize("true", [-0.5, 0.0, 0.8])
def test_the_fit_finds_the_lean_that_notes_were_drawn_with(true):
    rng = np.random.default_rng(1)
    shares = rng.uniform(0.05, 0.95, 40_000)
    odds = np.log(shares / (1 - shares)) + true
    heard = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    assert fitted_lean(shares, heard) == pytest.approx(true, abs=0.05)


def test_the_fit_is_the_likeliest_by_a_search():
    rng = np.random.default_rng(2)
    shares, heard = rng.uniform(0.1, 0.9, 60), rng.random(60) < 0.7
    odds = np.log(shares / (1 - shares))

    def merit(lean):
        signs = np.where(heard, 1, -1)
        return -np.log1p(np.exp(-signs * (odds + lean))).sum() - (lean / SPREAD) ** 2 / 2

    leans = np.arange(-2, 2, 0.001)
    assert fitted_lean(shares, heard) == pytest.approx(max(leans, key=merit), abs=0.0011)


def test_few_notes_move_the_lean_little_and_certain_ones_not_at_all():
    assert fitted_lean(np.empty(0), np.empty(0, bool)) == 0
    assert fitted_lean(np.array([0.0, 1.0]), np.array([True, False])) == 0
    one = fitted_lean(np.array([0.5]), np.array([True]))
    assert 0 < one < SPREAD / 4


def test_a_codec_leans_as_the_tunes_held_out_do():
    """A uniform reader gives tones their share of the pitches; six of the eight notes are tones."""
    tones = tone_table(WORDS)
    shares = np.repeat([tones[value_of(DM7)].mean(), tones[value_of(G7)].mean()], 4)
    heard = np.array([True] * 4 + [True, False, False, True])
    found = with_lean(CODEC, Uniform(), TOKENS)
    assert found.lean == fitted_lean(shares, heard) > 0
    assert replace(found, lean=0.0) == CODEC
    twice = Tokens(np.tile(IDS, 2), np.tile(LENGTHS, 2), np.tile(TOKENS.side, 2))
    assert with_lean(CODEC, Uniform(), twice).lean > found.lean


def test_without_tunes_or_chords_the_lean_stays():
    none = Tokens(IDS[:0], LENGTHS[:0], TOKENS.side[:, :0])
    assert with_lean(CODEC, Uniform(), none) is CODEC
    plain = MusicCodec.fit([Document(tune_text(replace(TUNE, changes=())))])
    ids = plain.encode_sheet(TUNE)
    lengths = np.array([len(ids)], np.int64)
    assert with_lean(plain, Uniform(), Tokens(ids, lengths, plain.side(ids, lengths))) is plain


def test_scores_lean_where_events_are_told_and_nowhere_else():
    config = NetworkConfig(len(WORDS), hidden_size=12, side_sizes=CODEC.side_sizes)
    network = random_network(config, dtype=np.float32)
    plain, leaning = (
        score_tunes(network, [(Grammar(WORDS, form_of(TUNE), replace(STRUCTURE, lean=lean)), IDS)])[0]
        for lean in (0.0, 0.5)
    )
    network.team.close()
    gained = leaning.raw - plain.raw
    pitched = WORDS.kinds[IDS] == Kind.PITCH
    assert gained[~pitched] == pytest.approx(0, abs=1e-9)
    heard = np.array([True] * 4 + [True, False, False, True])
    assert (gained[pitched][heard] > 0).all()
    assert (gained[pitched][~heard] < 0).all()


def test_the_lean_is_saved():
    codec = replace(CODEC, lean=0.125)
    assert codec_from_state(codec.state()) == codec
    with pytest.raises(ModelFileError, match="lean"):
        codec_from_state({**codec.state(), "lean": float("nan")})
