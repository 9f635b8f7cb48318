"""The losses of a run as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from gencli.config import check
from gencli.errors import OptionError
from gencli.files import check_writable, write_atomically

SUFFIXES = (".png", ".svg", ".pdf")
INCHES = (7.0, 4.2)


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=INCHES, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for key, label, color in (("train_loss", "training", "#7a8ca3"), ("valid_loss", "validation", "#c2410c")):
        points = [(entry["epoch"], entry[key]) for entry in history if entry.get(key) is not None]
        if points:
            epochs, losses = zip(*points, strict=True)
            axes.plot(epochs, losses, label=label, color=color, linewidth=1.8, marker="o" if len(points) < 3 else "")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (nats per token)")
    axes.set_title(title.replace("$", r"\$"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=len(history) > 4))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False)
    picture = io.BytesIO()
    kind = path.suffix.lower().lstrip(".")
    figure.savefig(picture, format=kind, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(path, picture.getvalue(), OptionError, "--plot")
