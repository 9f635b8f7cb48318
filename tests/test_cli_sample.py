"""`gencli sample`: what it writes, where, and what it refuses."""

from __future__ import annotations

import json

import pytest

from gencli.cli import sample as sample_command
from gencli.model import load
from tests.conftest import NAMES


def texts(ended):
    """The samples that a command printed, one a line."""
    assert ended.code == 0, ended.err
    return ended.out.splitlines()


def test_one_a_line_the_same_for_the_same_seed(gencli, model):
    first = texts(gencli("sample", model, "-n", "8", "--seed", "3"))
    assert first == texts(gencli("sample", model, "-n", "8", "--seed", "3", "--threads", "2"))
    assert first[:3] == texts(gencli("sample", model, "-n", "3", "--seed", "3"))
    assert first != texts(gencli("sample", model, "-n", "8", "--seed", "4"))
    assert first == [each.text for each in load(model).sample(8, seed=3)]


def test_options_reach_the_model(gencli, model):
    greedy = texts(gencli("sample", model, "-n", "3", "-t", "0", "-l", "5"))
    assert len(set(greedy)) == 1
    assert greedy == texts(gencli("sample", model, "-n", "3", "--top-k", "1", "--max-length", "5"))
    prompted = texts(gencli("sample", model, "-n", "4", "-p", "Tyr", "--stop", "a", "--stop", "o", "--top-p", "0.9"))
    assert all(text.startswith("Tyr") for text in prompted)
    assert not any("a" in text or "o" in text for text in prompted)


def test_a_shortest_length_a_penalty_and_the_unknown_symbol_reach_the_model(gencli, model):
    lengths, draw = ("--stop", "a", "--min-length", "12"), ("--repetition-penalty", "9", "--allow-unk", "-t", "3")
    chosen = {"stop": ("a",), "min_length": 12, "repetition_penalty": 9.0, "allow_unk": True}
    found = texts(gencli("sample", model, "-n", "9", "--seed", "2", *lengths, *draw))
    assert found == [sample.text for sample in load(model).sample(9, seed=2, temperature=3.0, **chosen)]
    assert min(map(len, found)) >= 12
    assert any("\ufffd" in text for text in found)


def test_json(gencli, model):
    lines = texts(gencli("sample", model, "-n", "5", "--json", "--seed", "9"))
    for line, plain in zip(lines, texts(gencli("sample", model, "-n", "5", "--seed", "9")), strict=True):
        record = json.loads(line)
        assert list(record) == ["text", "tokens", "logprob", "finish", "novel", "seed"]
        assert record["text"] == plain
        assert record["seed"] == 9
        assert record["logprob"] < 0 < record["tokens"]
        assert record["finish"] in ("eos", "length", "stop")
        assert record["novel"] is (plain not in NAMES)


def test_unique_and_novel(gencli, model):
    found = texts(gencli("sample", model, "-n", "6", "-l", "2", "--unique", "--novel"))
    assert len(set(found)) == len(found)
    assert not set(found) & set(NAMES)
    short = gencli("sample", model, "-n", "5", "-t", "0", "--unique")
    assert len(short.out.splitlines()) == 1
    assert short.err == "gencli: warning: found 1 of the 5 samples asked for; try a higher -t\n"


def test_samples_with_line_ends_stand_apart(gencli, prose_model):
    records = texts(gencli("sample", prose_model, "-n", "3", "-l", "60", "--json"))
    ended = gencli("sample", prose_model, "-n", "3", "-l", "60")
    assert ended.out == "\n\n".join(json.loads(line)["text"] for line in records) + "\n"
    assert json.loads(records[0])["novel"] is None


def test_a_file_is_written_whole(gencli, model, tmp_path):
    target = tmp_path / "out.v1.txt"
    ended = gencli("sample", model, "-n", "4", "-o", target)
    assert (ended.code, ended.out) == (0, "")
    assert target.read_text(encoding="utf-8") == gencli("sample", model, "-n", "4").out
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_cannot_be_written(gencli, model, tmp_path):
    assert "there is no folder" in gencli("sample", model, "-o", tmp_path / "no" / "out.txt").error
    assert "is the model itself" in gencli("sample", model, "-o", model).error
    assert list(tmp_path.iterdir()) == []


def test_unknown_characters_in_a_prompt(gencli, model):
    ended = gencli("sample", model, "-p", "T\u00e9\u00dfy")
    assert ended.err == "gencli: warning: --prompt: the model has never seen '\u00e9', '\u00df'; left out\n"
    assert ended.out.startswith("Ty")
    strict = gencli("sample", model, "-p", "T\u00e9y", "--strict")
    assert "'\u00e9'" in strict.error
    assert strict.out == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("-n", "0"), "--count 0"),
        (("-t", "-1"), "--temperature -1"),
        (("-t", "nan"), "--temperature nan"),
        (("--top-p", "0"), "--top-p 0"),
        (("--top-k", "-1"), "--top-k -1"),
        (("-l", "0"), "--max-length 0"),
        (("--stop", ""), "--stop"),
        (("--min-length", "-1"), "--min-length -1"),
        (("--min-length", "6", "-l", "5"), "--min-length 6: must lie between 0 and --max-length"),
        (("--repetition-penalty", "0.9"), "--repetition-penalty 0.9"),
        (("--seed", "-1"), "--seed -1"),
        (("--threads", "0"), "--threads 0"),
    ],
)
def test_unusable_options_are_named(gencli, model, options, named):
    assert gencli("sample", model, *options).error.startswith(named)


def test_novel_needs_documents(gencli, prose_model):
    assert gencli("sample", prose_model, "--novel").error.startswith("--novel: ")


def test_one_sample_streams_on_a_terminal(gencli, model, monkeypatch):
    pieces = []
    plain = texts(gencli("sample", model, "--seed", "5"))[0]
    real = sample_command.typer.echo
    monkeypatch.setattr("gencli.display.PlainConsole.is_terminal", property(lambda _: True))
    monkeypatch.setattr(sample_command.typer, "echo", lambda text="", **how: (pieces.append(text), real(text, **how)))
    assert texts(gencli("sample", model, "--seed", "5")) == [plain]
    assert len([piece for piece in pieces if piece]) >= len(plain) - 1
