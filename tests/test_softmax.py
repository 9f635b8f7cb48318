"""The softmax kernels against their twin: any vocabulary, huge logits, weights of 0, any range of rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from gencli.kernels.softmax import softmax_loss, token_losses, write_logits
from gencli.kernels.tile import padded, panel_width
from tests.reference import softmax as reference

Array = np.ndarray[Any, Any]
T, B, H, X = 3, 7, 10, 32
GUARD = 777.0
RELATIVE = 2e-6  # of the larger of 1 and the loss; of a gradient's largest element
VOCABULARIES = [2, 3, 17, 31, 33, 50, 65, 97, 100]
RANGES = [(0, 7), (0, 1), (3, 6), (6, 7), (4, 4)]


class Case(NamedTuple):
    """What the three kernels are fed: a window of outputs, weights in panels, targets."""

    x: Array  # (T, B, X), H columns used, NaN beyond
    plain: Array  # (H, V)
    weights: Array  # the same in panels
    bias: Array  # (N,), N = V padded to whole panels
    targets: Array
    weight: Array

    @property
    def vocabulary_size(self) -> int:
        return int(self.plain.shape[1])

    @property
    def logits(self) -> Array:
        """In float64."""
        return self.x[:, :, :H].astype(np.float64) @ self.plain + self.bias[: self.vocabulary_size]


def random_case(V: int, scale: float = 1.0) -> Case:
    """A case whose logits have about the deviation `scale`, with two weights of 0."""
    rng = np.random.default_rng(V)
    width, N = panel_width(np.float32), padded(V, np.float32)
    x = np.full((T, B, X), np.nan, np.float32)
    x[:, :, :H] = rng.uniform(-1, 1, (T, B, H))
    plain = (scale * rng.standard_normal((H, V)) / np.sqrt(H / 3)).astype(np.float32)
    wide = np.zeros((H, N), np.float32)
    wide[:, :V] = plain
    weights = np.ascontiguousarray(wide.reshape(H, N // width, width).swapaxes(0, 1)).ravel()
    bias = np.zeros(N, np.float32)
    bias[:V] = 0.1 * scale * rng.standard_normal(V)
    weight = rng.uniform(0.5, 1.5, (T, B)).astype(np.float32)
    weight[0, 0] = weight[2, 3] = 0
    return Case(x, plain, weights, bias, rng.integers(0, V, (T, B)).astype(np.int32), weight)


def logits_of(case: Case, first: int = 0, last: int = B) -> Array:
    """write_logits, without the padding; guards in other rows."""
    logits = np.full((T, B, len(case.bias)), GUARD, np.float32)
    write_logits(case.x, H, case.weights, case.bias, logits, first, last)
    return logits[:, :, : case.vocabulary_size]


def losses_and_gradients(case: Case, scale: float, first: int = 0, last: int = B) -> tuple[Array, Array]:
    """softmax_loss, padding and all; guards in other rows."""
    losses, d_logits = np.full((T, B), GUARD, np.float32), np.full((T, B, len(case.bias)), GUARD, np.float32)
    head = (case.x, H, case.weights, case.bias, case.vocabulary_size)
    softmax_loss(*head, case.targets, case.weight, np.float32(scale), losses, d_logits, first, last)
    return losses, d_logits


def losses_alone(case: Case, first: int = 0, last: int = T * B, room: int = 5) -> Array:
    """token_losses of all T * B rows in one run, the logits of `room` rows at a time; guards in other rows."""
    losses, scratch = np.full(T * B, GUARD, np.float32), np.full((room + 2, len(case.bias)), np.nan, np.float32)
    head = (H, case.weights, case.bias, case.vocabulary_size)
    token_losses(case.x.reshape(1, T * B, X), *head, case.targets.ravel(), losses, scratch[1:-1], first, last)
    assert np.isnan(scratch[[0, -1]]).all()
    return losses


def check_against_twin(case: Case) -> None:
    """All three kernels; the twin starts from the kernel's own logits, which are checked first."""
    logits, V = logits_of(case), case.vocabulary_size
    largest = np.abs(case.logits).max()
    np.testing.assert_allclose(logits, case.logits, rtol=0, atol=1e-6 * largest)

    total = float(case.weight.sum(dtype=np.float64))
    losses, d_logits = losses_and_gradients(case, 1 / total)
    expected = reference.token_losses(logits, case.targets)
    np.testing.assert_allclose(losses, expected, rtol=RELATIVE, atol=RELATIVE)
    assert losses_alone(case).tobytes() == losses.tobytes()

    gradient = reference.cross_entropy_gradient(logits, case.targets, case.weight)
    largest = np.abs(gradient).max()
    np.testing.assert_allclose(d_logits[:, :, :V], gradient, rtol=RELATIVE, atol=RELATIVE * largest)
    assert (d_logits[:, :, V:] == 0).all()
    assert (d_logits[case.weight == 0] == 0).all()
    np.testing.assert_allclose(d_logits.sum(axis=2, dtype=np.float64), 0, atol=RELATIVE * largest)


@pytest.mark.parametrize("vocabulary_size", VOCABULARIES)
def test_losses_and_gradients(vocabulary_size: int) -> None:
    check_against_twin(random_case(vocabulary_size))


@pytest.mark.parametrize("vocabulary_size", [2, 33, 97])
def test_huge_logits(vocabulary_size: int) -> None:
    case = random_case(vocabulary_size, scale=60.0)
    assert np.abs(case.logits).max() > 80
    check_against_twin(case)


@pytest.mark.parametrize("shift", [-80.0, 80.0, 5000.0])
def test_a_common_shift_of_the_logits_changes_no_loss(shift: float) -> None:
    case = random_case(33)
    moved = case._replace(bias=(case.bias + np.float32(shift)))
    # 5000 leaves logits 2.4e-4 apart at best: the twin starts from what they became.
    expected = reference.token_losses(logits_of(moved), case.targets)
    losses, d_logits = losses_and_gradients(moved, 1.0)
    np.testing.assert_allclose(losses, expected, rtol=RELATIVE, atol=RELATIVE)
    assert (d_logits[:, :, 33:] == 0).all()


def test_a_hopeless_target_costs_the_distance_to_the_best() -> None:
    case = random_case(5)
    bias = np.zeros_like(case.bias)
    bias[:5] = [-300, 80, -300, -300, -300]
    case = case._replace(bias=bias, weights=np.zeros_like(case.weights), targets=np.full((T, B), 2, np.int32))
    losses, d_logits = losses_and_gradients(case, 1.0)
    np.testing.assert_allclose(losses, 380, rtol=1e-6)
    expected = case.weight[..., None] * np.array([0, 1, -1, 0, 0])
    np.testing.assert_allclose(d_logits[:, :, :5], expected, atol=1e-6)


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_any_range_of_rows_gives_the_same_bits_and_touches_no_other(first: int, last: int) -> None:
    case = random_case(50)
    whole = (logits_of(case), *losses_and_gradients(case, 0.25))
    part = (logits_of(case, first, last), *losses_and_gradients(case, 0.25, first, last))
    others = np.delete(np.arange(B), slice(first, last))
    for found, expected in zip(part, whole, strict=True):
        assert found[:, first:last].tobytes() == expected[:, first:last].tobytes()
        assert (found[:, others] == GUARD).all()


@pytest.mark.parametrize("room", [1, 2, 4, 13, 21, 48])
def test_losses_alone_are_the_same_bits_for_any_range_and_any_room(room: int) -> None:
    """Rooms that the range fills once, many times, in part, and with one row left over."""
    case = random_case(50)
    whole = losses_alone(case)
    for first in range(0, T * B, 4):
        for last in (first, first + 1, (first + T * B) // 2, T * B):
            found = losses_alone(case, first, last, room)
            assert found[first:last].tobytes() == whole[first:last].tobytes()
            assert (np.delete(found, slice(first, last)) == GUARD).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_logits_that_are_not_finite_show_in_the_loss_of_their_own_row(poison: float) -> None:
    """Training notices that it has diverged by a loss that is not finite."""
    case = random_case(50)
    case.x[1, 4, 2] = poison
    losses, _ = losses_and_gradients(case, 1.0)
    expected = np.zeros((T, B), bool)
    expected[1, 4] = True
    np.testing.assert_array_equal(~np.isfinite(losses), expected)
    np.testing.assert_array_equal(~np.isfinite(losses_alone(case)), expected.ravel())
