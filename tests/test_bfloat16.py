"""bfloat16 by its twin: rounding to the bit, products and gradients against float64 products of rounded factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gencli.kernels.bfloat16 import LANES, SUPPORTED, load_at, store_neighbours, store_pairs
from gencli.kernels.compile import inlined
from gencli.kernels.dense import BLOCK, multiply_window, weight_gradient_halved
from gencli.kernels.product import CHUNK_ROWS, product
from gencli.kernels.repack import halve_panels, transpose_halved
from gencli.kernels.threads import Team
from gencli.kernels.tile import DEPTH, FEW, padded, panel_width
from gencli.layers.packed import scratch_words
from tests.reference import bfloat16 as reference
from tests.test_dense import from_panels, in_panels, random_array

Array = np.ndarray[Any, Any]
GUARD, GUARD_WORD = 777.0, np.uint32(0xDEADBEEF)  # stand wherever nothing may be written
NAN_WORD = np.uint32(0x7FC0_7FC0)  # a pair of NaN
# Of |x| @ |W|, the sum of what is added up: 1100 additions in float32 come to 2.3e-7 in NumPy too. Of the largest
# element that is about 1e-6; a factor left unrounded, or one product of 1100 left out, is off by 1e-4 at least.
RELATIVE = 4e-7
WIDTH = panel_width(np.float32)

pytestmark = pytest.mark.skipif(
    not SUPPORTED, reason="this processor has no bfloat16 dot products on 64-byte registers (AVX512_BF16)"
)


@inlined
def pairs_of(low, high, out):
    """Words of (low[i], high[i]), a register at a time."""
    for i in range(0, low.size, LANES):
        first = load_at(low.ctypes.data + 4 * i, low.dtype.type(0))
        second = load_at(high.ctypes.data + 4 * i, low.dtype.type(0))
        store_pairs(out.ctypes.data + 4 * i, first, second)


@inlined
def neighbours_of(values, out):
    """Each number's bits side by side, a register at a time."""
    for i in range(0, values.size, LANES):
        store_neighbours(out.ctypes.data + 2 * i, load_at(values.ctypes.data + 4 * i, values.dtype.type(0)))


def floats(*patterns: Any) -> Array:
    """float32 numbers by their bits, both signs of each, the last repeated until registers are full."""
    found = np.concatenate([np.atleast_1d(np.asarray(part, np.uint32)) for part in patterns])
    found = np.concatenate([found, found | np.uint32(0x8000_0000)])
    return np.pad(found, (0, -len(found) % LANES), mode="edge").view(np.float32)


RNG = np.random.default_rng(3)
UPPER = RNG.integers(0, 0x7F7F, 4096, dtype=np.uint32) << np.uint32(16)
ROUNDED = {
    "any bits": floats(RNG.integers(0, 2**32, 1 << 16, dtype=np.uint32)),
    "ties": floats(UPPER | np.uint32(0x8000)),
    "next to ties": floats(UPPER | np.uint32(0x7FFF), UPPER | np.uint32(0x8001)),
    "exact": floats(UPPER),
    "denormals and zero": floats(0, 1, 0x007F_FFFF, 0x0040_0000, np.arange(0, 0x0080_0000, 9973)),
    "least normal": floats(0x0080_0000, 0x0080_0001, 0x0080_7FFF, 0x0080_8000, 0x0080_8001, 0x0081_8000),
    "huge": floats(0x7F7F_0000, 0x7F7F_7FFF, 0x7F7F_8000, 0x7F7F_8001, 0x7F7F_FFFF, 0x7F7E_8000),
    "infinities": floats(0x7F80_0000),
    "NaN": floats(0x7F80_0001, 0x7F80_FFFF, 0x7FBF_FFFF, 0x7FC0_0000, 0x7FFF_FFFF, 0x7F81_0000),
}


def expect_same_bits(found: Array, values: Array) -> None:
    """The bits that the twin rounds `values` to; of NaN only that it is NaN."""
    unknown = np.isnan(values)
    wrong = (found != reference.bits(values)) & ~unknown
    assert not wrong.any(), f"{values[wrong][:3]} became {found[wrong][:3]}"
    assert ((found[unknown] & 0x7FFF) > 0x7F80).all()


@pytest.mark.parametrize("kind", ROUNDED)
def test_rounding_side_by_side(kind: str) -> None:
    values = ROUNDED[kind]
    out = np.full(len(values) + 2, 0xBEEF, np.uint16)
    neighbours_of(values, out[1:-1])  # on an odd half-word: any alignment will do
    expect_same_bits(out[1:-1], values)
    assert out[0] == out[-1] == 0xBEEF


@pytest.mark.parametrize("kind", ROUNDED)
def test_rounding_in_pairs(kind: str) -> None:
    low, high = ROUNDED[kind], ROUNDED[kind][::-1].copy()
    out = np.full(len(low) + 2, GUARD_WORD)
    pairs_of(low, high, out[1:-1])
    expect_same_bits((out[1:-1] & np.uint32(0xFFFF)).astype(np.uint16), low)
    expect_same_bits((out[1:-1] >> np.uint32(16)).astype(np.uint16), high)
    assert out[0] == out[-1] == GUARD_WORD


def test_the_twin_itself_on_numbers_worked_out_by_hand() -> None:
    # 1 + 2**-7 follows 1: a half of that step ties to the even 1, three halves to the even 1 + 2**-6.
    step = 2.0**-7
    asked = np.array([1 + step / 2, 1 + 1.5 * step, 1 + step * 0.501, -3.0e-39, 3.4e38, np.inf, np.pi], np.float32)
    expected = np.array([1, 1 + 2 * step, 1 + step, -0.0, np.inf, np.inf, 3.140625], np.float32)
    assert reference.rounded(asked).tobytes() == expected.tobytes()
    assert np.isnan(reference.rounded(np.array([np.nan], np.float32))).all()
    assert [hex(word) for word in reference.words(np.array([[1.0], [-2.0], [0.5]]))[:, 0]] == ["0xc0003f80", "0x3f00"]


def wide(x: Array) -> Array:
    """The twin's rounding of x, in float64."""
    return reference.rounded(x).astype(np.float64)


def expect_product(found: Array, left: Array, right: Array, before: Any, what: Any) -> None:
    """found = before + left @ right, of factors in float64, within RELATIVE of the sum of all absolute values."""
    expected, scale = left @ right + before, np.abs(left) @ np.abs(right) + np.abs(before)
    assert found.shape == expected.shape
    assert (np.abs(found - expected) / scale).max() < RELATIVE, what


def multiply(x: Array, weights: Array, before: Array, accumulate: int) -> Array:
    """product() by pairs, on arrays wider than the factors: guards beside what is written.

    Rows of x reach whole registers. What follows column k there must not count: NaN, but for the partner of an odd
    last column, which is multiplied by the zero that the weights hold and so has to be finite.
    """
    (m, k), N = x.shape, weights.shape[1]
    x_row = -(-k // LANES) * LANES + 3
    x_wide = np.full((m + 2, x_row), np.nan, np.float32)
    x_wide[1:-1, 1 : k + 1] = x
    if k % 2:
        x_wide[1:-1, k + 1] = GUARD
    panel_rows = k + k % 2 + 2
    stored = np.full((panel_rows // 2, N), NAN_WORD)
    stored[:-1] = reference.words(weights)
    out = np.full((m + 2, N + 5), GUARD, np.float32)
    out[1:-1, 2:-3] = before
    places, target = (x_row + 1, x_row, m, k), ((N + 5) + 2, N + 5)
    product(x_wide, *places, in_panels(stored), panel_rows, N // WIDTH, out, *target, accumulate)
    found = out[1:-1, 2:-3].copy()
    out[1:-1, 2:-3] = GUARD
    assert (out == GUARD).all(), f"wrote outside ({m}, {N})"
    return found


def factors(m: int, k: int, panels: int) -> tuple[Array, Array, Array]:
    """x (m, k), W (k, panels * width) and a matrix to add to, random."""
    return random_array(m, m, k), random_array(k, k, panels * WIDTH), random_array(panels, m, panels * WIDTH)


def check_product(m: int, k: int, panels: int, accumulate: int) -> None:
    x, weights, before = factors(m, k, panels)
    # Where nothing is accumulated, what stood in the target must not matter, not even NaN.
    found = multiply(x, weights, before if accumulate else np.full_like(before, np.nan), accumulate)
    expect_product(found, wide(x), wide(weights), accumulate * before.astype(np.float64), (m, k, panels, accumulate))


def test_products_of_every_number_of_rows_about_the_chunk() -> None:
    assert CHUNK_ROWS < 60
    for m in range(1, 61):
        check_product(m, 1 + 18 * m, 1 + m % 3, m // 3 % 2)  # even and odd depths, up to 1081
        check_product(m, 40 + m % 2, 1 + m % 2, (m + 1) % 2)


@pytest.mark.parametrize("accumulate", [0, 1])
def test_products_of_every_depth_about_the_blocks(accumulate: int) -> None:
    block = 2 * DEPTH  # of numbers, two in a word
    for k in (1, 2, 3, 15, 16, 17, 33, block - 1, block, block + 1, block + 2, 2 * block - 1, 2 * block + 1, 1100):
        for panels in (1, 2, 3):
            check_product(27, k, panels, accumulate)
            check_product(FEW, k, panels + 2, accumulate)
    check_product(CHUNK_ROWS + 1, 2 * block + 1, 3, accumulate)


@pytest.mark.parametrize("accumulate", [0, 1])
@pytest.mark.parametrize("k", [37, 2 * DEPTH + 41])
def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it(k: int, accumulate: int) -> None:
    x, weights, before = factors(60, k, 2)
    whole = multiply(x, weights, before, accumulate)
    for first in range(0, 60, 3):
        for last in range(first + 1, 61, 1 + first % 5):
            part = multiply(x[first:last], weights, before[first:last], accumulate)
            assert part.tobytes() == whole[first:last].tobytes(), (first, last)


def test_the_bits_of_a_column_do_not_depend_on_the_panels_beside_it() -> None:
    x, weights, before = factors(50, 71, 3)
    whole = multiply(x, weights, before, 1)
    for p in range(3):
        cut = slice(p * WIDTH, (p + 1) * WIDTH)
        assert multiply(x, weights[:, cut], before[:, cut], 1).tobytes() == whole[:, cut].tobytes(), p


def test_no_rows_write_nothing() -> None:
    x, weights, _ = factors(1, 5, 1)
    assert multiply(x[:0], weights, np.zeros((0, WIDTH), np.float32), 0).shape[0] == 0


def test_an_infinite_factor_stays_in_its_row() -> None:
    # 3.4e38 is finite in float32 and infinite in bfloat16.
    x, weights, before = factors(50, 20, 1)
    x[7, 3] = 3.4e38
    found = multiply(x, np.abs(weights), before, 0)
    assert np.isposinf(found[7]).all()
    assert np.isfinite(np.delete(found, 7, axis=0)).all()


@pytest.mark.parametrize("k", [1, 2, 7, 40, 513])
@pytest.mark.parametrize(("first", "last"), [(0, 4), (1, 3), (3, 4), (2, 2)])
def test_halved_panels(k: int, first: int, last: int) -> None:
    matrix, pairs = random_array(11, k, 4 * WIDTH), (k + 1) // 2
    matrix[0, ::5] = 1 + 2.0**-8  # a tie
    target = np.full(4 * pairs * WIDTH + 1, GUARD_WORD)
    halve_panels(in_panels(matrix), k, target, first, last)
    expected = np.full_like(target, GUARD_WORD)
    used = slice(first * pairs * WIDTH, last * pairs * WIDTH)
    expected[used] = in_panels(reference.words(matrix))[used]
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("k", [1, 31, WIDTH, 2 * WIDTH + 5])
@pytest.mark.parametrize(("first", "last"), [(0, 3), (1, 2), (2, 2)])
def test_transposed_and_halved_in_one_pass(k: int, first: int, last: int) -> None:
    matrix, Kp, N = random_array(12, k, 3 * WIDTH), padded(k, np.float32), 3 * WIDTH
    matrix[0, ::5] = 1 + 2.0**-8  # a tie
    target = np.full(Kp * N // 2 + 1, GUARD_WORD)
    transpose_halved(in_panels(matrix), k, N, target, first, last)
    turned = np.zeros((N, Kp), np.float32)
    turned[:, :k] = matrix.T
    rows = slice(first * WIDTH // 2, last * WIDTH // 2)
    expected = np.full_like(target, GUARD_WORD)
    panels, words = expected[:-1].reshape(-1, N // 2, WIDTH), reference.words(turned).reshape(N // 2, -1, WIDTH)
    panels[:, rows] = words.swapaxes(0, 1)[:, rows]
    np.testing.assert_array_equal(target, expected)


def gathered(
    x: Array, k: int, d_out: Array, offset: int, panels: int, parts: list[tuple[int, int]]
) -> tuple[Array, Array]:
    """weight_gradient_halved over parts of the panels: gradients (k, panels * width) and (N,), guards elsewhere."""
    gradient = np.full(panels * k * WIDTH, GUARD, np.float32)
    d_bias = np.full(d_out.shape[2], GUARD, np.float32)
    words = scratch_words(x.shape[2], np.float32)
    for first, last in parts:
        scratch = np.full(words + 64, NAN_WORD)
        weight_gradient_halved(x, k, d_out, offset, gradient, d_bias, scratch, 0, first, last)
        assert (scratch[words:] == NAN_WORD).all(), "wrote beyond its scratch"
    return from_panels(gradient, k), d_bias


# (T, B): one row, an odd and an even number below the block, the block, one more, and two and three blocks, ragged.
ROWS = [(1, 1), (5, 7), (4, 9), (16, BLOCK // 16), (1, BLOCK + 1), (25, 16), (43, 13)]


@pytest.mark.parametrize(("T", "B"), ROWS)
@pytest.mark.parametrize("k", [1, 13, 40])
def test_gradients_of_weights_from_rounded_factors_and_of_biases_from_float32(T: int, B: int, k: int) -> None:
    panels, offset = 3, WIDTH
    x, d_out = random_array(6, T, B, padded(k, np.float32)), random_array(7, T, B, 5 * WIDTH)
    x[:, :, k:] = np.nan  # padding does not count
    gradient, d_bias = gathered(x, k, d_out, offset, panels, [(0, panels)])

    used = slice(offset, offset + panels * WIDTH)
    flat = np.ascontiguousarray(d_out.reshape(T * B, -1)[:, used])
    expect_product(gradient, wide(x[:, :, :k]).reshape(-1, k).T, wide(flat), 0, "weights")
    expect_product(d_bias[used], np.ones(T * B), flat.astype(np.float64), 0, "bias")
    assert (np.delete(d_bias, used) == GUARD).all()


def test_gradients_by_shares_of_the_panels() -> None:
    T, B, k, panels = 9, 41, 20, 4
    x, d_out = random_array(8, T, B, WIDTH), random_array(9, T, B, panels * WIDTH)
    whole = gathered(x, k, d_out, 0, panels, [(0, 4)])
    for parts in ([(0, 1), (1, 4)], [(2, 4), (0, 2), (2, 2)]):
        for found, expected in zip(gathered(x, k, d_out, 0, panels, parts), whole, strict=True):
            assert found.tobytes() == expected.tobytes(), parts
    gradient, d_bias = gathered(x, k, d_out, 0, panels, [(1, 3)])
    for found, expected in ((gradient, whole[0]), (d_bias[None], whole[1][None])):
        np.testing.assert_array_equal(found[:, WIDTH : 3 * WIDTH], expected[:, WIDTH : 3 * WIDTH])
        assert (found[:, :WIDTH] == GUARD).all()
        assert (found[:, 3 * WIDTH :] == GUARD).all()


def test_each_thread_rounds_into_a_stack_of_its_own() -> None:
    """Rows rounded to bfloat16 lie on the stack: a place shared by threads would mix their rows."""
    k, panels, size, rounds = 300, 2, 4, 30
    stored = in_panels(reference.words(random_array(20, k, panels * WIDTH)))
    xs = [random_array(30 + share, 3, CHUNK_ROWS + 9, padded(k, np.float32)) for share in range(size)]
    for x in xs:
        x[:, :, k:] = 0

    def run(share: int) -> Array:
        out = np.zeros((3, CHUNK_ROWS + 9, panels * WIDTH), np.float32)
        multiply_window(xs[share], k, stored, out, 0, 0, CHUNK_ROWS + 9)
        return out

    expected = [run(share).tobytes() for share in range(size)]
    assert len(set(expected)) == size
    wrong: list[tuple[int, int]] = []

    def job(share: int, shares: int) -> None:
        wrong.extend((share, n) for n in range(rounds) if run(share).tobytes() != expected[share])

    team = Team(size)
    try:
        team.run(job)
    finally:
        team.close()
    assert wrong == []


def test_many_rows_take_no_more_stack_than_few() -> None:
    """48 kB for each of 416 chunks would leave the stack's 8 MB, and end the process."""
    B, k = 416 * CHUNK_ROWS + 1, 3
    x, matrix = random_array(40, 1, B, LANES), random_array(41, k, WIDTH)
    x[:, :, k:] = 0
    out = np.zeros((1, B, WIDTH), np.float32)
    multiply_window(x, k, in_panels(reference.words(matrix)), out, 0, 0, B)
    expect_product(out[0], wide(x[0, :, :k]), wide(matrix), 0, f"{B} rows")
