"""Kernels that call kernels by name: compiled once a process, found again in the folder, never taken for each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.registry import cpu_target

from gencli.kernels import compile as compiling
from gencli.kernels import link
from gencli.kernels.link import MachineCode
from gencli.kernels.vector import address

Array = np.ndarray[Any, Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for machine code, and a process that knows none."""
    monkeypatch.setattr(compiling, "CACHE_FOLDER", tmp_path)
    monkeypatch.setattr(link, "_known", {})
    return tmp_path


def adder(amount: int) -> Any:
    """A kernel of its own for each amount."""

    def add(out):
        out[0] += amount

    return compiling.kernel(add)


CALLEE: Any = None


def call_twice(out):
    CALLEE(out)
    CALLEE(out)


def call_once(out):
    CALLEE(out)


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a kernel that calls another, twice unless told otherwise."""

    def calling(callee: Any, function: Any = call_twice) -> Any:
        monkeypatch.setattr(sys.modules[__name__], "CALLEE", callee)
        return compiling.kernel(function)

    return calling


def code_of(kernel: Any) -> str:
    """LLVM code of a kernel's only version."""
    (result,) = kernel.overloads.values()
    return str(result.library.get_llvm_str())


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process begins, but for what the linker knows."""
    monkeypatch.setattr(link, "_known", {})


def test_a_caller_holds_a_call_and_not_the_code(folder: Path, caller: Any) -> None:
    add = adder(417)
    twice, out = caller(add), np.zeros(1, np.int64)
    twice(out)
    assert out.tolist() == [834]
    assert "417" in code_of(add)
    assert "417" not in code_of(twice)
    assert next(iter(link._known)) in code_of(twice)


def test_a_callee_is_compiled_once_for_two_callers(folder: Path, caller: Any) -> None:
    add = adder(1)
    for function in (call_once, call_twice):
        caller(add, function)(np.zeros(1, np.int64))
    assert len(add.signatures) == 1
    assert len(link._known) == 3


def test_each_list_of_types_has_a_symbol_of_its_own(folder: Path, caller: Any) -> None:
    add = adder(1)
    twice = caller(add)
    for dtype in (np.int64, np.float32):
        out = np.zeros(1, dtype)
        twice(out)
        assert out.tolist() == [2]
    assert len(set(link._known)) == 4


def test_kernels_made_by_one_function_are_told_apart(folder: Path) -> None:
    out = np.zeros(1, np.int64)
    for amount in (1, 10):
        adder(amount)(out)
    assert out.tolist() == [11]
    assert len(link._known) == 2


def test_a_kernel_from_the_folder_brings_what_it_calls(
    folder: Path, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code is read, nothing is compiled, and the callee is known before the caller is linked."""
    caller(adder(3))(np.zeros(1, np.int64))
    known = list(link._known)
    assert sorted(path.stem for path in folder.iterdir()) == sorted(s.removeprefix(link._PREFIX) for s in known)
    forget(monkeypatch)
    add = adder(3)
    twice, out = caller(add), np.zeros(1, np.int64)
    with compiling.CompileClock() as clock:
        twice(out)
    assert out.tolist() == [6]
    assert clock.seconds == 0
    assert list(link._known) == known
    assert add.signatures == []


@pytest.mark.parametrize("harm", ["lost", "cut"])
def test_a_kernel_whose_callee_cannot_be_read_is_compiled_again(
    folder: Path, caller: Any, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    caller(adder(5))(np.zeros(1, np.int64))
    (path,) = folder.glob("*add_*")
    whole = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    forget(monkeypatch)
    out = np.zeros(1, np.int64)
    caller(adder(5))(out)
    assert out.tolist() == [10]
    assert len(path.read_bytes()) > len(whole) // 2


def test_where_code_cannot_be_kept_it_runs_all_the_same(folder: Path, caller: Any) -> None:
    folder.rmdir()
    out = np.zeros(1, np.int64)
    caller(adder(7))(out)
    assert out.tolist() == [14]


def test_a_failed_write_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    adder(9)(np.zeros(1, np.int64))
    assert list(folder.iterdir()) == []


def test_a_symbol_names_the_kernel_and_is_the_same_in_every_process(folder: Path) -> None:
    from gencli.kernels.counter import uniforms

    kinds = (numba.types.int64, numba.types.float32[::1])
    symbol = MachineCode(uniforms.py_func, folder).symbol(kinds)
    assert symbol == MachineCode(uniforms.py_func, folder).symbol(kinds)
    assert symbol.startswith("gencli_linked_counter_uniforms_")
    assert symbol.replace("_", "").isalnum()


def test_nothing_is_found_in_an_empty_folder(folder: Path) -> None:
    assert MachineCode(adder(1).py_func, folder).load_overload((numba.types.int64,), cpu_target.target_context) is None


def test_an_address_counts_elements_and_stays_a_whole_number() -> None:
    """An unsigned address and a signed number would add up to a floating-point one."""

    def places(array):
        return address(array, 0), address(array, 3) + 8

    array = np.zeros((2, 4), np.float32)
    found = compiling.inlined(places)(array)
    assert found == (array.ctypes.data, array.ctypes.data + 20)
    assert all(isinstance(place, int) for place in found)
