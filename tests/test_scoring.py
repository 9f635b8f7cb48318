"""Scores against the twin, and the same whatever else is scored beside a text."""

from __future__ import annotations

import math
from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.codecs.codec import EOS, UNK, Tokens
from gencli.codecs.word import WordCodec
from gencli.config import CellName, CodecOptions
from gencli.documents import Document
from gencli.errors import OptionError
from gencli.scoring import AT_ONCE, LETTERS, ROWS, RUNNING_STEPS, STEPS, Passage, Scorer, SideBySide, grouped
from tests.reference import network as reference
from tests.reference import softmax

TEXTS = ["abba", "", "f", "cafe", "deadbeef", "abcdef" * 30, "z", "azb\u00e9", "a" * STEPS, "b" * (STEPS - 1), "fa"]
LINES = ["abba", "", "fade", "zed", "deadbeef" * 9, "a", "cab" * 150, "", "bee"]


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


def test_texts_are_taken_in_lists_of_bounded_size():
    assert [len(group) for group in grouped(["ab"] * (AT_ONCE + 1))] == [AT_ONCE, 1]
    assert [len(group) for group in grouped(["a" * (LETTERS // 2)] * 5)] == [2, 2, 1]
    assert list(grouped([])) == []


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 6), st.integers(30, 90))), st.integers(1, 9), st.integers(1, 20))
def test_side_by_side_every_token_is_read_once_after_the_one_before_it(lengths, rows, steps):
    """A network that only notes what it is shown: each document's own tokens, in order, from a start."""
    count = sum(lengths)
    tokens = Tokens(np.arange(10, 10 + count, dtype=np.int32), np.array(lengths, np.int64), np.zeros((0, count), int))
    ends, seen = np.cumsum(lengths), []

    class Witness:
        def state(self, rows):
            return [None] * rows

        def losses(self, batch, state):
            assert len(batch.inputs) <= steps
            assert ((batch.weights == 1) | batch.starts).all()
            for fields in zip(batch.inputs, batch.targets, batch.starts, batch.weights, strict=True):
                for row, (before, target, start, weight) in enumerate(zip(*fields, strict=True)):
                    if weight:
                        assert start == (target - 10 in {0, *ends})
                        assert start or before == target - 1 == state[row]
                        state[row] = target
                        seen.append(int(target))
            return batch.targets.astype(np.float32)

    out = np.zeros(count)
    counts = list(SideBySide(tokens, rows, steps).read(Witness(), out))
    assert sorted(seen) == tokens.ids.tolist()
    assert out.tolist() == (-tokens.ids).tolist()
    assert counts == sorted(counts)
    assert counts[-1] == len(lengths)


def test_early_texts_are_answered_before_late_ones_are_read(random_model):
    model = random_model()
    texts = ["abcdef"[i % 6] * (i % 50) for i in range(20 * ROWS)]
    batches = model.scorer().batches(texts)
    first = next(batches)
    assert 0 < len(first) < 4 * ROWS
    assert [score.text for score in [*first, *(score for batch in batches for score in batch)]] == texts


def test_a_long_text_makes_no_row_wait_for_it():
    lengths = np.array([5] * 40 + [10_000] + [5] * 40)
    tokens = Tokens(np.zeros(lengths.sum(), np.int32), lengths, np.zeros((0, lengths.sum()), np.int32))
    assert SideBySide(tokens, ROWS, STEPS).rows == 1
    lengths = np.array([50] * 1000)
    tokens = Tokens(np.zeros(lengths.sum(), np.int32), lengths, np.zeros((0, lengths.sum()), np.int32))
    assert SideBySide(tokens, ROWS, STEPS).rows == ROWS


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
    assert (empty.logprob, empty.tokens) == (0, 0)
    assert math.isnan(empty.perplexity)
    assert [score.tokens for score in stream.scores(["", "", ""])] == [0, 0, 0]
    assert [score.tokens for score in stream.scores(["", "ab", "", "", "c", ""])] == [0, 2, 0, 0, 1, 0]


def test_unknown_symbols_are_counted_and_named(random_model):
    model = random_model()
    score = model.score("azz\u00e9b")
    assert score.oov == 3
    assert score.tokens == 6
    assert [symbol for symbol, _ in score.pieces] == ["a", "<UNK>", "<UNK>", "<UNK>", "b", "<EOS>"]
    assert model.unknown("azz\u00e9b") == ["z", "\u00e9"]


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


def test_the_probabilities_of_all_texts_sum_to_1(random_model):
    """Those of up to three symbols, with their ends, and those of all longer ones, which begin in some way."""
    model = random_model("ab")  # and the unknown one, as which any other character reads
    short = ["".join(text) for length in range(4) for text in product("ab?", repeat=length)]
    longer = ["".join(text) for text in product("ab?", repeat=4)]
    ended = math.fsum(math.exp(score.logprob) for score in model.scores(short))
    begun = math.fsum(math.exp(score.logprob) for score in model.scores(longer, eos=False))
    assert 0.05 < ended < 0.95
    assert ended + begun == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("length", [RUNNING_STEPS - 1, RUNNING_STEPS, 2 * RUNNING_STEPS + 7])
def test_next_after_a_long_prompt_reads_all_of_it(random_model, monkeypatch, length):
    model, asked = random_model(), []
    logits = model.network.logits

    def one_step(inputs, *rest):
        asked.append(len(inputs))
        return logits(inputs, *rest)

    monkeypatch.setattr(model.network, "logits", one_step)
    text = ("fade" * length)[:length]
    shares = dict(model.next(text, 8))
    assert asked == [1]  # those of a prompt of 1 MB would fill the memory
    expected = np.exp(softmax.log_softmax(twin_logits(model, model.codec.encode(text, eos=False))[-1]))
    for symbol, share in zip(["<EOS>", "<UNK>", *"abcdef"], expected, strict=True):
        assert shares[symbol] == pytest.approx(share, rel=1e-4, abs=1e-6)


def test_without_eos_the_end_is_left_out_and_nothing_else_changes(random_model):
    model = random_model()
    for whole, bare in zip(model.scores(TEXTS), model.scores(TEXTS, eos=False), strict=True):
        assert bare.tokens == whole.tokens - 1
        assert bare.logprobs.tobytes() == whole.logprobs[:-1].tobytes()
    assert model.score("ab", eos=False).logprobs.tobytes() == model.score("ab").logprobs[:-1].tobytes()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_passage_in_pieces_equals_one_in_a_run_to_the_bit(random_model, layers):
    model = random_model(layers=layers)
    ids = np.random.default_rng(1).integers(2, 8, 3 * RUNNING_STEPS + 5).astype(np.int32)
    whole = Passage(model.network).logprobs(ids)
    np.testing.assert_allclose(whole, twin_logprobs(model, ids), rtol=1e-4, atol=1e-4)
    for cuts in ([1], [RUNNING_STEPS], [5, 5, 300], list(range(0, 700, 7))):
        pieces = Passage(model.network)
        assert b"".join(pieces.logprobs(part).tobytes() for part in np.split(ids, cuts)) == whole.tobytes()


@pytest.mark.parametrize("documents", ["stream", "paragraph", "file"])
def test_a_running_text_scores_what_it_does_as_one(random_model, documents):
    model = random_model("\nabcdef", documents=documents)
    scores = list(model.scores(LINES, carry_state=True))
    whole = random_model("\nabcdef", documents="stream").score("".join(line + "\n" for line in LINES))
    assert b"".join(score.logprobs.tobytes() for score in scores) == whole.logprobs.tobytes()
    assert [score.tokens for score in scores] == [len(line) + 1 for line in LINES]
    assert sum(score.bits_per_character * score.characters for score in scores) == pytest.approx(
        whole.bits_per_character * whole.characters
    )
    assert [score.text for score in scores] == LINES


def test_a_running_text_of_a_model_of_lines_reads_the_end_of_each(random_model):
    model = random_model()
    scores = list(model.scores(LINES, carry_state=True))
    ids = np.concatenate([model.codec.encode(line) for line in LINES])
    assert b"".join(score.logprobs.tobytes() for score in scores) == Passage(model.network).logprobs(ids).tobytes()
    assert [score.ids[-1] for score in scores] == [EOS] * len(LINES)
    first, *rest = scores
    assert first.logprob == model.score(LINES[0]).logprob
    assert all(score.logprob != model.score(score.text).logprob for score in rest)


@pytest.mark.parametrize("documents", ["line", "stream"])
def test_ends_that_a_running_text_does_not_score_are_read(random_model, documents):
    model = random_model("\nabcdef", documents=documents)
    with_ends = list(model.scores(LINES, carry_state=True))
    without = list(model.scores(LINES, carry_state=True, eos=False))
    for whole, bare in zip(with_ends, without, strict=True):
        assert bare.logprobs.tobytes() == whole.logprobs[:-1].tobytes()
        assert bare.characters == len(bare.text)


def test_a_running_text_goes_on_in_the_next_list_of_texts(random_model):
    model = random_model("\nabcdef", documents="stream")
    scorer = model.scorer(carry_state=True)
    parts = [score.logprob for line in LINES for batch in scorer.batches([line]) for score in batch]
    assert parts == [score.logprob for score in model.scores(LINES, carry_state=True)]


@pytest.fixture
def word_scorer(random_model):
    """Makes a scorer of words in small letters over a network of random weights; its arguments are Scorer's."""
    options = CodecOptions(split="whitespace", lowercase=True, min_count=1)
    codec = WordCodec.fit([Document("the apple and\npear salad .")], options)
    network = random_model(codec).network

    def make(documents="line", **settings):
        return Scorer(network, codec, documents, **settings)

    return make


def only(batches):
    """All scores of some batches."""
    return [score for batch in batches for score in batch]


def test_bits_per_character_are_over_the_text_as_it_was_given(word_scorer):
    (score,) = only(word_scorer().batches(["The  apple and unheard-of salad ."]))
    assert [symbol for symbol, _ in score.pieces] == ["the", "apple", "and", "<UNK>", "salad", ".", "<EOS>"]
    assert (score.tokens, score.oov, score.characters) == (7, 1, 33)
    assert score.bits_per_character == pytest.approx(-score.logprobs.sum() / math.log(2) / 33)


def test_what_is_unknown_can_be_left_out_of_the_sums(word_scorer):
    texts = ["the zzz salad", "the salad", "zzz zzz"]
    whole, bare = only(word_scorer().batches(texts)), only(word_scorer(with_oov=False).batches(texts))
    assert [score.tokens for score in bare] == [3, 3, 1]
    for one, other in zip(whole, bare, strict=True):
        assert other.oov == one.oov
        assert other.logprob == pytest.approx(one.logprobs[one.ids != UNK].sum(), rel=1e-12)
        assert other.perplexity == one.perplexity_without_oov == other.perplexity_without_oov
        assert other.bits_per_character == one.bits_per_character


def test_a_text_wholly_unknown_has_no_perplexity_without_that(word_scorer):
    (score,) = only(word_scorer(eos=False, with_oov=False).batches(["zzz yyy"]))
    assert (score.tokens, score.oov, score.logprob) == (0, 2, 0.0)
    assert math.isnan(score.perplexity)
    assert score.bits_per_character > 0
    assert word_scorer().unknown("zzz the yyy zzz") == ["zzz", "yyy"]


def test_a_running_text_of_words_goes_on_from_line_to_line(word_scorer):
    lines = ["The apple", "and pear", "", "salad ."]
    scores = only(word_scorer("stream", carry_state=True).batches(lines))
    whole = only(word_scorer("stream").batches(["".join(line + "\n" for line in lines)]))
    assert [score.tokens for score in scores] == [3, 3, 1, 3]
    assert b"".join(score.logprobs.tobytes() for score in scores) == whole[0].logprobs.tobytes()
    assert sum(score.characters for score in scores) == whole[0].characters
    bare = only(word_scorer("stream", carry_state=True, eos=False).batches(lines))
    assert [score.logprobs.tobytes() for score in bare] == [score.logprobs[:-1].tobytes() for score in scores]
