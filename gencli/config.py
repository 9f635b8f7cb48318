"""Every default and every legal value, once. The configs are frozen and check themselves when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gencli.errors import OptionError

CellName = Literal["rnn", "simple-gru", "gru", "lstm", "peephole-lstm"]
Level = Literal["char"]
DocumentMode = Literal["line", "paragraph", "file", "stream"]
Activation = Literal["tanh", "relu"]
Precision = Literal["float32", "float64"]


def check(condition: bool, message: str) -> None:
    """Raise OptionError with `message` unless `condition` holds."""
    if not condition:
        raise OptionError(message)


def check_name(value: str, names: object, option: str) -> None:
    """Raise OptionError unless `value` is one of the names of a Literal type."""
    legal = get_args(names)
    check(value in legal, f"{option} {value}: not one of {', '.join(legal)}")


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network: everything needed to lay out its parameters."""

    vocabulary_size: int  # V: ids of the codec, <EOS> and <UNK> included
    cell: CellName = "lstm"
    hidden_size: int = 128  # H: units of each layer
    layers: int = 1  # L
    dropout: float = 0.0  # share of each layer's outputs zeroed while training, in [0, 1)
    activation: Activation = "tanh"  # of the rnn cell; the gated cells are tanh by definition
    side_sizes: tuple[int, ...] = ()  # ids of each side input

    def __post_init__(self) -> None:
        check(self.vocabulary_size >= 2, f"vocabulary of {self.vocabulary_size}: a model needs at least 2 symbols")
        check_name(self.cell, CellName, "--cell")
        check_name(self.activation, Activation, "--activation")
        check(1 <= self.hidden_size <= 8192, f"--hidden-size {self.hidden_size}: must lie between 1 and 8192")
        check(1 <= self.layers <= 16, f"--layers {self.layers}: must lie between 1 and 16")
        check(0.0 <= self.dropout < 1.0, f"--dropout {self.dropout}: must be at least 0 and below 1")
        check(self.activation == "tanh" or self.cell == "rnn", f"--activation {self.activation}: only --cell rnn has it")
        check(all(size >= 1 for size in self.side_sizes), f"side sizes {self.side_sizes}: each must be at least 1")
