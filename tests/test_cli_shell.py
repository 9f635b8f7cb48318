"""The shell around every command: help, exit codes, one-line errors, broken pipes and full disks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gencli.cli import corpora
from gencli.cli.main import run
from gencli.cli.shell import describe
from gencli.errors import CorpusError
from tests.conftest import RUN

HEAVY = ("numba", "llvmlite", "music21", "matplotlib", "numpy", "safetensors")
IMPORTS = """
import sys
from gencli.cli.main import run
try:
    run()
finally:
    sys.stderr.write(" ".join(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("sample", "-h"), ("--version",), ()])
def test_help_imports_nothing_heavy(start, arguments):
    process = start(*arguments, program=IMPORTS)
    out, err = process.communicate(timeout=120)
    assert process.returncode == (0 if arguments else 2)
    assert out
    assert not set(HEAVY) & set(err.split())


@pytest.mark.parametrize("command", ["train", "sample", "score", "info", "corpora"])
def test_every_command_has_help(gencli, command):
    listed, own = gencli("--help"), gencli(command, "--help")
    assert listed.code == own.code == 0
    assert command in listed.out
    assert command in own.out
    assert own.err == ""


def test_version(gencli):
    assert gencli("--version").out.startswith("gencli ")


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("train",), ("sample",), ("train", "x", "--unheard-of")],
)
def test_wrong_usage_ends_with_2(gencli, arguments):
    ended = gencli(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert "Usage" in ended.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("train", "x", "--cell", "foo"), "--cell foo: not one of rnn, simple-gru, gru, lstm, peephole-lstm, rms-lstm"),
        (("train", "x", "--level", "f\no"), "--level f o: not one of auto, char, word, music"),
        (("train", "x", "--lr", "abc"), "--lr abc: not a number"),
        (("train", "x", "--seed", "2", "--seed", "1.5"), "--seed 1.5: not a whole number"),
        (("sample", "m", "-n", "two"), "--count two: not a whole number"),
        (("score", "m", "--by", "word"), "--by word: not one of line, file"),
    ],
)
def test_a_wrong_choice_or_number_is_told_in_one_line(gencli, arguments, line):
    ended = gencli(*arguments)
    assert (ended.code, ended.out, ended.err) == (2, "", f"gencli: error: {line}\n")


@pytest.mark.parametrize("arguments", [(), ("train",), ("sample",), ("score",), ("info",)])
def test_help_shows_no_type_of_flags(gencli, arguments):
    shown = gencli(*arguments, "--help").out
    assert "bool" not in shown.lower()
    assert "--help" in shown


def test_a_table_in_a_pipe_has_no_trailing_blanks(gencli):
    lines = gencli("corpora").out.splitlines()
    assert len(lines) > 6
    assert not [line for line in lines if line != line.rstrip()]


def test_an_error_is_one_line_and_its_traceback_needs_debug(gencli):
    assert gencli("info", "missing.safetensors").error.startswith("missing.safetensors: no such file")
    ended = gencli("--debug", "info", "missing.safetensors")
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("gencli: error: missing.safetensors")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CorpusError("a:\n b"), "a: b"),
        (MemoryError(), "out of memory; give smaller texts, or a smaller --batch-size or --hidden-size"),
        (OSError(28, "No space left on device", "x"), "x: No space left on device"),
        (OSError(28, "No space left on device"), "output: No space left on device"),
        (KeyError("x"), "unexpected KeyError: 'x'; `gencli --debug` before the command shows where"),
    ],
)
def test_errors_in_one_line(error, line):
    assert describe(error) == line


@pytest.mark.parametrize(
    ("error", "code"), [(KeyError("x"), 1), (MemoryError(), 1), (KeyboardInterrupt(), 130), (BrokenPipeError(), 0)]
)
def test_exit_codes(gencli, monkeypatch, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(corpora.json, "dumps", fail)
    ended = gencli("corpora", "--json")
    assert ended.code == code
    assert ended.err.count("\n") == (1 if code == 1 else 0)


@pytest.mark.parametrize("arguments", [("corpora",), ("corpora", "--json"), ("--help",)])
def test_a_broken_pipe_is_silent(start, arguments):
    program = "import os; r, w = os.pipe(); os.dup2(w, 1); os.close(w); os.close(r)\n"
    process = start(*arguments, program=program + RUN)
    _, err = process.communicate(timeout=120)
    assert err == ""
    assert process.returncode in (0, 1)


def test_a_pipe_broken_amid_samples_is_silent(start, model):
    process = start("sample", model, "-n", "100000")
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=120) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_stdout_is_one_line(start):
    with Path("/dev/full").open("w") as full:
        process = start("corpora", "--json", stdout=full)
        _, err = process.communicate(timeout=120)
    assert err == "gencli: error: output: No space left on device\n"
    assert process.returncode == 1


def test_no_stdout_at_all(start):
    process = start("corpora", program="import sys; sys.stdout = None\n" + RUN)
    _, err = process.communicate(timeout=120)
    assert err == ""
    assert process.returncode == 0


def test_characters_that_the_terminal_lacks_are_escaped(start, model):
    western = "import sys; sys.stdout.reconfigure(encoding='cp1252')\n"
    out, err = start("score", model, "caf\u0101", program=western + RUN).communicate(timeout=120)
    assert err == ""
    assert out.endswith("\tcaf\\u0101\n")


def test_corpora(gencli):
    table = gencli("corpora")
    assert table.out.splitlines()[0].split() == ["name", "kind", "documents", "characters", "origin"]
    records = [json.loads(line) for line in gencli("corpora", "--json").out.splitlines()]
    assert len(records) >= 6
    for record in records:
        assert set(record) == {"name", "kind", "documents", "characters", "origin", "path"}
        assert record["name"] in table.out
        assert record["documents"] > 0
        assert Path(record["path"]).exists()


def test_numpy_starts_no_threads_of_its_own(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")  # so that it is as it was afterwards
    monkeypatch.setattr("sys.argv", ["gencli", "--version"])
    with pytest.raises(SystemExit):
        run()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "4"  # the user's word
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    with pytest.raises(SystemExit):
        run()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
