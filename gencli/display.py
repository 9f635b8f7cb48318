"""Training as the user sees it: a live bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import contextlib
import io
import os
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from gencli.progress import Step
    from gencli.recipe import Plan

LINE_SECONDS = 5.0  # without a terminal: the longest silence
SHORTEST_SECONDS = 1.0  # and the shortest time between two lines without samples
SMOOTHING = 0.5  # share of the past in the moving training loss
NARROWEST = 20  # columns: rich cannot draw a table in fewer


class PlainConsole(Console):
    """A rich console that leaves a broken pipe to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError being handled, where rich would exit with 1."""
        raise

    @property
    def colours(self) -> bool:
        """Whether colours reach a reader: a terminal that has them, and no NO_COLOR."""
        return self.is_terminal and not self.no_color and self.color_system is not None

    def draw(self, renderable: RenderableType) -> None:
        """Print what rich can draw; anywhere but on a terminal without the blanks that fill its lines up."""
        if self.is_terminal:
            self.print(renderable)
            return
        with self.capture() as captured:
            self.print(renderable)
        self.file.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))


def open_console(file: TextIO | None) -> PlainConsole:
    """A console on sys.stdout or sys.stderr, None where that is closed; it marks up nothing by itself."""
    file = io.StringIO() if file is None else file
    console = PlainConsole(file=file, markup=False, highlight=False, emoji=False)
    if console.width < NARROWEST:
        console.width = NARROWEST
    return console


def one_line(text: str) -> str:
    """A text without line ends and control characters, fit to stand in a line of a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def duration(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """A time to wait, in words: no more exact than it is known."""
    if seconds < 1:
        return "under a second"
    for unit, size, most in (("second", 1, 90), ("minute", 60, 90)):
        count = round(seconds / size)
        if count < most:
            return f"about {count} {unit}{'s' * (count != 1)}"
    return f"about {seconds / 3600:.1f} hours"


class TrainingDisplay:
    """Shows a plan's training as it goes; a context manager, which gives the terminal back at its end.

    `quiet` shows nothing at all. Without a terminal a line appears for an evaluation, or every few seconds.
    """

    def __init__(self, console: PlainConsole, quiet: bool = False) -> None:
        self.console = console
        self.quiet = quiet
        self.epochs: float | None = None  # of the plan; None where a time budget or a number of steps decides
        self.loss: float | None = None  # moving
        self.valid_loss: float | None = None
        self.best_loss: float | None = None
        self.seconds = 0.0  # of training so far
        self._live: Live | None = None
        self._announced = False
        self._last_line = 0.0  # seconds of training

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.console.is_dumb_terminal and not self.quiet:
            self._live = Live(console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begin(self, plan: Plan) -> None:
        """Learn from the plan what there is to wait for."""
        timed = plan.train.minutes is not None or plan.train.max_steps is not None
        self.epochs = None if timed else plan.train.epochs

    def note(self, text: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self.console.print(Text(text), soft_wrap=True)

    def note_at_once(self, text: str) -> None:
        """A line from a signal handler, which may have stopped rich or Python's own buffers midway."""
        if not self.quiet:
            with contextlib.suppress(OSError, ValueError):
                os.write(self.console.file.fileno(), f"\r{text}\n".encode())

    def show(self, renderable: RenderableType) -> None:
        """Anything rich can draw, for good."""
        if not self.quiet:
            self.console.draw(renderable)

    def compiling(self) -> None:
        """Say, once, why nothing seems to happen."""
        if not self._announced:
            self._announced = True
            self.note("compiling kernels for this processor, once ...")

    def compiled(self, seconds: float) -> None:
        """Say how long that took, if it was said to happen."""
        if self._announced:
            self.note(f"compiled in {seconds:.1f} s")

    def update(self, step: Step) -> None:
        """Show one record."""
        self.seconds = step.seconds
        if step.train_loss == step.train_loss:  # not NaN
            new = 1.0 if self.loss is None else 1.0 - SMOOTHING
            self.loss = (1.0 - new) * (self.loss or 0.0) + new * step.train_loss
        if step.event is not None:
            self.note(step.event)
        improved = False
        if step.valid_loss is not None:
            improved = self.best_loss is None or step.valid_loss < self.best_loss
            self.best_loss = step.valid_loss if improved else self.best_loss
            self.valid_loss = step.valid_loss
        if self.quiet:
            return
        if self._live is None:
            self._write_line(step)
            return
        if step.samples:
            self._keep(step, improved)
        self._live.update(self._bar(step), refresh=True)

    def _write_line(self, step: Step) -> None:
        """Without a terminal: a plain line if it is time for one."""
        waited = step.seconds - self._last_line
        evaluated = step.valid_loss is not None and waited >= SHORTEST_SECONDS
        if not (evaluated or step.samples or waited >= LINE_SECONDS or step.progress >= 1.0):
            return
        self._last_line = step.seconds
        samples = f"  samples: {self._samples(step)}" if step.samples else ""
        self.note("  ".join(self._facts(step)) + samples)

    def _keep(self, step: Step, improved: bool) -> None:
        """On a terminal: the samples and the losses they belong to, above the bar for good."""
        line = Text()
        line.append(f"epoch {step.epoch:.1f}".ljust(13), "dim")
        if step.valid_loss is not None:
            line.append(f"valid {step.valid_loss:.3f}  ", "green" if improved else "yellow")
        line.append(self._samples(step), "bold")
        self.console.print(line, no_wrap=True, overflow="ellipsis")

    def _samples(self, step: Step) -> str:
        return ", ".join(one_line(sample) for sample in step.samples)

    def _bar(self, step: Step) -> Table:
        """The bar with its share done, below it as many facts as fit."""
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(justify="right")
        bar.add_row(ProgressBar(total=1.0, completed=step.progress), f"{step.progress:4.0%}")
        whole = Table.grid(expand=True)
        whole.add_row(bar)
        whole.add_row(Text(fitting(self._facts(step), self.console.width - 1), no_wrap=True, overflow="crop"))
        return whole

    def _facts(self, step: Step) -> list[str]:
        """What can be said of a record, the most important first."""
        of = f"/{self.epochs:g}" if self.epochs is not None else ""
        facts = [f"epoch {step.epoch:.1f}{of}"]
        if self.loss is not None:
            facts.append(f"train {self.loss:.3f}")
        if self.valid_loss is not None:
            facts.append(f"valid {self.valid_loss:.3f}")
        if step.seconds_left:
            facts.append(f"{duration(step.seconds_left)} left")
        facts.append(f"{step.tokens_per_second:,.0f} tokens/s")
        facts.append(f"step {step.step:,}")
        return facts


def fitting(facts: list[str], width: int) -> str:
    """As many of the facts, in their order, as one line of that width holds; at least the first."""
    line = facts[0]
    for fact in facts[1:]:
        if len(line) + 2 + len(fact) > width:
            break
        line += f"  {fact}"
    return line
