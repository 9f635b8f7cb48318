"""bfloat16 in Numba code: rounding to it, and pairs of it in 32-bit words as the processor's dot products take them.

A bfloat16 is the upper half of a float32: 8 bits of significand. Rounding is to nearest, ties to even; magnitudes below
the least normal number become zero, as the processor's own instruction has it. Two neighbours in k share one 32-bit
word, the first in its lower half: one dot-product instruction multiplies both pairs and adds them to a float32.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gencli.kernels.compile import processor
from gencli.kernels.vector import REGISTER_BYTES, Lanes, call_intrinsic, vector_of

SUPPORTED = "avx512bf16" in processor()[1] and REGISTER_BYTES == 64
LANES = REGISTER_BYTES // 4


class BFloat(ir.Type):
    """LLVM's bfloat, which llvmlite's list of types lacks."""

    def _to_string(self) -> str:
        return "bfloat"

    __str__ = _to_string

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


FLOATS = ir.VectorType(ir.FloatType(), LANES)
WORDS = ir.VectorType(ir.IntType(32), LANES)
HALVES = ir.VectorType(ir.IntType(16), LANES)
PAIRS = ir.VectorType(BFloat(), 2 * LANES)


def dot(builder: Any, total: Any, left: Any, right: Any) -> Any:
    """LLVM code for total + left . right, pair by pair; left and right hold words, total float32."""
    pairs = [builder.bitcast(words, PAIRS) for words in (left, right)]
    return call_intrinsic(builder, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, [total, *pairs])


def _rounded(builder: Any, value: Any) -> Any:
    """LLVM code: float32 lanes rounded to bfloat16, as 16-bit integers."""
    narrow = call_intrinsic(builder, "llvm.x86.avx512bf16.cvtneps2bf16.512", ir.VectorType(BFloat(), LANES), [value])
    return builder.bitcast(narrow, HALVES)


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def rounded_words(builder: Any, low: Any, high: Any) -> Any:
    """LLVM code: two registers of float32 rounded to one of words, neighbours in a word, those of `low` first."""
    name, kind = "llvm.x86.avx512bf16.cvtne2ps2bf16.512", PAIRS
    return builder.bitcast(call_intrinsic(builder, name, kind, [high, low]), WORDS)


@intrinsic
def store_pairs(typing, address, low, high):
    """store_pairs(address, a, b): LANES words at an address, each a pair (a[lane], b[lane]), a in the lower half."""

    def codegen(context, builder, sig, args):
        """Round both, shift one, join."""
        first, second = (builder.zext(_rounded(builder, value), WORDS) for value in args[1:])
        joined = builder.or_(first, builder.shl(second, ir.Constant(WORDS, [16] * LANES)))
        builder.store(joined, _pointer(builder, args[0], WORDS)).align = 4
        return context.get_dummy_value()

    return types.void(types.intp, low, high), codegen


@intrinsic
def store_neighbours(typing, address, value):
    """store_neighbours(address, a): LANES bfloat16 side by side at an address; neighbours share a word."""

    def codegen(context, builder, sig, args):
        """Round and store half a register."""
        builder.store(_rounded(builder, args[1]), _pointer(builder, args[0], HALVES)).align = 2
        return context.get_dummy_value()

    return types.void(types.intp, value), codegen


@intrinsic
def load_at(typing, address, like):
    """load_at(address, like): the vector of like's type at an address; any alignment."""

    def codegen(context, builder, sig, args):
        """One load."""
        value = builder.load(_pointer(builder, args[0], vector_of(like)))
        value.align = like.bitwidth // 8
        return value

    return Lanes(like)(types.intp, like), codegen


@intrinsic(prefer_literal=True)
def stack_bytes(typing, count):
    """stack_bytes(n): the address of n bytes that live until the function returns, on whole cache lines."""
    number = count.literal_value

    def codegen(context, builder, sig, args):
        """One allocation at the function's entry, however often it is passed."""
        place = cgutils.alloca_once(builder, ir.IntType(8), ir.Constant(ir.IntType(64), number))
        place.align = 64
        return builder.ptrtoint(place, ir.IntType(64))

    return types.intp(count), codegen
