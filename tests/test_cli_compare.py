"""`gencli train --compare` and `--diagnose`: tables, files, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from gencli.display_cells import norms_line
from gencli.gradient_norms import Norms, Trial
from tests.conftest import SMALL

STEPS = ("--max-steps", "30")


def left():
    """The files of the working folder."""
    return sorted(path.name for path in Path().iterdir())


def test_cells_side_by_side(gencli, names):
    ended = gencli("train", names, *SMALL, *STEPS, "--compare", "rnn, lstm", "--plot", "cells.png")
    assert ended.code == 0, ended.err
    head, *rows = ended.out.splitlines()
    assert head.split()[0] == "cell"
    assert [row.split()[0] for row in rows] == ["rnn", "lstm"]
    assert all(len(row) <= 80 for row in rows)
    assert left() == ["cells.png", "names-lstm.safetensors", "names-rnn.safetensors", "names.txt"]
    assert Path("cells.png").read_bytes().startswith(b"\x89PNG")
    # Each is the model that the cell's own run gives.
    for cell in ("rnn", "lstm"):
        assert gencli("train", names, *SMALL, *STEPS, "--cell", cell, "-o", "own.safetensors").code == 0
        assert Path("own.safetensors").read_bytes() == Path(f"names-{cell}.safetensors").read_bytes()


def test_the_figures_are_those_of_the_models(gencli, names, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "gencli.cli.compare_run.draw_comparison",
        lambda path, runs, title: drawn.update({run.cell: run.curve for run in runs}),
    )
    ended = gencli("train", names, *SMALL, *STEPS, "--compare", "rnn,lstm", "--plot", "cells.png")
    for row in ended.out.splitlines()[1:]:
        cell, parameters, best, epoch, last, *_, whole = row.split()
        about = json.loads(gencli("info", f"names-{cell}.safetensors", "--json").out)
        history = about["history"]
        kept = min(history, key=lambda entry: entry["valid_loss"])
        assert parameters == f"{about['parameters']:,}"
        assert (best, epoch) == (f"{kept['valid_loss']:.3f}", f"{kept['epoch']:.1f}")
        assert (last, whole) == (f"{history[-1]['train_loss']:.3f}", "yes")
        seconds, losses = zip(*drawn[cell], strict=True)
        assert list(losses) == [entry["valid_loss"] for entry in history]
        assert list(seconds) == sorted(seconds)
    assert drawn["rnn"] != drawn["lstm"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--compare", "rnn,lstn"), "--compare lstn: not one of rnn"),
        (("--compare", "rnn"), "--compare rnn: name at least two cells"),
        (("--compare", "rnn,rnn"), "--compare rnn,rnn: names a cell twice"),
        (("--compare", "rnn,gru", "--cell", "gru"), "--compare and --cell: give only one"),
        (("--compare", "rnn,gru", "--resume"), "--compare and --resume: give only one"),
        (("--compare", "rnn,gru", "--init-from", "m.safetensors"), "--compare and --init-from: give only one"),
        (("--compare", "rnn,gru", "--diagnose"), "--compare and --diagnose: give only one"),
        (
            ("--compare", "rnn,gru", "--plot", "a.png", "--val-fraction", "0"),
            "--plot: --compare draws validation losses",
        ),
        (("--diagnose", "-o", "m.safetensors"), "--diagnose and --output: give only one"),
        (("--diagnose", "--metrics", "m.jsonl"), "--diagnose and --metrics: give only one"),
        (("--diagnose", "--plot", "a.gif"), "--plot a.gif: cannot draw .gif"),
    ],
)
def test_what_cannot_be(gencli, names, options, fault):
    ended = gencli("train", names, *SMALL, *options)
    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
    assert fault in ended.err
    assert left() == ["names.txt"]


@pytest.fixture
def remaining(gencli, tmp_path, monkeypatch):
    """Diagnoses a cell on a text whose symbols come back after a while; gives what is left, and what is told."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("abcdefghijklmnopqrstuvwxyz0123456789,. " * 120 + "\n", encoding="utf-8")
    settings = ("--hidden-size", "16", "--seq-length", "32", "-b", "8", "--max-steps", "40", "-q", "--threads", "1")

    def call(cell, *more):
        ended = gencli("train", "text.txt", "--documents", "stream", *settings, "--diagnose", "--cell", cell, *more)
        assert ended.code == 0, ended.err
        rows = [line.split() for line in ended.out.splitlines()]
        return {int(row[0]): row[1:] for row in rows if row and row[0].isdigit()}, ended.out

    return call


def test_what_is_left_of_a_gradient_and_what_clipping_does(remaining):
    found, told = remaining("lstm", "--plot", "flow.png")
    assert {1, 2, 5, 10, 20} <= set(found)
    assert all(len(line) <= 80 for line in told.splitlines())
    assert "lstm: left of the gradient" in told
    assert any(line.endswith("last loss") for line in told.splitlines())
    assert sum(line.startswith(("plain", "AdamW")) for line in told.splitlines()) >= 6
    assert left() == ["flow.png", "text.txt"]


def test_gradients_vanish_in_the_plain_cell_before_they_do_in_the_gated_one(remaining):
    shares = {cell: float(remaining(cell)[0][20][0].rstrip("%")) for cell in ("rnn", "lstm")}
    assert 0 < 2 * shares["rnn"] < shares["lstm"], shares


def test_the_first_column_is_of_fresh_weights_and_the_second_of_trained_ones(remaining):
    short, longer = (remaining("rnn", "--max-steps", steps)[0] for steps in ("1", "40"))
    untrained, trained = zip(*((rows[20][0], rows[20][1]) for rows in (short, longer)), strict=True)
    assert untrained[0] == untrained[1]
    assert trained[0] != trained[1]


def test_the_line_on_clipping_speaks_of_the_first_pair_in_which_it_mattered():
    def ran(update, factor, clip, last):
        return Norms(Trial(update, 2.0, factor, clip), (1.0,), (last,))

    same, saved = [ran("plain", 1.0, clip, 2.5) for clip in (0.0, 1.0)], ran("plain", 2.0, 1.0, 3.8)
    adamw = [ran("AdamW", 1.0, clip, last) for clip, last in ((0.0, 9.0), (1.0, 2.0))]
    lost = norms_line([*same, ran("plain", 2.0, 0.0, math.inf), saved, *adamw])
    assert lost.startswith("plain steps, recurrent weights times 2: unclipped it left the finite numbers")
    assert lost.endswith("at 3.80")
    assert "changed little" in norms_line([*same, ran("plain", 2.0, 0.0, 3.8), saved, *adamw])
