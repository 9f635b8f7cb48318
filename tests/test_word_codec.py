"""The word codec: what enters the vocabulary and in which order, unknown words, spacing, state."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gencli.codecs.codec import EOS, UNK, codec_from_state, encode_documents
from gencli.codecs.word import WordCodec
from gencli.config import CodecOptions
from gencli.documents import Document
from gencli.errors import ModelFileError, OptionError
from gencli.words.running import GLUE, JOINT
from tests.conftest import ROOT
from tests.test_words import texts

SPEECH = '"Come in," said the man. The man said: "No." The (old) man came in - he said no.'
splits = pytest.mark.parametrize("split", ["words", "whitespace"])


def fitted(*texts, **options):
    return WordCodec.fit([Document(text) for text in texts], CodecOptions(**options))


def labels(codec, ids):
    return [codec.symbol(index) for index in ids]


def test_eos_and_unk_come_first_then_words_by_falling_count_then_by_code_point():
    codec = fitted("b a c", "c b C", "c", split="whitespace", min_count=1)
    assert codec.words == ("c", "b", "C", "a")
    assert codec.counts == (3, 0, 3, 2, 1, 1)
    assert codec.vocabulary_size == 6
    assert codec.side_sizes == ()
    ids = codec.encode("a b c C")
    assert ids.tolist() == [5, 3, 2, 4, EOS]
    assert ids.dtype == np.int32
    assert codec.encode("a", eos=False).tolist() == [5]
    assert [codec.encode("", eos=eos).tolist() for eos in (True, False)] == [[EOS], []]
    assert labels(codec, range(6)) == ["<EOS>", "<UNK>", "c", "b", "C", "a"]


def test_running_text_needs_few_tokens():
    codec = fitted(SPEECH, min_count=1)
    assert labels(codec, codec.encode('said, "Come in." - he')) == [
        "said", ",", '"', "Come", "in", ".", '\u203f"', "\u2423-", "he", "<EOS>",
    ]  # fmt: skip
    assert codec.encode("The man").tolist()[:2] == codec.encode('"The man')[1:3].tolist()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(texts)
def test_what_was_fitted_comes_back(text):
    codec = fitted(text, "a word", min_count=1)
    assert codec.decode(codec.encode(text)) == codec.normalised(text) == text
    assert codec.unknown(text) == []
    assert UNK not in codec.encode(text)


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.lists(st.sampled_from(["man", "The", "said", *'",.:()-', " ", " ", "  ", "     "]), max_size=20).map("".join))
def test_spacing_never_seen_comes_back(text):
    codec = fitted('The man said : , . ( ) - "', min_count=1)
    assume(not codec.unknown(text))  # Theman is no word
    assert codec.decode(codec.encode(text)) == text


@settings(deadline=None, derandomize=True, max_examples=300)
@given(texts, texts)
def test_tokens_follow_the_counts_and_cover_every_character(known, text):
    codec = fitted(known, "a word", min_count=1)
    ids = codec.encode(known)
    assert np.bincount([*ids, *codec.encode("a word")], minlength=codec.vocabulary_size).tolist() == list(codec.counts)
    assert list(codec.counts[2:]) == sorted(codec.counts[2:], reverse=True)
    lengths = codec.token_characters(text)
    assert len(lengths) == len(codec.encode(text))
    assert (lengths.sum(), lengths[-1]) == (len(text), 0)
    assert len(codec.token_characters(text, eos=False)) == len(lengths) - 1


@splits
@settings(deadline=None, derandomize=True, max_examples=200)
@given(known=texts, text=texts, at=st.integers(0, 40))
def test_decoding_goes_on_where_it_stopped(split, known, text, at):
    codec = fitted(known, "a word", split=split, min_count=1)
    ids = codec.encode(text)
    head, state = codec.decode_from(ids[:at])
    tail, _ = codec.decode_from(ids[at:], state)
    assert head + tail == codec.decode(ids) == codec.decode(ids.tolist())
    assert len(codec.unknown(text)) == len(set(codec.unknown(text)))
    if split == "words":
        assert (UNK in ids) == bool(codec.unknown(text))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(texts)
def test_tokenised_text_is_normalised_and_lowercase_stays_so(text):
    codec = fitted(text, "a word", split="whitespace", lowercase=True, min_count=1)
    assert codec.decode(codec.encode(text)) == codec.normalised(text)
    assert codec.normalised(codec.normalised(text)) == codec.normalised(text)
    assert np.array_equal(codec.encode(codec.normalised(text)), codec.encode(text))


def test_rare_words_are_unknown_and_keep_their_place_and_spacing():
    codec = fitted("the cat sat, the dog sat", "the (bird) sat", min_count=2)
    assert codec.words == ("sat", "the", "", " ")
    assert codec.counts[:2] == (2, 6)  # cat , dog ( bird )
    assert codec.encode("the owl sat").tolist() == [3, UNK, 2, EOS]
    assert codec.decode(codec.encode("the owl sat")) == "the \ufffd sat"
    assert codec.unknown("the owl sat; the owl, the cat") == ["owl", ";", ",", "cat"]
    assert codec.token_characters("the owl sat").tolist() == [3, 4, 4, 0]


def test_a_closing_quote_is_a_symbol_of_its_own_where_it_is_frequent():
    often, once = fitted('"a" "b"', '"a" b', min_count=2), fitted('"a" "b b', min_count=1)
    assert f'{GLUE}"' in often.words
    assert once.counts[once.words.index(f'{GLUE}"') + 2] == 1
    rare = fitted('"a a "a "a" b "b', min_count=2)
    assert f'{GLUE}"' not in rare.words
    assert labels(rare, rare.encode('"a"')) == ['"', "a", "\u203f", '"', "<EOS>"]
    assert rare.decode(rare.encode('"a" "b"')) == '"a" "b"'
    assert rare.counts[rare.words.index(JOINT) + 2] == 1
    assert rare.counts[rare.words.index('"') + 2] == 5


def test_a_word_counts_with_all_its_spacings():
    codec = fitted("x* a x *x", min_count=3)  # x three times, * twice: once glued, once usual
    assert codec.words == ("x", "", " ")
    assert fitted("a* b *c", min_count=2).words == ("*", "", " ")


def test_vocab_size_keeps_the_most_frequent_words():
    text = "a a a b b b c c d"
    assert fitted(text, split="whitespace", vocab_size=2).words == ("a", "b")
    assert fitted(text, split="whitespace", vocab_size=1, min_count=2).words == ("a",)
    assert fitted(text, split="whitespace", vocab_size=9, min_count=2).words == ("a", "b", "c")
    assert set(fitted("x , y , z", vocab_size=1).words) == {",", "", " "}  # not the comma after a space alone
    codec = fitted(text, vocab_size=2)
    assert set(codec.words) == {"a", "b", "", " "}  # the marks of spacing do not count
    assert codec.counts[:2] == (1, 3)


@pytest.mark.parametrize(
    ("text", "options", "least"),
    [
        ("a a a a a a b", {}, 2),
        ("a a b", {}, 1),  # a third of the text would be unknown
        ("a a b b", {}, 2),
        ("a a b", {"min_count": 2}, 2),
        ("a a a a a a b", {"min_count": 1}, 1),
        ("a a a a a a b", {"vocab_size": 1}, 1),  # b is unknown anyway
        ("a a a a a a b", {"vocab_size": 2}, 2),
        ("a a a a a a b <unk>", {"split": "whitespace"}, 1),
        ("a a a a a a b <UNK>", {"split": "whitespace"}, 1),
        ("a a a a a a b <unk>", {"split": "whitespace", "min_count": 2}, 2),
        ("a b c d " * 130_000 + "e e", {}, 3),
        ("a b c d " * 1_300_000 + "e e", {"split": "whitespace"}, 5),
    ],
)
def test_the_least_count_is_chosen_so_that_unknown_words_are_learned(text, options, least):
    codec = fitted(text, **options)
    assert codec.min_count == least
    assert (codec.counts[UNK] > 0) == any((least > 1 and "b b" not in text, "vocab_size" in options, "<" in text))


def test_words_that_say_unknown_are_unknown():
    codec = fitted("the <unk> of <UNK> <eos>", split="whitespace", min_count=1)
    assert codec.words == ("<eos>", "of", "the")  # the end is never told by a word
    assert codec.counts == (1, 2, 1, 1, 1)
    assert codec.encode("the <unk> <eos>").tolist() == [4, UNK, 2, EOS]
    assert codec.decode(codec.encode("the <unk> <UNK> <eos>")) == "the <unk> <unk> <eos>"
    assert codec.unknown("the <unk> cat") == ["cat"]
    lower = fitted("THE <UNK>", split="whitespace", lowercase=True, min_count=1)
    assert lower.words == ("the",)
    running = fitted("a <unk> b", min_count=1)
    assert running.decode(running.encode("a <unk> b")) == "a <unk> b"
    assert UNK not in running.encode("a <unk> b")


def test_lowercase_reads_and_writes_small_letters():
    codec = fitted("The THE the \u0130stanbul", lowercase=True, min_count=1)
    assert (
        codec.decode(codec.encode("THE \u0130stanbul")) == codec.normalised("THE \u0130stanbul") == "the i\u0307stanbul"
    )
    assert codec.encode("tHe").tolist() == codec.encode("the").tolist()
    assert codec.unknown("THE Cat") == ["cat"]
    assert codec.token_characters("THE \u0130stanbul").tolist() == [3, 10, 0]
    assert codec.opening("THE \u0130 ") == "THE \u0130"
    assert fitted("The the", min_count=1).encode("tHe").tolist() == [UNK, EOS]


@splits
def test_streams_and_paragraphs_keep_their_lines(split):
    text = "one two\nthree\n\nfour\n"
    codec = fitted(text, split=split, min_count=1)
    tokens = encode_documents(codec, [Document(text)], "stream")
    assert labels(codec, tokens.ids) == ["one", "two", "\\n", "three", "\\n", "\\n", "four", "\\n"]
    assert codec.decode(tokens.ids) == text


def test_white_space_never_seen_is_unknown_but_for_spaces():
    codec = fitted("a b", min_count=1)
    assert codec.decode(codec.encode("a    b")) == "a    b"
    assert codec.unknown("a\tb\n") == ["\t", "\n"]
    assert codec.token_characters("a\tb\n").tolist() == [1, 1, 1, 1, 0]


def test_eos_is_dropped_wherever_it_stands():
    codec = fitted("a b", min_count=1)
    a, b = codec.encode("a b", eos=False).tolist()
    assert codec.decode([EOS, a, EOS, b, EOS]) == "a b"
    assert codec.decode([]) == ""


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"min_count": 0}, "--min-count 0: must be at least 1"),
        ({"min_count": 99}, "--min-count 99: no word occurs that often; lower it"),
        ({"vocab_size": 0}, "--vocab-size 0: must be at least 1"),
        ({"split": "syllables"}, "--split syllables: not one of words, whitespace"),
    ],
)
def test_impossible_options_are_refused(options, fault):
    with pytest.raises(OptionError, match=f"^{fault}$"):
        fitted("a a b", **options)


def test_nothing_to_fit_is_an_option_error():
    with pytest.raises(OptionError, match="no word"):
        WordCodec.fit([])


@splits
@pytest.mark.parametrize("lowercase", [False, True])
def test_the_state_is_all_there_is(split, lowercase):
    codec = fitted(SPEECH, "a\0b \u00e9\n", split=split, lowercase=lowercase, min_count=1)
    twin = codec_from_state(json.loads(json.dumps(codec.state())))
    assert twin == codec
    assert twin.encode(SPEECH + " Unseen").tolist() == codec.encode(SPEECH + " Unseen").tolist()
    assert codec.options == {"split": split, "lowercase": lowercase, "min_count": 1}


def test_the_description_tells_what_matters():
    assert fitted("a a b", min_count=1).description == "6 words"
    codec = fitted("a a b", split="whitespace", lowercase=True, min_count=2)
    assert codec.description == "3 words (seen 2 times or more, split at white space, lowercase)"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"split": "syllables"}, "a known split"),
        ({"split": None}, "a known split"),
        ({"split": ["words"]}, "a known split"),
        ({"lowercase": 1}, "whether it is lowercase"),
        ({"words": "ab"}, "a list of words"),
        ({"words": None}, "a list of words"),
        ({"words": ["a", 1]}, "a list of words"),
        ({"words": ["a", "a", "", " "]}, "repeated"),
        ({"words": ["a", "b", "c", "d"]}, "spacing are missing"),
        ({"words": ["a", "", " "]}, "not those of the words"),
        ({"counts": None}, "the counts"),
        ({"counts": [1, 0, 2, 1, 0, "0"]}, "the counts"),
        ({"counts": [1, 0, 2, 1, 0, -1]}, "the counts"),
        ({"counts": [1, 0, 2, 1, 0]}, "not those of the words"),
        ({"counts": [1, 0, 1, 2, 0, 0]}, "most frequent first"),
        ({"min_count": None}, "the least"),
    ],
)
def test_a_damaged_state_is_refused(change, fault):
    state = {**fitted("a a b", min_count=1).state(), **change}
    with pytest.raises(ModelFileError, match=f"^codec state: .*{fault}"):
        codec_from_state(state)


def test_ids_do_not_depend_on_hashing():
    code = (
        "from gencli.codecs.word import WordCodec; from gencli.documents import Document; "
        f"print(WordCodec.fit([Document({SPEECH!r})]).state())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
