"""From a source and the user's choices to a plan: data encoded, every setting that was left open chosen."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gencli.batches import choose_rows, epoch_rows
from gencli.choices import Choices
from gencli.codecs.codec import UNK, Codec, Tokens, encode_documents, fit_codec
from gencli.config import (
    CodecOptions,
    DocumentMode,
    Level,
    NetworkConfig,
    OptimizerConfig,
    SoftmaxName,
    TrainConfig,
    check,
)
from gencli.corpus import read_corpus, split
from gencli.defaults import HEAD_SHARES, SMALL_VOCABULARY, Defaults, defaults_for, of_cell
from gencli.document import Document, text_batches, whole_texts
from gencli.documents import Corpus
from gencli.errors import CorpusError
from gencli.precision import settled_precision
from gencli.speed import learning_speed
from gencli.splitting import distinct_sorted, text_hashes

Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """Everything decided before training starts."""

    corpus_name: str
    source: str
    documents: DocumentMode
    train_documents: int
    valid_documents: int
    codec: Codec
    network: NetworkConfig
    train: TrainConfig
    steps_per_epoch: int
    chosen: tuple[str, ...]  # the settings the recipe chose, by their names in the configs
    skipped_files: int
    notices: tuple[str, ...]  # what reading left out or changed
    choices: Choices
    train_data: Tokens = field(repr=False)
    valid_data: Tokens = field(repr=False)
    hashes: Array = field(repr=False)  # (D,) uint64, sorted: fingerprints of the corpus's documents

    @property
    def train_tokens(self) -> int:
        """Tokens to learn from."""
        return len(self.train_data.ids)

    @property
    def valid_tokens(self) -> int:
        """Tokens held out."""
        return len(self.valid_data.ids)

    @cached_property
    def unknown_shares(self) -> tuple[float, float]:
        """The shares of <UNK> among the tokens to learn from and among those held out, 0 where there are none."""
        both = (self.train_data, self.valid_data)
        train, valid = (sum(int(np.count_nonzero(ids == UNK)) for ids in data.blocks()) for data in both)
        return train / max(self.train_tokens, 1), valid / max(self.valid_tokens, 1)

    @property
    def steps(self) -> int | None:
        """Steps of training, all but exact; None where a time budget decides."""
        if self.train.minutes is not None:
            return self.train.max_steps
        steps = math.ceil(self.train.epochs * self.steps_per_epoch)
        return steps if self.train.max_steps is None else min(steps, self.train.max_steps)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the encoded data: a run resumes only on what it began with."""
        digest = hashlib.sha256()
        for tokens in (self.train_data, self.valid_data):
            for array in chain(tokens.blocks(), (tokens.lengths, tokens.side)):
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def document_hash(text: str) -> int:
    """The 64-bit fingerprint of a document by which `--novel` knows it again."""
    return int(text_hashes([text])[0])


def make_plan(
    sources: Sequence[str],
    choices: Choices,
    codec: Codec | None = None,
    network: NetworkConfig | None = None,
    mode: DocumentMode | None = None,
) -> Plan:
    """Read and encode the sources and settle every setting.

    `codec`, `network` and `mode`, from a model to begin with, stand in for what would be fitted and chosen.
    CorpusError for sources that cannot be learned from, OptionError for unusable choices.
    """
    level = choices.level if codec is None else codec.level
    corpus = _read(sources, mode if mode is not None else choices.documents, choices, level)
    seed = 1 if choices.seed is None else choices.seed
    check(0 <= seed < 2**63, f"--seed {seed}: must lie between 0 and 2**63 - 1")
    training, held_out = _hold_out(corpus, choices, seed)
    if codec is None:
        options = CodecOptions(choices.min_count, choices.vocab_size, choices.split, choices.lowercase)
        codec = fit_codec(_level(choices.level, options, corpus), training, options)
    train_data = encode_documents(codec, training, corpus.mode)
    valid_data = encode_documents(codec, held_out, corpus.mode)
    defaults = _defaults(choices, codec, corpus.mode, len(train_data.ids), network)
    chosen = [f.name for f in fields(Defaults) if getattr(choices, f.name, 0) is None]
    chosen += ["documents"] if choices.documents == "auto" else []
    if network is not None:
        chosen = [name for name in chosen if not hasattr(network, name)]
    else:
        network = _network(choices, defaults, codec)
        chosen = [name for name in chosen if name != "input_dropout" or network.embedding_size > 0]
    check(choices.target is None or bool(held_out), "--target: needs validation; leave out --val-fraction 0")
    train, steps_per_epoch = _training(choices, defaults, train_data, seed)
    return Plan(
        corpus_name=corpus.name,
        source=corpus.source,
        documents=corpus.mode,
        train_documents=len(training),
        valid_documents=len(held_out),
        codec=codec,
        network=network,
        train=train,
        steps_per_epoch=steps_per_epoch,
        chosen=tuple(chosen),
        skipped_files=corpus.skipped,
        notices=corpus.notices,
        choices=choices,
        train_data=train_data,
        valid_data=valid_data,
        hashes=_hashes(corpus, codec),
    )


def _read(
    sources: Sequence[str],
    mode: Literal["auto"] | DocumentMode,
    choices: Choices,
    level: Literal["auto"] | Level,
    for_training: bool = True,
) -> Corpus:
    """Sources as the choices say: an option for words has tunes read as text too."""
    options = CodecOptions(choices.min_count, choices.vocab_size, choices.split, choices.lowercase)
    if level == "auto" and (options.of_words is not None or mode not in ("auto", "file")):
        level = "char"
    more: dict[str, Any] = {"track": choices.track, "label": choices.label}
    if level in ("char", "word"):
        check(choices.track is None, f"--track {choices.track}: belongs to tunes, --level music")
        check(choices.label == "none", f"--label {choices.label}: belongs to tunes, --level music")
    return read_corpus(sources, mode, choices.encoding, for_training=for_training, level=level, **more)


def _hold_out(corpus: Corpus, choices: Choices, seed: int) -> tuple[Sequence[Document], Sequence[Document]]:
    """Training and validation documents: a file of the user's, or a share of the corpus."""
    if choices.valid is not None:
        check(choices.val_fraction is None, "--valid and --val-fraction: give only one of them")
        valid = _read([choices.valid], corpus.mode, choices, "music" if corpus.tunes else "char", for_training=False)
        return corpus.documents, valid.documents
    fraction = choices.val_fraction
    if fraction is None:
        # Enough to tell two settings apart, never much of a large corpus.
        size = sum(len(text) for batch in text_batches(corpus.documents) for text in batch.texts)
        fraction = 0.1 if size < 2_000_000 else 200_000 / size
    check(0 <= fraction < 1, f"--val-fraction {fraction}: must be at least 0 and below 1")
    training, held_out = split(corpus, fraction, seed)
    if not training:
        raise CorpusError(f"{corpus.source}: nothing is left to learn from; lower --val-fraction")
    return training, held_out


def _hashes(corpus: Corpus, codec: Codec) -> Array:
    """(D,) the fingerprints of the corpus's documents as the codec reads them, sorted; a stream has none."""
    known = () if corpus.mode == "stream" else corpus.documents
    return distinct_sorted(text_hashes(map(codec.normalised, whole_texts(known))))


def _level(asked: Literal["auto"] | Level, options: CodecOptions, corpus: Corpus) -> Level:
    """The level asked for; left open, that of tunes, words where an option speaks of them, else characters."""
    if asked == "auto" and corpus.tunes:
        return "music"
    if asked == "auto":
        return "char" if options.of_words is None else "word"
    return asked


def _defaults(
    choices: Choices, codec: Codec, mode: DocumentMode, tokens: int, network: NetworkConfig | None
) -> Defaults:
    """The tables' settings for this corpus, budget and cell; a budget is weighed against this processor's speed."""
    scale: dict[str, Any] = {"minutes": choices.minutes, "preset": choices.preset}
    if choices.minutes is not None and codec.level == "char":
        scale["speed"] = learning_speed(settled_precision(choices.precision) == "bfloat16")
    row = defaults_for(codec.level, mode, tokens, **scale)
    return of_cell(row, choices.cell if network is None else network.cell)


def _pick(chosen: Any, default: Any) -> Any:
    return default if chosen is None else chosen


def _network(choices: Choices, defaults: Defaults, codec: Codec) -> NetworkConfig:
    """The network's shape: the user's word before the table's. Words have vectors, tied to the output's weights."""
    hidden_size = _pick(choices.hidden_size, defaults.hidden_size)
    tied = codec.level == "word" and choices.embedding_size in (None, hidden_size)
    tied = _pick(choices.tie, tied)
    embedding_size = _pick(choices.embedding_size, hidden_size if tied else defaults.embedding_size)
    return NetworkConfig(
        vocabulary_size=codec.vocabulary_size,
        cell=_pick(choices.cell, defaults.cell),
        hidden_size=hidden_size,
        layers=_pick(choices.layers, defaults.layers),
        dropout=_pick(choices.dropout, defaults.dropout),
        activation=choices.activation,
        side_sizes=codec.side_sizes,
        embedding_size=embedding_size,
        tied=tied,
        cutoffs=_cutoffs(choices.softmax, codec),
        input_dropout=_pick(choices.input_dropout, defaults.input_dropout if embedding_size else 0.0),
        weight_dropout=_pick(choices.weight_dropout, defaults.weight_dropout),
        variational=choices.variational,
    )


def _cutoffs(softmax: Literal["auto"] | SoftmaxName, codec: Codec) -> tuple[int, ...]:
    """Where the adaptive softmax's tails begin: after the ids that make up 82 % and 93 % of the training text."""
    counts = codec.counts
    check(softmax != "adaptive" or len(counts) > 0, "--softmax adaptive: only words have it; use --level word")
    if softmax == "full" or len(counts) == 0 or (softmax == "auto" and len(counts) <= SMALL_VOCABULARY):
        return ()
    covered = np.cumsum(counts) / max(sum(counts), 1)
    edges = [int(np.searchsorted(covered, share)) + 1 for share in HEAD_SHARES]
    check(0 < edges[0] < edges[1] < len(counts), "--softmax adaptive: the vocabulary is too small; use full")
    return tuple(edges)


def _training(choices: Choices, defaults: Defaults, data: Tokens, seed: int) -> tuple[TrainConfig, int]:
    """How to train, with batch and sequence length shrunk to what a small corpus holds; and the first pass's steps."""
    base = OptimizerConfig()
    optimizer = OptimizerConfig(
        lr=_pick(choices.lr, defaults.lr),
        clip=_pick(choices.clip, base.clip),
        clip_value=_pick(choices.clip_value, base.clip_value),
        weight_decay=_pick(choices.weight_decay, defaults.weight_decay),
        average=_pick(choices.average, defaults.average),
    )
    asked = TrainConfig(
        optimizer=optimizer,
        batch_size=_pick(choices.batch_size, defaults.batch_size),
        seq_length=_pick(choices.seq_length, defaults.seq_length),
        epochs=_pick(choices.epochs, defaults.epochs),
        minutes=choices.minutes,
        max_steps=choices.max_steps,
        patience=_pick(choices.patience, 0),
        target=choices.target,
        seed=seed,
        precision=settled_precision(choices.precision),
    )
    rows, steps = choose_rows(data, asked.batch_size, asked.seq_length)
    config = TrainConfig(**{**vars(asked), "batch_size": rows, "seq_length": steps})
    first_pass = epoch_rows(data, seed, 0, rows, steps)
    return config, len(first_pass)
