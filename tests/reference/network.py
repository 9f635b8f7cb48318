"""The whole network forward, one step at a time, and its gradients by central differences.

T: steps, B: batch rows, V: vocabulary, H: hidden size, L: layers, G: gates, F: side inputs, S_f: ids of side input f.
`parameters` maps the canonical names to arrays:

    tokens.table (V, G*H)           side.{f}.table (S_f, G*H)
    layers.{l}.recurrent (H, G*H)   layers.{l}.input (H, G*H) for l >= 1   layers.{l}.bias (G*H,)
    layers.{l}.peephole (3, H) for the peephole-lstm alone
    output.weight (H, V)            output.bias (V,)

Other forms of the tokens' side are in embeddings.py, of the output in heads.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.reference import cells, embeddings, heads, softmax

Array = NDArray[np.float64]
Ids = NDArray[np.integer]
Parameters = dict[str, Array]

# f'(x) = sum(coefficient * (f(x + k h) - f(x - k h))) / (12 h), with an error of h**4 / 30 times the fifth derivative.
FIVE_POINTS = ((1, 8.0), (2, -1.0))  # k, coefficient


class Result(NamedTuple):
    """What a window gives: `token_losses` are unweighted, `state` is the (a, c) of each layer after the last step."""

    logits: Array  # (T, B, V)
    loss: float  # sum(weights * token_losses) / sum(weights), in nats
    token_losses: Array  # (T, B)
    state: list[cells.State]


class Masks(NamedTuple):
    """Multipliers of dropout, already divided by 1 - p; None: nothing is dropped."""

    outputs: Sequence[Array] | None = None  # for each layer (T, B, H): of its output on its way up, not back to itself
    vectors: Array | None = None  # (T, B, E), of the tokens' vectors
    recurrent: Sequence[Array] | None = None  # for each layer (H, G*H), of its recurrent weights


NO_MASKS = Masks()


def zero_state(layers: int, B: int, H: int) -> list[cells.State]:
    """The state before the first step of anything: (a, c) for each layer, all zero."""
    return [(np.zeros((B, H)), np.zeros((B, H))) for _ in range(layers)]


def forward(
    parameters: Mapping[str, Array],
    cell: str,
    layers: int,
    inputs: Ids,
    targets: Ids,
    starts: NDArray[np.bool_],
    weights: Array,
    side: Ids | None = None,
    state: Sequence[cells.State] | None = None,
    masks: Masks = NO_MASKS,
    activation: str = "tanh",
) -> Result:
    """Run one window from `state` (None: zero); the state passed in is not changed.

    inputs, targets, starts, weights: (T, B); side: (F, T, B).
    Where `starts` is true, the state is zero before the step and the token look-up adds nothing; side and bias do.
    """
    p = {name: np.asarray(values, np.float64) for name, values in parameters.items()}
    (T, B), H, V = inputs.shape, len(p["layers.0.recurrent"]), heads.vocabulary_size(p)
    side = np.zeros((0, T, B), np.int32) if side is None else side
    if len(side) != sum(name.startswith("side.") for name in p):
        raise ValueError(f"{len(side)} side inputs given; the parameters hold another number of side tables")
    state = zero_state(layers, B, H) if state is None else list(state)
    if masks.recurrent is not None:
        p |= {f"layers.{i}.recurrent": p[f"layers.{i}.recurrent"] * mask for i, mask in enumerate(masks.recurrent)}
    rows, logits = embeddings.vectors(p), np.empty((T, B, V))

    for t in range(T):
        start = starts[t][:, None]  # (B, 1)
        mask = None if masks.vectors is None else masks.vectors[t]
        x_side = embeddings.contribution(p, rows, inputs[t], starts[t], mask)  # (B, G*H)
        x_side = x_side + sum(p[f"side.{f}.table"][ids[t]] for f, ids in enumerate(side))
        output = np.empty((B, 0))  # (B, H) once layer 0 has run

        for layer in range(layers):
            name = f"layers.{layer}"
            if layer > 0:
                x_side = output @ p[f"{name}.input"]
            a, c = state[layer]
            before = (np.where(start, 0.0, a), np.where(start, 0.0, c))
            weights_of = (p[f"{name}.recurrent"], p.get(f"{name}.peephole"), activation)
            state[layer] = cells.step(cell, before, x_side + p[f"{name}.bias"], *weights_of)
            output = state[layer][0] if masks.outputs is None else state[layer][0] * masks.outputs[layer][t]

        logits[t] = heads.logits(p, output)

    loss = softmax.cross_entropy(logits, targets, weights)
    return Result(logits, loss, softmax.token_losses(logits, targets), state)


def central_differences(
    loss_of: Callable[[Parameters], float],
    parameters: Mapping[str, Array],
    names: Iterable[str] | None = None,
    epsilon: float = 1e-4,
    sample: int | None = None,
    seed: int = 0,
) -> Parameters:
    """The gradient of `loss_of` with respect to every element of the named arrays (None: of all), by five points.

    `parameters` may hold any arrays, a state too; they are copied in float64 and not changed. At the default epsilon
    the absolute error is near 1e-11 for a loss near 1. A kink (relu) within 2 * epsilon of an element spoils it.
    Where the loss does not depend on an element, its slope is exactly 0.
    With `sample`, a larger array has that many elements chosen by `seed` and NaN everywhere else.
    Raises ValueError where the loss is not finite, so that NaN can only mean "not chosen".
    """
    moved = {name: np.array(values, np.float64, order="C") for name, values in parameters.items()}
    gradients = {}
    for name in parameters if names is None else names:
        flat = moved[name].reshape(-1)  # a view: loss_of sees what is written here
        slopes = np.full(flat.shape, np.nan)
        chosen = np.arange(flat.size)
        if sample is not None and sample < flat.size:
            chosen = np.random.default_rng(seed).choice(flat.size, sample, replace=False)
        for k in chosen:
            value, total = flat[k], 0.0
            for distance, coefficient in FIVE_POINTS:
                flat[k] = value + distance * epsilon
                above = loss_of(moved)
                flat[k] = value - distance * epsilon
                total += coefficient * (above - loss_of(moved))
            flat[k] = value
            if not np.isfinite(total):
                raise ValueError(f"{name}: the loss near element {k} is not finite")
            slopes[k] = total / (12.0 * epsilon)
        gradients[name] = slopes.reshape(moved[name].shape)
    return gradients


def random_parameters(
    rng: np.random.Generator,
    cell: str,
    V: int,
    H: int,
    L: int,
    side_sizes: Sequence[int] = (),
    scale: float = 0.5,
    *,
    embedding_size: int = 0,
    tied: bool = False,
    cutoffs: Sequence[int] = (),
) -> Parameters:
    """The canonical parameters of a network, every element normal with deviation `scale`: biases and peepholes too."""
    GH = len(cells.GATES[cell]) * H
    shapes: dict[str, tuple[int, ...]] = {}
    if not tied:
        shapes |= {"tokens.vectors": (V, embedding_size)} if embedding_size else {"tokens.table": (V, GH)}
    for f, size in enumerate(side_sizes):
        shapes[f"side.{f}.table"] = (size, GH)
    for layer in range(L):
        shapes[f"layers.{layer}.recurrent"] = (H, GH)
        below = H if layer > 0 or tied else embedding_size
        if below:
            shapes[f"layers.{layer}.input"] = (below, GH)
        shapes[f"layers.{layer}.bias"] = (GH,)
        if cell in cells.PEEPHOLES:
            shapes[f"layers.{layer}.peephole"] = (len(cells.PEEPHOLES[cell]), H)
    shapes |= heads.shapes(V, H, cutoffs)
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
