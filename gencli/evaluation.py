"""The loss of a network on documents held out, and what it costs to take it."""

from __future__ import annotations

import math
import time

import numpy as np

from gencli.batches import Rows, pack_documents
from gencli.codecs.codec import Tokens
from gencli.network import Network
from gencli.recipe import Plan

MOST_STEPS = 500  # between two evaluations: nobody waits longer for news
LEAST_STEPS = 10
LEARNING_TO_READING = 3  # a step of learning costs about three of reading
LARGEST_SHARE = 1 / 20  # of the time, that evaluations may take
ROWS = 64  # of documents, side by side


def _rows(data: Tokens, plan: Plan) -> Rows:
    """Documents whole; a stream in rows side by side."""
    stream, train = plan.documents == "stream", plan.train
    # Whole documents may lie in any number of rows; a stream is broken where a row begins.
    rows = train.batch_size if stream else min(max(train.batch_size, ROWS), len(data.lengths))
    rows = max(1, min(rows, len(data.ids) // 16))
    return pack_documents(data, rows, train.seq_length, whole_documents=not stream)


def evaluate(network: Network, data: Tokens, plan: Plan) -> float:
    """Mean loss over all tokens of `data`, nats."""
    packed = _rows(data, plan)
    state = network.state(len(packed.bounds) - 1)
    total = 0.0
    for window in range(len(packed)):
        batch = packed.batch(window)
        total += float((network.losses(batch, state) * batch.weights).sum(dtype=np.float64))
    return total / len(data.ids)


def evaluation_seconds(network: Network, data: Tokens, plan: Plan) -> float:
    """About how long `evaluate` will take, by its first windows; 0 without documents."""
    if len(data.ids) == 0:
        return 0.0
    packed = _rows(data, plan)
    state = network.state(len(packed.bounds) - 1)
    seconds = []
    for window in (0, *range(min(len(packed), 3))):  # the first of all warms up
        began = time.perf_counter()
        network.losses(packed.batch(window), state)
        seconds.append(time.perf_counter() - began)
    return len(packed) * min(seconds[1:])


def steps_between(plan: Plan) -> int:
    """Steps between evaluations: a pass, but not so often that they take much time nor so rarely that one waits."""
    train = plan.train
    cost = plan.valid_tokens / (train.batch_size * train.seq_length) / LEARNING_TO_READING
    return max(min(plan.steps_per_epoch, MOST_STEPS), math.ceil(cost / LARGEST_SHARE), LEAST_STEPS)
