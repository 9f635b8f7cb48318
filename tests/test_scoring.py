"""Scores against the twin, and the same whatever else is scored beside a text."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from gencli.codecs.codec import EOS, UNK
from gencli.config import CellName
from gencli.errors import OptionError
from gencli.scoring import AT_ONCE, STEPS, Score
from tests.reference import network as reference
from tests.reference import softmax

TEXTS = ["abba", "", "f", "cafe", "deadbeef", "abcdef" * 30, "z", "azb\u00e9", "a" * STEPS, "b" * (STEPS - 1), "fa"]


def twin_logits(model, ids):
    """The twin's logits (len(ids) + 1, V) of each next token after a document's first ids, in float64."""
    inputs = np.array([[0], *[[i] for i in ids]])
    starts = np.zeros(inputs.shape, bool)
    starts[0] = True
    config = model.stored.network
    fields = (inputs, np.zeros_like(inputs), starts, np.ones(inputs.shape))
    tensors = model.stored.tensors
    return reference.forward(tensors, config.cell, config.layers, *fields, activation=config.activation).logits[:, 0]


def twin_logprobs(model, ids):
    """The twin's log-probability of each id of a document."""
    return -softmax.token_losses(twin_logits(model, ids[:-1]), np.array(ids))


@pytest.mark.parametrize(("cell", "activation"), [*[(cell, "tanh") for cell in get_args(CellName)], ("rnn", "relu")])
def test_token_logprobs_equal_the_twins(random_model, cell, activation):
    model = random_model(cell=cell, layers=2, activation=activation, scale=0.3)
    for score in model.scores(TEXTS):
        ids = [{"é": UNK, "z": UNK}.get(c, "abcdef".find(c) + 2) for c in score.text] + [EOS]
        assert score.ids.tolist() == ids
        np.testing.assert_allclose(score.logprobs, twin_logprobs(model, ids), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_text_scores_the_same_to_the_bit_in_any_company(random_model, threads):
    model = random_model(layers=2, threads=threads)
    alone = {text: model.score(text).logprobs.tobytes() for text in TEXTS}
    rng = np.random.default_rng(2)
    for _ in range(5):
        company = [TEXTS[i] for i in rng.integers(0, len(TEXTS), rng.integers(1, 150))]
        together = list(model.scores(company))
        assert [score.text for score in together] == company
        assert [score.logprobs.tobytes() for score in together] == [alone[text] for text in company]


def test_threads_do_not_change_a_bit(random_model):
    one, two = ([s.logprobs.tobytes() for s in random_model(threads=t).scores(TEXTS)] for t in (1, 2))
    assert one == two


def test_a_generator_of_more_texts_than_fit_at_once_is_scored_lazily_and_in_order(random_model):
    model, asked = random_model(), []

    def texts():
        for number in range(2 * AT_ONCE + 3):
            asked.append(number)
            yield "abcdef"[number % 6] * (number % 9)

    scores = model.scores(texts())
    first = next(scores)
    assert len(asked) <= AT_ONCE + 1
    rest = list(scores)
    assert len(rest) == 2 * AT_ONCE + 2
    for number in (0, 7, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 2):
        score = [first, *rest][number]
        assert score.text == "abcdef"[number % 6] * (number % 9)
        assert score.logprob == model.score(score.text).logprob


def test_nothing_to_score_gives_nothing(random_model):
    assert list(random_model().scores([])) == []


def test_an_empty_text_is_its_end_alone(random_model):
    model = random_model()
    score = model.score("")
    assert (score.tokens, score.characters, score.oov) == (1, 0, 0)
    assert score.logprob == pytest.approx(math.log(dict(model.next("", 8))["<EOS>"]), abs=1e-5)


def test_a_model_of_a_stream_scores_no_end(random_model):
    stream, lines = random_model(documents="stream"), random_model(documents="line")
    for text in TEXTS:
        score = stream.score(text)
        assert score.tokens == len(text)
        np.testing.assert_array_equal(score.logprobs, lines.score(text).logprobs[:-1])
    empty = stream.score("")
    assert (empty.logprob, empty.tokens, empty.nats_per_token, empty.perplexity) == (0, 0, 0, 1)
    assert [score.tokens for score in stream.scores(["", "", ""])] == [0, 0, 0]


def test_unknown_symbols_are_counted_and_named(random_model):
    model = random_model()
    score = model.score("azz\u00e9b")
    assert score.oov == 3
    assert score.tokens == 6
    assert [symbol for symbol, _ in score.pieces] == ["a", "<UNK>", "<UNK>", "<UNK>", "b", "<EOS>"]
    assert model.unknown("azz\u00e9b") == ["z", "\u00e9"]


def test_measures_follow_from_the_logprobs(random_model):
    codec = random_model().codec
    told = np.array([-1.0, -2.0, -0.5, -0.5])
    score = Score("abc", np.array([2, 3, 4, 0]), told, codec)
    assert score.logprob == -4.0
    assert score.nats_per_token == 1.0
    assert score.perplexity == pytest.approx(math.e, rel=1e-15)
    assert score.bits_per_character == pytest.approx(4.0 / math.log(2) / 3, rel=1e-15)
    assert score.pieces == [("a", -1.0), ("b", -2.0), ("c", -0.5), ("<EOS>", -0.5)]


def test_a_perplexity_beyond_all_numbers_is_infinite(random_model):
    score = Score("a", np.array([2]), np.array([-800.0]), random_model().codec)
    assert score.perplexity == math.inf


@pytest.mark.parametrize("text", ["", "a", "cafe", "z", "abcdef" * 30])
def test_next_is_the_twins_distribution_sorted(random_model, text):
    model = random_model(layers=2)
    told = model.next(text, 8)
    ids = ["abcdef".find(c) + 2 if c in "abcdef" else UNK for c in text]
    expected = np.exp(softmax.log_softmax(twin_logits(model, ids)[-1]))
    assert sum(share for _, share in told) == pytest.approx(1.0, rel=1e-12)
    assert [share for _, share in told] == sorted((share for _, share in told), reverse=True)
    shares = dict(told)
    for symbol, share in zip(["<EOS>", "<UNK>", *"abcdef"], expected, strict=True):
        assert shares[symbol] == pytest.approx(share, rel=1e-4, abs=1e-6)


def test_next_gives_as_many_as_asked_for(random_model):
    model = random_model()
    assert len(model.next("a", 1)) == 1
    assert model.next("a", 3) == model.next("a", 8)[:3]
    assert len(model.next("a", 100)) == 8
    with pytest.raises(OptionError, match="--next 0"):
        model.next("a", 0)


@pytest.mark.parametrize("prefix", ["", "ab", "fade"])
def test_next_agrees_with_the_scores_of_all_continuations(random_model, prefix):
    model = random_model()
    shares = dict(model.next(prefix, 8))
    before = model.score(prefix).logprobs[:-1].sum()
    found = [math.exp(model.score(prefix + c).logprobs[len(prefix)]) for c in "abcdef"]
    for character, share in zip("abcdef", found, strict=True):
        assert shares[character] == pytest.approx(share, abs=1e-5)
    end = math.exp(model.score(prefix).logprob - before)
    assert sum(found) + end + shares["<UNK>"] == pytest.approx(1.0, abs=1e-5)
