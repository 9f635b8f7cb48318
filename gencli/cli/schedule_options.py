"""`gencli train`: the options of how steps are made and when they end, and of what scales them."""

from __future__ import annotations

from typing import Annotated

import typer

from gencli.config import OptimizerConfig, PresetName, TrainConfig

NETWORK, SCHEDULE = "The network", "How to train"
CHOSEN = "default: chosen from the corpus"
RATES_DEFAULT, TRAIN_DEFAULT = OptimizerConfig(), TrainConfig()
Preset = Annotated[
    PresetName,
    typer.Option(help="Scale what is chosen from the corpus: units and passes.", rich_help_panel=NETWORK),
]

Average = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help=f"Keep averages of the weights, in which step t counts t^(N-1) times; 0: the last ones; {CHOSEN}.",
        rich_help_panel=SCHEDULE,
    ),
]

Target = Annotated[
    float | None,
    typer.Option(
        metavar="LOSS", help="End once the validation loss (nats a token) is no higher.", rich_help_panel=SCHEDULE
    ),
]

WeightDecay = Annotated[
    float | None,
    typer.Option(help=f"How weights decay, as in AdamW; {CHOSEN}.", rich_help_panel=SCHEDULE),
]

Patience = Annotated[
    int | None,
    typer.Option(
        help=f"End after so many evaluations without a better loss; 0: never. Default: {TRAIN_DEFAULT.patience}.",
        rich_help_panel=SCHEDULE,
    ),
]

Rate = Annotated[float | None, typer.Option(help=f"Highest learning rate; {CHOSEN}.", rich_help_panel=SCHEDULE)]

Clip = Annotated[
    float | None,
    typer.Option(
        help=f"Highest norm of the gradient; 0: off. Default: {RATES_DEFAULT.clip:g}.", rich_help_panel=SCHEDULE
    ),
]

ClipValue = Annotated[
    float | None,
    typer.Option(
        help=f"Hold each gradient to plus or minus this; 0: off. Default: {RATES_DEFAULT.clip_value:g}.",
        rich_help_panel=SCHEDULE,
    ),
]
