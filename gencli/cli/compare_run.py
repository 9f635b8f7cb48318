"""A run of `gencli train --compare`: cell after cell, then one table and one plot."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from gencli.choices import Choices
from gencli.cli.shell import INTERRUPTED
from gencli.cli.training_run import Request, announce_compiling, check_outputs, learn, show_plan, tell_resume
from gencli.comparison import CellRun, cells_named, make_plans, output_of
from gencli.config import check
from gencli.display import TrainingDisplay, open_console
from gencli.display_cells import comparison_table
from gencli.errors import TrainingError
from gencli.estimate import parameter_count
from gencli.kernels.compile import CompileClock
from gencli.plot import draw_comparison
from gencli.recipe import Plan
from gencli.training import Training

if TYPE_CHECKING:
    from gencli.progress import Step


class RecordingDisplay(TrainingDisplay):
    """Notes down, besides what it shows, how a cell's loss fell with time."""

    run: CellRun

    def update(self, step: Step) -> None:
        """Show one record."""
        super().update(step)
        self.run.seconds, self.run.tokens = step.seconds, step.tokens
        if step.valid_loss is not None:
            self.run.curve.append((step.seconds, step.valid_loss))


def compare_cells(named: str, request: Request, choices: Choices) -> int:
    """Train each cell, print the table; gives the exit code."""
    cells = cells_named(named)
    requests = [replace(request, output=output_of(request.output, cell), began=None) for cell in cells]
    for each in requests:
        check_outputs(each, choices)
    runs: list[CellRun] = []
    interrupted = False
    with CompileClock() as clock:
        plans = make_plans(request.sources, choices, cells)
        drawn = request.plot is None or plans[0].valid_tokens > 0
        check(drawn, "--plot: --compare draws validation losses; leave out --val-fraction 0")
        for number, (plan, each) in enumerate(zip(plans, requests, strict=True), 1):
            display = RecordingDisplay(open_console(sys.stderr), request.quiet)
            display.run = CellRun(plan.network.cell, each.output)
            display.note(f"{plan.network.cell} ({number} of {len(plans)})")
            runs.append(display.run)
            try:
                train_cell(plan, each, display, clock, first=number == 1)
            except KeyboardInterrupt:
                display.run.fault = "interrupted"
            interrupted = display.run.fault == "interrupted"
            if interrupted:
                break
    open_console(sys.stdout).draw(comparison_table(runs))
    if request.plot is not None and any(run.curve for run in runs):
        draw_comparison(request.plot, runs, plans[0].corpus_name)
    return INTERRUPTED if interrupted else 0


def train_cell(plan: Plan, request: Request, display: RecordingDisplay, clock: CompileClock, first: bool) -> None:
    """One cell's training, noted in the display's run."""
    run = display.run
    training = Training(plan, request.output, request.threads, sample_every=request.sample_every)
    run.parameters = parameter_count(plan)
    if first:
        show_plan(request, training, display)
        announce_compiling(display, clock)
    try:
        if not learn(request, training, display, clock):
            run.fault = "interrupted"
    except TrainingError as error:
        run.fault = "ran away"
        typer.echo(f"{run.cell}: {error}", err=True)
    finally:
        run.history = training.progress.history
    if run.fault == "interrupted":
        tell_resume(request, training)
