"""Cells side by side on one corpus: the same documents, split, seed and settings, only the cell another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from gencli.choices import Choices
from gencli.config import CellName, check, check_name
from gencli.recipe import Plan, make_plan

Point = tuple[float, float]


@dataclass
class CellRun:
    """What became of one cell; `curve` holds (seconds, loss) of each evaluation."""

    cell: CellName
    output: Path
    parameters: int = 0
    seconds: float = 0.0
    tokens: int = 0
    history: Sequence[Mapping[str, float | int | None]] = ()
    curve: list[Point] = field(default_factory=list)
    fault: str = ""  # why training did not come to its end

    @property
    def speed(self) -> float:
        """Tokens a second, evaluations included."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


def cells_named(text: str) -> tuple[CellName, ...]:
    """Two or more cells, parted by commas; OptionError for anything else."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        check_name(name, CellName, "--compare")
    check(len(names) > 1, f"--compare {text}: name at least two cells, as in rnn,gru,lstm")
    check(len(set(names)) == len(names), f"--compare {text}: names a cell twice")
    return tuple(cell for name in names for cell in get_args(CellName) if cell == name)


def output_of(output: Path, cell: CellName) -> Path:
    """Where the model of a cell goes: NAME.safetensors makes NAME-rnn.safetensors."""
    suffix = output.suffix if output.suffix == ".safetensors" else ""
    return output.with_name(f"{output.name.removesuffix(suffix)}-{cell}.safetensors")


def make_plans(sources: Sequence[str], choices: Choices, cells: Sequence[CellName]) -> list[Plan]:
    """A plan for each cell, read and encoded once. Another activation than tanh goes to the rnn alone."""
    first: CellName = "rnn" if "rnn" in cells else cells[0]
    plan = make_plan(sources, replace(choices, cell=first))
    plans = []
    for cell in cells:
        activation = choices.activation if cell == "rnn" else "tanh"
        network = replace(plan.network, cell=cell, activation=activation)
        asked = replace(choices, cell=cell, activation=activation)
        plans.append(replace(plan, network=network, choices=asked))
    return plans
