"""The character codec: ids, unknown characters, labels, state; and documents as tokens."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.codecs.char import CharCodec
from gencli.codecs.codec import EOS, UNK, codec_from_state, encode_documents, fit_codec
from gencli.config import CodecOptions, Level
from gencli.documents import Document
from gencli.errors import ModelFileError, OptionError


def fitted(*texts, **options):
    return CharCodec.fit([Document(text) for text in texts], CodecOptions(**options))


def test_ids_follow_the_code_points_after_eos_and_unk():
    codec = fitted("ca", "b\U0001f600é")
    assert (EOS, UNK) == (0, 1)
    assert codec.characters == "abcé\U0001f600"
    assert codec.vocabulary_size == 7
    assert codec.side_sizes == ()
    ids = codec.encode("cab\U0001f600")
    assert ids.tolist() == [4, 2, 3, 6, EOS]
    assert ids.dtype == np.int32
    assert codec.encode("cab", eos=False).tolist() == [4, 2, 3]
    assert codec.encode("").tolist() == [EOS]
    assert codec.encode("", eos=False).tolist() == []


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(codec=None), min_size=1))  # lone surrogates too: arguments can hold them
def test_what_was_fitted_comes_back(text):
    codec = fitted(text)
    assert codec.decode(codec.encode(text)) == text
    assert codec.unknown(text) == []
    assert codec.vocabulary_size == 2 + len(set(text))


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1), st.text())
def test_encode_agrees_with_a_dictionary(known, text):
    codec = fitted(known)
    table = {character: index for index, character in enumerate(sorted(set(known)), 2)}
    assert codec.encode(text).tolist() == [*(table.get(character, 1) for character in text), 0]
    assert codec.unknown(text) == list(dict.fromkeys(character for character in text if character not in table))


def test_rare_characters_become_unk_and_unk_the_replacement_character():
    codec = fitted("aab", "abc", min_count=2)
    assert codec.characters == "ab"
    assert codec.encode("abcz!").tolist() == [2, 3, UNK, UNK, UNK, EOS]
    assert codec.decode(codec.encode("abc")) == "ab\ufffd"
    assert codec.unknown("zcbzc") == ["z", "c"]


def test_decode_drops_eos_wherever_it_stands_and_takes_lists_and_arrays():
    codec = fitted("ab")
    assert codec.decode([EOS, 2, EOS, 3, EOS]) == "ab"
    assert codec.decode(np.array([3, 2], np.int32)) == "ba"
    assert codec.decode([]) == ""


def test_labels_are_printable():
    codec = fitted("a\n\t\u200b ")
    assert [codec.symbol(index) for index in range(codec.vocabulary_size)] == [
        "<EOS>", "<UNK>", "\\t", "\\n", " ", "a", "\\u200b",
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "fault"), [(0, "must be at least 1"), (3, "no character occurs that often; lower")])
def test_an_impossible_min_count_is_an_option_error(count, fault):
    with pytest.raises(OptionError, match=rf"^--min-count {count}: .*{fault}"):
        fitted("aabb", min_count=count)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"vocab_size": 9}, "--vocab-size 9"),
        ({"split": "words"}, "--split words"),
        ({"lowercase": True}, "--lowercase"),
    ],
)
def test_what_only_words_have_is_an_option_error(options, told):
    with pytest.raises(OptionError, match=f"^{told}: only --level word has it"):
        fitted("ab", **options)


def test_decoding_goes_on_from_any_state_and_every_character_counts_once():
    codec = fitted("abc")
    assert codec.decode_from([2, EOS, 3]) == ("ab", 0)
    assert codec.decode_from([4], 0) == ("c", 0)
    assert codec.token_characters("a?c").tolist() == [1, 1, 1, 0]
    assert codec.token_characters("a?c", eos=False).tolist() == [1, 1, 1]
    assert codec.normalised("a ?\n") == "a ?\n"


def test_nothing_to_fit_is_an_option_error():
    with pytest.raises(OptionError, match="no character"):
        CharCodec.fit([])


@pytest.mark.parametrize("level", get_args(Level))
def test_every_level_has_a_codec_that_survives_json(level):
    tune = "LABEL_\u00e9t\u00e9 METER_4/4 SWING_1 TEMPO_120 KEY_C BAR P62 D24 P64 D24"
    codec = fit_codec(level, [Document(tune if level == "music" else "names\nand \u00e9 \U0001f600"), Document("more")])
    twin = codec_from_state(json.loads(json.dumps(codec.state())))
    assert codec.level == twin.level == level
    assert twin.state() == codec.state()
    assert np.array_equal(twin.encode("some P62 more"), codec.encode("some P62 more"))


def test_fit_codec_passes_options_on_and_refuses_other_levels():
    assert fit_codec("char", [Document("aab")], CodecOptions(min_count=2)).vocabulary_size == 3
    with pytest.raises(OptionError, match="--level syllable: not one of char"):
        fit_codec("syllable", [Document("a")])


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        (None, "no known level"),
        ([], "no known level"),
        ({}, "no known level"),
        ({"level": "syllable", "characters": "ab"}, "no known level"),
        ({"level": ["char"], "characters": "ab"}, "no known level"),
        ({"level": "char"}, "text of characters"),
        ({"level": "char", "characters": ""}, "text of characters"),
        ({"level": "char", "characters": ["a", "b"]}, "text of characters"),
        ({"level": "char", "characters": "aab"}, "out of order or repeated"),
        ({"level": "char", "characters": "ba"}, "out of order or repeated"),
    ],
)
def test_a_damaged_state_is_refused(state, fault):
    with pytest.raises(ModelFileError, match=f"^codec state: .*{fault}"):
        codec_from_state(state)


def test_documents_become_tokens_each_ended_by_eos():
    codec = fitted("ab\n")
    tokens = encode_documents(codec, [Document("ab"), Document("b\na")], "paragraph")
    assert tokens.ids.tolist() == [3, 4, EOS, 4, 2, 3, EOS]
    assert tokens.lengths.tolist() == [3, 4]
    assert (tokens.ids.dtype, tokens.lengths.dtype) == (np.int32, np.int64)
    assert tokens.side.shape == (0, 7)


def test_a_stream_has_no_eos_and_no_documents_have_no_tokens():
    codec = fitted("ab")
    tokens = encode_documents(codec, [Document("abba")], "stream")
    assert tokens.ids.tolist() == [2, 3, 3, 2]
    assert tokens.lengths.tolist() == [4]
    none = encode_documents(codec, [], "line")
    assert (none.ids.shape, none.lengths.shape, none.side.shape) == ((0,), (0,), (0, 0))
