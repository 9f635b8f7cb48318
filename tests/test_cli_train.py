"""`gencli train`: what it shows and writes, how it is interrupted and resumed, what it refuses."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from pathlib import Path

import pytest

from gencli.cli.metrics import Metrics, json_line
from gencli.cli.training_run import conclusion, learned_by_heart
from gencli.model import load
from tests.conftest import NAMES, SMALL

STEPS = ("--max-steps", "30")


def left(folder):
    """The names of the files in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_model_under_the_sources_name(gencli, names, tmp_path):
    ended = gencli("train", names, *SMALL, *STEPS)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert left(tmp_path) == ["names.safetensors", "names.txt"]
    assert load("names.safetensors").info.train_documents == 54


@pytest.mark.parametrize(
    ("source", "model"), [("v1.2.txt", "v1.2.safetensors"), ("-", "stdin.safetensors"), ("lists", "lists.safetensors")]
)
def test_default_names(gencli, names, tmp_path, source, model):
    if source != "-":
        (tmp_path / "lists").mkdir()
        Path(names).rename(tmp_path / (source if source != "lists" else "lists/names.txt"))
    ended = gencli("train", source, *SMALL, *STEPS, stdin="\n".join(NAMES).encode())
    assert ended.code == 0, ended.err
    assert model in left(tmp_path)


def test_lines_without_a_terminal(gencli, names):
    ended = gencli("train", names, *SMALL[:-1], *STEPS, "--sample-every", "1")
    assert ended.code == 0
    assert ended.out == ""
    assert "54 lines to learn from" in ended.err
    assert "* chosen from the corpus" in ended.err
    assert "epoch " in ended.err
    assert "samples: " in ended.err
    assert "\x1b" not in ended.err
    last = ended.err.splitlines()[-1]
    assert re.match(r"names\.safetensors: validation loss \d\.\d{3}, kept from epoch \d+\.\d of \d+\.\d \(", last)
    assert last.endswith("; try: gencli sample names.safetensors -n 10")


def test_options_reach_the_plan(gencli, names):
    options = "--cell gru --hidden-size 12 --layers 2 --dropout 0.25 --epochs 3 --batch-size 4 --seq-length 8 --lr 0.01"
    more = "--clip 0.5 --clip-value 2 --weight-decay 0.1 --patience 9 --seed 7 --val-fraction 0.2 --min-count 2"
    more += " --average 2.5 --target 0.5 --weight-dropout 0.1"
    ended = gencli("train", names, "-q", *options.split(), *more.split(), "--precision", "float32")
    assert ended.code == 0, ended.err
    model = load("names.safetensors")
    network, train = model.stored.network, model.info.train
    assert (network.cell, network.hidden_size, network.layers, network.dropout) == ("gru", 12, 2, 0.25)
    assert (train.epochs, train.batch_size, train.seq_length) == (3, 4, 8)
    assert (train.patience, train.target, train.seed, network.weight_dropout) == (9, 0.5, 7, 0.1)
    rates = train.optimizer
    assert (rates.lr, rates.clip, rates.clip_value, rates.weight_decay, rates.average) == (0.01, 0.5, 2, 0.1, 2.5)
    assert model.info.valid_documents == 12


def test_activation_minutes_and_a_file_to_validate_on(gencli, names, tmp_path):
    (tmp_path / "valid.txt").write_text("Tyrannus\nAllosus\nBrachus\n")
    options = ("--cell", "rnn", "--activation", "relu", "--valid", "valid.txt", "--minutes", "0.003")
    assert gencli("train", names, *SMALL, *options).code == 0
    info = load("names.safetensors").info
    assert (info.train_documents, info.valid_documents, info.train.minutes) == (60, 3, 0.003)


def test_metrics(gencli, names):
    assert gencli("train", names, *SMALL, *STEPS, "--metrics", "m.jsonl", "--sample-every", "1").code == 0
    records = [json.loads(line) for line in Path("m.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"step", "epoch", "seconds", "tokens", "train_loss", "learning_rate", "compile_seconds"} <= set(records[0])
    assert not any("compile_seconds" in record for record in records[1:])
    assert [record["step"] for record in records] == sorted(record["step"] for record in records)
    assert records[-1]["step"] == 30
    assert records[-1]["valid_loss"] > 0
    assert isinstance(records[-1]["samples"], list)


def test_numbers_that_are_not_finite_are_null():
    assert json_line({"a": float("nan"), "b": float("inf"), "c": 1.5, "d": "\u00e9"}) == (
        '{"a": null, "b": null, "c": 1.5, "d": "\u00e9"}'
    )


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_plot(gencli, names, tmp_path, suffix, magic):
    assert gencli("train", names, *SMALL, *STEPS, "--plot", f"a.{suffix}").code == 0
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(magic)
    assert left(tmp_path) == [f"a.{suffix}", "names.safetensors", "names.txt"]


def test_dry_run_trains_nothing(gencli, names, tmp_path):
    ended = gencli("train", names, *SMALL[:-1], "--dry-run")
    assert ended.code == 0
    for fact in ("54 lines", "symbols", "parameters", "memory", "steps", "hidden-size", "expected time"):
        assert fact in ended.out
    assert left(tmp_path) == ["names.txt"]


def test_init_from(gencli, names, model, tmp_path):
    assert gencli("train", names, "-q", *STEPS, "--init-from", model, "-o", "more.safetensors").code == 0
    assert load("more.safetensors").codec == load(model).codec
    ended = gencli("train", names, "-q", "--init-from", model, "--hidden-size", "32")
    assert ended.error.startswith("--hidden-size 32: ")
    assert left(tmp_path) == ["more.safetensors", "names.txt"]


def test_ctrl_c_saves_and_the_printed_command_resumes(gencli, names, monkeypatch, tmp_path):
    (tmp_path / "my names.txt").write_text(Path(names).read_text())
    assert gencli("train", "my names.txt", *SMALL, *STEPS, "-o", "whole.safetensors").code == 0
    real = Metrics.write

    def interrupt(self, step):
        real(self, step)
        signal.raise_signal(signal.SIGINT)

    options = ("--metrics", "m.jsonl", "--plot", "p.svg", "-o", "cut.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "write", interrupt)
        ended = gencli("train", "my names.txt", *SMALL, *STEPS, *options)
    assert ended.code == 130
    assert ended.out == ""
    told, command = ended.err.splitlines()
    assert told.startswith("interrupted at step ")
    assert "cut.resume.safetensors" in left(tmp_path)
    before = Path("m.jsonl").read_text()
    words = shlex.split(command)
    assert words[:3] == ["gencli", "train", "my names.txt"]
    assert {"--resume", "-o", "--metrics", "--plot", "--threads", "--quiet"} <= set(words)
    assert gencli(*words[1:]).code == 0
    assert Path("m.jsonl").read_text().startswith(before)
    assert "cut.resume.safetensors" not in left(tmp_path)
    assert Path("cut.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()


def test_a_second_ctrl_c_ends_at_once(gencli, names, monkeypatch):
    def interrupt(self, step):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Metrics, "write", interrupt)
    ended = gencli("train", names, *SMALL, *STEPS)
    assert ended.code == 130
    assert "--resume" in ended.err
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_a_process_of_its_own(start, names, tmp_path):
    process = start("train", names, *SMALL[:-1], "--epochs", "100000", "--sample-every", "1")
    lines = iter(process.stderr.readline, "")
    assert any(line.startswith("epoch ") for line in lines)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("gencli train names.txt -o names.safetensors --resume")
    assert left(tmp_path) == ["names.resume.safetensors", "names.safetensors", "names.txt"]


@pytest.fixture
def interrupted(gencli, names, monkeypatch):
    """A run that was stopped after its first record."""
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "write", lambda self, step: signal.raise_signal(signal.SIGINT))
        assert gencli("train", names, *SMALL, *STEPS).code == 130
    return names


def test_resume_keeps_its_settings(gencli, interrupted):
    assert gencli("train", interrupted, "--resume", "--epochs", "7").error.startswith("--epochs 7.0: ")
    ended = gencli("train", interrupted, "--resume", "--hidden-size", "16", "--threads", "2")
    assert ended.code == 0
    assert "going on after step " in ended.err


def test_resume_needs_the_same_text(gencli, interrupted):
    Path(interrupted).write_text("Other\nNames\nAltogether\n")
    assert "not the text" in gencli("train", interrupted, "--resume").error


def test_resume_needs_a_run(gencli, names):
    assert "nothing can be resumed" in gencli("train", names, "--resume").error


def test_a_new_run_does_not_give_an_interrupted_one_up(gencli, interrupted):
    lying = Path("names.resume.safetensors")
    before = lying.read_bytes()
    message = "names.resume.safetensors: an interrupted run; go on with it by --resume, or delete that file"
    assert gencli("train", interrupted, *SMALL, *STEPS).error.startswith(message)
    assert gencli("train", "missing.txt", "-o", "names.safetensors").error.startswith(
        message
    )  # before anything is read
    assert lying.read_bytes() == before
    assert gencli("train", interrupted, *SMALL[:-1], "--dry-run").code == 0
    assert lying.read_bytes() == before
    assert gencli("train", interrupted, *SMALL, *STEPS, "-o", "other.safetensors").code == 0
    assert gencli("train", interrupted, "--resume", "-q").code == 0
    assert gencli("train", interrupted, *SMALL, *STEPS).code == 0


def test_bfloat16_is_refused_where_the_processor_lacks_it(gencli, names, monkeypatch):
    monkeypatch.setattr("gencli.precision.SUPPORTED", False)
    assert gencli("train", names, "--precision", "bfloat16").error.startswith("--precision bfloat16: this processor")


def entries(*losses):
    """A history, an evaluation an epoch, of (train_loss, valid_loss)."""
    return [
        {"step": 10 * number, "epoch": float(number), "train_loss": train, "valid_loss": valid}
        for number, (train, valid) in enumerate(losses, 1)
    ]


@pytest.mark.parametrize(
    ("losses", "told", "by_heart"),
    [
        ([], "2.0 s", False),
        ([(2.0, None), (1.5, None)], "training loss 1.500, 2.0 s", False),
        (
            [(2.0, 1.9), (1.5, 1.7), (1.25, 1.75)],
            "validation loss 1.700, kept from epoch 2.0 of 3.0 (training loss 1.500 there), 2.0 s",
            False,
        ),
        (
            [(2.0, 1.7), (1.5, None), (1.25, 1.7)],
            "validation loss 1.700, kept from epoch 1.0 of 3.0 (training loss 2.000 there), 2.0 s",
            True,
        ),
        (
            [(2.0, 1.7), (2.5, 2.5)],  # it ran away: nothing was learned by heart
            "validation loss 1.700, kept from epoch 1.0 of 2.0 (training loss 2.000 there), 2.0 s",
            False,
        ),
    ],
)
def test_the_conclusion_tells_of_the_weights_that_are_kept(losses, told, by_heart):
    history = entries(*losses)
    line = conclusion(Path("m.safetensors"), history, 2.0)
    assert line == f"m.safetensors: {told}; try: gencli sample m.safetensors -n 10"
    assert learned_by_heart(history) is by_heart


def test_learning_by_heart_is_said_at_the_end(gencli, names, monkeypatch):
    monkeypatch.setattr("gencli.cli.training_run.learned_by_heart", lambda history: bool(history))
    ended = gencli("train", names, *SMALL[:-1], *STEPS)
    assert ended.err.splitlines()[-2].startswith("names.safetensors: validation loss ")
    assert ended.err.splitlines()[-1].startswith("after that epoch it began to learn the corpus by heart; ")


@pytest.mark.parametrize("options", [STEPS, ("--dry-run",)])
def test_compiling_is_told_after_the_plan(gencli, names, monkeypatch, options):
    monkeypatch.setattr("gencli.kernels.compile.CompileClock.seconds", 1.0, raising=False)
    monkeypatch.setattr("gencli.kernels.compile.CompileClock.__init__", lambda self: setattr(self, "on_begin", None))
    ended = gencli("train", names, *SMALL[:-1], *options)
    assert ended.err.count("compiling kernels for this processor, once ...") == 1
    if options == STEPS:
        assert ended.err.index("* chosen from the corpus") < ended.err.index("compiling kernels")
        assert "compiled in 1.0 s" in ended.err


def test_nothing_is_said_of_compiling_where_nothing_is_compiled(gencli, names):
    assert gencli("train", names, *SMALL, *STEPS).code == 0
    assert "compil" not in gencli("train", names, *SMALL[:-1], *STEPS, "--seed", "2").err


def test_the_plan_of_a_stream_says_how_much_is_held_out(gencli, names):
    ended = gencli("train", names, *SMALL[:-1], "--documents", "stream", "--val-fraction", "0.2", "--dry-run")
    found = re.search(r"one long text, (\d+) tokens to learn from, (\d+) tokens held out", " ".join(ended.out.split()))
    assert found is not None
    learned, held_out = map(int, found.groups())
    assert 0.1 < held_out / (learned + held_out) < 0.3


@pytest.mark.parametrize("options", [STEPS, ("--dry-run",)])
def test_a_plan_in_a_pipe_has_no_trailing_blanks(gencli, names, options):
    ended = gencli("train", names, *SMALL[:-1], *options)
    lines = (ended.out + ended.err).splitlines()
    assert any(line.startswith("vocabulary") for line in lines)
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no such file, folder or bundled corpus"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"aaaa\naaa\n", "only one distinct character"),
        (b"Allosaurus\n", "only one distinct line"),
        (b"Al\0lo\n\xff\n", "binary data (a NUL at byte 2)"),
        (b"Allo\nBr\xffachio\n", "not utf-8 text at byte 7"),
    ],
)
def test_sources_that_cannot_be_learned_from(gencli, monkeypatch, tmp_path, content, fault):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("in.txt").write_bytes(content)
    ended = gencli("train", "in.txt")
    assert ended.error.startswith("in.txt: ")
    assert fault in ended.error
    assert left(tmp_path) == ([] if content is None else ["in.txt"])


def test_a_folder_without_readable_files(gencli, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/picture").write_bytes(b"\0\1\2")
    assert "no text in this folder" in gencli("train", "in").error
    assert left(tmp_path) == ["in"]


def test_files_skipped_in_a_folder_are_counted(gencli, names, tmp_path):
    (tmp_path / "picture").write_bytes(b"\0\1\2")
    ended = gencli("train", tmp_path, *SMALL[:-1], *STEPS, "-o", "m.safetensors")
    assert "6 held out; 1 file skipped: no utf-8 text" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("-o", "no/m.safetensors"), "there is no folder no"),
        (("-o", "."), "is a folder"),
        (("-o", "names.txt"), "-o names.txt: is also a source"),
        (("-o", "notes.txt"), "notes.txt: exists and is no model file"),
        (("--metrics", "names.txt"), "--metrics names.txt: is also a source"),
        (("--metrics", "no/m.jsonl"), "there is no folder no"),
        (("--metrics", "a.png", "--plot", "a.png"), "two outputs in one file"),
        (("--plot", "a.gif"), "--plot a.gif: cannot draw .gif"),
        (("--plot", "plot"), "--plot plot: cannot draw"),
        (("--plot", "no/a.png"), "there is no folder no"),
        (("--minutes", "1", "--epochs", "2"), "--minutes and --epochs: give only one of them"),
        (("--target", "2", "--val-fraction", "0"), "--target: needs validation"),
        (("--target", "0"), "--target 0"),
        (("--average", "0.5"), "--average 0.5"),
        (("--threads", "0"), "--threads 0"),
        (("--sample-every", "-1"), "--sample-every -1"),
        (("--hidden-size", "0"), "--hidden-size 0"),
        (("--dropout", "1"), "--dropout 1"),
        (("--lr", "nan"), "--lr nan"),
        (("--epochs", "inf"), "--epochs inf"),
        (("--activation", "relu"), "--activation relu"),
        (("--val-fraction", "1"), "--val-fraction 1"),
        (("--valid", "names.txt", "--val-fraction", "0.1"), "--valid and --val-fraction"),
        (("--encoding", "klingon"), "--encoding klingon"),
        (("--min-count", "100000"), "--min-count 100000"),
        (("--init-from", "missing.safetensors"), "missing.safetensors: no such file"),
    ],
)
def test_refused_before_training(gencli, names, tmp_path, options, fault):
    (tmp_path / "notes.txt").write_text("keep me")
    ended = gencli("train", names, *options)
    assert fault in ended.error
    assert ended.out == ""
    assert left(tmp_path) == ["names.txt", "notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "keep me"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write to")
def test_an_output_folder_that_cannot_be_written(gencli, names, tmp_path):
    assert "cannot be written" in gencli("train", names, "-o", "/proc/m.safetensors").error
    assert left(tmp_path) == ["names.txt"]


def full_disk(*_):
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_nothing_half_written(gencli, names, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    ended = gencli("train", names, *SMALL, *STEPS)
    assert "cannot be written (No space left on device)" in ended.error
    assert left(tmp_path) == ["names.txt"]


def test_a_metrics_disk_that_fills_up(gencli, names, monkeypatch):
    class Full:
        write = full_disk

        def close(self):
            pass

    monkeypatch.setattr(Metrics, "__enter__", lambda self: (setattr(self, "_file", Full()), self)[1])
    ended = gencli("train", names, *SMALL, *STEPS, "--metrics", "m.jsonl")
    assert ended.error == "--metrics m.jsonl: cannot be written (No space left on device); name another file"


def test_a_model_is_replaced_by_a_new_one(gencli, names, tmp_path):
    assert gencli("train", names, *SMALL, *STEPS).code == 0
    first = Path("names.safetensors").read_bytes()
    assert gencli("train", names, *SMALL, *STEPS, "--seed", "2").code == 0
    assert Path("names.safetensors").read_bytes() != first
    assert left(tmp_path) == ["names.safetensors", "names.txt"]
