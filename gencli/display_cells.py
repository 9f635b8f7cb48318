"""Tables about cells: side by side on one corpus, and how their gradients flow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from gencli.display_tables import kept_entry

if TYPE_CHECKING:
    from gencli.comparison import CellRun
    from gencli.gradient_flow import Flow
    from gencli.gradient_norms import Norms

SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # distances in a table
FEWEST = 20  # places: a mean over fewer says little


def numbers_table(first: Sequence[str], numbers: Sequence[str]) -> Table:
    """A plain table: some columns of words, then some of numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in first:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def comparison_table(runs: Sequence[CellRun]) -> Table:
    """A row for each cell that was trained, in part or in full."""
    table = numbers_table(
        ["cell"], ["parameters", "best valid", "at epoch", "last train", "seconds", "tokens/s", "ended"]
    )
    for run in runs:
        kept = kept_entry(run.history)
        best = ["-", "-"] if kept is None else [f"{kept['valid_loss']:.3f}", f"{kept['epoch']:.1f}"]
        last = f"{run.history[-1]['train_loss']:.3f}" if run.history else "-"
        figures = [f"{run.parameters:,}", *best, last, f"{run.seconds:.1f}", f"{run.speed:,.0f}"]
        table.add_row(run.cell, *figures, run.fault or "yes")
    return table


def share_text(share: float) -> str:
    """A share as a percentage of two digits."""
    percent = 100 * share
    if not math.isfinite(percent):
        return "-" if math.isnan(percent) else "infinite"
    if percent >= 10:
        return f"{percent:,.0f}%"
    return f"{percent:.1f}%" if percent >= 1 else f"{percent:.2g}%"


def size_text(value: float) -> str:
    """A norm or a loss: three digits, or an exponent; `not finite` where it left the numbers."""
    return f"{value:.3g}" if math.isfinite(value) else "not finite"


def flow_table(before: Flow, after: Flow, steps: int) -> Table:
    """What is left of the gradient by distance, before and after so many steps of training."""
    table = numbers_table([], ["steps back", "untrained", f"after {steps:,} steps", "places"])
    for k, places in zip(before.distances, before.places, strict=True):
        if k in SHOWN or k == before.distances[-1]:
            table.add_row(str(k), share_text(before.share(k)), share_text(after.share(k)), str(places))
    return table


def norms_table(runs: Sequence[Norms]) -> Table:
    """Trials, each without and with clipping."""
    table = numbers_table(["update", "recurrent", "clip"], ["median norm", "highest norm", "highest loss", "last loss"])
    for run in runs:
        trial = run.trial
        told = (f"{trial.update}, {trial.rate:g}", f"x {trial.factor:g}", f"{trial.clip:g}" if trial.clip else "off")
        sizes = (run.median_norm, run.highest_norm, run.highest_loss, run.last_loss)
        table.add_row(*told, *(size_text(size) for size in sizes))
    return table


def telling_distance(flow: Flow) -> int:
    """The furthest distance of the table, 20 at most, that places enough reach."""
    told = [k for k, n in zip(flow.distances, flow.places, strict=True) if k in SHOWN and k <= 20 and n >= FEWEST]
    return max(told, default=flow.distances[-1])


def flow_line(cell: str, before: Flow, after: Flow) -> str:
    """What a flow means, in one line."""
    near = telling_distance(before)
    far = [k for k, n in zip(before.distances, before.places, strict=True) if k in SHOWN and n >= FEWEST and k > near]
    at = [near, *far[-1:]]
    trained = ", ".join(f"{share_text(after.share(k))} after {k} steps" for k in at)
    untrained = ", ".join(share_text(before.share(k)) for k in at)
    return f"{cell}: left of the gradient {trained} (untrained {untrained})"


def norms_line(runs: Sequence[Norms]) -> str:
    """What clipping saved in the first pair of plain trials, unclipped and clipped, in which it saved anything."""
    pairs = [(off, on) for off, on in zip(runs[::2], runs[1::2], strict=True) if off.trial.update == "plain"]
    for off, on in pairs:
        if off.ran_away or off.last_loss > 1.05 * on.last_loss:
            factor = off.trial.factor
            begun = "plain steps" if factor == 1 else f"plain steps, recurrent weights times {factor:g}"
            ended = "left the finite numbers" if off.ran_away else f"ended at a loss of {off.last_loss:.2f}"
            return f"{begun}: unclipped it {ended}, clipped at {on.trial.clip:g} at {on.last_loss:.2f}"
    off, on = pairs[0]
    return f"plain steps: clipping changed little, {off.last_loss:.2f} without and {on.last_loss:.2f} with it"
