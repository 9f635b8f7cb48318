"""`gencli train --compare` and `--diagnose`: the options, and what cannot stand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gencli.config import check

CELLS = "To learn about cells"
Compare = Annotated[
    str | None,
    typer.Option(
        metavar="CELLS",
        help="Train several cells, as in rnn,gru,lstm, on the same corpus with the same settings, and print them side "
        "by side; --plot draws loss against time. Each model is kept: -o NAME.safetensors makes "
        "NAME-rnn.safetensors and so on.",
        rich_help_panel=CELLS,
    ),
]
Diagnose = Annotated[
    bool,
    typer.Option(
        "--diagnose",
        help="Print how far back in time the gradient of --cell reaches, before and after a short training, and what "
        "clipping does; --plot draws it. No model is kept.",
        rich_help_panel=CELLS,
    ),
]
REFUSED = {
    "--compare": ("resume", "cell", "init_from", "metrics", "dry_run", "diagnose"),
    "--diagnose": ("output", "resume", "init_from", "metrics", "dry_run", "sample_every"),
}


def refuse_beside(option: str, given: Mapping[str, Any]) -> None:
    """OptionError where an option is given that contradicts `option`; `given` holds them by parameter."""
    for name in REFUSED[option]:
        other = f"--{name.replace('_', '-')}"
        check(given[name] in (None, False), f"{option} and {other}: give only one of them")
