"""What a user may settle about a training run; all else the recipe settles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gencli.config import (
    Activation,
    CellName,
    DocumentMode,
    LabelSource,
    Level,
    Precision,
    PresetName,
    SoftmaxName,
    SplitName,
)


@dataclass(frozen=True)
class Choices:
    """One run as asked for; None leaves a setting to the recipe."""

    level: Literal["auto"] | Level = "auto"
    documents: Literal["auto"] | DocumentMode = "auto"
    encoding: str = "utf-8"
    min_count: int | None = None
    vocab_size: int | None = None
    split: SplitName | None = None
    lowercase: bool = False
    track: str | None = None  # the melody's, in files of tunes
    label: LabelSource = "none"
    cell: CellName | None = None
    hidden_size: int | None = None
    layers: int | None = None
    dropout: float | None = None
    activation: Activation = "tanh"
    embedding_size: int | None = None
    tie: bool | None = None
    softmax: Literal["auto"] | SoftmaxName = "auto"
    input_dropout: float | None = None
    weight_dropout: float | None = None
    variational: bool = False
    batch_size: int | None = None
    seq_length: int | None = None
    epochs: float | None = None
    minutes: float | None = None
    max_steps: int | None = None
    lr: float | None = None
    average: float | None = None
    clip: float | None = None
    clip_value: float | None = None
    weight_decay: float | None = None
    patience: int | None = None
    target: float | None = None
    preset: PresetName = "medium"
    seed: int | None = None
    precision: Literal["auto"] | Precision = "auto"
    valid: str | None = None  # a file of validation documents
    val_fraction: float | None = None
