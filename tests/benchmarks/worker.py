"""One side of the comparison in a process of its own: reads a shape a line as JSON, trains on it, answers with a rate.

Run by tests.benchmarks.compare; the first argument is `gencli` or `torch`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

THREADS = 2
LEARNING_RATE = 1e-3


def gencli_step(shape: dict[str, Any]) -> Callable[[], None]:
    """A training step of gencli: forward, backward, clipping, AdamW."""
    from gencli.batches import Batch
    from gencli.config import NetworkConfig, OptimizerConfig
    from gencli.kernels.threads import Team
    from gencli.network import Network
    from gencli.optimizer import AdamW

    T, B, V = shape["T"], shape["B"], shape["V"]
    network = Network(NetworkConfig(V, shape["cell"], shape["H"], shape["L"]), Team(THREADS))
    network.initialise(0)
    optimizer = AdamW(network, OptimizerConfig(lr=LEARNING_RATE))
    rng = np.random.default_rng(0)
    inputs, targets = (rng.integers(0, V, (T, B)).astype(np.int32) for _ in range(2))
    starts = np.zeros((T, B), np.bool_)
    starts[0] = True
    batch = Batch(inputs, targets, starts, np.ones((T, B), np.float32), np.zeros((0, T, B), np.int32))
    state = network.state(B)

    def step() -> None:
        network.learn(batch, state, key=0)
        optimizer.step(LEARNING_RATE)

    return step


def torch_step(shape: dict[str, Any]) -> Callable[[], None]:
    """The same step in PyTorch: its fused cells, cross-entropy, clipping and AdamW; embeddings of the hidden size."""
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    T, B, V, H = shape["T"], shape["B"], shape["V"], shape["H"]
    cell = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[shape["cell"]]
    embedding, stack, output = torch.nn.Embedding(V, H), cell(H, H, shape["L"]), torch.nn.Linear(H, V)
    parameters = [*embedding.parameters(), *stack.parameters(), *output.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    inputs, targets = torch.randint(0, V, (T, B)), torch.randint(0, V, (T, B))

    def step() -> None:
        optimizer.zero_grad()
        hidden, _ = stack(embedding(inputs))
        loss = torch.nn.functional.cross_entropy(output(hidden).reshape(-1, V), targets.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    return step


def main() -> None:
    """Answer each shape with the median tokens per second of `seconds` of training, after a warm-up."""
    make = {"gencli": gencli_step, "torch": torch_step}[sys.argv[1]]
    steps: dict[str, Callable[[], None]] = {}
    for line in sys.stdin:
        shape = json.loads(line)
        name = json.dumps({key: shape[key] for key in ("cell", "V", "H", "L", "B", "T")})
        if name not in steps:
            steps.clear()
            steps[name] = make(shape)
            for _ in range(3):
                steps[name]()
        times = []
        end = time.perf_counter() + shape["seconds"]
        while time.perf_counter() < end or len(times) < 3:
            began = time.perf_counter()
            steps[name]()
            times.append(time.perf_counter() - began)
        sys.stdout.write(json.dumps(shape["T"] * shape["B"] / float(np.median(times))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
