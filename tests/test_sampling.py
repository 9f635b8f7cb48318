"""What a sample is: the same whatever is drawn beside it, as probable as it says, and ended for the reason it names."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from gencli.codecs.codec import EOS, UNK
from gencli.config import CellName, SampleConfig
from gencli.sampling import BATCH, Sampler
from tests.reference import network as reference
from tests.reference import pick as twin_pick

LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEYS = ("text", "tokens", "logprob", "finish", "index")


def facts(samples):
    """All that samples say, in a form in which equal means equal to the bit."""
    return [tuple(getattr(sample, key) for key in KEYS) for sample in samples]


def next_logits(model, ids):
    """The twin's logits (V,) in float64 of the token that follows a document's first ids."""
    inputs = np.array([[0], *[[i] for i in ids]])
    starts = np.zeros(inputs.shape, bool)
    starts[0] = True
    config = model.stored.network
    fields = (inputs, np.zeros_like(inputs), starts, np.ones(inputs.shape))
    tensors = model.stored.tensors
    return reference.forward(tensors, config.cell, config.layers, *fields, activation=config.activation).logits[-1, 0]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_sample_depends_on_the_seed_and_its_number_alone(random_model, cell):
    one, two = (random_model(LETTERS, cell=cell, layers=2, scale=0.3, threads=threads) for threads in (1, 2))
    settings = {"max_length": 30, "temperature": 1.0, "seed": 5}
    samples = one.sample(BATCH + 44, **settings)
    expected = facts(samples)
    # Not all the same text; some end long before the others, whose rows then move together.
    assert len(set(expected)) > BATCH
    assert sum(sample.tokens < 15 for sample in samples) > 50 < sum(sample.tokens > 20 for sample in samples)
    for model in (one, two):
        for n in (1, 2, 5, 17, BATCH + 44):
            assert facts(model.sample(n, **settings)) == expected[:n]


def test_samples_may_be_drawn_in_any_order_and_company(random_model):
    model = random_model(layers=2)
    sampler = Sampler(model.network, model.codec, SampleConfig(max_length=30), "", with_eos=True)
    expected = {drawn.index: drawn for drawn in sampler.draw(range(40))}
    for numbers in ([39, 0, 7], [7], [12, 13, 11], list(range(39, -1, -1))):
        assert sampler.draw(numbers) == [expected[number] for number in numbers]


def test_seeds_and_numbers_give_different_samples(random_model):
    model = random_model(LETTERS)
    texts = {s.text for seed in range(8) for s in model.sample(25, seed=seed, temperature=1.0) if s.tokens > 8}
    long = [s for seed in range(8) for s in model.sample(25, seed=seed, temperature=1.0) if s.tokens > 8]
    assert len(long) > 100
    assert len(texts) == len(long)  # two equal ones of 8 letters in 26 have a chance below 1e-5


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"top_k": 4}, {"top_p": 0.7}])
@pytest.mark.parametrize("prompt", ["", "cab"])
def test_the_logprob_of_a_finished_sample_is_that_of_its_text(random_model, settings, prompt):
    model = random_model(layers=2)
    samples = [s for s in model.sample(50, prompt, max_length=200, **settings) if s.finish == "eos"]
    assert len(samples) > 10
    for sample in samples:
        score = model.score(sample.text)
        assert sample.logprob == pytest.approx(score.logprob, abs=1e-4)
        assert sample.tokens == score.tokens
        assert sample.text.startswith(prompt)


def test_the_logprob_of_an_unfinished_sample_is_that_of_its_text_without_an_end(random_model):
    model = random_model()
    samples = model.sample(20, "ab", max_length=2, temperature=1.0)
    unfinished = [sample for sample in samples if sample.finish == "length"]
    assert unfinished
    for sample in unfinished:
        assert len(sample.text) == sample.tokens == 4
        assert sample.logprob == pytest.approx(model.score(sample.text).logprobs[:-1].sum(), abs=1e-4)


def test_greedy_is_one_text_and_top_k_of_one_is_greedy(random_model):
    model = random_model(layers=2)
    greedy = model.sample(8, "b", temperature=0, max_length=60)
    assert len({sample.text for sample in greedy}) == 1
    narrow = model.sample(8, "b", temperature=1.7, top_k=1, seed=9, max_length=60)
    assert facts(narrow) == facts(greedy)
    pointed = model.sample(8, "b", temperature=1.7, top_p=1e-9, seed=9, max_length=60)
    assert facts(pointed) == facts(greedy)
    assert model.sample(1, "b", temperature=100.0, seed=9, max_length=60)[0].text != greedy[0].text


@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("prompt", ["", "fad"])
def test_greedy_is_what_the_twin_writes(random_model, cell, prompt):
    model = random_model(cell=cell, layers=2, seed=4)
    (sample,) = model.sample(1, prompt, temperature=0, max_length=25)
    ids = model.codec.encode(prompt, eos=False).tolist()
    for _ in range(25):
        logits = next_logits(model, ids)
        logits[UNK] = -np.inf
        first, second = np.sort(logits)[::-1][:2]
        assert first - second > 1e-4, "the case is too close to call in float32"
        ids.append(int(np.argmax(logits)))
        if ids[-1] == EOS:
            break
    assert sample.text == model.codec.decode(ids)
    assert sample.finish == ("eos" if ids[-1] == EOS else "length")
    assert sample.tokens == len(ids)


@pytest.mark.parametrize("stop", ["a", "ab", "cab", "fe", "aa"])
def test_a_stop_text_ends_a_sample_before_itself(random_model, stop):
    model = random_model()
    free = model.sample(80, temperature=1.0, max_length=80)
    stopped = model.sample(80, temperature=1.0, max_length=80, stop=(stop,))
    assert any(stop in sample.text for sample in free)
    for before, after in zip(free, stopped, strict=True):
        if stop in before.text:
            assert after.text == before.text[: before.text.index(stop)]
            assert after.finish == "stop"
            assert after.tokens == len(after.text)
            assert after.logprob == pytest.approx(model.score(after.text).logprobs[:-1].sum(), abs=1e-4)
        else:
            assert facts([after]) == facts([before])


def test_of_several_stop_texts_the_first_written_ends(random_model):
    model = random_model()
    stops = ("dd", "abc", "f")
    free = model.sample(60, temperature=1.0, max_length=80)
    stopped = model.sample(60, temperature=1.0, max_length=80, stop=stops)
    assert {sample.finish for sample in stopped} == {"stop", "eos"}
    for before, after in zip(free, stopped, strict=True):
        ends = [at + len(stop) for stop in stops if (at := before.text.find(stop)) >= 0]
        written = before.text[: min(ends)] if ends else before.text
        begins = [written.find(stop) for stop in stops if stop in written]
        assert after.text == (written[: min(begins)] if begins else written)


def test_a_stop_text_in_the_prompt_ends_nothing(random_model):
    model = random_model()
    samples = model.sample(30, "abab", temperature=1.0, stop=("ab",), max_length=40)
    assert all(sample.text.startswith("abab") for sample in samples)
    assert any(len(sample.text) > 4 for sample in samples)


@pytest.mark.parametrize("stop", [(), ("a",), ("ab", "fade"), ("dd", "abc", "f")])
@pytest.mark.parametrize("length", [1, 3, 60])
@pytest.mark.parametrize("prompt", ["", "ab"])
def test_a_stream_gives_the_text_of_the_sample_piece_by_piece(random_model, stop, length, prompt):
    model = random_model()
    for seed in range(15):
        config = SampleConfig(temperature=1.0, stop=stop, max_length=length, seed=seed)
        (sample,) = model.samples(1, prompt, config)
        pieces = list(model.stream(prompt, config))
        assert "".join(pieces) == sample.text
        assert pieces[0] == prompt


def test_a_stream_shows_a_symbol_as_soon_as_it_is_drawn(random_model):
    model = random_model(documents="stream")
    pieces = list(model.stream("", SampleConfig(max_length=30)))
    assert [len(piece) for piece in pieces if piece] == [1] * 30


def test_a_stream_holds_back_what_may_begin_a_stop_text_and_no_more(random_model):
    model = random_model(documents="stream")
    pieces = iter(model.stream("", SampleConfig(max_length=30, stop=("never",))))
    assert [len(next(pieces)) for _ in range(8)] == [0, 0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("length", [1, 2, 30])
def test_max_length_counts_what_follows_the_prompt(random_model, length):
    model = random_model(documents="stream")
    for sample in model.sample(5, "fade", max_length=length):
        assert len(sample.text) == sample.tokens == 4 + length
        assert sample.finish == "length"


def test_an_end_drawn_at_the_last_place_is_an_end(random_model):
    samples = random_model().sample(200, max_length=3, temperature=1.0)
    ended = [sample for sample in samples if sample.finish == "eos"]
    assert any(sample.tokens == 3 and len(sample.text) == 2 for sample in ended)
    assert all(len(sample.text) == 3 for sample in samples if sample.finish == "length")


def favouring(stored, token, amount=12.0):
    """The model with one token made all but certain."""
    stored.tensors["output.bias"][token] += amount
    return stored


@pytest.mark.parametrize("settings", [{"temperature": 1.0}, {"temperature": 0}, {"top_k": 1}, {"top_p": 0.5}])
def test_the_unknown_symbol_is_never_drawn(random_stored, settings):
    from gencli.model import Model

    model = Model(favouring(random_stored(), UNK), 1)
    assert dict(model.next("", 8))["<UNK>"] > 0.99
    samples = model.sample(50, max_length=40, **settings)
    assert all("\ufffd" not in sample.text for sample in samples)
    assert all(model.score(sample.text).oov == 0 for sample in samples)


@pytest.mark.parametrize("settings", [{"temperature": 1.0}, {"temperature": 0}])
def test_the_unknown_symbol_is_drawn_where_that_is_allowed(random_stored, settings):
    from gencli.model import Model

    model = Model(favouring(random_stored(), UNK), 1)
    samples = model.sample(20, max_length=9, allow_unk=True, **settings)
    assert sum(sample.text.count("\ufffd") for sample in samples) > 150


def test_a_penalty_keeps_a_symbol_from_coming_again(random_stored):
    from gencli.model import Model

    model = Model(favouring(random_stored(documents="stream"), 2), 1)
    (plain,) = model.sample(temperature=0, max_length=6)
    (varied,) = model.sample(temperature=0, max_length=6, repetition_penalty=1e30)
    assert plain.text == "aaaaaa"
    assert sorted(varied.text) == list("abcdef")


@pytest.mark.parametrize("documents", ["line", "stream"])
@pytest.mark.parametrize("stop", [(), ("a",), ("ab", "fade"), ("bb", "c")])
@pytest.mark.parametrize("least", [1, 7, 40])
def test_no_sample_is_shorter_than_the_shortest_length(random_model, documents, stop, least):
    model = random_model(documents=documents)
    settings = {"temperature": 1.0, "max_length": 80, "min_length": least}
    free = model.sample(60, "ab", **settings)
    samples = model.sample(60, "ab", stop=stop, **settings)
    assert not stop or {sample.finish for sample in samples} >= {"stop"}
    for number, (before, sample) in enumerate(zip(free, samples, strict=True)):
        assert sample.tokens - (sample.finish == "eos") == len(sample.text) >= 2 + least
        tail = before.text[2 + least :]  # where alone a stop text may stand
        ends = [at + len(text) for text in stop if (at := tail.find(text)) >= 0]
        begins = [tail[: min(ends)].find(text) for text in stop if text in tail[: min(ends)]] if ends else [len(tail)]
        assert sample.text == before.text[: 2 + least + min(begins)]
        if number == 0:
            assert "".join(model.stream("ab", SampleConfig(stop=stop, **settings))) == sample.text


@pytest.mark.parametrize("settings", [{"temperature": 1.0}, {"temperature": 0}, {"top_k": 1}, {"top_p": 0.5}])
def test_a_model_of_a_stream_never_draws_an_end(random_stored, settings):
    from gencli.model import Model

    model = Model(favouring(random_stored(documents="stream"), EOS), 1)
    for sample in model.sample(30, max_length=25, **settings):
        assert (len(sample.text), sample.tokens, sample.finish, sample.novel) == (25, 25, "length", None)


def chi_square_bound(degrees, t):
    """What a chi-square variable exceeds with probability exp(-t) at most (Laurent & Massart 2000, lemma 1)."""
    return degrees + 2 * math.sqrt(degrees * t) + 2 * t


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1.0},
        {"temperature": 0.6},
        {"temperature": 1.5, "top_k": 4},
        {"temperature": 1.0, "top_p": 0.7},
        {"temperature": 0.9, "top_k": 5, "top_p": 0.8},
    ],
)
@pytest.mark.parametrize("prompt", ["", "ab"])
def test_first_tokens_come_as_often_as_the_model_says(random_model, settings, prompt):
    model, n = random_model(hidden_size=16, seed=8), 6000
    logits = next_logits(model, model.codec.encode(prompt, eos=False).tolist())
    logits[UNK] = -np.inf
    arguments = {"top_k": settings.get("top_k"), "top_p": settings.get("top_p")}
    expected = n * twin_pick.distribution(logits, settings["temperature"], **arguments)
    drawn = model.sample(n, prompt, max_length=1, **settings)
    symbols = [EOS if s.finish == "eos" else "abcdef".index(s.text[-1]) + 2 for s in drawn]
    seen = np.bincount(symbols, minlength=len(expected))
    assert not seen[expected == 0].any()
    likely = expected > 5  # where the normal approximation holds; here that is every token that can be drawn
    assert expected[likely].sum() > 0.99 * n
    statistic = float(((seen - expected)[likely] ** 2 / expected[likely]).sum())
    # A right sampler would fail this for one seed in a million.
    assert statistic < chi_square_bound(likely.sum() - 1, math.log(1e6))


def test_later_tokens_come_as_often_as_the_model_says(random_model):
    # The tokens that follow an `a`: their chances need the state and the input to be the drawn token's.
    model, n = random_model(hidden_size=16, seed=8), 6000
    texts = [s.text for s in model.sample(n, max_length=2, temperature=1.0) if s.text[:1] == "a"]
    logits = next_logits(model, [2])
    logits[UNK] = -np.inf
    expected = len(texts) * twin_pick.distribution(logits)
    seen = np.bincount([EOS if len(t) == 1 else "abcdef".index(t[1]) + 2 for t in texts], minlength=8)
    likely = expected > 5
    statistic = float(((seen - expected)[likely] ** 2 / expected[likely]).sum())
    assert likely.sum() >= 5
    assert statistic < chi_square_bound(likely.sum() - 1, math.log(1e6))
