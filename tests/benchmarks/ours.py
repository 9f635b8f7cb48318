"""What gencli does in the comparison: each function prepares a job and gives one that runs it and counts its tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gencli.batches import Batch
from gencli.cells.generate import Rule
from gencli.codecs.codec import Tokens
from gencli.config import NetworkConfig, OptimizerConfig
from gencli.kernels.dense import multiply_window
from gencli.kernels.threads import Team
from gencli.kernels.tile import padded, panel_width
from gencli.layers.packed import PackedWeights
from gencli.network import Network
from gencli.optimizer import AdamW
from gencli.scoring import token_logprobs
from gencli.speaker import Speaker
from tests.benchmarks.jobs import LEARNING_RATE, SAMPLED, Job, ids, lines

Run = Callable[[], int]


def train(job: Job) -> Run:
    """A training step: forward, backward, clipping, AdamW."""
    return learner(job)[1]


def learner(job: Job) -> tuple[Network, Run]:
    """A network, and its training step."""
    network = _network(job)
    optimizer = AdamW(network, OptimizerConfig(lr=LEARNING_RATE))
    shape = (job.T, job.B)
    inputs, targets = ids(job)
    starts = np.zeros(shape, np.bool_)
    starts[0] = True
    batch = Batch(inputs, targets, starts, np.ones(shape, np.float32), np.zeros((0, *shape), np.int32))
    state = network.state(job.B)

    def run() -> int:
        network.learn(batch, state, key=0)
        optimizer.step(LEARNING_RATE)
        return job.T * job.B

    return network, run


def sample(job: Job) -> Run:
    """B streams of tokens, one after the other for B = 1."""
    network = _network(job)
    banned = np.zeros(job.V, np.bool_)
    banned[0] = True
    rule = Rule(0.8, None, np.uint64(1), 0, 0, 0.0)
    speaker = Speaker(network, rule, banned, np.arange(job.B))

    def run() -> int:
        speaker.advance(SAMPLED)
        return SAMPLED * job.B

    return run


def score(job: Job) -> Run:
    """Log-probabilities of every token of lines of unequal length."""
    network = _network(job)
    documents = lines(job.V)
    ids = np.concatenate(documents).astype(np.int32)
    lengths = np.array([len(document) for document in documents], np.int64)
    tokens = Tokens(ids, lengths, np.zeros((0, len(ids)), np.int32))

    def run() -> int:
        token_logprobs(network, tokens)
        return len(ids)

    return run


def product(job: Job) -> Callable[[], float]:
    """One product alone, T times as a cell steps through its window; counts multiplications and additions."""
    rng = np.random.default_rng(0)
    k, n = job.H, padded(job.V, np.float32)
    panels = rng.standard_normal(k * n, dtype=np.float32)
    weights = PackedWeights(panels, k, n, padded(k, np.float32), job.halved)
    weights.pack(0, n // panel_width(np.float32))
    x = rng.standard_normal((job.T, job.B, padded(k, np.float32)), dtype=np.float32)
    out = np.zeros((job.T, job.B, n), np.float32)

    def run() -> float:
        multiply_window(x, k, weights.forward, out, 0, 0, job.B)
        return job.flops

    return run


def _network(job: Job) -> Network:
    size = job.H if job.tied else 0
    kind = {"embedding_size": size, "tied": job.tied, "cutoffs": tuple(job.cutoffs)}
    config = NetworkConfig(job.V, job.cell, job.H, job.L, dropout=job.dropout, **kind)
    network = Network(config, Team(job.threads), halved=job.halved)
    network.initialise(0)
    return network
