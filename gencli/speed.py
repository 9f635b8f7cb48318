"""How fast this processor learns, found by one product like those of training: budgets of minutes go by it."""

from __future__ import annotations

import time

import numpy as np

from gencli.kernels.dense import multiply_window
from gencli.kernels.tile import panel_width
from gencli.layers.packed import PackedWeights

STEPS, ROWS, UNITS, COLUMNS = 32, 8, 256, 1024  # a step's window, and the recurrent product of an LSTM
TURNS = 20  # 0.3 to 1 ms each; the fastest counts, for nothing makes a processor faster than it is
# Training multiplies each parameter three times a token, and does much else: tiny Shakespeare by 256 units on two
# threads, on a Zen 5, against the product's own speed on one.
SHARE = 0.27


def learning_speed(halved: bool) -> float:
    """Parameters times tokens that training goes through in a second, about; `halved` as for bfloat16."""
    rng = np.random.default_rng(0)
    panels = rng.standard_normal(UNITS * COLUMNS, dtype=np.float32)
    weights = PackedWeights(panels, UNITS, COLUMNS, UNITS, halved)
    weights.pack(0, COLUMNS // panel_width(np.float32))
    x = rng.standard_normal((STEPS, ROWS, UNITS), dtype=np.float32)
    out = np.zeros((STEPS, ROWS, COLUMNS), np.float32)
    fastest = np.inf
    for _ in range(TURNS):
        began = time.perf_counter()
        multiply_window(x, UNITS, weights.forward, out, 0, 0, ROWS)
        fastest = min(fastest, time.perf_counter() - began)
    return SHARE * STEPS * ROWS * UNITS * COLUMNS / fastest
