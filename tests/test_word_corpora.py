"""Vocabularies of real texts: their size, what they lack, and that the texts come back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gencli.codecs.codec import UNK, encode_documents, fit_codec
from gencli.codecs.word import WordCodec
from gencli.config import CodecOptions
from gencli.documents import Document
from gencli.words.running import GLUE, JOINT
from tests.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"


def text_of(name):
    """A text of the project's data; the test skips where it is not there."""
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not there: it belongs to the project, not to the package")
    return (DATA / name).read_text(encoding="utf-8")


def sentences(part):
    """The documents of one part of Brown."""
    return [Document(line.strip()) for line in text_of(f"brown/brown.{part}.txt").split("\n") if line.strip()]


def test_brown_as_it_is_tokenised():
    train, valid, test = (sentences(part) for part in ("train", "valid", "test"))
    codec = fit_codec("word", train, CodecOptions(split="whitespace"))
    seen = Counter(word for document in train for word in document.text.split())
    assert codec.options["min_count"] == 3
    assert set(codec.words) == {word for word, count in seen.items() if count >= 3}
    assert len(codec.words) == 17_713
    shares = []
    for part in (train, valid, test):
        tokens = encode_documents(codec, part, "line")
        assert len(tokens.ids) == sum(len(document.text.split()) + 1 for document in part)
        shares.append(float(np.mean(tokens.ids == UNK)))
    assert shares == pytest.approx([0.0422, 0.0769, 0.0761], abs=0.0001)
    tokens = encode_documents(codec, train, "line")
    assert np.bincount(tokens.ids, minlength=codec.vocabulary_size).tolist() == list(codec.counts)
    for document in valid:
        words = [word if seen[word] >= 3 else "<unk>" for word in document.text.split()]
        assert codec.decode(codec.encode(document.text)) == " ".join(words)


def test_shakespeare_as_running_text():
    text = text_of("tinyshakespeare/train.txt")
    codec = WordCodec.fit([Document(text)], CodecOptions(min_count=1))
    ids = codec.encode(text, eos=False)
    assert codec.decode(ids) == text
    unusual = [word for word in codec.words if word[:1] in (GLUE, " ", JOINT)]
    marked = sum(codec.counts[codec.words.index(word) + 2] for word in unusual)
    assert marked < 0.005 * len(ids)
    # With fewer words known, lines of known ones still come back.
    small = WordCodec.fit([Document(text)], CodecOptions(vocab_size=5_000))
    lines = [line for line in text.split("\n") if not small.unknown(line)]
    assert len(lines) > 20_000
    assert [small.decode(small.encode(line)) for line in lines] == lines
