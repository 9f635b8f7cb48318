"""What follows from summed log-probabilities, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gencli.codecs.char import CharCodec
from gencli.codecs.codec import EOS, UNK
from gencli.figures import Figures, Score

CODEC = CharCodec("abc")


def score(text, ids, logprobs, **settings):
    """The score of these ids and log-probabilities."""
    return Score.of(text, np.array(ids, np.int32), np.array(logprobs, float), CODEC, **settings)


def test_measures_follow_from_the_logprobs():
    found = score("abc", [2, 3, 4, EOS], [-1.0, -2.0, -0.5, -0.5])
    assert (found.documents, found.logprob, found.tokens, found.oov, found.characters) == (1, -4.0, 4, 0, 3)
    assert found.nats_per_token == 1.0
    assert found.perplexity == found.perplexity_without_oov == pytest.approx(math.e, rel=1e-15)
    assert found.bits_per_character == pytest.approx(4.0 / math.log(2) / 3, rel=1e-15)
    assert found.pieces == [("a", -1.0), ("b", -2.0), ("c", -0.5), ("<EOS>", -0.5)]
    assert repr(found) == "Score('abc', logprob=-4.0000, tokens=4, perplexity=2.718)"


def test_unknown_tokens_count_or_are_left_out():
    ids, logprobs = [2, UNK, UNK, EOS], [-1.0, -5.0, -3.0, -2.0]
    whole, bare = score("a\u00e9!", ids, logprobs), score("a\u00e9!", ids, logprobs, with_oov=False)
    assert (whole.logprob, whole.tokens, whole.oov) == (-11.0, 4, 2)
    assert (bare.logprob, bare.tokens, bare.oov) == (-3.0, 2, 2)
    assert whole.perplexity == pytest.approx(math.exp(11 / 4))
    assert (
        bare.perplexity == bare.perplexity_without_oov == whole.perplexity_without_oov == pytest.approx(math.exp(1.5))
    )
    assert bare.bits_per_character == whole.bits_per_character == pytest.approx(11 / math.log(2) / 3)


def test_sums_are_those_of_one_long_text():
    one, two = score("ab", [2, 3, EOS], [-1.0, -2.0, -1.0]), score("c\u00e9", [4, UNK, EOS], [-1.0, -7.0, -3.0])
    total = Figures() + one + two
    assert type(total) is Figures
    assert (total.documents, total.characters, total.tokens, total.oov, total.logprob) == (2, 4, 6, 1, -15.0)
    assert total.nats_per_token == 2.5
    assert total.perplexity_without_oov == pytest.approx(math.exp(8 / 5))
    assert total.bits_per_character == pytest.approx(15 / math.log(2) / 4)
    bare = score("c\u00e9", [4, UNK, EOS], [-1.0, -7.0, -3.0], with_oov=False)
    assert (Figures() + bare).logprob == -4.0


def test_a_mean_over_nothing_is_no_number():
    for nothing in (Figures(), score("", [], [])):
        assert (nothing.logprob, nothing.tokens) == (0.0, 0)
        for name in ("nats_per_token", "perplexity", "perplexity_without_oov", "bits_per_character"):
            assert math.isnan(getattr(nothing, name)), name
    end = score("", [EOS], [-1.0])
    assert end.perplexity == pytest.approx(math.e)
    assert math.isnan(end.bits_per_character)


def test_a_perplexity_beyond_all_numbers_is_infinite():
    assert score("a", [2], [-800.0]).perplexity == math.inf
    assert score("a", [2], [-699.0]).perplexity < math.inf


def test_characters_may_be_more_than_those_of_the_text():
    found = score("ab", [2, 3, 4], [-1.0, -1.0, -1.0], characters=3)
    assert found.bits_per_character == pytest.approx(1 / math.log(2))
