"""What is drawn: the progress of training on terminals wide, narrow and none; curves, tables and small texts."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace

import pytest

from gencli.choices import Choices
from gencli.display import PlainConsole, TrainingDisplay, about, duration, fitting, one_line, open_console
from gencli.display_tables import bytes_text, escaped, history_curve, number, plan_table, plural, points_of
from gencli.plot import check_plot_path, draw_losses
from gencli.progress import Step
from gencli.recipe import make_plan
from tests.conftest import NAMES


def step(number, **news):
    """The record after step `number` of 100."""
    loss = news.pop("train_loss", 3.0 - number / 100)
    return Step(number, number / 10, number / 20, number * 64, loss, 0.01, 1.0, 12345.6, number / 100, **news)


def terminal(width):
    """A terminal of that many columns, and what was written to it."""
    written = io.StringIO()
    console = PlainConsole(file=written, force_terminal=True, width=width, color_system=None, _environ={})
    return console, written


def lines_of(text):
    """The lines of a text without the codes that move the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").split("\n")


@pytest.fixture
def plan(tmp_path):
    """The plan of a small corpus."""
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    return make_plan([str(tmp_path / "names.txt")], Choices(epochs=10.0, hidden_size=16))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_live_bar_fits_the_terminal(plan, width):
    console, written = terminal(width)
    with TrainingDisplay(console) as display:
        display.begin(plan)
        display.update(step(10, valid_loss=2.5, samples=("Tyr\nanno", "x" * 300), compile_seconds=0.0))
        display.update(step(50, train_loss=math.nan))
        display.note("a note")
        display.update(step(100, valid_loss=2.75))
    lines = lines_of(written.getvalue())
    assert max(map(len, lines)) <= width
    assert any(line.startswith("epoch 5.0/10") for line in lines)
    assert any("100%" in line for line in lines)
    (kept,) = [line for line in lines if line.startswith("epoch 1.0    ")]
    assert kept.endswith("\u2026")
    assert ("Tyr an" in kept) == (width >= 40)
    assert "a note" in lines
    assert display.best_loss == 2.5
    assert display.valid_loss == 2.75
    if width >= 80:
        last = next(line for line in lines if line.startswith("epoch 5.0/10"))
        assert last.split("  ")[1:4] == ["train 2.900", "valid 2.500", "0:02 left"]
        assert "12,346 tokens/s" in last


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {}])
def test_plain_lines_elsewhere(plan, environment):
    written = io.StringIO()
    console = PlainConsole(file=written, force_terminal=bool(environment), _environ=environment)
    with TrainingDisplay(console) as display:
        display.update(step(1))  # no news yet
        display.update(step(30, valid_loss=2.5))
        display.update(step(31, valid_loss=2.4))  # too soon after the line before
        display.update(step(32, samples=("Tyr", "Allo")))
        display.update(step(60, event="the loss is not finite"))
        display.update(step(100))
    lines = written.getvalue().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["3.0", "3.2", "10.0"]
    assert lines[1].endswith("samples: Tyr, Allo")
    assert lines[2] == "the loss is not finite"
    assert "\x1b" not in written.getvalue()


def test_silence_is_broken_after_some_seconds(plan):
    written = io.StringIO()
    with TrainingDisplay(PlainConsole(file=written)) as display:
        for number in range(1, 400):
            display.update(step(number / 4))
    assert written.getvalue().count("epoch") == 0
    with TrainingDisplay(PlainConsole(file=written)) as display:
        for number in range(1, 400):
            display.update(replace(step(number / 4), seconds=number / 20))
    assert written.getvalue().count("epoch") == 3


def test_quiet_shows_nothing(plan):
    console, written = terminal(80)
    with TrainingDisplay(console, quiet=True) as display:
        display.begin(plan)
        display.show("x")
        display.compiling()
        display.compiled(1.0)
        display.note_at_once("x")
        display.update(step(10, valid_loss=2.5, samples=("Tyr",), event="x"))
    assert written.getvalue() == ""
    assert display.seconds == 0.5


def test_compiling_is_said_once(plan):
    console, written = terminal(80)
    display = TrainingDisplay(console)
    display.compiled(0.0)
    display.compiling()
    display.compiling()
    display.compiled(12.34)
    said = ["compiling kernels for this processor, once ...", "compiled in 12.3 s"]
    assert written.getvalue().splitlines() == said


@pytest.mark.parametrize(("width", "pairs"), [(30, 1), (60, 2), (80, 3)])
def test_the_plan_shows_every_setting_and_marks_what_was_chosen(plan, tmp_path, width, pairs):
    console, written = terminal(width)
    console.print(plan_table(plan, tmp_path / "m.safetensors", 1234, 5_600_000, width))
    shown = written.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for name in ("documents", "cell", "layers", "dropout", "epochs", "weight-decay", "patience", "seed"):
        assert name in shown
    assert re.search(r"layers +\d+ \*", shown)
    assert re.search(r"hidden-size +16 *($|\w| )", shown, re.M)
    first = next(line for line in shown.splitlines() if line.startswith("documents"))
    assert len(re.findall(r"\S+ +\S+(?: \*)?", first)) == pairs


def test_a_history_is_drawn_from_high_to_low():
    history = [{"epoch": i, "train_loss": 4 / i, "valid_loss": 4 / i + 0.5 if i % 2 else None} for i in range(1, 30)]
    train, valid = points_of(history, "train_loss"), points_of(history, "valid_loss")
    assert (len(train), len(valid)) == (29, 15)
    plain = history_curve(train, valid, ascii_only=True).plain
    assert plain.isascii()
    rows = plain.split("\n")
    assert rows[0].startswith("  4.500 ")
    assert rows[7].startswith("  0.138 ")
    assert rows[7].endswith("train 0.138")
    assert "valid 0.638" in rows[6]
    assert rows[-1].endswith("29")
    assert len({row.index("*") for row in rows[:5]}) > 1
    braille = history_curve(train, [], ascii_only=False).plain
    assert any(0x2800 < ord(character) < 0x2900 for character in braille)
    assert "valid" not in braille


def test_a_level_history_is_drawn_too():
    curve = history_curve([(0.0, 2.0), (1.0, 2.0)], [(0.0, 2.0), (1.0, 2.0)], ascii_only=True).plain
    assert curve.split("\n")[0].endswith("train 2.000")
    assert curve.split("\n")[1].endswith("valid 2.000")


def test_small_texts():
    assert [duration(seconds) for seconds in (0.4, 59.6, 3599, 3661)] == ["0:00", "1:00", "59:59", "1:01:01"]
    assert [about(seconds) for seconds in (0.4, 1.2, 12.3, 89.4, 89.6, 200)] == [
        "under a second",
        "about 1 second",
        "about 12 seconds",
        "about 89 seconds",
        "about 1 minute",
        "about 3 minutes",
    ]
    assert [about(60 * minutes) for minutes in (89, 90, 600)] == [
        "about 89 minutes",
        "about 1.5 hours",
        "about 10.0 hours",
    ]
    assert [bytes_text(count) for count in (10, 1500, 2.5e6, 3e9)] == ["10 bytes", "1.5 kB", "2.5 MB", "3.0 GB"]
    assert [plural(count, "line") for count in (1, 1200)] == ["1 line", "1,200 lines"]
    assert one_line("a\nb\x1b[2Jc ") == "a b [2Jc"
    assert escaped("a\nb\tc\x1b") == "a\\nb\\tc\\x1b"
    assert [number(value) for value in (1.5, 1e9, math.inf)] == ["1.500", "1.000e+09", "inf"]
    assert fitting(["epoch 1", "train 2", "x"], 16) == "epoch 1  train 2"
    assert fitting(["epoch 1", "train 2"], 3) == "epoch 1"


def test_a_closed_stream_is_written_to_in_vain():
    console = open_console(None)
    console.print("x")
    assert not console.is_terminal


def test_a_broken_pipe_is_left_to_the_caller():
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        open_console(Broken()).print("x")


def test_a_plot_of_a_single_evaluation(tmp_path):
    path = tmp_path / "a.b.SVG"
    check_plot_path(path)
    draw_losses(path, [{"step": 1, "epoch": 1.0, "train_loss": 2.0, "valid_loss": None}], "a $ name")
    assert "training" in path.read_text() or path.stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [path]
