"""Compiled functions that kernels call by name instead of containing them.

Numba puts a callee's code into every caller and optimises it again there. A large function used by many kernels is
compiled once here, kept in the keyed folder, and made known to LLVM's linker under a symbol; a kernel then holds a call
of that symbol alone. The symbol must be known before a kernel that calls it is linked: `define` when it is compiled,
`define_called` when its machine code comes from the folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc

_PREFIX = "gencli_linked_"
_functions: dict[str, tuple[Callable[..., None], int, Any]] = {}
_defined: dict[str, CFunc] = {}  # held here, so that their code stays


def register(name: str, function: Callable[..., None], arguments: int, cache: Any) -> None:
    """Offer a function of so many addresses and numbers (64 bits each) under a name; nothing is compiled yet."""
    _functions[_PREFIX + name] = (function, arguments, cache)


def define(name: str) -> str:
    """The symbol of a registered function, known to the linker from now on: compiled, or loaded, the first time."""
    symbol = name if name.startswith(_PREFIX) else _PREFIX + name
    if symbol not in _defined:
        function, arguments, cache = _functions[symbol]
        options = {"nopython": True, "nogil": True, "error_model": "numpy"}
        compiled: Any = CFunc(function, ((types.intp,) * arguments, types.void), {}, options)
        compiled._cache = cache
        compiled.compile()
        llvmlite.binding.add_symbol(symbol, compiled.address)
        _defined[symbol] = compiled
    return symbol


def define_called(code: bytes) -> None:
    """Define every registered function that this object code calls."""
    for symbol in _functions:
        if symbol not in _defined and symbol.encode() in code:
            define(symbol)


def linked_call(name: str, like: Any, arguments: int) -> Any:
    """What an intrinsic gives that calls a registered function with its arguments but the first, of `like`'s type."""
    symbol = define(name)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        """A call of 64-bit integers."""
        function = builder.module.globals.get(symbol)
        if function is None:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * arguments)
            function = ir.Function(builder.module, kind, symbol)
            function.attributes.add("nounwind")
        builder.call(function, args[1:])
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * arguments), codegen
