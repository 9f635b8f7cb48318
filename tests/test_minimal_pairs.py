"""The minimal pairs: whether each is a fair question to a model of Brown's words, and how answers are counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gencli.model import load
from tests.benchmarks.pairs import PAIRS, main, margins, read_pairs, report

TRAIN = Path(__file__).parents[2] / "shared" / "data" / "brown" / "brown.train.txt"
KINDS = ("agreement", "confusable", "order")


def lines_of_the_list() -> list[list[str]]:
    """Every line of the list, its header first, cut at the tabs."""
    return [line.split("\t") for line in PAIRS.read_text(encoding="utf-8").splitlines()]


def pairs_of(*kinds: str) -> list[tuple[list[str], list[str]]]:
    """The pairs of these kinds, each sentence as its words."""
    return [(right.split(), wrong.split()) for kind, right, wrong in lines_of_the_list()[1:] if kind in kinds]


def changed(pair: tuple[list[str], list[str]]) -> list[tuple[str, str]]:
    """The words in which the two sentences of a pair differ, place by place."""
    return [(mine, other) for mine, other in zip(*pair, strict=True) if mine != other]


def test_three_columns_under_a_header() -> None:
    header, *lines = lines_of_the_list()
    assert header == ["kind", "right", "wrong"]
    assert [line for line in lines if len(line) != 3] == []
    assert [line for line in lines if any(cell != " ".join(cell.split()) or not cell for cell in line)] == []


def test_enough_pairs_of_every_kind_and_of_no_other() -> None:
    found = Counter(line[0] for line in lines_of_the_list()[1:])
    assert set(found) == set(KINDS)
    assert found.total() >= 40
    assert min(found.values()) >= 10


def test_no_sentence_is_there_twice() -> None:
    # This also says that the two members of a pair differ.
    sentences = Counter(" ".join(sentence) for pair in pairs_of(*KINDS) for sentence in pair)
    assert [sentence for sentence, times in sentences.items() if times > 1] == []
    assert ["confusable", "The apple and pear salad", "The apple and pair salad"] in lines_of_the_list()


def test_a_pair_differs_by_one_word_or_by_the_order_of_the_same_words() -> None:
    assert [pair for pair in pairs_of(*KINDS) if len(pair[0]) != len(pair[1])] == []
    assert [pair for pair in pairs_of("agreement", "confusable") if len(changed(pair)) != 1] == []
    assert [pair for pair in pairs_of("order") if Counter(pair[0]) != Counter(pair[1])] == []
    assert [pair for pair in pairs_of("order") if len(changed(pair)) > 4] == []


@pytest.mark.skipif(not TRAIN.exists(), reason=f"{TRAIN} is not there: it belongs to the project, not to the package")
def test_every_word_is_known_to_brown_and_no_sentence_is_from_it() -> None:
    text = TRAIN.read_text(encoding="utf-8")
    seen = Counter(text.split())
    words = {word for pair in pairs_of(*KINDS) for sentence in pair for word in sentence}
    assert {word: seen[word] for word in words if seen[word] < 3} == {}
    assert sum(seen[word] >= 20 for word in words) >= 0.95 * len(words)
    # A final mark or none: a sentence inside a longer one of the text would be a copy as well.
    padded = [f" {line} " for line in text.splitlines()]
    bare = [" ".join(word for word in sentence if word not in ".?") for pair in pairs_of(*KINDS) for sentence in pair]
    assert [sentence for sentence in bare if any(f" {sentence} " in line for line in padded)] == []


@pytest.mark.skipif(not TRAIN.exists(), reason=f"{TRAIN} is not there: it belongs to the project, not to the package")
@pytest.mark.parametrize("kind", ["agreement", "confusable"])
def test_preferring_the_commoner_word_decides_about_half_of_a_kind(kind: str) -> None:
    seen = Counter(TRAIN.read_text(encoding="utf-8").split())
    choices = [changed(pair)[0] for pair in pairs_of(kind)]
    commoner = sum(seen[right] > seen[wrong] for right, wrong in choices)
    assert 0.4 <= commoner / len(choices) <= 0.6


def test_a_pair_is_won_by_the_likelier_right_member_alone() -> None:
    pairs = [("a", "r1", "w1"), ("b", "r2", "w2"), ("a", "r3", "w3"), ("a", "r4", "w4")]
    found = margins(pairs, [-1.0, -2.0, -3.0, -2.5, -9.0, -9.0, -4.0, -4.5])
    assert found == [("a", 1.0), ("b", -0.5), ("a", 0.0), ("a", 0.5)]
    assert [line.split() for line in report(found)] == [
        ["kind", "won", "of", "share"],
        ["a", "2", "3", "67%"],
        ["b", "0", "1", "0%"],
        ["all", "2", "4", "50%"],
    ]


def test_a_models_answers_are_those_of_its_scores(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(model)])
    _, *kinds, everything = capsys.readouterr().out.splitlines()[: 2 + len(KINDS)]
    loaded = load(model)
    won = Counter(
        kind for kind, right, wrong in read_pairs() if loaded.score(right).logprob > loaded.score(wrong).logprob
    )
    assert {line.split()[0]: int(line.split()[1]) for line in kinds} == {kind: won[kind] for kind in KINDS}
    assert everything.split()[1] == str(won.total())
