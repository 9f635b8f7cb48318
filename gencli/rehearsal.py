"""What evaluations and samples run, tried out once, so that it is compiled; by a second process where that saves time.

Training compiles two sets of kernels that share little: those it learns by, and those that read and write. With a
second processor and nothing in the cache folder, another process compiles the second set meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gencli.batches import Batch
from gencli.cells.generate import Rule
from gencli.config import NetworkConfig
from gencli.kernels.compile import CACHE_FOLDER, compiling_elsewhere
from gencli.kernels.threads import Team
from gencli.network import Network
from gencli.speaker import Speaker

PROGRAM = "from gencli.rehearsal import main; main()"


def rehearse(network: Network, draws: bool) -> None:
    """Run each kernel that evaluations and samples run; without `draws`, samples are drawn outside of kernels."""
    ids, shape = np.zeros((1, 1), np.int32), (len(network.config.side_sizes), 1, 1)
    starts, side = np.ones((1, 1), np.bool_), np.zeros(shape, np.int32)
    network.losses(Batch(ids, ids, starts, np.ones((1, 1), np.float32), side), network.state(1))
    if draws:
        banned = np.zeros(network.config.vocabulary_size, np.bool_)
        rule = Rule(1.0, None, np.uint64(0), 0, 0, 0.0)
        Speaker(network, rule, banned, np.zeros(1, np.uint64)).advance(1)
    else:
        network.logits(ids, starts, side, network.state(1))


def _mark(config: NetworkConfig, draws: bool) -> Path:
    """The file that tells that such a network was rehearsed: its name holds all that machine code depends on."""
    inputs = "vectors" if config.embedding_size else "table"
    softmax = "adaptive" if config.cutoffs else "full"
    return CACHE_FOLDER / f"rehearsed-{config.cell}-{inputs}-{softmax}-{'draws' if draws else 'logits'}"


class Beside:
    """A second process that rehearses for a network like this one, where that was never done and may save time."""

    def __init__(self, config: NetworkConfig, draws: bool, threads: int) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if threads < 2 or _mark(config, draws).exists() or not sys.executable:
            return
        told = json.dumps({"config": asdict(config), "draws": draws})
        nothing = subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, told], stdin=nothing, stdout=nothing, stderr=nothing
            )
        except OSError:
            return  # then this process compiles all

    @property
    def running(self) -> bool:
        """Whether there is such a process."""
        return self._process is not None

    def wait(self) -> None:
        """Wait for its end, as part of compiling. Where it failed, what it did not compile is compiled here."""
        if self._process is not None:
            with compiling_elsewhere():
                self._process.wait()


def main() -> None:
    """Rehearse for the network that the command line describes."""
    told = json.loads(sys.argv[1])
    tuples = {name: tuple(told["config"][name]) for name in ("side_sizes", "cutoffs")}
    config = NetworkConfig(**{**told["config"], **tuples})
    rehearse(Network(config, Team(1)), told["draws"])
    _mark(config, told["draws"]).touch()
