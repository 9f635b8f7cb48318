"""A run of `gencli train`: refuse, plan, learn, save; interrupts and what is told about them."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer

from gencli.choices import Choices
from gencli.cli.metrics import Metrics
from gencli.cli.models import open_model
from gencli.cli.shell import INTERRUPTED
from gencli.config import check
from gencli.display import TrainingDisplay, open_console
from gencli.display_tables import Entry, cost_lines, kept_entry, plan_table
from gencli.errors import GencliError, OptionError
from gencli.estimate import estimate, memory_bytes, parameter_count
from gencli.files import check_writable
from gencli.kernels.compile import CompileClock
from gencli.model import start_training
from gencli.model_file import read_model, read_resume, resume_path
from gencli.plot import check_plot_path, draw_losses
from gencli.training import Training

ENDING = 0.2  # seconds, about, that saving the model and leaving take
EARLY = 0.6  # of training: weights kept from before tell that the rest of it was in vain
BY_HEART = (
    "after that epoch it began to learn the corpus by heart; "
    "more text, more --dropout or fewer --epochs (or --patience) help"
)


@dataclass(frozen=True)
class Request:
    """A run as asked for, but for the choices of its plan."""

    sources: list[str]
    output: Path
    threads: int
    threads_asked: int | None = None
    resume: bool = False
    init_from: Path | None = None
    sample_every: int | None = None
    metrics: Path | None = None
    plot: Path | None = None
    dry_run: bool = False
    quiet: bool = False
    began: float | None = None  # when the command began, on time.perf_counter()

    def resume_command(self, valid: str | None) -> str:
        """The command that goes on where this run stopped; the settings of training lie in the resume file."""
        words = ["gencli", "train", *self.sources, "-o", str(self.output), "--resume"]
        options: dict[str, object] = {"--valid": valid, "--threads": self.threads_asked}
        options |= {"--sample-every": self.sample_every, "--metrics": self.metrics, "--plot": self.plot}
        for option, value in options.items():
            words += [] if value is None else [option, str(value)]
        return shlex.join(words + ["--quiet"] * self.quiet)


def check_outputs(request: Request, choices: Choices) -> None:
    """Refuse, before anything is read, what could not be written at the end; OptionError names the option."""
    read = {Path(source).resolve() for source in [*request.sources, choices.valid] if source not in (None, "-")}
    written = {"-o": request.output, "--metrics": request.metrics, "--plot": request.plot}
    for option, path in written.items():
        if path is not None:
            check(path.resolve() not in read, f"{option} {path}: is also a source; name another file")
            others = [other for name, other in written.items() if name != option]
            check(path not in others, f"{option} {path}: two outputs in one file; name another")
    if not request.dry_run:
        check_writable(request.output, OptionError)
        refuse_foreign(request.output, False)
        refuse_foreign(resume_path(request.output), True)
        if not request.resume:
            refuse_to_give_up(resume_path(request.output))
        if request.metrics is not None:
            check_writable(request.metrics, OptionError, "--metrics")
    if request.plot is not None:
        check_plot_path(request.plot)


def refuse_foreign(path: Path, resume: bool) -> None:
    """OptionError where a file stands that gencli did not write; an empty one is nobody's."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        if resume:
            read_resume(path)
        else:
            read_model(path)
    except GencliError as error:
        message = f"{path}: exists and is no model file that this gencli wrote; move it away, or name another with -o"
        raise OptionError(message) from error


def refuse_to_give_up(path: Path) -> None:
    """OptionError where an interrupted run lies that a new one would replace."""
    lies = path.exists() and path.stat().st_size > 0
    check(not lies, f"{path}: an interrupted run; go on with it by --resume, or delete that file to begin anew")


def carry_out(request: Request, choices: Choices) -> int:
    """Plan, and train or tell the cost; gives the exit code."""
    display = TrainingDisplay(open_console(sys.stderr), request.quiet)
    with CompileClock() as clock:
        training = prepare(request, choices)
        if request.dry_run:
            return tell_cost(request, training, display, clock)
        show_plan(request, training, display)
        announce_compiling(display, clock)
        interrupted = not learn(request, training, display, clock)
    if request.plot is not None and training.progress.history:
        draw_losses(request.plot, training.progress.history, training.plan.corpus_name)
    if interrupted:
        tell_resume(request, training)
        return INTERRUPTED
    tunes = training.plan.codec.level == "music"
    display.note(conclusion(training.output, training.progress.history, display.seconds, tunes))
    if learned_by_heart(training.progress.history):
        display.note(BY_HEART)
    return 0


def prepare(request: Request, choices: Choices) -> Training:
    """The run, ready to begin or to go on."""
    if not request.resume:
        begin = open_model(request.init_from, request.threads) if request.init_from is not None else None
        return start_training(
            request.sources, request.output, choices, request.threads, begin, sample_every=request.sample_every
        )
    training = Training.resume(request.sources, request.output, request.threads, sample_every=request.sample_every)
    for field in fields(choices):
        asked, held = getattr(choices, field.name), getattr(training.plan.choices, field.name)
        option = f"--{field.name.replace('_', '-')}"
        message = f"{option} {asked}: the run to resume has another; leave {option} out, or train without --resume"
        check(asked in (field.default, held), message)
    return training


def show_plan(request: Request, training: Training, display: TrainingDisplay) -> None:
    """The plan before training starts, with what should be known of it."""
    plan = training.plan
    cost = parameter_count(plan), memory_bytes(plan)
    display.show(plan_table(plan, request.output, *cost, display.console.width))
    for notice in plan.notices:
        display.note(notice)
    if request.resume:
        display.note(f"going on after step {training.progress.step:,}")


def announce_compiling(display: TrainingDisplay, clock: CompileClock) -> None:
    """Have it said, once, that kernels are compiled: now if that began before the plan was known, else if it begins."""
    if clock.seconds > 0:
        display.compiling()
    clock.on_begin = display.compiling


def tell_cost(request: Request, training: Training, display: TrainingDisplay, clock: CompileClock) -> int:
    """Print the plan and what it would cost; nothing is saved."""
    training.network.team.close()
    plan, console = training.plan, open_console(sys.stdout)
    console.draw(plan_table(plan, request.output, parameter_count(plan), memory_bytes(plan), console.width))
    announce_compiling(display, clock)
    for line in cost_lines(estimate(plan, request.threads), request.threads):
        typer.echo(line)
    return 0


def learn(request: Request, training: Training, display: TrainingDisplay, clock: CompileClock) -> bool:
    """Train, showing and noting each record; gives whether training came to its end."""
    display.begin(training.plan)
    if request.began is not None and not request.resume:
        training.lead = time.perf_counter() - request.began - clock.seconds + ENDING
    with (
        Metrics(request.metrics, append=request.resume) as metrics,
        saving_on_interrupt(training, display),
        display,
    ):
        try:
            for step in training.fit():
                if step.compile_seconds is not None:
                    display.compiled(clock.seconds)
                display.update(step)
                metrics.write(step)
        except KeyboardInterrupt:  # the second: what was saved before must do
            return False
    return training.finished


@contextmanager
def saving_on_interrupt(training: Training, display: TrainingDisplay) -> Iterator[None]:
    """The first Ctrl-C asks the run to save and end; a second one ends it at once."""

    def ask(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        training.interrupt()
        display.note_at_once("saving after this step; Ctrl-C again ends at once")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def tell_resume(request: Request, training: Training) -> None:
    """Print the command that goes on; it is no progress report, so it is not held back by --quiet."""
    piped = " (pipe the same text in again)" if "-" in request.sources else ""
    typer.echo(f"interrupted at step {training.progress.step:,}; to go on{piped}:", err=True)
    typer.echo(request.resume_command(training.plan.choices.valid), err=True)


def conclusion(output: Path, history: Sequence[Entry], seconds: float, tunes: bool = False) -> str:
    """One line on what there is now and what to do with it."""
    kept = kept_entry(history)
    facts = []
    if kept is not None:
        facts.append(f"validation loss {kept['valid_loss']:.3f}")
        facts.append(f"kept from epoch {kept['epoch']:.1f} of {history[-1]['epoch']:.1f}")
        facts[-1] += f" (training loss {kept['train_loss']:.3f} there)"
    elif history:
        facts.append(f"training loss {history[-1]['train_loss']:.3f}")
    facts.append(f"{seconds:.1f} s")
    trial = ["-o", "tune.mid"] if tunes else ["-n", "10"]
    return f"{output}: {', '.join(facts)}; try: {shlex.join(['gencli', 'sample', str(output), *trial])}"


def learned_by_heart(history: Sequence[Entry]) -> bool:
    """Whether the training loss went on falling long after the validation loss was at its least."""
    kept = kept_entry(history)
    if kept is None:
        return False
    epoch, loss, last = (float(value or 0) for value in (kept["epoch"], kept["train_loss"], history[-1]["epoch"]))
    return epoch < EARLY * last and float(history[-1]["train_loss"] or 0) < loss
