"""Compiled functions that kernels call by name: compiled once a process, whichever kernels call them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.caching import NullCache
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from gencli.kernels import link, product, tile
from gencli.kernels.bfloat16 import load_at
from gencli.kernels.dense import multiply_window
from gencli.kernels.tile import panel_width
from gencli.kernels.vector import Lanes, total

Array = np.ndarray[Any, Any]
NUMBERS = count()  # symbols stay known to the linker as long as the process runs: each test has its own
LIKE = np.float64(0)
TYPES = ("float32", "float64", "uint32")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that are compiled, or loaded, for linking while the test runs."""
    found: list[str] = []
    compile_function = CFunc.compile

    def counted(function: Any) -> None:
        found.append(function._pyfunc.__name__)
        compile_function(function)

    monkeypatch.setattr(CFunc, "compile", counted)
    monkeypatch.setattr(link, "_functions", dict(link._functions))  # what a test registers ends with it
    return found


def add_to_first(out: Any, amount: Any) -> None:
    """Writes through an address: out[0] += amount, both of 64 bits."""
    cell = numba.carray(_pointer(out), 1)
    cell[0] += amount


def _pointer_of(typing: Any, address: Any) -> Any:
    """An address as a pointer to 64-bit integers."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return numba.types.CPointer(numba.types.int64)(numba.types.intp), codegen


_pointer: Any = intrinsic(_pointer_of)


def registered(function: Callable[..., None] = add_to_first) -> str:
    """The name under which a function of two numbers is offered."""
    name = f"of_a_test_{next(NUMBERS)}"
    link.register(name, function, 2, NullCache())
    return name


def caller_of(name: str, times: int = 1) -> Any:
    """A kernel that calls the function so many times for its array."""

    def linked(typing: Any, like: Any, out: Any, amount: Any) -> Any:
        return link.linked_call(name, like, 2)

    call: Any = intrinsic(linked)

    def kernel(out: Any, amount: Any) -> None:
        for _ in range(times):
            call(LIKE, out.ctypes.data, amount)

    return numba.njit(nogil=True, error_model="numpy")(kernel)


def test_nothing_is_compiled_before_a_kernel_calls_it(compiled: list[str]) -> None:
    name = registered()
    kernel = caller_of(name)
    assert compiled == []
    kernel(np.zeros(1, np.int64), 1)
    assert compiled == ["add_to_first"]


def test_a_function_is_compiled_once_for_two_kernels_and_two_types_of_argument(compiled: list[str]) -> None:
    name = registered()
    once, twice = caller_of(name), caller_of(name, times=2)
    out = np.array([10, 99], np.int64)
    once(out, 5)
    twice(out, 7)
    once(out[::1], np.int32(1))  # another type: the kernel is compiled anew, the function is not
    assert out.tolist() == [30, 99]
    assert len(once.signatures) == 2
    assert compiled == ["add_to_first"]


def test_two_names_are_two_functions(compiled: list[str]) -> None:
    def take_from_first(out: Any, amount: Any) -> None:
        cell = numba.carray(_pointer(out), 1)
        cell[0] -= amount

    one, other = registered(), registered(take_from_first)
    out = np.zeros(1, np.int64)
    caller_of(one)(out, 5)
    caller_of(other)(out, 3)
    assert out.tolist() == [2]
    assert compiled == ["add_to_first", "take_from_first"]


def test_define_gives_the_same_symbol_for_the_name_and_for_itself(compiled: list[str]) -> None:
    name = registered()
    symbol = link.define(name)
    assert link.define(name) == link.define(symbol) == symbol
    assert symbol.endswith(name)
    assert compiled == ["add_to_first"]


def test_code_that_names_a_function_defines_it_and_no_other(compiled: list[str]) -> None:
    named, unnamed = registered(), registered()
    symbol = link._PREFIX + named
    link.define_called(b"\x7fELF... " + symbol.encode() + b"\0 ...")
    assert symbol in link._defined
    assert link._PREFIX + unnamed not in link._defined
    link.define_called(b"\x7fELF... " + symbol.encode() + b"\0 ...")
    assert compiled == ["add_to_first"]


def test_a_name_that_nobody_registered_is_an_error(compiled: list[str]) -> None:
    with pytest.raises(KeyError, match="unheard_of"):
        link.define("unheard_of")
    assert compiled == []


def test_products_and_tiles_of_every_type_are_registered_under_names_of_their_own() -> None:
    names = {f"{what}_{dtype}" for what in ("product", "tile_rows", "tile_panels") for dtype in TYPES}
    assert {link._PREFIX + name for name in names} <= link._functions.keys()
    functions = [link._functions[link._PREFIX + name][0] for name in sorted(names)]
    assert len(set(functions)) == len(names)
    assert {function.__module__ for function in functions} == {product.__name__, tile.__name__}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_kernels_of_the_program_share_one_product(compiled: list[str], dtype: Any) -> None:
    """product() and multiply_window(), in any order: what they call is at most loaded, and only once each."""
    width = panel_width(dtype)
    x, weights = np.ones((1, 2, 3), dtype), np.ones(3 * width, dtype)
    one, other = (np.zeros((1, 2, width), dtype) for _ in range(2))
    product.product(x, 0, 3, 2, 3, weights, 3, 1, one, 0, width, 0)
    first = list(compiled)
    multiply_window(x, 3, weights, other, 0, 0, 2)
    np.testing.assert_array_equal(one, np.full_like(one, 3))
    np.testing.assert_array_equal(other, one)
    assert compiled == first
    symbols = [symbol for symbol in link._defined if symbol.startswith(f"{link._PREFIX}product_{np.dtype(dtype)}")]
    assert len(symbols) == 1


def test_lanes_read_through_an_address_in_a_linked_function(compiled: list[str]) -> None:
    """The intrinsics that products are made of work on addresses alone."""

    def sum_of_lanes(out: Any, source: Any) -> None:
        cell = numba.carray(_pointer(out), 1)
        cell[0] = np.int64(total(load_at(source, LIKE)))

    name = registered(sum_of_lanes)
    lanes = Lanes(numba.types.float64).count
    values, out = np.arange(lanes, dtype=np.float64), np.zeros(1, np.int64)
    caller_of(name)(out, values.ctypes.data)
    assert out.tolist() == [lanes * (lanes - 1) // 2]
    assert compiled == ["sum_of_lanes"]
