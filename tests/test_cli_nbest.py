"""`gencli score --nbest`: hypotheses ranked anew within each id, and lists that are refused."""

from __future__ import annotations

import json
import math

import pytest

from gencli.cli.nbest import NbestParser, Reranker, number_in
from gencli.cli.texts import Entry
from gencli.errors import CorpusError
from gencli.figures import Figures
from gencli.model import load

SCORED = "u1\t-3.5\tTyr anno\nu1\t-2\tAllo\nu1\t-900\tAllosaurus rex\nu2\t1e1\tZzz\n"
PLAIN = "u1\tTyr anno\nu1\tAllo\nu1\tAllosaurus rex\nu2\tZzz\n"


@pytest.fixture
def reranked(gencli, model):
    """Ranks the hypotheses of a text anew: the objects printed."""

    def call(text, *options):
        ended = gencli("score", model, "--nbest", "--json", *options, stdin=text.encode())
        assert (ended.code, ended.err) == (0, "")
        return [json.loads(line) for line in ended.out.splitlines()]

    return call


@pytest.mark.parametrize(("weight", "bonus"), [(1.0, 0.0), (0.25, 3.0), (0.0, 0.0), (-1.0, -0.5)])
@pytest.mark.parametrize("base", ["e", "10"])
@pytest.mark.parametrize("text", [SCORED, PLAIN])
def test_the_combined_score_orders_each_id(reranked, model, text, weight, bonus, base):
    found = reranked(text, f"--lm-weight={weight}", f"--word-bonus={bonus}", "--base", base)
    given = [line.split("\t") for line in text.splitlines()]
    assert sorted((each["id"], each["text"]) for each in found) == sorted((cells[0], cells[-1]) for cells in given)
    scorer, scale = load(model), {"e": 1.0, "10": math.log(10)}[base]
    scores = {cells[-1]: float(cells[1]) if len(cells) == 3 else 0.0 for cells in given}
    for each in found:
        words = len(each["text"].split())
        logprob = scorer.score(each["text"]).logprob / scale
        assert each["words"] == words
        assert each["logprob"] == pytest.approx(logprob)
        assert each["combined"] == pytest.approx(scores[each["text"]] + weight * logprob + bonus * words)
        assert each.get("score") == (scores[each["text"]] if text == SCORED else None)
    for name in ("u1", "u2"):
        group = [each for each in found if each["id"] == name]
        combined = [each["combined"] for each in group]
        assert combined == sorted(combined, reverse=True)
        assert [each["rank"] for each in group] == list(range(1, len(group) + 1))
        assert [each["margin"] for each in group] == [value - combined[0] for value in combined]
    assert [each["id"] for each in found] == ["u1", "u1", "u1", "u2"]


def test_weights_left_open_are_1_and_0(reranked):
    assert reranked(SCORED) == reranked(SCORED, "--lm-weight", "1", "--word-bonus", "0")


def test_only_the_best_of_each_id(reranked):
    whole = reranked(SCORED)
    assert reranked(SCORED, "--top", "1") == [whole[0], whole[3]]
    assert reranked(SCORED, "--top", "2") == [*whole[:2], whole[3]]


def test_unknown_symbols_and_ends_count_as_told(reranked):
    (whole,), (bare,) = (reranked("u\tAllo\u00e9\n", "--oov", oov, "--no-eos") for oov in ("include", "exclude"))
    assert (whole["tokens"], bare["tokens"]) == (5, 4)
    assert bare["combined"] == bare["logprob"] != whole["logprob"]


def test_what_it_prints_it_can_read(gencli, model):
    first = gencli("score", model, "--nbest", stdin=SCORED.encode()).out
    assert [line.split("\t")[0] for line in first.splitlines()] == ["u1", "u1", "u1", "u2"]
    assert gencli("score", model, "--nbest", "--lm-weight", "0", stdin=first.encode()).out == first


def test_a_hypothesis_may_be_empty(reranked):
    (only,) = reranked("u\t\n")
    assert (only["text"], only["tokens"], only["words"]) == ("", 1, 0)


def test_equals_keep_their_order(reranked):
    found = reranked("u\t1\tb\nu\t1\ta\nu\t2\tc\nu\t1\td\n", "--lm-weight", "0")
    assert [each["text"] for each in found] == ["c", "b", "a", "d"]


FORMS = "id<TAB>text or id<TAB>score<TAB>text"


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ("u1 hello there\n", 1, f"no tab in it; each line is {FORMS}, an id is never guessed"),
        ("u\t1\ta\nu\tb\n", 2, "2 columns, where the lines before have 3; give every line a score, or none"),
        ("u\ta\nu\tb\nu\t1\tc\n", 3, "3 columns, where the lines before have 2"),
        ("u\t1\ta\tb\n", 1, f"4 columns; each line is {FORMS}, without tabs in the text"),
        ("u\tone\ta\n", 1, "'one' between the tabs is no number"),
        ("u\tnan\ta\n", 1, "'nan' between the tabs is no number"),
        ("u\ta\n\nv\tb\n", 2, f"an empty line; each line is {FORMS}"),
        ("u\ta\n\tb\n", 2, "no id before its first tab"),
        ("u\ta\nv\ta\nu\tb\n", 3, "id 'u' again after others; put the lines of an id together"),
    ],
)
def test_lists_that_are_refused(gencli, model, tmp_path, text, place, fault):
    (tmp_path / "list").write_text(text)
    assert gencli("score", model, "--nbest", stdin=text.encode()).error.startswith(f"stdin:{place}: {fault}")
    ended = gencli("score", model, "--nbest", "-f", tmp_path / "list")
    assert ended.error.startswith(f"{tmp_path / 'list'}:{place}: {fault}")


def test_whole_ids_before_a_fault_are_answered(gencli, model):
    ended = gencli("score", model, "--nbest", stdin=b"u\ta\nv\tb\nw\tc\nbad\n")
    assert [line.split("\t")[0] for line in ended.out.splitlines()] == ["u", "v"]
    assert ended.error.startswith("stdin:4: no tab")


def test_an_id_is_answered_when_the_next_begins(start, model):
    process = start("score", model, "--nbest", "--top", "1", stdin=-1)
    for number in range(3):
        process.stdin.write(f"u{number}\tTyr\nu{number}\tXqz\nu{number + 1}\tAllo\n")
        process.stdin.flush()
        assert process.stdout.readline().split("\t")[0] == f"u{number}"
    process.stdin.close()
    assert process.stdout.read().startswith("u3\t")
    assert process.wait(timeout=120) == 0


def test_a_terminal_gets_aligned_columns(gencli, model, monkeypatch):
    monkeypatch.setattr("gencli.display.PlainConsole.is_terminal", property(lambda _: True))
    lines = gencli("score", model, "--nbest", stdin=SCORED.encode()).out.splitlines()
    assert lines[0].split() == ["id", "combined", "margin", "logprob", "text"]
    assert len(lines) == 5
    assert "\t" not in "".join(lines)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1", 1.0), ("-1.5e3", -1500.0), ("1_0", None), ("inf", None), ("nan", None), ("", None), ("0x1", None)],
)
def test_numbers(cell, value):
    assert number_in(cell) == value


def test_a_parser_and_a_reranker_by_hand():
    parser, reranker = NbestParser(), Reranker(2.0, 1.0, None, 10.0)
    lines = [Entry(f"{name}\t{score}\t{text}", "a", 1) for name, score, text in (("u", 1, "a b"), ("u", 9, "c"))]
    for entry, logprob in zip(map(parser.parse, lines), (-0.5, -1.0), strict=True):
        assert reranker.add(entry, Figures(known_logprob=logprob, known_tokens=1)) == []
    ranked = reranker.end()
    assert [(each.entry.text, each.combined, each.rank, each.margin) for each in ranked] == [
        ("a b", 1 - 10 + 2, 1, 0.0),
        ("c", 9 - 20 + 1, 2, -3.0),
    ]
    assert reranker.end() == []
    with pytest.raises(CorpusError, match=r"^a:7: no tab"):
        parser.parse(Entry("u", "a", 7))
