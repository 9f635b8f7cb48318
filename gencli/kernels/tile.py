"""Products over packed weights: a register tile, written as LLVM vector code, and the loops that run it.

Weights lie in panels of `panel_width` columns, k-major: panel p of a (K, N) matrix is the contiguous block
W[:, p * width : (p + 1) * width]. A tile of ROWS x 2 registers stays in registers over the whole of k; plain loops
cannot make Numba keep it there. Every tile adds its products in the order of k, one fused multiply-add each, and then
what C holds, whatever its number of rows: a row's bits do not depend on the rows beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gencli.kernels.bfloat16 import WORDS, dot
from gencli.kernels.compile import kernel, processor
from gencli.kernels.vector import REGISTER_BYTES, call_intrinsic, prefetch_at, scalar_of, spread, suffix, vector_of

VECTORS = 2  # registers side by side in a panel
PANEL_BYTES = VECTORS * REGISTER_BYTES
# Thirty-two registers hold a tile of 12 x 2 sums; sixteen hold one of 6 x 2.
_MANY_REGISTERS = REGISTER_BYTES == 64 or not any(f.startswith("sse") for f in processor()[1])
TALL = 12 if _MANY_REGISTERS else 6
TALLEST = TALL + 1  # where exactly so many rows are left
MIDDLE = TALL * 2 // 3  # enough sums under way for the latency of a bfloat16 dot product; four rows have too few
WIDE = 4  # panels side by side in a tile of one row
FEW = 4  # rows over two panels at a time: as many sums under way as in a middle tile
DEPTH = 256  # k is taken in blocks, whose part of a panel stays in the first-level cache


def panel_width(dtype: Any) -> int:
    """Columns of a panel for an element type: 32 of float32 on AVX-512."""
    return PANEL_BYTES // np.dtype(dtype).itemsize


def padded(size: int, dtype: Any) -> int:
    """`size` rounded up to whole panels."""
    width = panel_width(dtype)
    return -(-size // width) * width


class _TileCode:
    """Emits one tile's code: C (+)= A @ panel over k, the sums in phi nodes so that they never leave registers."""

    def __init__(self, builder: Any, dtype: types.Float, rows: int, panels: int, halved: bool) -> None:
        self.builder, self.rows, self.halved = builder, rows, halved
        self.vectors = panels * VECTORS  # side by side in a row of C
        self.vector = vector_of(dtype)
        self.scalar, self.operand = (ir.IntType(32), WORDS) if halved else (scalar_of(dtype), self.vector)
        self.align = dtype.bitwidth // 8

    def number(self, n: int) -> Any:
        """A 64-bit constant."""
        return ir.Constant(ir.IntType(64), n)

    def at(self, address: Any, kind: Any) -> Any:
        """A pointer to an address."""
        return self.builder.inttoptr(address, kind.as_pointer())

    def read(self, address: Any, kind: Any) -> Any:
        """The number or vector at an address."""
        value = self.builder.load(self.at(address, kind))
        value.align = self.align
        return value

    def row_addresses(self, first: Any, stride: Any) -> list[Any]:
        """Addresses of the tile's rows."""
        addresses = [first]
        for _ in range(self.rows - 1):
            addresses.append(self.builder.add(addresses[-1], stride))
        return addresses

    def multiply_add(self, left: Any, right: Any, total: Any) -> Any:
        """total + left * right; with bfloat16, both products of each pair."""
        if self.halved:
            return dot(self.builder, total, left, right)
        name = f"llvm.fma.{suffix(self.vector)}"
        return call_intrinsic(self.builder, name, self.vector, [left, right, total])

    def places(self, c: Any, c_row: Any) -> list[Any]:
        """Addresses of the tile's registers in C, row by row."""
        return [
            self.builder.add(row, self.number(REGISTER_BYTES * j))
            for row in self.row_addresses(c, c_row)
            for j in range(self.vectors)
        ]

    def start(self, places: list[Any]) -> list[Any]:
        """The sums before k = 0. With bfloat16 what C holds, which is added at the end, is called for meanwhile.

        Full precision, twice as long in its loop, and with twice the weights in the caches, is slower for it.
        """
        for place in places if self.halved else ():
            prefetch_at(self.builder, place)
        return [ir.Constant(self.vector, [0.0] * self.vector.count)] * len(places)

    def finish(self, sums: list[Any], places: list[Any], accumulate: Any) -> None:
        """Write the sums to C, or add them to what it holds."""
        b = self.builder
        with b.if_else(b.icmp_signed("!=", accumulate, self.number(0))) as (adding, writing):
            with adding:
                for place, value in zip(places, sums, strict=True):
                    self.write(b.fadd(self.read(place, self.vector), value), place)
            with writing:
                for place, value in zip(places, sums, strict=True):
                    self.write(value, place)

    def write(self, value: Any, address: Any) -> None:
        """Store a register at an address."""
        self.builder.store(value, self.at(address, self.vector)).align = self.align

    def weights(self, panel: Any, column: Any, panel_step: Any) -> list[Any]:
        """The registers of one row of each panel; `column` is the row's place in the first."""
        b, found = self.builder, []
        for _ in range(self.vectors // VECTORS):
            place = b.add(panel, column)
            found += [self.read(b.add(place, self.number(REGISTER_BYTES * j)), self.operand) for j in range(VECTORS)]
            panel = b.add(panel, panel_step)
        return found

    def loop(self, sums: list[Any], a: Any, a_row: Any, a_k: Any, panel: Any, panel_step: Any, k: Any) -> list[Any]:
        """The sums after all of k; k >= 1."""
        b, V = self.builder, self.vectors
        rows = self.row_addresses(a, a_row)
        before, body, after = b.block, b.append_basic_block("k"), b.append_basic_block("done")
        b.branch(body)
        b.position_at_end(body)
        step, offset, column = (b.phi(ir.IntType(64)) for _ in range(3))
        phis = [b.phi(self.vector) for _ in sums]
        weights = self.weights(panel, column, panel_step)
        new = []
        for i, row in enumerate(rows):
            left = spread(b, self.read(b.add(row, offset), self.scalar), self.operand)
            new += [self.multiply_add(left, weights[j], phis[i * V + j]) for j in range(V)]
        following = b.add(step, self.number(1))
        for phi, first, then in (
            (step, self.number(0), following),
            (offset, self.number(0), b.add(offset, a_k)),
            (column, self.number(0), b.add(column, self.number(PANEL_BYTES))),
            *zip(phis, sums, new, strict=True),
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(then, body)
        b.cbranch(b.icmp_signed("<", following, k), body, after)
        b.position_at_end(after)
        return new


def _lay(builder: Any, shape: tuple[Any, Any], like: Any, left: Any, weights: Any, k: Any, sums: Any) -> None:
    """Lay a tile's code down where it is called.

    shape (rows, panels) as literal types; left (a, a_row, a_k), weights (panel, panel_step), sums (c, c_row, add).
    """
    dtype = types.float64 if like.bitwidth == 64 else types.float32
    rows, panels = (size.literal_value for size in shape)
    (a, a_row, a_k), (panel, panel_step), (c, c_row, add) = left, weights, sums
    code = _TileCode(builder, dtype, rows, panels, like == types.uint32)
    places = code.places(c, c_row)
    found = code.loop(code.start(places), a, a_row, a_k, panel, panel_step, k)
    code.finish(found, places, add)


@intrinsic(prefer_literal=True)
def _tile(typing, rows, like, a, a_row, a_k, panel, k, c, c_row, add):
    """C (rows, width) (+)= A (rows, k) @ panel; places and steps in bytes.

    `like`, a number, gives the type: float64, float32, or uint32 for pairs of bfloat16, k then counting pairs.
    `add` is 0 to overwrite C, else the sums are added to what C holds.
    """

    def codegen(context, builder, sig, args):
        """A tile of one panel."""
        _, _, a, a_row, a_k, panel, k, c, c_row, add = args
        step = ir.Constant(ir.IntType(64), 0)
        _lay(builder, (rows, types.literal(1)), like, (a, a_row, a_k), (panel, step), k, (c, c_row, add))
        return context.get_dummy_value()

    return types.void(rows, like, *[types.intp] * 8), codegen


@intrinsic(prefer_literal=True)
def _wide_tile(typing, rows, panels, like, a, a_row, panel, panel_step, k, c, c_row, add):
    """C (rows, panels * width) (+)= A (rows, k) @ W, of panels side by side; A's elements follow on one another."""

    def codegen(context, builder, sig, args):
        """A tile of some panels."""
        _, _, _, a, a_row, panel, panel_step, k, c, c_row, add = args
        item = ir.Constant(ir.IntType(64), like.bitwidth // 8)
        _lay(builder, (rows, panels), like, (a, a_row, item), (panel, panel_step), k, (c, c_row, add))
        return context.get_dummy_value()

    return types.void(rows, panels, like, *[types.intp] * 8), codegen


@intrinsic
def size_of(typing: Any, like: Any) -> Any:
    """size_of(number): bytes of its type, known when compiled."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), like.bitwidth // 8)

    return types.intp(like), codegen


@kernel
def tile_rows(like, a, a_row, a_k, m, panel, k, c, c_row, accumulate):
    """C (m, width) (+)= A (m, k) @ panel: rows in tall tiles, then smaller ones; arguments as for `_tile`."""
    i = 0
    while m - i >= TALL and m - i != TALLEST:
        _tile(TALL, like, a + i * a_row, a_row, a_k, panel, k, c + i * c_row, c_row, accumulate)
        i += TALL
    if m - i == TALLEST:  # no row is left over for a tile of its own, which would take as long as four
        _tile(TALLEST, like, a + i * a_row, a_row, a_k, panel, k, c + i * c_row, c_row, accumulate)
        i += TALLEST
    if m - i >= MIDDLE:
        _tile(MIDDLE, like, a + i * a_row, a_row, a_k, panel, k, c + i * c_row, c_row, accumulate)
        i += MIDDLE
    while m - i >= 4:
        _tile(4, like, a + i * a_row, a_row, a_k, panel, k, c + i * c_row, c_row, accumulate)
        i += 4
    while m > i:
        _tile(1, like, a + i * a_row, a_row, a_k, panel, k, c + i * c_row, c_row, accumulate)
        i += 1


@kernel
def tile_panels(like, a, panel, panel_step, k, count, c, accumulate):
    """C (1, count * width) (+)= A (1, k) @ W: several panels at a time, whose sums do not wait for each other."""
    while count >= WIDE:
        _wide_tile(1, WIDE, like, a, 0, panel, panel_step, k, c, 0, accumulate)
        panel += WIDE * panel_step
        c += WIDE * PANEL_BYTES
        count -= WIDE
    while count > 0:
        _wide_tile(1, 1, like, a, 0, panel, 0, k, c, 0, accumulate)
        panel += panel_step
        c += PANEL_BYTES
        count -= 1


@kernel
def tile_few(like, a, a_row, panel, panel_step, k, count, c, c_row, accumulate):
    """C (FEW, count * width) (+)= A (FEW, k) @ W: two panels at a time."""
    while count >= 2:
        _wide_tile(FEW, 2, like, a, a_row, panel, panel_step, k, c, c_row, accumulate)
        panel += 2 * panel_step
        c += 2 * PANEL_BYTES
        count -= 2
    if count > 0:
        _wide_tile(FEW, 1, like, a, a_row, panel, 0, k, c, c_row, accumulate)
