"""How the gradients of a plan's network flow: before training, after a short one, clipped and not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from gencli.batches import Batch, Rows, epoch_order
from gencli.config import NetworkConfig
from gencli.gradient_flow import Flow, distances_up_to, measure_flow
from gencli.gradient_norms import Norms, run_trial, trials
from gencli.kernels.threads import Team
from gencli.network import Network
from gencli.recipe import Plan

Array = NDArray[Any]
TRAIN_TOKENS = 500_000  # a short training, where the user sets no length: enough for gates to open
ROWS, PLACES = 32, 512  # rows side by side while measuring; places of the text from which gradients are sent back
TRIAL_ROWS, TRIAL_STEPS = 16, 100


def shortened(plan: Plan) -> Plan:
    """The same plan, of TRAIN_TOKENS at most unless the user has set its length."""
    choices, train = plan.choices, plan.train
    if (choices.epochs, choices.minutes, choices.max_steps) != (None, None, None):
        return plan
    steps = -(-TRAIN_TOKENS // (train.batch_size * train.seq_length))
    return replace(plan, train=replace(train, max_steps=steps)) if steps < (plan.steps or 0) else plan


def without_dropout(config: NetworkConfig) -> NetworkConfig:
    """The same network, dropping nothing."""
    return replace(config, dropout=0.0, input_dropout=0.0, weight_dropout=0.0)


def rows_of(plan: Plan, rows: int) -> Rows:
    """The training documents in the order of the first pass, in fewer rows where the plan's are fewer."""
    order = epoch_order(len(plan.train_data.lengths), plan.train.seed, 0)
    return Rows(plan.train_data, order, min(rows, plan.train.batch_size), plan.train.seq_length)


def flow_of(plan: Plan, weights: Array, team: Team) -> Flow:
    """The flow in the plan's network with these parameters, laid flat, from PLACES places of the training text."""
    network = Network(without_dropout(plan.network), team)
    network.flat[:] = weights
    rows = rows_of(plan, ROWS)
    count = min(len(rows), -(-PLACES // (len(rows.bounds) - 1)))
    windows = (rows.batch(window) for window in range(count))
    return measure_flow(network, windows, distances_up_to(plan.train.seq_length))


def norms_of(plan: Plan, team: Team) -> Iterator[Norms]:
    """Trial after trial of the plan's network, on the same windows from the same seed."""
    rows, optimizer = rows_of(plan, TRIAL_ROWS), plan.train.optimizer
    config = without_dropout(plan.network)

    def window(step: int) -> tuple[Batch, bool]:
        """The windows of the first pass, over and over."""
        return rows.batch(step % len(rows)), step % len(rows) == 0

    for trial in trials(optimizer.clip or 1.0, optimizer.lr):
        yield run_trial(config, team, plan.train.seed, window, TRIAL_STEPS, trial)
