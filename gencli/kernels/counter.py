"""Random numbers from counters: a value depends on its name (seed, step, layer, row, unit), not on earlier draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gencli.kernels.compile import kernel
from gencli.kernels.vector import REGISTER_BYTES, load, spread, store

WORD = ir.IntType(32)


def mix(*words: int) -> int:
    """A 64-bit key from whole numbers: splitmix64's finaliser after each (Steele et al. 2014, figure 15)."""
    key = 0x9E3779B97F4A7C15
    for word in words:
        key = (key ^ (word & 0xFFFFFFFFFFFFFFFF)) & 0xFFFFFFFFFFFFFFFF
        key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        key = ((key ^ (key >> 31)) + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return key


@intrinsic
def _scramble(typing: Any, word: Any) -> Any:
    """A bijection of 32-bit words in which every input bit moves every output bit: MurmurHash3's finaliser.

    Written in 32-bit operations, which loops vectorise; Numba's own arithmetic would widen them.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _finalise(builder, args[0])

    return types.uint32(types.uint32), codegen


@intrinsic
def _dropped(typing: Any, value: Any, row: Any, unit: Any, threshold: Any) -> Any:
    """Lanes of the value, zero where 32 random bits, named by the row and by units from `unit` on, are too few."""
    words = ir.VectorType(WORD, value.count)
    units = [0x9E3779B1 * lane & 0xFFFFFFFF for lane in range(value.count)]

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        """A word for each lane, compared."""
        value, row, unit, threshold = args
        first = builder.add(row, builder.mul(builder.trunc(unit, WORD), ir.Constant(WORD, 0x9E3779B1)))
        bits = _finalise(builder, builder.add(spread(builder, first, words), ir.Constant(words, units)))
        kept = builder.icmp_unsigned(">=", bits, spread(builder, threshold, words))
        return builder.select(kept, value, ir.Constant(value.type, None))

    return value(value, types.uint32, types.int64, types.uint32), codegen


def _finalise(builder: Any, word: Any) -> Any:
    """Shifts and multiplications of MurmurHash3's fmix32, on a word or on lanes of them."""

    def number(n: int) -> Any:
        return ir.Constant(word.type, [n] * word.type.count if isinstance(word.type, ir.VectorType) else n)

    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, None)):
        word = builder.xor(word, builder.lshr(word, number(shift)))
        if factor is not None:
            word = builder.mul(word, number(factor))
    return word


@kernel
def drop_out(x, key, threshold, scale, fixed, first, last):
    """Zero the elements of rows [first, last) of x (T, B, N) whose 32 random bits fall below threshold; scale the rest.

    The bits depend on the key and on the element's place (t, b, j); with `fixed` not 0 on (b, j) alone. N is a whole
    number of registers.
    """
    T, B, N = x.shape
    lanes = REGISTER_BYTES // x.itemsize
    low, high = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32)
    for t in range(T):
        for b in range(first, last):
            row = _scramble(np.uint32(_scramble(np.uint32((0 if fixed else t) ^ low)) + np.uint32(b)))
            row = np.uint32(row ^ high)
            at = (t * B + b) * N
            for j in range(0, N, lanes):
                store(x, at + j, _dropped(load(x, at + j) * scale, row, j, threshold))


@kernel
def uniforms(key, indices, positions, out):
    """out[i] in [0, 1), 53 random bits named by (key, indices[i], positions[i]); all uint64 but out."""
    for i in range(indices.size):
        word = np.uint64(key)
        for part in (indices[i], positions[i]):
            word = np.uint64(word ^ part)
            word = np.uint64((word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))
            word = np.uint64((word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB))
            word = np.uint64((word ^ (word >> np.uint64(31))) + np.uint64(0x9E3779B97F4A7C15))
        out[i] = np.float64(word >> np.uint64(11)) * 2.0**-53
