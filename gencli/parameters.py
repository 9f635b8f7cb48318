"""All parameters of a network in one flat vector, laid out as the kernels read them.

Weights that enter products lie in panels, look-up tables and biases row by row; gates and vocabulary are padded with
zeros to whole panels. Gradients, moments and averages share the layout, so that norm, clipping, AdamW and saving are
single passes. Outside (model files, tests) a tensor has its plain shape, which no processor's register width changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.cell import Cell
from gencli.config import NetworkConfig
from gencli.errors import ModelFileError
from gencli.kernels.threads import bounds
from gencli.kernels.tile import padded, panel_width

Array = NDArray[Any]
# At first. Many side inputs are added up at each step: large at first, they cost solos 0.04 nats a note. Tokens' tables
# of 1 in place of 0.5 gain tiny Shakespeare 0.001 to 0.006 nats a character, vectors nothing.
DEVIATIONS = {"tokens.table": 1.0, "tokens.vectors": 0.5, "side": 0.05}


@dataclass(frozen=True)
class Tensor:
    """One named tensor: (rows, groups * columns) outside; each group padded to whole panels inside."""

    name: str
    rows: int
    groups: int
    columns: int
    in_panels: bool = False
    is_vector: bool = False  # plain shape (groups * columns,)

    @property
    def shape(self) -> tuple[int, ...]:
        """The plain shape."""
        width = self.groups * self.columns
        return (width,) if self.is_vector else (self.rows, width)

    def size(self, dtype: Any) -> int:
        """Elements it takes in the flat vector."""
        return self.rows * self.groups * padded(self.columns, dtype)

    def lay(self, values: Array, dtype: Any) -> Array:
        """The flat form of a plain array."""
        wide = padded(self.columns, dtype)
        out = np.zeros((self.rows, self.groups, wide), dtype)
        out[:, :, : self.columns] = values.reshape(self.rows, self.groups, self.columns)
        if self.in_panels:
            width = panel_width(dtype)
            out = out.reshape(self.rows, self.groups * wide // width, width).transpose(1, 0, 2)
        return out.ravel()

    def plain(self, flat: Array) -> Array:
        """The plain array of a flat form, a copy."""
        wide = padded(self.columns, flat.dtype)
        if self.in_panels:
            width = panel_width(flat.dtype)
            flat = flat.reshape(self.groups * wide // width, self.rows, width).transpose(1, 0, 2)
        values = flat.reshape(self.rows, self.groups, wide)[:, :, : self.columns]
        return values.copy().reshape(self.shape)


def tail_widths(config: NetworkConfig) -> list[int]:
    """Units that each tail of the adaptive softmax works with: H / 2, H / 4, ... (Grave et al. 2017, section 4.3)."""
    return [max(config.hidden_size >> (i + 1), 8) for i in range(len(config.cutoffs))]


def _output_tensors(config: NetworkConfig) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases of the softmax: one for all ids, or a head and tails."""
    H, V = config.hidden_size, config.vocabulary_size
    if not config.cutoffs:
        weight = Tensor("output.weight", H, 1, V, in_panels=True)
        return [weight], [Tensor("output.bias", 1, 1, V, is_vector=True)]
    head = config.cutoffs[0] + len(config.cutoffs)
    weights = [Tensor("output.head.weight", H, 1, head, in_panels=True)]
    biases = [Tensor("output.head.bias", 1, 1, head, is_vector=True)]
    edges = (*config.cutoffs, V)
    for i, (width, size) in enumerate(zip(tail_widths(config), np.diff(edges).tolist(), strict=True)):
        weights.append(Tensor(f"output.tail.{i}.projection", H, 1, width, in_panels=True))
        weights.append(Tensor(f"output.tail.{i}.weight", width, 1, size, in_panels=True))
        biases.append(Tensor(f"output.tail.{i}.bias", 1, 1, size, is_vector=True))
    return weights, biases


def tensors_of(config: NetworkConfig, cell: Cell) -> list[Tensor]:
    """The network's tensors in their order in the flat vector: those that weight decay shrinks, then the vectors."""
    H, V, E, G = config.hidden_size, config.vocabulary_size, config.embedding_size, cell.gates
    weights = [Tensor(f"layers.{i}.recurrent", H, G, H, in_panels=True) for i in range(config.layers)]
    if E > 0:
        weights.append(Tensor("layers.0.input", E, G, H, in_panels=True))
    weights += [Tensor(f"layers.{i}.input", H, G, H, in_panels=True) for i in range(1, config.layers)]
    output_weights, output_biases = _output_tensors(config)
    weights += output_weights
    if not config.tied:
        weights.append(Tensor("tokens.vectors", V, 1, E) if E > 0 else Tensor("tokens.table", V, G, H))
    weights += [Tensor(f"side.{f}.table", size, G, H) for f, size in enumerate(config.side_sizes)]
    vectors = [Tensor(f"layers.{i}.bias", 1, G, H, is_vector=True) for i in range(config.layers)]
    if cell.peephole_gradient is not None:
        vectors += [Tensor(f"layers.{i}.peephole", 3, 1, H) for i in range(config.layers)]
    return weights + vectors + output_biases


class Layout:
    """Where each tensor lies in the flat vector, for one network and one element type."""

    def __init__(self, config: NetworkConfig, cell: Cell, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.tensors = {tensor.name: tensor for tensor in tensors_of(config, cell)}
        self.places: dict[str, slice] = {}
        end = 0
        for tensor in self.tensors.values():
            self.places[tensor.name] = slice(end, end + tensor.size(self.dtype))
            end += tensor.size(self.dtype)
        self.size = end
        first_vector = next(t.name for t in self.tensors.values() if t.is_vector or t.name.endswith("peephole"))
        self.decayed = self.places[first_vector].start  # weight decay shrinks the elements below this place
        self.count = sum(math.prod(tensor.shape) for tensor in self.tensors.values())  # without padding

    def part(self, share: int, shares: int) -> tuple[int, int]:
        """About the range [first, last) of the flat vector that a share gets; no panel lies in two of them."""
        first, last = (self._panel_below(place) for place in bounds(self.size, share, shares))
        return first, last

    def _panel_below(self, place: int) -> int:
        """The nearest place at or before `place` where a panel or register begins."""
        for name, tensor in self.tensors.items():
            start, stop = self.places[name].start, self.places[name].stop
            if start <= place < stop:
                unit = panel_width(self.dtype) * (tensor.rows if tensor.in_panels else 1)
                return int(start + (place - start) // unit * unit)
        return place

    def new(self) -> Array:
        """A flat vector of zeros."""
        return np.zeros(self.size, self.dtype)

    def view(self, flat: Array, name: str) -> Array:
        """The part of a flat vector that holds a tensor: rows of padded gates, or one long run of panels."""
        tensor = self.tensors[name]
        part = flat[self.places[name]]
        return part if tensor.in_panels or tensor.is_vector else part.reshape(tensor.rows, -1)

    def plain(self, flat: Array) -> dict[str, Array]:
        """All tensors in their plain shapes."""
        return {name: tensor.plain(flat[self.places[name]]) for name, tensor in self.tensors.items()}

    def lay(self, values: Mapping[str, Array]) -> Array:
        """The flat vector of plain tensors; ModelFileError where names or shapes are not this network's."""
        flat = self.new()
        for name, tensor in self.tensors.items():
            if name not in values:
                raise ModelFileError(f"tensor {name} is missing")
            if values[name].shape != tensor.shape:
                shape = values[name].shape
                raise ModelFileError(f"tensor {name} has shape {shape}, its settings ask for {tensor.shape}")
            flat[self.places[name]] = tensor.lay(values[name], self.dtype)
        return flat


def initial_values(config: NetworkConfig, cell: Cell, seed: int) -> dict[str, Array]:
    """Plain tensors before training: recurrent matrices orthogonal gate by gate, others scaled by what feeds them.

    Biases are zero but the forget gate's, which is 1 (Jozefowicz et al. 2015, section 2.2).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    H = config.hidden_size
    values: dict[str, Array] = {}
    for tensor in tensors_of(config, cell):
        if tensor.name.endswith("recurrent"):
            parts = [np.linalg.qr(rng.standard_normal((H, H)))[0] for _ in range(cell.gates)]
            values[tensor.name] = np.concatenate(parts, axis=1)
        elif tensor.name.endswith(("table", "vectors")):
            deviation = DEVIATIONS.get(tensor.name, DEVIATIONS["side"])
            values[tensor.name] = rng.standard_normal(tensor.shape) * deviation
        elif tensor.in_panels:
            values[tensor.name] = rng.standard_normal(tensor.shape) / math.sqrt(tensor.rows)
        else:
            values[tensor.name] = np.zeros(tensor.shape)
            if tensor.name.startswith("layers") and tensor.is_vector and cell.forget_gate is not None:
                values[tensor.name][cell.forget_gate * H : (cell.forget_gate + 1) * H] = 1.0
    return values
