"""Waiting for another thread awake: a processor that went to sleep takes longer to wake than many a kernel."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gencli.kernels.compile import kernel
from gencli.kernels.vector import address, call_intrinsic

_IS_X86 = platform.machine() in ("x86_64", "AMD64")


@intrinsic
def _word(typing: Any, place: Any) -> Any:
    """The 64-bit word at an address as it is now, whoever wrote it."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.intp), codegen


@intrinsic
def _pause(typing: Any) -> Any:
    """A moment of nothing: what tells the processor, where it is an x86, that it waits in a loop."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _IS_X86:
            call_intrinsic(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(), codegen


@kernel
def spin(words, index, least, turns, after):
    """Wait until words[index] (int64) is `least` or more, for so many turns at most, and then for `after` turns."""
    place = address(words, index)
    for _ in range(turns):
        if _word(place) >= least:
            for _ in range(after):
                _pause()
            return
        _pause()
