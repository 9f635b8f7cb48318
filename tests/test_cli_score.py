"""`gencli score`: lines in, lines out; ranks, tokens, continuations, totals."""

from __future__ import annotations

import json
import math
import re

import pytest

from gencli.figures import Figures
from gencli.model import load
from tests.conftest import NAMES

KEYS = ["text", "logprob", "tokens", "oov", "nats_per_token"]
KEYS += ["perplexity", "perplexity_without_oov", "bits_per_character"]


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
    file.write_bytes(b"\xef\xbb\xbfTyr\r\n  Allo ")
    direct = gencli("score", model, "Tyr", "Allo").out
    assert direct.count("\n") == 2
    assert gencli("score", model, stdin=b"Tyr\nAllo\n").out == direct
    assert gencli("score", model, "-", stdin=b"Tyr\nAllo").out == direct
    assert gencli("score", model, "-f", file).out == direct
    assert gencli("score", model, "-f", file, "-f", "-", stdin=b"Tyr\rAllo").out == 2 * direct
    assert gencli("score", model, "Tyr", "-f", "-", stdin=b"Allo").out == direct
    assert gencli("score", model, stdin=b"").out == ""


@pytest.mark.parametrize("options", [(), ("--summary",), ("--rank",), ("--next", "2"), ("--nbest",), ("--json",)])
def test_nothing_to_score_is_noted(gencli, model, tmp_path, options):
    (tmp_path / "empty").touch()
    for words in ((), ("-f", tmp_path / "empty")):
        ended = gencli("score", model, *words, *options)
        assert ended.code == 0
        assert ended.err == "nothing to score: what was given to read is empty\n"


def test_an_empty_line_is_scored_by_its_end(gencli, model, prose_model):
    end = gencli("score", model, "")
    assert end.err == ""
    ((logprob, *rest),) = rows(end)
    assert float(logprob) == pytest.approx(load(model).score("").logprob, abs=1e-3)
    assert rest[0] == "1"
    among = gencli("score", model, stdin=b"Tyr\n\n  \nAllo\n")
    assert [cells[-1] for cells in rows(among)] == ["Tyr", "", "", "Allo"]
    assert among.out.splitlines()[1:3] == end.out.splitlines() * 2
    assert among.err == "2 of 4 texts were empty: only the end of each is scored\n"
    assert gencli("score", model, "", "Tyr", "").out.count("\n") == 3
    for words in (("--no-eos", model), (prose_model,)):
        ended = gencli("score", *words, "--json", stdin=b"\n")
        assert ended.err == "1 of 1 texts were empty: nothing in them is scored\n"
        (record,) = records(ended)
        assert (record["tokens"], record["logprob"], record["perplexity"]) == (0, 0.0, None)


def test_an_unterminated_last_line_counts_whole(gencli, model):
    whole = gencli("score", model, "--summary", "--json", stdin=b"Tyr\nAllo\n").out
    assert gencli("score", model, "--summary", "--json", stdin=b"Tyr\nAllo").out == whole


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
    monkeypatch.setattr(Figures, "perplexity", math.inf)
    (total,) = records(gencli("score", model, "Tyr", "--json", "--summary"))
    assert total["perplexity"] is None


def test_no_text_at_all_sums_to_nothing(gencli, model):
    (total,) = records(gencli("score", model, "--json", "--summary"))
    assert (total["documents"], total["tokens"], total["logprob"], total["perplexity"]) == (0, 0, 0.0, None)


def test_unknown_symbols_count_or_do_not_or_end_it(gencli, model):
    text = "Allo\u00e9\u00e0"
    (whole,), (bare,) = (
        records(gencli("score", model, text, "--json", "--oov", oov)) for oov in ("include", "exclude")
    )
    score = load(model).score(text)
    assert (whole["tokens"], whole["oov"], bare["tokens"], bare["oov"]) == (7, 2, 5, 2)
    assert whole["perplexity"] > 0
    assert bare["perplexity"] == whole["perplexity_without_oov"] == pytest.approx(score.perplexity_without_oov)
    assert bare["bits_per_character"] == whole["bits_per_character"]
    assert bare["logprob"] == pytest.approx(score.known_logprob)
    ended = gencli("score", model, "--oov", "error", stdin=f"Tyr\n{text}\nAllo\n".encode())
    assert ended.out == gencli("score", model, "Tyr").out
    remedy = "leave that out, or choose another --oov"
    assert ended.error == f"stdin:2: the model has never seen '\u00e9', '\u00e0'; {remedy}"
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 1234)))
    assert " and 1,229 more; " in gencli("score", model, "Tyr", many, "--oov", "error").error
    assert gencli("score", model, "Tyr", "--oov", "error").code == 0


def test_without_eos_the_end_is_left_out(gencli, model):
    (record,) = records(gencli("score", model, "Tyr", "--no-eos", "--json", "--per-token"))
    score = load(model).score("Tyr")
    assert record["tokens"] == 3
    assert record["logprob"] == pytest.approx(score.logprobs[:-1].sum())
    assert [symbol for symbol, _ in record["per_token"]] == ["T", "y", "r"]


def test_a_running_text_carries_its_state(gencli, prose_model, trained):
    path = trained / "prose.txt"
    carried = gencli("score", prose_model, "-f", path, "--carry-state", "--json")
    assert carried.err == ""
    score = load(prose_model).score(path.read_text(encoding="utf-8"))
    lines = records(carried)
    assert [record["text"] for record in lines] == path.read_text(encoding="utf-8").split("\n")[:-1]
    assert math.fsum(record["logprob"] for record in lines) == pytest.approx(score.logprob)
    (total,) = records(gencli("score", prose_model, "-f", path, "--carry-state", "--json", "--summary"))
    assert total["tokens"] == score.tokens
    assert total["bits_per_character"] == pytest.approx(score.bits_per_character)
    (apart,) = records(gencli("score", prose_model, "-f", path, "--json", "--summary"))
    assert total["perplexity"] != pytest.approx(apart["perplexity"], rel=1e-3)


def test_a_model_of_lines_is_told_to_have_no_use_for_the_line_before(gencli, model):
    ended = gencli("score", model, "--carry-state", stdin=b"Tyr\nTyr\n")
    assert ended.err.startswith("gencli: warning: --carry-state: the model learned lines one by one")
    (first, *_), (second, *_) = rows(ended)
    assert first == rows(gencli("score", model, "Tyr"))[0][0] != second


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-8"])
def test_other_encodings(gencli, model, tmp_path, encoding):
    text = "Tyr\u00e9\r\nAllo"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    direct = gencli("score", model, "Tyr\u00e9", "Allo").out
    assert gencli("score", model, "-f", tmp_path / "a.txt", "--encoding", encoding).out == direct
    assert gencli("score", model, "--encoding", encoding, stdin=text.encode(encoding)).out == direct


def test_a_line_of_1_mb(gencli, model):
    long = "Tyrannosaurus " * 75_000
    found = rows(gencli("score", model, stdin=f"Tyr\n{long}\nAllo\n".encode()))
    assert [cells[1] for cells in found] == ["4", str(len(long)), "5"]  # the blank at its end is stripped
    assert [cells[-1] for cells in found] == ["Tyr", long.strip(), "Allo"]
    assert [found[0], found[2]] == rows(gencli("score", model, "Tyr", "Allo"))


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
    found = rows(gencli("score", model, "Tyr", "--next", "3"))
    assert len(found) == 3
    shares = [float(cells[0]) for cells in found]
    assert shares == sorted(shares, reverse=True)
    assert all(cells[2] == "Tyr" for cells in found)
    (record,) = records(gencli("score", model, "", "--next", "1000", "--json"))
    assert sum(each["probability"] for each in record["next"]) == pytest.approx(1.0)
    assert len(record["next"]) == load(model).codec.vocabulary_size


def test_next_keeps_the_blanks_of_a_prompt(gencli, model, prose_model):
    for words in (("ran ",), ("ran",)):
        piped = gencli("score", prose_model, "--next", "3", "--json", stdin=f"{words[0]}\n".encode()).out
        assert piped == gencli("score", prose_model, *words, "--next", "3", "--json").out
    assert json.loads(gencli("score", model, "--next", "1", "--json", stdin=b"Tyr \n").out)["text"] == "Tyr "


def test_next_after_a_prompt_wholly_unknown(gencli, model):
    ended = gencli("score", model, "\u00e9\u00e0", "--next", "2", "--json")
    assert ended.err == "gencli: warning: text 1: the model has never seen '\u00e9', '\u00e0'; read as <UNK>\n"
    (record,) = records(ended)
    assert record["unknown"] == ["\u00e9", "\u00e0"]
    assert record["next"][0]["probability"] == pytest.approx(load(model).next("??", 1)[0][1])
    ended = gencli("score", model, "--next", "2", "--oov", "error", stdin="Tyr\n\u00e9\n".encode())
    assert ended.out.count("\n") == 2
    assert ended.error.startswith("stdin:2: the model has never seen '\u00e9'")


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
    ((_, tokens, *_, label),) = rows(gencli("score", model, "-f", tmp_path / "blank", "--by", "file"))
    assert (tokens, label) == ("1", f"{tmp_path / 'blank'}")


def test_texts_with_line_ends_stay_in_their_line(gencli, model):
    ((*_, label),) = rows(gencli("score", model, "a\n\tb"))
    assert label == "a\\n\\tb"


@pytest.mark.parametrize(
    ("data", "fault"), [(b"Tyr\nAl\xfflo\n", "not utf-8 text at byte 6"), (b"Tyr\nAl\0o\n", "binary data")]
)
def test_what_is_no_text_is_told_where_after_the_answers_before_it(gencli, model, tmp_path, data, fault):
    (tmp_path / "bad").write_bytes(data)
    ended = gencli("score", model, "-f", tmp_path / "bad")
    assert ended.error.startswith(f"{tmp_path / 'bad'}:2: {fault}")
    assert ended.out == gencli("score", model, "Tyr").out
    assert gencli("score", model, "--summary", stdin=data).error.startswith(f"stdin:2: {fault}")
    assert gencli("score", model, "--summary", stdin=data).out == ""


def test_files_that_cannot_be_read(gencli, model, tmp_path):
    assert "cannot be read" in gencli("score", model, "-f", tmp_path / "missing").error
    assert "cannot be read" in gencli("score", model, "-f", tmp_path).error


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--next", "0"), "--next 0"),
        (("--rank", "--summary"), "--rank and --summary"),
        (("--per-token", "--next", "2"), "--per-token and --next"),
        (("--per-token", "--nbest"), "--per-token and --nbest"),
        (("--carry-state", "--next", "2"), "--carry-state and --next"),
        (("--carry-state", "--nbest"), "--carry-state and --nbest"),
        (("--no-eos", "--next", "2"), "--no-eos and --next"),
        (("--oov", "exclude", "--next", "2"), "--oov exclude and --next"),
        (("--by", "file", "--nbest"), "--by file and --nbest"),
        (("--top", "1"), "--top: belongs to --nbest"),
        (("--lm-weight", "1", "--rank"), "--lm-weight: belongs to --nbest"),
        (("--nbest", "--top", "0"), "--top 0: must be at least 1"),
        (("--nbest", "--word-bonus", "nan"), "--word-bonus nan: must be a finite number"),
        (("--encoding", "latin-99"), "--encoding latin-99: not a text encoding known here"),
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
