"""`gencli score`: lines in, lines out; ranks, tokens, continuations, totals."""

from __future__ import annotations

import json
import math
import re

import pytest

from gencli.cli.totals import Totals
from gencli.model import load
from tests.conftest import NAMES

KEYS = ["text", "logprob", "tokens", "oov", "nats_per_token", "perplexity", "bits_per_character"]


def rows(ended):
    """The cells of the lines that a command printed."""
    assert ended.code == 0, ended.err
    return [line.split("\t") for line in ended.out.splitlines()]


def records(ended):
    """The objects that a command printed."""
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_columns(gencli, model):
    score = load(model).score("Tyranno")
    ((logprob, tokens, oov, perplexity, text),) = rows(gencli("score", model, "Tyranno"))
    assert float(logprob) == pytest.approx(score.logprob, abs=1e-3)
    assert (tokens, oov, text) == ("8", "0", "Tyranno")
    assert float(perplexity) == pytest.approx(score.perplexity, rel=1e-3)


def test_stdin_files_and_arguments_agree(gencli, model, tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfTyr\r\n\r\n  \nAllo")
    direct = gencli("score", model, "Tyr", "Allo").out
    assert direct.count("\n") == 2
    assert gencli("score", model, stdin=b"Tyr\n\nAllo\n").out == direct
    assert gencli("score", model, "-", stdin=b"Tyr\nAllo").out == direct
    assert gencli("score", model, "-f", file).out == direct
    assert gencli("score", model, "-f", file, "-f", "-", stdin=b"Tyr\rAllo").out == 2 * direct
    assert gencli("score", model, "Tyr", "-f", "-", stdin=b"Allo").out == direct
    assert gencli("score", model, stdin=b"").out == ""


@pytest.mark.parametrize("options", [(), ("--summary",), ("--rank",), ("--next", "2"), ("--by", "file"), ("--json",)])
def test_nothing_to_score_is_noted(gencli, model, tmp_path, options):
    (tmp_path / "empty").touch()
    for words, data in (((), b""), ((), b" \n\n"), (("-f", tmp_path / "empty"), b"Tyr\n"), (("", ""), b"")):
        ended = gencli("score", model, *words, *options, stdin=data)
        assert ended.code == 0
        assert ended.err == "nothing to score: what was given to read is empty or blank\n"
    assert gencli("score", model, "", *options).err == ""  # the empty text itself


def test_an_unterminated_last_line_counts_whole(gencli, model):
    whole = gencli("score", model, "--summary", "--json", stdin=b"Tyr\nAllo\n").out
    assert gencli("score", model, "--summary", "--json", stdin=b"Tyr\nAllo").out == whole


def test_each_line_is_answered_at_once(start, model):
    process = start("score", model, stdin=-1)
    for name in ("Tyr", "Allo"):
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(f"\t{name}\n")
    process.stdin.close()
    assert process.wait(timeout=120) == 0


def test_many_lines_keep_their_order(gencli, model):
    many = NAMES * 20
    assert [cells[-1] for cells in rows(gencli("score", model, stdin="\n".join(many).encode()))] == many


def test_json(gencli, model):
    score = load(model).score("Tyr\u00e9")
    (record,) = records(gencli("score", model, "Tyr\u00e9", "--json"))
    assert list(record) == KEYS
    assert record == {key: pytest.approx(getattr(score, key)) if key != "text" else score.text for key in KEYS}
    assert (record["tokens"], record["oov"]) == (5, 1)
    assert record["nats_per_token"] == pytest.approx(-record["logprob"] / 5)


@pytest.mark.parametrize(("base", "unit"), [("e", 1.0), ("2", math.log(2)), ("10", math.log(10))])
def test_base_changes_the_log_probability_alone(gencli, model, base, unit):
    (nats,) = records(gencli("score", model, "Tyr", "--json"))
    (other,) = records(gencli("score", model, "Tyr", "--json", "--base", base))
    assert other.pop("logprob") * unit == pytest.approx(nats.pop("logprob"))
    assert other == nats


def test_summary(gencli, model):
    each = records(gencli("score", model, "Tyr", "Allo\u00e9", "--json"))
    (total,) = records(gencli("score", model, "Tyr", "Allo\u00e9", "--json", "--summary"))
    assert list(total) == ["documents", *KEYS[1:]]
    assert total["documents"] == 2
    for key in ("logprob", "tokens", "oov"):
        assert total[key] == pytest.approx(sum(record[key] for record in each))
    assert total["perplexity"] == pytest.approx(math.exp(-total["logprob"] / total["tokens"]))
    assert total["bits_per_character"] == pytest.approx(-total["logprob"] / math.log(2) / 8)
    plain = dict(rows(gencli("score", model, "Tyr", "Allo\u00e9", "--summary")))
    assert plain["documents"] == "2"
    assert float(plain["perplexity"]) == pytest.approx(total["perplexity"], abs=1e-3)


def test_what_is_not_finite_is_null_in_json(gencli, model, monkeypatch):
    monkeypatch.setattr(Totals, "perplexity", math.inf)
    (total,) = records(gencli("score", model, "Tyr", "--json", "--summary"))
    assert total["perplexity"] is None


def test_no_text_at_all_sums_to_nothing(gencli, model):
    (total,) = records(gencli("score", model, "--json", "--summary"))
    assert (total["documents"], total["tokens"], total["logprob"], total["perplexity"]) == (0, 0, 0.0, 1.0)


def test_rank(gencli, model):
    found = rows(gencli("score", model, "Zzzzzz", "Tyr", "Allosaurus", "--rank"))
    logprobs = [float(cells[0]) for cells in found]
    assert logprobs == sorted(logprobs, reverse=True)
    assert float(found[0][1]) == 0.0
    assert float(found[2][1]) == pytest.approx(logprobs[2] - logprobs[0], abs=2e-3)
    listed = records(gencli("score", model, "Zzzzzz", "Tyr", "Allosaurus", "--rank", "--json"))
    assert [record["text"] for record in listed] == [cells[-1] for cells in found]
    assert listed[0]["margin"] == 0.0


def test_per_token(gencli, model):
    ((*pairs,),) = rows(gencli("score", model, "T\u00e9 ", "--per-token"))
    assert pairs[0].rsplit("/", 1)[0] == "T"
    assert len(pairs) == 4
    (record,) = records(gencli("score", model, "T\u00e9 ", "--per-token", "--json"))
    assert sum(logprob for _, logprob in record["per_token"]) == pytest.approx(record["logprob"])
    assert sum(float(pair.rsplit("/", 1)[1]) for pair in pairs) == pytest.approx(record["logprob"], abs=1e-3)


def test_next(gencli, model):
    found = rows(gencli("score", model, "Tyr", "", "--next", "3"))
    assert len(found) == 3
    shares = [float(cells[0]) for cells in found]
    assert shares == sorted(shares, reverse=True)
    assert all(cells[2] == "Tyr" for cells in found)
    (record,) = records(gencli("score", model, "", "--next", "1000", "--json"))
    assert sum(each["probability"] for each in record["next"]) == pytest.approx(1.0)
    assert len(record["next"]) == load(model).codec.vocabulary_size


def test_by_file(gencli, model, prose_model, trained, tmp_path):
    text = (trained / "prose.txt").read_text(encoding="utf-8").strip("\n")
    (record,) = records(gencli("score", prose_model, "-f", trained / "prose.txt", "--by", "file", "--json"))
    assert record["text"] == text
    assert record["tokens"] == len(text)
    ((*_, label),) = rows(gencli("score", prose_model, "-f", trained / "prose.txt", "--by", "file"))
    assert label.endswith("prose.txt")
    ((*_, label),) = rows(gencli("score", model, "--by", "file", stdin=b"Tyr\n"))
    assert label == "stdin"
    (tmp_path / "blank").write_text("\n\n")
    assert gencli("score", model, "-f", tmp_path / "blank", "--by", "file").out == ""


def test_texts_with_line_ends_stay_in_their_line(gencli, model):
    ((*_, label),) = rows(gencli("score", model, "a\n\tb"))
    assert label == "a\\n\\tb"


@pytest.mark.parametrize(
    ("data", "fault"), [(b"Tyr\nAl\xfflo\n", "not UTF-8 text at byte 6"), (b"Tyr\n\0\0", "binary data")]
)
def test_what_is_no_text_is_told_where(gencli, model, tmp_path, data, fault):
    (tmp_path / "bad").write_bytes(data)
    assert f"{tmp_path / 'bad'}: {fault}" in gencli("score", model, "-f", tmp_path / "bad", "--summary").error
    assert f"stdin: {fault}" in gencli("score", model, "--summary", stdin=data).error


def test_files_that_cannot_be_read(gencli, model, tmp_path):
    assert "cannot be read" in gencli("score", model, "-f", tmp_path / "missing").error
    assert "cannot be read" in gencli("score", model, "-f", tmp_path).error


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--next", "0"), "--next 0"),
        (("--rank", "--summary"), "--rank and --summary"),
        (("--per-token", "--next", "2"), "--per-token and --next"),
        (("--threads", "0"), "--threads 0"),
    ],
)
def test_unusable_options_are_named(gencli, model, options, named):
    assert gencli("score", model, "x", *options).error.startswith(named)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), ["logprob", "tokens", "OOV", "perplexity", "text"]),
        (("--rank",), ["logprob", "margin", "tokens", "OOV", "perplexity", "text"]),
        (("--per-token",), ["nats", "a", "symbol:"]),
        (("--summary",), ["documents", "2"]),
    ],
)
def test_a_terminal_gets_aligned_columns_with_a_header(gencli, model, monkeypatch, options, shown):
    monkeypatch.setattr("gencli.display.PlainConsole.is_terminal", property(lambda _: True))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ended = gencli("score", model, "Tyr", "Allo", *options)
    assert ended.code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", ended.out).splitlines()
    assert lines[0].split()[: len(shown)] == shown
    assert "\t" not in ended.out
    if options != ("--summary",):
        assert len(lines) == 3


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_numbers(gencli, model, monkeypatch, name, value):
    piped = gencli("score", model, "Tyr", "Allo", "--per-token")
    monkeypatch.setattr("gencli.display.PlainConsole.is_terminal", property(lambda _: True))
    monkeypatch.setenv(name, value)
    shown = gencli("score", model, "Tyr", "Allo", "--per-token")
    assert shown.out == piped.out
    assert shown.out.startswith("T/-")


def test_a_terminal_gets_a_table_of_continuations(gencli, model, monkeypatch):
    monkeypatch.setattr("gencli.display.PlainConsole.is_terminal", property(lambda _: True))
    assert len(gencli("score", model, "Tyr", "--next", "4").out.splitlines()) == 4
