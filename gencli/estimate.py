"""What a plan will cost, before it runs: parameters, memory, time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gencli.layers.block_softmax import BLOCK_ROWS
from gencli.network import LARGE_VOCABULARY, cell_named
from gencli.parameters import Layout
from gencli.recipe import Plan
from gencli.training import Training

TRIAL_SECONDS = 1.0


@dataclass(frozen=True)
class Estimate:
    """The cost of a plan."""

    parameters: int
    memory_bytes: int  # arrays of training; the interpreter and libraries take about 200 MB besides
    seconds: float  # of training, compiling left out
    compile_seconds: float  # spent by this estimate; a later run finds the code compiled


def parameter_count(plan: Plan) -> int:
    """Parameters of the plan's network."""
    return Layout(plan.network, cell_named(plan.network.cell), "float32").count


def memory_bytes(plan: Plan) -> int:
    """Bytes of the arrays that training holds, about."""
    network, train = plan.network, plan.train
    cell = cell_named(network.cell)
    size = Layout(network, cell, "float32").size
    units = network.hidden_size * network.layers * (cell.gates + 2 + cell.has_memory + cell.extra_width)
    steps, V = train.batch_size * train.seq_length, network.vocabulary_size
    logits = min(steps, BLOCK_ROWS) * V if V > LARGE_VOCABULARY else steps * V
    logits = steps * network.cutoffs[0] if network.cutoffs else logits
    window = steps * (units + network.hidden_size + 2 * network.embedding_size) + logits
    data = sum(tokens.ids.nbytes + 5 * tokens.lengths.nbytes for tokens in (plan.train_data, plan.valid_data))
    vectors = 7 if train.optimizer.average else 6  # weights, gradient, two moments, the best, the transposed; averages
    return 4 * (vectors * size + window) + data


def estimate(plan: Plan, threads: int) -> Estimate:
    """Train for about a second on the plan's data, save nothing, and reckon from that."""
    run = Training(plan, Path("estimate"), threads, sample_every=0, save=False)
    compiled, tokens, seconds = 0.0, 0, 0.0
    for step in run.fit():
        compiled = step.compile_seconds if step.compile_seconds is not None else compiled
        tokens, seconds = step.tokens, step.seconds
        if seconds > TRIAL_SECONDS:
            run.interrupt()
    if plan.train.minutes is not None:
        total = 60 * plan.train.minutes
    else:
        total = seconds / max(tokens, 1) * plan.train.epochs * plan.train_tokens
        if plan.train.max_steps is not None:
            window = plan.train.batch_size * plan.train.seq_length
            total = min(total, seconds / max(tokens, 1) * window * plan.train.max_steps)
    return Estimate(parameter_count(plan), memory_bytes(plan), total, compiled)
