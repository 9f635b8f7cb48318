"""The flat vector: tensors laid out and read back, what weight decay touches, initial values."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.config import CellName, NetworkConfig
from gencli.errors import ModelFileError
from gencli.kernels.tile import panel_width
from gencli.network import cell_named
from gencli.parameters import Layout, initial_values
from tests.network_cases import KINDS, H, V, random_tensors
from tests.reference import cells

CELLS = get_args(CellName)


def layout_of(config, dtype="float32"):
    """The layout of a network's tensors."""
    return Layout(config, cell_named(config.cell), dtype)


@st.composite
def configs(draw):
    """Networks of any cell and awkward sizes, with and without side inputs, vectors, ties and tails."""
    V, H = draw(st.integers(2, 70)), draw(st.integers(1, 70))
    tied = draw(st.booleans())
    return NetworkConfig(
        vocabulary_size=V,
        cell=draw(st.sampled_from(CELLS)),
        hidden_size=H,
        layers=draw(st.integers(1, 3)),
        side_sizes=tuple(draw(st.lists(st.integers(1, 40), max_size=2))),
        embedding_size=H if tied else draw(st.sampled_from([0, 1, 33])),
        tied=tied,
        cutoffs=tuple(sorted(draw(st.sets(st.integers(1, V - 1), max_size=3)))),
    )


def all_different(config):
    """Plain tensors in which no two elements are equal, nor any zero."""
    values, begin = {}, 1
    for name, array in random_tensors(config).items():
        values[name] = np.arange(begin, begin + array.size, dtype=np.float64).reshape(array.shape)
        begin += array.size
    return values


@settings(deadline=None, derandomize=True, max_examples=60)
@given(configs(), st.sampled_from(["float32", "float64"]))
def test_tensors_come_back_from_the_flat_vector_as_they_went_in(config, dtype):
    layout, values = layout_of(config, dtype), all_different(config)
    flat = layout.lay(values)
    back = layout.plain(flat)
    assert flat.dtype == dtype
    assert back.keys() == values.keys()
    for name, array in values.items():
        np.testing.assert_array_equal(back[name], array, err_msg=name)
    # What is left of the flat vector is padding: zero.
    assert np.count_nonzero(flat) == sum(array.size for array in values.values())


@settings(deadline=None, derandomize=True, max_examples=40)
@given(configs())
def test_count_is_the_number_of_the_twins_parameters(config):
    assert layout_of(config).count == sum(array.size for array in random_tensors(config).values())


@settings(deadline=None, derandomize=True, max_examples=40)
@given(configs())
def test_tensors_of_a_kind_adjoin_in_the_order_of_the_layers(config):
    """Compiled steps read them as one array."""
    layout = layout_of(config)
    for kind in ("recurrent", "bias", "peephole", "input"):
        first = 1 if kind == "input" else 0
        names = [f"layers.{i}.{kind}" for i in range(first, config.layers)]
        places = [layout.places[name] for name in names if name in layout.places]
        assert all(one.stop == other.start for one, other in pairwise(places))
        assert len(places) in ([0, len(names)] if kind == "peephole" else [len(names)])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(configs())
def test_weight_decay_covers_matrices_and_tables_and_neither_biases_nor_peepholes(config):
    layout = layout_of(config)
    marks = {name: np.full(array.shape, 1.0) for name, array in random_tensors(config).items()}
    for name in marks:
        only = layout.lay({**{other: np.zeros_like(array) for other, array in marks.items()}, name: marks[name]})
        places = np.flatnonzero(only)
        spared = name.endswith(("bias", "peephole"))
        assert (places.min() >= layout.decayed) if spared else (places.max() < layout.decayed), name


@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_tensors_of_another_network_are_refused_by_name(fault):
    config = NetworkConfig(9, hidden_size=5)
    values = random_tensors(config)
    if fault == "missing":
        del values["output.bias"]
    else:
        values["output.bias"] = np.zeros(8)
    with pytest.raises(ModelFileError, match=r"output\.bias"):
        layout_of(config).lay(values)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_matrices_begin_orthogonal_gate_by_gate(cell):
    H = 24
    values = initial_values(NetworkConfig(9, cell=cell, hidden_size=H, layers=2), cell_named(cell), seed=3)
    blocks = [
        values[f"layers.{layer}.recurrent"][:, gate * H : (gate + 1) * H]
        for layer in range(2)
        for gate in range(len(cells.GATES[cell]))
    ]
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-12)
    # Each gate of each layer has its own matrix.
    assert all(not np.allclose(a, b) for i, a in enumerate(blocks) for b in blocks[:i])


@pytest.mark.parametrize("cell", CELLS)
def test_biases_begin_at_zero_but_the_forget_gates_at_one(cell):
    H = 10
    values = initial_values(NetworkConfig(9, cell=cell, hidden_size=H, layers=2), cell_named(cell), seed=3)
    assert not values["output.bias"].any()
    for layer in range(2):
        for gate, name in enumerate(cells.GATES[cell]):
            part = values[f"layers.{layer}.bias"][gate * H : (gate + 1) * H]
            np.testing.assert_array_equal(part, 1.0 if name == "f" else 0.0, err_msg=f"{layer} {name}")


@settings(deadline=None, derandomize=True, max_examples=60)
@given(configs(), st.sampled_from(["float32", "float64"]), st.integers(1, 9))
def test_the_parts_of_shares_adjoin_and_no_panel_lies_in_two_of_them(config, dtype, shares):
    layout = layout_of(config, dtype)
    parts = [layout.part(share, shares) for share in range(shares)]
    edges = [0, *(last for _, last in parts)]
    assert [first for first, _ in parts] == edges[:-1] == sorted(edges[:-1])
    assert edges[-1] == layout.size
    width = panel_width(dtype)
    for name, tensor in layout.tensors.items():
        place = layout.places[name]
        unit = width * (tensor.rows if tensor.in_panels else 1)
        assert all((edge - place.start) % unit == 0 for edge in edges if place.start <= edge < place.stop), name
        assert all(abs(edge - layout.size * n // shares) < unit for n, edge in enumerate(edges)
                   if place.start <= edge < place.stop), name  # fmt: skip


def test_tables_are_drawn_with_the_deviation_of_their_kind():
    config = NetworkConfig(60, hidden_size=50, side_sizes=(40, 30))
    values = initial_values(config, cell_named("lstm"), seed=4)
    # 6,000 draws or more: 5 % is beyond five standard errors.
    for name, deviation in {"tokens.table": 1.0, "side.0.table": 0.05, "side.1.table": 0.05}.items():
        assert values[name].std() == pytest.approx(deviation, rel=0.05), name


def test_input_matrices_are_scaled_by_what_feeds_them():
    H = 200
    values = initial_values(NetworkConfig(300, hidden_size=H, layers=2), cell_named("lstm"), seed=5)
    for name in ("layers.1.input", "output.weight"):
        # 60,000 draws or more: the deviation is known to 0.3 %, so 2 % is beyond six standard errors.
        assert values[name].std() * math.sqrt(H) == pytest.approx(1.0, rel=0.02), name


def test_vectors_inputs_and_tails_are_scaled_by_what_feeds_them():
    E, H = 150, 200
    config = NetworkConfig(700, hidden_size=H, embedding_size=E, cutoffs=(100, 300))
    values = initial_values(config, cell_named("lstm"), seed=6)
    # 10,000 draws at least: 5 % is seven standard errors. The last tail works with 50 units, the first with 100.
    scales = {
        "tokens.vectors": 0.5,
        "layers.0.input": 1 / math.sqrt(E),
        "output.head.weight": 1 / math.sqrt(H),
        "output.tail.0.projection": 1 / math.sqrt(H),
        "output.tail.0.weight": 1 / math.sqrt(100),
        "output.tail.1.projection": 1 / math.sqrt(H),
        "output.tail.1.weight": 1 / math.sqrt(50),
    }
    for name, scale in scales.items():
        assert values[name].std() == pytest.approx(scale, rel=0.05), name
    for name in ("output.head.bias", "output.tail.0.bias", "output.tail.1.bias"):
        assert not values[name].any()


@pytest.mark.parametrize("kind", KINDS)
def test_initial_values_are_the_networks_tensors(kind):
    config = NetworkConfig(V, hidden_size=H, layers=2, **KINDS[kind].settings)
    values = initial_values(config, cell_named("lstm"), seed=7)
    expected = {name: array.shape for name, array in random_tensors(config).items()}
    assert {name: array.shape for name, array in values.items()} == expected
    assert ("tokens.table" in values, "tokens.vectors" in values, config.tied).count(True) == 1


def test_the_same_seed_draws_the_same_values_and_another_seed_others():
    config = NetworkConfig(9, hidden_size=7, layers=2)
    first, again, other = (initial_values(config, cell_named("lstm"), seed) for seed in (1, 1, 2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name], err_msg=name)
        if not name.endswith("bias"):
            assert not np.array_equal(array, other[name]), name
