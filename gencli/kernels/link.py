"""Kernels call kernels by name: none contains another's code.

Numba puts a callee's code into every caller and optimises it again there. Here a kernel's machine code is made known to
LLVM's linker under a symbol that names the kernel and the types of its arguments; a kernel that calls it holds a call
of that symbol alone. The symbol is also the name of the code's file, so that code from the folder finds what it calls
whatever process compiled either, and two processes that compile at once never take one code for another.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import pickle
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
from numba.core import sigutils
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

_PREFIX = "gencli_linked_"
_CALLED = re.compile(_PREFIX.encode() + rb"\w+")
_known: dict[str, CompileResult] = {}  # by symbol; held here, so that their code stays


class MachineCode:
    """A kernel's machine code for each list of argument types; serves Numba's dispatcher as its cache."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._folder = folder
        self._name = f"{function.__module__.rpartition('.')[2]}_{function.__qualname__}"
        # Functions made by a function share a name: their code and what it closes over tell them apart.
        cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
        self._body = function.__code__.co_code + (dumps(cells) if cells else b"")

    def symbol(self, signature: Any) -> str:
        """The name of the code for these types of arguments."""
        arguments, _ = sigutils.normalize_signature(signature)
        digest = hashlib.sha256(self._body + str(arguments).encode()).hexdigest()[:16]
        return re.sub(r"\W", "_", f"{_PREFIX}{self._name}_{digest}")

    def load_overload(self, signature: Any, context: Any) -> CompileResult | None:
        """The code from the folder, or None where it, or any that it calls, is not there."""
        context.refresh()
        try:
            return _load(self.symbol(signature), self._folder, context)._replace(metadata=None)  # as from a file
        except (OSError, EOFError, pickle.UnpicklingError):
            return None

    def save_overload(self, signature: Any, result: CompileResult) -> None:
        """Keep the code in the folder; where there is no room, the next process compiles it again."""
        path = _path(self.symbol(signature), self._folder)
        temporary = path.with_suffix(f".{uuid.uuid4().hex}")
        with contextlib.suppress(OSError):
            try:
                temporary.write_bytes(dumps(result._reduce()))
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def offer(self, result: CompileResult) -> None:
        """Let kernels compiled from now on call this code by its symbol."""
        symbol = self.symbol(result.signature)
        _define(symbol, result)
        described = copy.copy(result.fndesc)
        described.mangled_name = symbol
        context = result.target_context
        context.remove_user_function(result.entry_point)  # with it, callers would contain the code
        context.insert_user_function(result.entry_point, described)


def _path(symbol: str, folder: Path) -> Path:
    return folder / f"{symbol.removeprefix(_PREFIX)}.code"


def _define(symbol: str, result: CompileResult) -> None:
    """Make code known to the linker."""
    if symbol not in _known:
        address = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
        llvmlite.binding.add_symbol(symbol, address)
        _known[symbol] = result


def _load(symbol: str, folder: Path, context: Any) -> CompileResult:
    """Code from the folder, what it calls before it: only known symbols can be linked.

    Raises OSError where one of them is not there.
    """
    if symbol not in _known:
        payload = pickle.loads(_path(symbol, folder).read_bytes())
        (_, _, (code, _)), *_ = payload
        for called in set(_CALLED.findall(code)):
            if called.decode() != symbol:
                _load(called.decode(), folder, context)
        _define(symbol, CompileResult._rebuild(context, *payload))
    return _known[symbol]
