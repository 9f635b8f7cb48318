"""What gencli does in the comparison: each function prepares a job and gives a function that runs it for n tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gencli.batches import Batch
from gencli.cells.generate import Rule
from gencli.codecs.codec import Tokens
from gencli.config import NetworkConfig, OptimizerConfig
from gencli.kernels.threads import Team
from gencli.network import Network
from gencli.optimizer import AdamW
from gencli.scoring import token_logprobs
from gencli.speaker import Speaker
from tests.benchmarks.jobs import LEARNING_RATE, SAMPLED, THREADS, Job, lines

Run = Callable[[], int]


def train(job: Job) -> Run:
    """A training step: forward, backward, clipping, AdamW."""
    network = _network(job, THREADS)
    optimizer = AdamW(network, OptimizerConfig(lr=LEARNING_RATE))
    rng = np.random.default_rng(0)
    shape = (job.T, job.B)
    inputs, targets = (rng.integers(0, job.V, shape).astype(np.int32) for _ in range(2))
    starts = np.zeros(shape, np.bool_)
    starts[0] = True
    batch = Batch(inputs, targets, starts, np.ones(shape, np.float32), np.zeros((0, *shape), np.int32))
    state = network.state(job.B)

    def run() -> int:
        network.learn(batch, state, key=0)
        optimizer.step(LEARNING_RATE)
        return job.T * job.B

    return run


def sample(job: Job) -> Run:
    """B streams of tokens, one after the other for B = 1."""
    network = _network(job, THREADS)
    banned = np.zeros(job.V, np.bool_)
    banned[0] = True
    rule = Rule(0.8, 0, 1.0, np.uint64(1), 0, 0, 0.0)
    speaker = Speaker(network, rule, banned, np.arange(job.B))

    def run() -> int:
        speaker.advance(SAMPLED)
        return SAMPLED * job.B

    return run


def score(job: Job) -> Run:
    """Log-probabilities of every token of lines of unequal length."""
    network = _network(job, THREADS)
    documents = lines(job.V)
    ids = np.concatenate(documents).astype(np.int32)
    lengths = np.array([len(document) for document in documents], np.int64)
    tokens = Tokens(ids, lengths, np.zeros((0, len(ids)), np.int32))

    def run() -> int:
        token_logprobs(network, tokens)
        return len(ids)

    return run


def _network(job: Job, threads: int) -> Any:
    network = Network(NetworkConfig(job.V, job.cell, job.H, job.L), Team(threads), halved=job.halved)
    network.initialise(0)
    return network
