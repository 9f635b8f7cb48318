"""Where one thread's time of a training step goes: every kernel that Python code calls is wrapped with a clock.

It is the thread's own time, in which nothing waits and nobody else works.

Recurrent products and gates live in one compiled kernel a cell and direction. To tell them apart, the same products are
timed once more alone, step by step through multiply_window over the layer's own arrays, right after each training step;
what the cell's kernels take beyond that counts as gates. The products so have the first touch of the gates' memory.

Kernels are found by name in every module of gencli above kernels/ and cells/. A name that has gone, or a kernel without
a phase that a step calls, is an error: PHASES, or MULTIPLY_WINDOW, then says where its time belongs.
"""

from __future__ import annotations

import functools
import pkgutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

import gencli.layers
from gencli.kernels.dense import multiply_window
from tests.benchmarks import ours
from tests.benchmarks.jobs import Job

LOOK_UP, BETWEEN, RECURRENT = "look-up", "products between layers", "recurrent products"
GATES, SOFTMAX, GRADIENTS = "gates", "softmax", "weight gradients"
OPTIMIZER, PACKING, DROPOUT = "clipping and AdamW", "packing", "dropout"
ORDER = (LOOK_UP, BETWEEN, RECURRENT, GATES, SOFTMAX, GRADIENTS, OPTIMIZER, PACKING, DROPOUT)
STEP = "a training step"
_CELL = "products and gates of the cell"

PHASES = {
    "look_up": LOOK_UP,
    "look_up_gradient": LOOK_UP,
    "feed_window": BETWEEN,
    "repeat_bias_gradient": GRADIENTS,
    "softmax_loss": SOFTMAX,  # its product with it, like that of its gradient below
    "weight_gradient": GRADIENTS,
    "weight_gradient_halved": GRADIENTS,
    "squared_norms": OPTIMIZER,
    "adamw": OPTIMIZER,
    "halve_panels": PACKING,
    "transpose_halved": PACKING,
    "transpose_panels": PACKING,
    "drop_out": DROPOUT,
}
# Whole windows' products, by the module of gencli.layers that calls for them.
MULTIPLY_WINDOW = {"recurrent": BETWEEN, "output": SOFTMAX}


def timed(kernel: Callable[..., Any], phase: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """The kernel, its time added to its phase's."""

    @functools.wraps(kernel)
    def call(*arguments: Any) -> Any:
        began = time.thread_time()
        result = kernel(*arguments)
        seconds[phase] = seconds.get(phase, 0.0) + time.thread_time() - began
        return result

    return call


def without_phase(place: str) -> Callable[..., Any]:
    """What stands in for a kernel that no phase is known of."""

    def call(*_: Any) -> Any:
        raise LookupError(f"{place}: a training step calls it; say in tests/benchmarks/clocks.py of which phase it is")

    return call


def callers() -> Iterator[ModuleType]:
    """The modules of gencli that call kernels from Python."""
    for found in pkgutil.iter_modules(gencli.layers.__path__):
        import_module(f"gencli.layers.{found.name}")
    for name, module in list(sys.modules.items()):
        if name.startswith("gencli.") and name.split(".")[1] not in ("kernels", "cells"):
            yield module


def wrap_kernels(seconds: dict[str, float]) -> None:
    """Wrap every kernel in the modules that call it; LookupError, and nothing changed, where a name is no kernel."""
    missing = {*PHASES, *(f"{module}.multiply_window" for module in MULTIPLY_WINDOW)}
    kernels = [(m, name) for m in callers() for name, value in vars(m).items() if isinstance(value, Dispatcher)]
    for module, name in kernels:
        missing -= {name, f"{module.__name__.split('.')[-1]}.{name}"}
    if missing:
        names = ", ".join(sorted(missing))
        raise LookupError(f"no kernels of these names in gencli: {names}; amend tests/benchmarks/clocks.py")
    for module, name in kernels:
        caller = module.__name__.split(".")[-1]
        phase = MULTIPLY_WINDOW.get(caller) if name == "multiply_window" else PHASES.get(name)
        kernel = getattr(module, name)
        setattr(module, name, timed(kernel, phase, seconds) if phase else without_phase(f"{module.__name__}.{name}"))


def wrap_cell(name: str, seconds: dict[str, float]) -> None:
    """Wrap both kernels of a cell, for networks made from now on."""
    module = import_module(f"gencli.cells.{name.replace('-', '_')}")
    cell = module.CELL
    if len(cell.products) != 1:
        raise LookupError(f"{name}: the products of a cell with several are not told apart from its gates")
    kernels = {kind: timed(getattr(cell, kind), _CELL, seconds) for kind in ("forward", "backward")}
    module.CELL = replace(cell, **kernels)  # type: ignore[attr-defined]


class TimedStep:
    """A training step by phases; calling it makes one, and gives its tokens."""

    def __init__(self, job: Job) -> None:
        self.seconds: dict[str, float] = {}
        self.job = job
        wrap_kernels(self.seconds)
        wrap_cell(job.cell, self.seconds)
        self.network, self._step = ours.learner(job)
        self._room = np.zeros((job.T, job.B, self.network.layers[0].width), np.float32)

    def __call__(self) -> int:
        self.measure()
        return self.job.T * self.job.B

    def measure(self) -> dict[str, float]:
        """Seconds of one step by phase, and under STEP of it all."""
        self.seconds.clear()
        began = time.thread_time()
        self._step()
        found = {STEP: time.thread_time() - began, **self.seconds}
        cell, products = found.pop(_CELL), self._recurrent_products()
        return {**found, RECURRENT: products, GATES: cell - products}

    def _recurrent_products(self) -> float:
        """Seconds of all recurrent products, forward and backward, alone; the gates then hold sums of no meaning."""
        T, B = self.job.T, self.job.B
        began = time.thread_time()
        for layer in self.network.layers:
            gates, weights = layer.gates[:T], layer.recurrent
            multiply_window(gates, layer.columns, weights.backward, self._room, 0, 0, B)
            multiply_window(layer.state[:T], layer.hidden_size, weights.forward, gates, 1, 0, B)
        return time.thread_time() - began


def train(job: Job) -> TimedStep:
    """The job, its step by phases."""
    return TimedStep(job)


def processor_time(run: TimedStep, seconds: float) -> dict[str, float]:
    """Medians of the phases over `seconds` of steps."""
    found: list[dict[str, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < 2:
        found.append(run.measure())
    return {name: statistics.median(step.get(name, 0.0) for step in found) for name in (*ORDER, STEP)}
