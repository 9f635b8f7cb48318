"""Rows and batches against a twin that lays them token by token, and the properties training relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.batches import PIECE, Rows, choose_rows, epoch_order, epoch_rows, pack_documents
from gencli.codecs.codec import Tokens
from tests.reference import batches as twin

FIELDS = {"inputs": "input", "targets": "target", "starts": "start", "weights": "weight"}


def make_tokens(lengths, side_inputs=0):
    """Documents of the given lengths; every id is another, and so is every side id."""
    count = sum(lengths)
    side = np.arange(side_inputs * count, dtype=np.int32).reshape(side_inputs, count) + 7
    return Tokens(np.arange(1, count + 1, dtype=np.int32), np.array(lengths, np.int64), side)


def whole(rows, name):
    """One field of all windows, joined along the time axis."""
    return np.concatenate([getattr(rows.batch(window), name) for window in range(len(rows))])


@st.composite
def layouts(draw):
    """(lengths, order, rows, seq_length, whole_documents), with short, long and empty documents."""
    length = st.one_of(st.integers(0, 6), st.integers(20, 90))
    lengths = draw(st.lists(length, min_size=1, max_size=25).filter(any))
    order = draw(st.permutations(range(len(lengths))))
    return lengths, order, draw(st.integers(1, 12)), draw(st.integers(1, 20)), draw(st.booleans())


@settings(deadline=None, derandomize=True, max_examples=300)
@given(layouts())
def test_rows_equal_the_twin(layout):
    lengths, order, count, seq_length, whole_documents = layout
    tokens = make_tokens(lengths, side_inputs=2)
    rows = Rows(tokens, order, count, seq_length, whole_documents=whole_documents)
    expected = twin.windows(tokens.ids.tolist(), lengths, order, count, seq_length, whole_documents)
    assert len(rows) == len(expected)
    for window, steps in enumerate(expected):
        batch = rows.batch(window)
        for field, key in FIELDS.items():
            assert getattr(batch, field).tolist() == [[cell[key] for cell in step] for step in steps], field
        positions = [[cell["position"] for cell in step] for step in steps]
        assert rows.positions(window).tolist() == positions
        for side, table in zip(batch.side, tokens.side, strict=True):
            assert side.tolist() == [[table[place] if place >= 0 else 0 for place in step] for step in positions]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(layouts())
def test_every_token_is_a_target_once_and_starts_where_documents_do(layout):
    lengths, order, count, seq_length, whole_documents = layout
    tokens = make_tokens(lengths)
    rows = Rows(tokens, order, count, seq_length, whole_documents=whole_documents)
    real = whole(rows, "weights") == 1
    targets = whole(rows, "targets")
    assert sorted(targets[real].tolist()) == tokens.ids.tolist()
    assert not whole(rows, "weights")[~real].any()
    begins = {1 + sum(lengths[:which]) for which, length in enumerate(lengths) if length}
    assert {int(target) for target in targets[real & whole(rows, "starts")]} == begins


@settings(deadline=None, derandomize=True, max_examples=200)
@given(layouts())
def test_a_row_goes_on_from_window_to_window(layout):
    lengths, order, count, seq_length, whole_documents = layout
    tokens = make_tokens(lengths)
    rows = Rows(tokens, order, count, seq_length, whole_documents=whole_documents)
    inputs, targets, starts = (whole(rows, name) for name in ("inputs", "targets", "starts"))
    goes_on = (whole(rows, "weights")[1:] == 1) & ~starts[1:]
    assert np.array_equal(inputs[1:][goes_on], targets[:-1][goes_on])
    sizes = [len(rows.batch(window).inputs) for window in range(len(rows))]
    assert sizes[:-1] == [seq_length] * (len(sizes) - 1)
    assert 1 <= sizes[-1] <= seq_length


@settings(deadline=None, derandomize=True, max_examples=200)
@given(layouts())
def test_no_row_is_empty_or_over_twice_the_ideal_while_documents_may_be_cut(layout):
    lengths, order, count, seq_length, _ = layout
    rows = Rows(make_tokens(lengths), order, count, seq_length)
    sizes = np.diff(rows.bounds)
    ideal = sum(lengths) / count
    assert sizes.sum() == sum(lengths)
    assert (sizes >= 1).all() or ideal < 1
    assert sizes.max() <= max(2 * ideal, 1)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(layouts())
def test_whole_documents_never_begin_a_row_inside_one(layout):
    lengths, order, count, seq_length, _ = layout
    batch = Rows(make_tokens(lengths), order, count, seq_length, whole_documents=True).batch(0)
    assert batch.starts[0].all()


def test_a_row_inside_a_long_text_begins_with_the_true_previous_token():
    batch = pack_documents(make_tokens([100]), rows=4, seq_length=10).batch(0)
    assert batch.starts[0].tolist() == [True, False, False, False]
    assert batch.inputs[0].tolist() == [0, 25, 50, 75]
    assert batch.targets[0].tolist() == [1, 26, 51, 76]


def test_a_row_moves_to_a_document_boundary_within_reach_and_no_further():
    # the ideal second row begins at 50; the boundary at 54 is within T = 5 and beyond T = 3, a tenth of a row being 5
    assert pack_documents(make_tokens([54, 46]), rows=2, seq_length=5).bounds.tolist() == [0, 54, 100]
    assert pack_documents(make_tokens([56, 44]), rows=2, seq_length=3).bounds.tolist() == [0, 50, 100]
    assert pack_documents(make_tokens([55, 45]), rows=2, seq_length=3).bounds.tolist() == [0, 55, 100]


def test_padding_begins_with_a_start_and_weighs_nothing():
    batch = pack_documents(make_tokens([12, 8], side_inputs=1), rows=2, seq_length=20).batch(0)
    assert batch.weights[:, 1].tolist() == [1] * 8 + [0] * 4
    assert batch.starts[:, 1].tolist() == [True] + [False] * 7 + [True] + [False] * 3
    padding = [batch.inputs[8:, 1], batch.targets[8:, 1], batch.side[0, 8:, 1]]
    assert all(not values.any() for values in padding)


def test_shapes_and_types_are_those_of_the_interface():
    batch = pack_documents(make_tokens([30, 30], side_inputs=3), rows=2, seq_length=7).batch(0)
    found = {name: (array.shape, array.dtype.name) for name, array in vars(batch).items()}
    assert found == {
        "inputs": ((7, 2), "int32"),
        "targets": ((7, 2), "int32"),
        "starts": ((7, 2), "bool"),
        "weights": ((7, 2), "float32"),
        "side": ((3, 7, 2), "int32"),
    }
    kept = [array for name, array in vars(batch).items() if name != "side"]
    assert all(array.flags.c_contiguous for array in kept)  # as the kernels are compiled for
    assert pack_documents(make_tokens([30]), 1, 7).positions(0).dtype == np.int64


def test_positions_put_scores_back_in_the_order_of_the_tokens():
    tokens = make_tokens([5, 9, 2, 30, 1, 13])
    rows = pack_documents(tokens, rows=3, seq_length=4)
    scores = np.zeros(len(tokens.ids))
    for window in range(len(rows)):
        places = rows.positions(window)
        scores[places[places >= 0]] = rows.batch(window).targets[places >= 0] * 10
    assert np.array_equal(scores, tokens.ids * 10)


def test_windows_out_of_range_and_impossible_sizes_are_refused():
    rows = pack_documents(make_tokens([5]), 1, 2)
    with pytest.raises(IndexError, match="window 3 of 3"):
        rows.batch(3)
    with pytest.raises(IndexError, match="window -1"):
        rows.positions(-1)
    with pytest.raises(ValueError, match="rows 0"):
        pack_documents(make_tokens([5]), 0, 2)
    with pytest.raises(ValueError, match="seq_length 0"):
        pack_documents(make_tokens([5]), 1, 0)


def test_no_tokens_make_no_windows():
    assert len(pack_documents(make_tokens([]), 4, 8)) == 0
    assert len(pack_documents(make_tokens([0, 0]), 4, 8)) == 0


def test_an_order_may_leave_documents_out():
    rows = Rows(make_tokens([3, 4, 5]), [2, 0], 1, 100)
    assert rows.batch(0).targets[:, 0].tolist() == [8, 9, 10, 11, 12, 1, 2, 3]


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 300), st.integers(0, 2**70), st.integers(0, 1000))
def test_epoch_order_is_a_permutation_and_repeats(count, seed, epoch):
    order = epoch_order(count, seed, epoch)
    assert sorted(order.tolist()) == list(range(count))
    assert np.array_equal(order, epoch_order(count, seed, epoch))


def test_epoch_order_is_fixed_for_all_machines_and_differs_by_seed_and_epoch():
    assert epoch_order(8, 1, 0).tolist() == [4, 6, 2, 5, 7, 1, 0, 3]
    orders = {tuple(epoch_order(50, seed, epoch).tolist()) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


@pytest.mark.parametrize("epoch", [0, 1])
def test_long_documents_are_learned_from_piece_by_piece(epoch):
    lengths = [3, 3 * PIECE + 50, 0, 2 * PIECE - 1, 2 * PIECE]
    rows = epoch_rows(make_tokens(lengths), 1, epoch, 1, 100)
    inputs, targets, starts = (whole(rows, name)[:, 0] for name in ("inputs", "targets", "starts"))
    assert sorted(targets.tolist()) == list(range(1, sum(lengths) + 1))
    begins = [1 + sum(lengths[:which]) for which in (0, 1, 3, 4)]
    assert sorted(targets[starts].tolist()) == begins
    np.testing.assert_array_equal(inputs[~starts], targets[~starts] - 1)  # at a later piece's beginning too
    places = {int(target): place for place, target in enumerate(targets)}
    cuts = [begins[1] + PIECE + 16, begins[1] + 2 * PIECE + 33, begins[3] + PIECE]  # 3 * PIECE + 50 tokens in thirds
    for first, end in zip(sorted(begins + cuts), [*sorted(begins + cuts)[1:], sum(lengths) + 1], strict=True):
        assert places[end - 1] - places[first] == end - 1 - first
    assert any(places[cut] != places[cut - 1] + 1 for cut in cuts)


def test_pieces_come_in_another_order_each_pass_but_short_documents_stay_whole():
    long = make_tokens([40 * PIECE])
    orders = [
        tuple(whole(epoch_rows(long, seed, epoch, 2, 64), "targets")[:, 0]) for seed, epoch in [(1, 0), (1, 1), (2, 0)]
    ]
    assert len(set(orders)) == 3
    assert orders[0] == tuple(whole(epoch_rows(long, 1, 0, 2, 64), "targets")[:, 0])
    short = make_tokens([5, 9, 2 * PIECE - 1, 7])
    expected = Rows(short, epoch_order(4, 3, 2), 2, 10)
    for name in FIELDS:
        np.testing.assert_array_equal(whole(epoch_rows(short, 3, 2, 2, 10), name), whole(expected, name), err_msg=name)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([5, 5], (1, 10)),  # a corpus below one window: one row, one window
        ([1], (1, 1)),
        ([7] * 20, (2, 64)),  # 140 tokens fill two rows of a window each
        ([7] * 5000, (32, 64)),
        ([100_000], (32, 64)),  # one long text is divided among all rows
    ],
)
def test_rows_shrink_for_tiny_corpora(lengths, expected):
    tokens = make_tokens(lengths)
    assert choose_rows(tokens, 32, 64) == expected
    rows, steps = choose_rows(tokens, 32, 64)
    assert whole(pack_documents(tokens, rows, steps), "weights").sum() == sum(lengths)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 10), min_size=1, max_size=60), st.integers(1, 64), st.integers(10, 80))
def test_short_documents_are_never_fewer_than_the_rows(lengths, batch_size, seq_length):
    rows, steps = choose_rows(make_tokens(lengths), batch_size, seq_length)
    assert 1 <= rows <= min(batch_size, len(lengths))
    assert sum(lengths) // rows >= steps >= 1
