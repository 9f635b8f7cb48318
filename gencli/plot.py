"""Pictures of training: the losses of a run or of several cells, and how gradients flow."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gencli.config import check
from gencli.errors import OptionError
from gencli.files import check_writable, write_atomically

if TYPE_CHECKING:
    from gencli.comparison import CellRun
    from gencli.gradient_flow import Flow
    from gencli.gradient_norms import Norms

SUFFIXES = (".png", ".svg", ".pdf")
INCHES = (7.0, 4.2)
WIDE_INCHES = (11.0, 4.2)
COLORS = ("#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#7a8ca3")


def check_plot_path(path: Path) -> None:
    """OptionError unless a picture can be written there."""
    known = path.suffix.lower() in SUFFIXES
    check(known, f"--plot {path}: cannot draw {path.suffix or 'without a suffix'}; use {', '.join(SUFFIXES)}")
    check_writable(path, OptionError, "--plot")


def draw_losses(path: Path, history: Sequence[Mapping[str, float | int | None]], title: str) -> None:
    """Draw training and validation loss against epochs; the picture's kind follows the suffix.

    `history` holds records with epoch, train_loss and valid_loss, None where there is none.
    Raises OptionError where the file cannot be written; nothing half-written stays behind.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_figure(1, INCHES)
    for key, label, color in (("train_loss", "training", "#7a8ca3"), ("valid_loss", "validation", "#c2410c")):
        points = [(entry["epoch"], entry[key]) for entry in history if entry.get(key) is not None]
        if points:
            epochs, losses = zip(*points, strict=True)
            axes.plot(epochs, losses, label=label, color=color, linewidth=1.8, marker="o" if len(points) < 3 else "")
    finish(axes, "epoch", "loss (nats per token)", title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=len(history) > 4))
    save(figure, path)


def draw_comparison(path: Path, runs: Sequence[CellRun], title: str) -> None:
    """Draw the loss of each cell against the seconds of its training; raises as `draw_losses`."""
    figure, (axes,) = new_figure(1, INCHES)
    for run, color in zip(runs, COLORS, strict=False):
        if run.curve:
            seconds, losses = zip(*run.curve, strict=True)
            axes.plot(
                seconds, losses, label=run.cell, color=color, linewidth=1.8, marker="o" if len(seconds) < 3 else ""
            )
    finish(axes, "seconds of training", "validation loss (nats per token)", title)
    save(figure, path)


def draw_diagnosis(path: Path, before: Flow, after: Flow, norms: Sequence[Norms], title: str) -> None:
    """Draw what is left of a gradient by distance, and its norm step by step; raises as `draw_losses`."""
    figure, (left, right) = new_figure(2, WIDE_INCHES)
    for flow, label, color in ((before, "untrained", "#7a8ca3"), (after, "trained", "#c2410c")):
        left.plot(flow.distances, flow.shares, label=label, color=color, linewidth=1.8, marker=".")
    left.set_yscale("log")
    finish(left, "steps back", "share of the gradient left", title)
    for i, run in enumerate(norms):
        trial = run.trial
        clip = f"clipped at {trial.clip:g}" if trial.clip else "not clipped"
        sizes = [norm for norm in run.norms if 0 < norm < math.inf]
        style: dict[str, Any] = {"color": COLORS[i // 2], "linestyle": "-" if trial.clip else ":"}
        right.plot(range(1, len(sizes) + 1), sizes, label=f"{trial.update}, x {trial.factor:g}, {clip}", **style)
    right.set_yscale("log")
    finish(right, "step", "norm of the gradient before clipping", "plain steps and AdamW, recurrent weights x a factor")
    save(figure, path)


def new_figure(panels: int, inches: tuple[float, float]) -> tuple[Any, Sequence[Any]]:
    """An empty picture with so many pairs of axes beside one another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def finish(axes: Any, across: str, up: str, title: str) -> None:
    """Name what axes show."""
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_title(title.replace("$", r"\$"))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False)


def save(figure: Any, path: Path) -> None:
    """Write a picture whole or not at all."""
    picture = io.BytesIO()
    kind = path.suffix.lower().lstrip(".")
    figure.savefig(picture, format=kind, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(path, picture.getvalue(), OptionError, "--plot")
