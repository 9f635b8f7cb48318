"""A run of `gencli train --diagnose`: how gradients flow before and after a short training; clipping off and on."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from gencli.choices import Choices
from gencli.cli.training_run import Request
from gencli.diagnosis import TRIAL_STEPS, flow_of, norms_of, shortened
from gencli.display import TrainingDisplay, open_console
from gencli.display_cells import flow_line, flow_table, norms_line, norms_table
from gencli.display_tables import plural
from gencli.gradient_flow import Flow
from gencli.gradient_norms import Norms
from gencli.kernels.compile import CompileClock
from gencli.kernels.threads import Team
from gencli.network import cell_named
from gencli.plot import check_plot_path, draw_diagnosis
from gencli.recipe import Plan, make_plan
from gencli.training import Training


def diagnose_cell(request: Request, choices: Choices) -> int:
    """Measure, print, draw; gives the exit code. Nothing else is written."""
    if request.plot is not None:
        check_plot_path(request.plot)
    display = TrainingDisplay(open_console(sys.stderr), request.quiet)
    with CompileClock() as clock:
        clock.on_begin = display.compiling
        plan = shortened(make_plan(request.sources, choices))
        for notice in plan.notices:
            display.note(notice)
        team = Team(request.threads)
        before, after, steps = flows(plan, request.threads, team, display)
        display.note(f"{plural(TRIAL_STEPS, 'step')} from fresh weights for each way to update, clipped and not")
        norms = list(norms_of(plan, team))
        team.close()
    tell(plan, before, after, steps, norms)
    if request.plot is not None:
        draw_diagnosis(request.plot, before, after, norms, f"{plan.corpus_name}, {plan.network.cell}")
    return 0


def flows(plan: Plan, threads: int, team: Team, display: TrainingDisplay) -> tuple[Flow, Flow, int]:
    """The flow in fresh weights and in those that a training of so many steps keeps."""
    training = Training(plan, Path("diagnosis"), threads, sample_every=0, save=False)
    before = flow_of(plan, training.network.flat, team)
    display.begin(plan)
    with display:
        for step in training.fit():
            display.update(step)
    return before, flow_of(plan, training.best, team), training.progress.step


def tell(plan: Plan, before: Flow, after: Flow, steps: int, norms: list[Norms]) -> None:
    """Print the tables, each under a line of what it holds and above one of what it means."""
    network, console = plan.network, open_console(sys.stdout)
    memory = " and the memory cell" if cell_named(network.cell).has_memory else ""
    typer.echo(f"{plan.corpus_name}, {network.cell}: {plural(network.layers, 'layer')} of {network.hidden_size} units")
    typer.echo(f"Gradient of a step's loss by the hidden state{memory} some steps")
    typer.echo("back, in all layers: its norm as a share of that by the last output.")
    console.draw(flow_table(before, after, steps))
    console.print(flow_line(network.cell, before, after))
    typer.echo("")
    typer.echo(f"Norm of the whole gradient over {plural(TRIAL_STEPS, 'step')} from fresh weights, recurrent ones")
    typer.echo("multiplied by a factor:")
    console.draw(norms_table(norms))
    typer.echo(norms_line(norms))
