"""What PyTorch does in the comparison, as its users would write it: fused cells, embeddings of the hidden size."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tests.benchmarks.jobs import LEARNING_RATE, SAMPLED, Job, ids, lines

torch: Any = import_module("torch")
Run = Callable[[], int]
CELLS: dict[str, Any] = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


def _modules(job: Job) -> tuple[Any, Any, Any]:
    torch.set_num_threads(job.threads)
    torch.manual_seed(0)
    embedding, output = torch.nn.Embedding(job.V, job.H), torch.nn.Linear(job.H, job.V)
    if job.tied:
        output.weight = embedding.weight
    return embedding, CELLS[job.cell](job.H, job.H, job.L), output


def train(job: Job) -> Run:
    """A training step: forward, backward, clipping, AdamW; under bfloat16 autocast where the job says so."""
    embedding, stack, output = _modules(job)
    modules = torch.nn.ModuleList([embedding, stack, output])
    parameters = list(modules.parameters())  # what is tied once
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    inputs, targets = torch.as_tensor(ids(job), dtype=torch.long)

    def run() -> int:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=job.halved):
            hidden, _ = stack(embedding(inputs))
            loss = torch.nn.functional.cross_entropy(output(hidden).reshape(-1, job.V), targets.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return job.T * job.B

    return run


def sample(job: Job) -> Run:
    """The usual loop: one step of the network, softmax at a temperature, a multinomial draw."""
    embedding, stack, output = _modules(job)
    if job.B == 1:
        torch.set_num_threads(1)  # its faster setting for one stream
    tokens, state = torch.zeros(1, job.B, dtype=torch.long), None

    def run() -> int:
        nonlocal tokens, state
        with torch.no_grad():
            for _ in range(SAMPLED):
                hidden, state = stack(embedding(tokens), state)
                tokens = torch.multinomial(torch.softmax(output(hidden[0]) / 0.8, -1), 1).T
        return SAMPLED * job.B

    return run


def score(job: Job) -> Run:
    """Forward over batches of 64 lines, sorted by length and padded."""
    embedding, stack, output = _modules(job)
    documents = sorted((torch.as_tensor(line) for line in lines(job.V)), key=len)
    batches = [documents[n : n + 64] for n in range(0, len(documents), 64)]

    def run() -> int:
        with torch.no_grad():
            for batch in batches:
                padded = torch.nn.utils.rnn.pad_sequence(batch)
                hidden, _ = stack(embedding(torch.cat([torch.zeros_like(padded[:1]), padded[:-1]])))
                torch.log_softmax(output(hidden), -1).gather(-1, padded[..., None])
        return sum(len(line) for line in documents)

    return run
