"""Weights in other panels: transposed, rounded to pairs of bfloat16, or both, a square of registers at a time."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gencli.kernels.bfloat16 import LANES, rounded_words, store_pairs
from gencli.kernels.compile import kernel
from gencli.kernels.tile import PANEL_BYTES, size_of
from gencli.kernels.vector import REGISTER_BYTES, address, load, splat, vector_of


def _rotated(builder: Any, registers: list[Any]) -> list[Any]:
    """LLVM code that moves each element by one bit of its place, which is its register's number before its lane.

    As many times as a lane's number has bits, it turns the block on its side.
    """
    count, half = registers[0].type.count, len(registers) // 2
    lanes = [lane for i in range(count) for lane in (i, count + i)]  # of two registers in turn
    parts = [ir.Constant(ir.VectorType(ir.IntType(32), count), lanes[i : i + count]) for i in (0, count)]
    pairs = zip(registers[:half], registers[half:], strict=True)
    return [builder.shuffle_vector(*pair, part) for pair in pairs for part in parts]


def _place(builder: Any, base: Any, row: int, stride: Any, kind: Any) -> Any:
    """LLVM code for a pointer to row number `row`, `stride` bytes apart."""
    offset = builder.mul(stride, ir.Constant(stride.type, row))
    return builder.inttoptr(builder.add(base, offset), kind.as_pointer())


def _rows(builder: Any, base: Any, stride: Any, count: Any, vector: Any, align: int) -> list[Any]:
    """LLVM code that loads as many rows as a register has lanes; from number `count` on they are zero."""
    rows = []
    for row in range(vector.count):
        held = builder.icmp_signed(">", count, ir.Constant(count.type, row))
        first, here = (_place(builder, base, number, stride, vector) for number in (0, row))
        value = builder.load(builder.select(held, here, first))
        value.align = align
        rows.append(builder.select(held, value, ir.Constant(vector, None)))
    return rows


def _turned(builder: Any, registers: list[Any], base: Any, stride: Any, align: int) -> None:
    """LLVM code that turns a block and stores its rows."""
    for _ in range(registers[0].type.count.bit_length() - 1):
        registers = _rotated(builder, registers)
    for row, register in enumerate(registers):
        builder.store(register, _place(builder, base, row, stride, register.type)).align = align


@intrinsic
def turn(typing, like, source, source_row, count, target, target_row):
    """turn(x, source, row, n, target, row): a square of as many elements of x's type as a register holds, transposed.

    Addresses, and bytes from row to row; the source's rows from number n on count as zero.
    """

    def codegen(context, builder, sig, args):
        """Rows in, turned, rows out."""
        _, base, stride, held, place, step = args
        align = like.bitwidth // 8
        _turned(builder, _rows(builder, base, stride, held, vector_of(like), align), place, step, align)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5), codegen


@intrinsic
def turn_pairs(typing, source, source_row, count, target, target_row):
    """turn_pairs(source, row, n, target, row): as `turn`, rounded to half as many rows of words.

    A word holds neighbours in a row of the source, the first in its lower half.
    """

    def codegen(context, builder, sig, args):
        """Two rows make a register of words."""
        base, stride, held, place, step = args
        rows = _rows(builder, base, stride, held, vector_of(types.float32), 4)
        words = [rounded_words(builder, *rows[i : i + 2]) for i in range(0, LANES, 2)]
        _turned(builder, words, place, step, 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@kernel
def transpose_panels(weights, k, n, target, first, last):
    """Panels [first, last) of W, of k rows over n columns in all, transposed into `target`.

    Panel p of the target holds rows [p * width, (p + 1) * width) of W as its columns, n rows deep; rows of W from k on
    count as zero.
    """
    zero = weights.dtype.type(0)
    width, lanes = PANEL_BYTES // size_of(zero), REGISTER_BYTES // size_of(zero)
    for p in range((k + width - 1) // width):
        for j in range(first * width, last * width, lanes):
            for i in range(p * width, (p + 1) * width, lanes):
                source = address(weights, (j // width * k + min(i, k - 1)) * width + j % width)
                place = address(target, (p * n + j) * width + i % width)
                turn(zero, source, PANEL_BYTES, k - i, place, PANEL_BYTES)


@kernel
def halve_panels(weights, k, target, first, last):
    """Panels [first, last) of k float32 rows each, rounded to pairs of bfloat16: (k + 1) // 2 rows of words each."""
    width = PANEL_BYTES // weights.itemsize
    lanes = REGISTER_BYTES // weights.itemsize
    zero = splat(weights.dtype.type(0))
    pairs = (k + 1) // 2
    for p in range(first, last):
        for i in range(pairs):
            at = (p * k + 2 * i) * width
            place = address(target, (p * pairs + i) * width)
            for j in range(0, width, lanes):
                high = load(weights, at + width + j) if 2 * i + 1 < k else zero
                store_pairs(place + 4 * j, load(weights, at + j), high)


@kernel
def transpose_halved(weights, k, n, target, first, last):
    """As `transpose_panels`, each value rounded: panels of n / 2 rows of pairs."""
    width = PANEL_BYTES // 4
    for p in range((k + width - 1) // width):
        for j in range(first * width, last * width, LANES):
            for i in range(p * width, (p + 1) * width, LANES):
                source = address(weights, (j // width * k + min(i, k - 1)) * width + j % width)
                place = address(target, (p * n + j) // 2 * width + i % width)
                turn_pairs(source, PANEL_BYTES, k - i, place, PANEL_BYTES)
