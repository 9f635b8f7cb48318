"""Samples of words: what a person reads is spelled as the corpus was, however it is drawn, cut or streamed."""

from __future__ import annotations

import pytest

from gencli.codecs.codec import EOS, UNK
from gencli.codecs.word import WordCodec
from gencli.config import CodecOptions, SampleConfig
from gencli.documents import Document
from gencli.sampling import Sampler, Writing

SPEECH = 'The man said: "Come in," and (so) he came - at last.\n"Who is it?" said the dog.'
CODECS = {
    split: WordCodec.fit([Document(SPEECH)], CodecOptions(split=split, min_count=1))
    for split in ("words", "whitespace")
}
splits = pytest.mark.parametrize("split", CODECS)
TINY = WordCodec(("a", "", " ", ".", '"', "b"), (1, 1, 6, 5, 4, 3, 2, 1))  # spacing is drawn as often as words


def drawn_ids(sampler, indices):
    """The tokens that samples of these numbers draw, without stop texts."""
    ids = [[] for _ in indices]
    for _, tokens, _ in sampler.chunks(indices, 7):
        for row, more in zip(ids, tokens.tolist(), strict=True):
            row += [token for token in more if token >= 0]
    return ids


@splits
@pytest.mark.parametrize("prompt", ["", "The man", "The man ", "The strange man said", 'The man said: "', "Zorblax!"])
def test_a_sample_is_the_prompt_and_what_follows_it_in_one_spelling(random_model, split, prompt):
    model = random_model(CODECS[split], layers=2)
    config = SampleConfig(max_length=20, temperature=1.0)
    sampler = Sampler(model.network, model.codec, config, model.known_part(prompt, False), True)
    begin = model.codec.encode(prompt.rstrip(" "), eos=False).tolist()
    known = model.codec.decode(begin)
    for drawn, ids in zip(sampler.draw(range(30)), drawn_ids(sampler, range(30)), strict=True):
        assert UNK not in ids
        assert drawn.text.startswith(prompt.rstrip(" "))
        assert drawn.text == prompt.rstrip(" ") + model.codec.decode(begin + ids)[len(known) :]
        assert drawn.tokens == len(begin) + len(ids)
        assert drawn.finish == ("eos" if ids[-1] == EOS else "length")


@splits
def test_what_follows_a_prompt_does_not_depend_on_the_space_at_its_end(random_model, split):
    model = random_model(CODECS[split], layers=2)
    for prompt in ("The man", "The strange", 'said: "'):
        assert model.next(f"{prompt} ", 50) == model.next(prompt, 50)
    assert model.next("The man", 50) != model.next("The", 50) != model.next("", 50)


@pytest.mark.parametrize("prompt", ["", "The man", "The strange man said:"])
def test_the_logprob_is_that_of_the_text(random_model, prompt):
    # Tokenised text is read back as it was drawn, token by token.
    model = random_model(CODECS["whitespace"], layers=2, scale=0.3)
    samples = [s for s in model.sample(60, prompt, max_length=400, temperature=1.0) if s.finish == "eos"]
    assert len(samples) > 20
    for sample in samples:
        score = model.score(sample.text)
        assert (sample.tokens, score.oov) == (score.tokens, int("strange" in prompt))
        assert sample.logprob == pytest.approx(score.logprob, rel=1e-5)


@pytest.mark.parametrize("codec", [CODECS["words"], CODECS["whitespace"], TINY], ids=["words", "whitespace", "tiny"])
@pytest.mark.parametrize("stop", [(), (" ",), ("e", "man said"), ('"', "a a", ". ", "aa"), ("aaba", "ab"), ("never",)])
@pytest.mark.parametrize("prompt", ["", "The man", "a"])
def test_a_stream_gives_the_text_of_the_sample_piece_by_piece(random_model, codec, stop, prompt):
    model = random_model(codec, documents="stream")
    ended = set()
    for seed in range(12):
        config = SampleConfig(temperature=1.0, stop=stop, max_length=40, seed=seed)
        (free,) = model.samples(1, prompt, SampleConfig(temperature=1.0, max_length=40, seed=seed))
        (sample,) = model.samples(1, prompt, config)
        pieces = list(model.stream(prompt, config))
        assert pieces[0] == prompt
        assert "".join(pieces) == sample.text
        assert free.text.startswith(sample.text)
        if sample.finish != "stop":
            assert sample == free
        assert not any(text in sample.text[len(prompt) :] for text in stop)
        ended.add(sample.finish)
    assert ("stop" in ended) == any(text in free.text[len(prompt) :] for text in stop) or len(ended) > 1


def test_a_stop_text_that_ends_first_ends_the_sample_first():
    # However the tokens come, the b is complete before the longer text that begins earlier.
    codec = WordCodec.fit([Document("a b c")], CodecOptions(split="whitespace", min_count=1))
    ids = codec.encode("a b c", eos=False).tolist()
    for chunks in ([ids], [[token] for token in ids], [ids[:1], ids[1:]]):
        writing = Writing(codec, 0, ("a b c", "b"))
        for chunk in chunks:
            if writing.stop is None:
                writing.add(chunk, [0.0] * len(chunk))
        assert (writing.text, writing.stop) == ("a ", 2)


def test_a_stop_text_may_begin_in_one_token_and_end_in_another(random_model):
    model = random_model(CODECS["words"])
    free = [s.text for s in model.sample(200, max_length=60, temperature=1.0)]
    stopped = model.sample(200, max_length=60, temperature=1.0, stop=("n s",))
    assert any("n s" in text for text in free)
    for text, sample in zip(free, stopped, strict=True):
        assert sample.text == text.split("n s")[0]
        assert (sample.finish == "stop") == ("n s" in text)


def test_the_tokens_of_a_stopped_sample_are_those_written_whole(random_model):
    model = random_model(CODECS["whitespace"])
    samples = [s for s in model.sample(100, max_length=60, temperature=1.0, stop=(" said",)) if s.finish == "stop"]
    assert len(samples) > 10
    for sample in samples:
        assert sample.tokens == len(model.codec.encode(sample.text, eos=False))
        scored = model.score(sample.text).logprobs[:-1].sum()
        assert sample.logprob == pytest.approx(scored, rel=1e-5, abs=1e-5)


def test_unknown_words_of_a_prompt_stay_in_the_text(random_model):
    from gencli.errors import OptionError

    model = random_model(CODECS["words"])
    assert model.known_part("Zorblax said ", False) == "Zorblax said"
    assert model.unknown("Zorblax said Zorblax, quux") == ["Zorblax", "quux"]
    with pytest.raises(OptionError, match="--prompt: the model has never seen 'Zorblax', 'quux'; leave that out"):
        model.sample(1, "Zorblax quux", strict=True)
    (sample,) = model.sample(1, "Zorblax quux! \ud800", max_length=3)
    assert sample.text.startswith("Zorblax quux! \ud800")
    assert sample.novel is True


def test_novel_means_new_as_the_model_reads_text(random_model):
    codec = WordCodec.fit([Document("The  Dog")], CodecOptions(split="whitespace", lowercase=True, min_count=1))
    model = random_model(codec, corpus=["The  Dog"])
    assert not any(model.is_novel(text) for text in ("The  Dog", "the dog", "THE DOG "))
    assert model.is_novel("the dog the")
    texts = {sample.text for sample in model.sample(300, temperature=1.0, max_length=5, novel=True)}
    assert "the dog" not in texts
    assert "the dog" in {sample.text for sample in model.sample(300, temperature=1.0, max_length=5)}
