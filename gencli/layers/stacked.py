"""A network's weights as compiled steps read them: one array for each kind, layers one upon the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.cells.step import Weights
from gencli.layers.adaptive import AdaptiveSoftmax
from gencli.layers.embedding import TableEmbedding, VectorEmbedding
from gencli.layers.output import SoftmaxOutput
from gencli.layers.packed import PackedWeights
from gencli.layers.recurrent import RecurrentLayer
from gencli.parameters import Layout

Array = NDArray[Any]
Embedding = TableEmbedding | VectorEmbedding
Softmax = SoftmaxOutput | AdaptiveSoftmax


def stack_weights(
    layout: Layout, flat: Array, layers: list[RecurrentLayer], embedding: Embedding, output: Softmax
) -> Weights:
    """Views of what the layers read, which follow the parameters; tensors of a kind adjoin in `flat`."""

    def together(kind: str, first: int = 0) -> Array:
        """layers.{first}.kind, layers.{first + 1}.kind, ... as the rows of one view."""
        places = [layout.places[f"layers.{i}.{kind}"] for i in range(first, len(layers))]
        return flat[places[0].start : places[-1].stop].reshape(len(places), -1)

    dtype = layout.dtype
    recurrent = [layer.recurrent for layer in layers]
    inputs = [layer.input for layer in layers[1:] if layer.input is not None]
    if recurrent[0].halved:
        shared_recurrent, shared_input = _share(recurrent), _share(inputs)
    else:
        shared_recurrent = together("recurrent")
        shared_input = together("input", 1) if inputs else np.zeros((0, 1), dtype)
    has_peepholes = "layers.0.peephole" in layout.places
    return Weights(
        recurrent=shared_recurrent,
        input=shared_input,
        bias=together("bias"),
        peephole=together("peephole").reshape(len(layers), 3, -1)
        if has_peepholes
        else np.zeros((len(layers), 3, 1), dtype),
        table=embedding.table,
        side_table=embedding.side_table,
        vectors=embedding.vectors,
        first_input=np.zeros(0, recurrent[0].forward.dtype) if layers[0].input is None else layers[0].input.forward,
        embedding_size=0 if layers[0].input is None else layers[0].input.k,
        head=output.head(),
        hidden_size=layers[0].hidden_size,
        relu=layers[0].relu,
    )


def _share(weights: list[PackedWeights]) -> Array:
    """Let the rounded forms of some matrices lie in one array, a row each."""
    shared = np.zeros((len(weights), weights[0].forward.size if weights else 1), np.uint32)
    for one, row in zip(weights, shared, strict=True):
        one.forward = row
    return shared
