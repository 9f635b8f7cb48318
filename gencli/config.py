"""Every default and every legal value, once. The configs are frozen and check themselves when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from gencli.errors import OptionError

CellName = Literal["rnn", "simple-gru", "gru", "lstm", "peephole-lstm", "rms-lstm"]
Level = Literal["char", "word", "music"]
LabelSource = Literal["none", "folder"]
SplitName = Literal["words", "whitespace"]
SoftmaxName = Literal["full", "adaptive"]
DocumentMode = Literal["line", "paragraph", "file", "stream"]
Activation = Literal["tanh", "relu"]
Precision = Literal["float32", "bfloat16"]
PresetName = Literal["small", "medium", "large"]


def check(condition: bool, message: str) -> None:
    """Raise OptionError with `message` unless `condition` holds."""
    if not condition:
        raise OptionError(message)


def check_name(value: str, names: object, option: str) -> None:
    """Raise OptionError unless `value` is one of the names of a Literal type."""
    legal = get_args(names)
    check(value in legal, f"{option} {value}: not one of {', '.join(legal)}")


@dataclass(frozen=True)
class CodecOptions:
    """What a vocabulary is to hold; None leaves it to the codec. All but min_count is for words."""

    min_count: int | None = None  # symbols seen less often are unknown
    vocab_size: int | None = None  # the most words
    split: SplitName | None = None  # what parts words: a pattern for running text, or white space alone
    lowercase: bool = False  # read all text in small letters

    def __post_init__(self) -> None:
        check(self.min_count is None or self.min_count >= 1, f"--min-count {self.min_count}: must be at least 1")
        check(self.vocab_size is None or self.vocab_size >= 1, f"--vocab-size {self.vocab_size}: must be at least 1")
        if self.split is not None:
            check_name(self.split, SplitName, "--split")

    @property
    def of_words(self) -> str | None:
        """The first option given that only words have, as on the command line."""
        given = (("--vocab-size", self.vocab_size), ("--split", self.split), ("--lowercase", self.lowercase))
        return next((f"{name} {value}".removesuffix(" True") for name, value in given if value), None)


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
    embedding_size: int = 0  # E: units of a token's vector, which enters by a product; 0 = a table row is the product
    tied: bool = False  # a token's vector is its column of the output weights; needs E = H
    cutoffs: tuple[int, ...] = ()  # adaptive softmax: where its tails begin, by id; () = one softmax over all ids
    input_dropout: float = 0.0  # share of the tokens' vectors' elements zeroed while training
    weight_dropout: float = 0.0  # share of the recurrent weights zeroed while training
    variational: bool = False  # a row keeps one dropout mask for all steps of a window

    def __post_init__(self) -> None:
        sizes = (self.vocabulary_size, self.hidden_size, self.layers, *self.side_sizes)
        check(all(isinstance(size, int) for size in sizes), f"sizes {sizes}: must be whole numbers")
        check(self.vocabulary_size >= 2, f"vocabulary of {self.vocabulary_size}: a model needs at least 2 symbols")
        check_name(self.cell, CellName, "--cell")
        check_name(self.activation, Activation, "--activation")
        check(1 <= self.hidden_size <= 8192, f"--hidden-size {self.hidden_size}: must lie between 1 and 8192")
        check(1 <= self.layers <= 16, f"--layers {self.layers}: must lie between 1 and 16")
        for option in ("dropout", "input_dropout", "weight_dropout"):
            share = getattr(self, option)
            check(0.0 <= share < 1.0, f"--{option.replace('_', '-')} {share}: must be at least 0 and below 1")
        check(0 <= self.embedding_size <= 8192, f"--embedding-size {self.embedding_size}: must lie between 0 and 8192")
        fits = not self.tied or self.embedding_size == self.hidden_size
        check(fits, f"--tie: needs --embedding-size {self.hidden_size}, the hidden size")
        usable = self.input_dropout == 0 or self.embedding_size > 0
        check(usable, f"--input-dropout {self.input_dropout}: needs --embedding-size")
        rising = (0, *self.cutoffs, self.vocabulary_size)
        check(all(a < b for a, b in pairwise(rising)), f"cutoffs {self.cutoffs}: must rise within the vocabulary")
        known = self.activation == "tanh" or self.cell == "rnn"
        check(known, f"--activation {self.activation}: only --cell rnn has it")
        check(all(size >= 1 for size in self.side_sizes), f"side sizes {self.side_sizes}: each must be at least 1")


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps."""

    lr: float = 0.003  # the schedule's peak
    clip: float = 1.0  # global norm above which the gradient is scaled down; 0 = off
    clip_value: float = 0.0  # each element is first held to [-clip_value, clip_value]; 0 = off
    weight_decay: float = 0.01  # decoupled; of matrices and tables, not of biases and peepholes
    warmup: float = 0.05  # share of training in which the rate rises from 0
    beta1: float = 0.9
    beta2: float = 0.99
    average: float = (
        0.0  # weights kept are averages in which step t counts about t^(average-1) times; 0 = the last ones
    )

    def __post_init__(self) -> None:
        check(0 < self.lr <= 10, f"--lr {self.lr}: must be above 0 and at most 10")
        check(0 <= self.clip < math.inf, f"--clip {self.clip}: must be 0 (off) or above")
        check(0 <= self.clip_value < math.inf, f"--clip-value {self.clip_value}: must be 0 (off) or above")
        check(0 <= self.weight_decay < 1, f"--weight-decay {self.weight_decay}: must be at least 0 and below 1")
        check(0 <= self.warmup < 1, f"--warmup {self.warmup}: must be at least 0 and below 1")
        check(self.average == 0 or 1 <= self.average <= 1000, f"--average {self.average}: must be 0 (off) or 1 to 1000")
        check(0 <= self.beta1 < 1 and 0 <= self.beta2 < 1, "beta1 and beta2 must be at least 0 and below 1")


@dataclass(frozen=True)
class TrainConfig:
    """How long, on what windows, and from which seed a network learns."""

    optimizer: OptimizerConfig = OptimizerConfig()
    batch_size: int = 64  # B: rows side by side
    seq_length: int = 64  # T: steps between two cuts of the gradient
    epochs: float = 20.0  # passes over the training documents; the schedule anneals to them
    minutes: float | None = None  # a budget of wall-clock time, to which the schedule anneals instead
    max_steps: int | None = None  # ends training, and the schedule, earlier
    target: float | None = None  # ends training once the validation loss, nats a token, is no higher
    patience: int = 0  # evaluations without a better validation loss before training ends; 0 = never
    seed: int = 1
    precision: Precision = "float32"  # of the factors of products while learning; all else is float32

    def __post_init__(self) -> None:
        check_name(self.precision, Precision, "--precision")
        check(1 <= self.batch_size <= 65536, f"--batch-size {self.batch_size}: must lie between 1 and 65536")
        check(1 <= self.seq_length <= 65536, f"--seq-length {self.seq_length}: must lie between 1 and 65536")
        check(0 < self.epochs < math.inf, f"--epochs {self.epochs}: must be above 0")
        minutes = self.minutes
        check(minutes is None or 0 < minutes < math.inf, f"--minutes {minutes}: must be above 0")
        check(self.max_steps is None or self.max_steps >= 1, f"--max-steps {self.max_steps}: must be at least 1")
        check(self.target is None or 0 < self.target < math.inf, f"--target {self.target}: must be above 0")
        check(self.patience >= 0, f"--patience {self.patience}: must be 0 (off) or above")
        check(0 <= self.seed < 2**63, f"--seed {self.seed}: must lie between 0 and 2**63 - 1")


# Texts drawn at 0.8 are about as probable under a larger model as real ones. Of twenty tunes of 32 bars, over their own
# changes and over given ones, these shares of the notes lie in the chord at 1.05: of a model of 256 solos of the Weimar
# Jazz Database 51 and 57 % (the solos: 51 %), of one of the bundled tunes 61 and 64 % (the tunes: 63 %). At 1.0 more of
# the latter leave what players do, at 1.1 the pitches of the former vary more than theirs.
TEMPERATURES: dict[Level, float] = {"char": 0.8, "word": 0.8, "music": 1.05}


@dataclass(frozen=True)
class SampleConfig:
    """How tokens are drawn."""

    temperature: float = TEMPERATURES["char"]  # logits are divided by it; 0 = always the likeliest token
    top_k: int = 0  # draw among the k likeliest; 0 = all
    top_p: float = 1.0  # draw among the likeliest that together reach this probability
    max_length: int = 500  # tokens after the prompt
    stop: tuple[str, ...] = ()  # a sample ends before the first of these texts that it writes
    seed: int = 1
    min_length: int = 0  # tokens after the prompt before a sample may end, by itself or at a stop text
    repetition_penalty: float = 1.0  # one of the last 64 tokens is drawn as if it were so many times less likely
    allow_unk: bool = False  # whether <UNK> may be drawn

    def __post_init__(self) -> None:
        check(
            0 <= self.min_length <= self.max_length,
            f"--min-length {self.min_length}: must lie between 0 and --max-length",
        )
        penalty = self.repetition_penalty
        check(1 <= penalty < math.inf, f"--repetition-penalty {penalty}: must be 1 (off) or above")
        check(0 <= self.temperature <= 100, f"--temperature {self.temperature}: must lie between 0 and 100")
        check(self.top_k >= 0, f"--top-k {self.top_k}: must be 0 (off) or above")
        check(0 < self.top_p <= 1, f"--top-p {self.top_p}: must be above 0 and at most 1")
        check(self.max_length >= 1, f"--max-length {self.max_length}: must be at least 1")
        check(all(self.stop), "--stop: must not be an empty text")
        check(0 <= self.seed < 2**63, f"--seed {self.seed}: must lie between 0 and 2**63 - 1")
