"""Vectors of one machine register inside Numba code: what loops over arrays cannot be relied on to become.

A `Lanes` value holds REGISTER_BYTES of float32 or float64. Arithmetic is written with the usual operators, between two
vectors or a vector and a Python number. Vectors are read from and written to C-contiguous arrays at a flat index.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from gencli.kernels.compile import processor

_FEATURES = processor()[1]
REGISTER_BYTES = 64 if "avx512f" in _FEATURES else 32 if "avx2" in _FEATURES and "fma" in _FEATURES else 16


class Lanes(types.Type):
    """One register's worth of floating-point numbers."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.count = REGISTER_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Lanes({dtype}, {self.count})")


def scalar_of(dtype: types.Float) -> ir.Type:
    """LLVM's type of one number."""
    return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()


def vector_of(dtype: types.Float) -> ir.VectorType:
    """LLVM's type of one register of numbers."""
    return ir.VectorType(scalar_of(dtype), REGISTER_BYTES * 8 // dtype.bitwidth)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frontend: Lanes) -> None:
        super().__init__(manager, frontend, vector_of(frontend.dtype))


def spread(builder: Any, scalar: Any, vector: ir.VectorType) -> Any:
    """LLVM code that copies a scalar to every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, zeros)


def _to_lanes(context: Any, builder: Any, value: Any, kind: types.Type, lanes: Lanes) -> Any:
    if isinstance(kind, Lanes):
        return value
    return spread(builder, context.cast(builder, value, kind, lanes.dtype), vector_of(lanes.dtype))


def _arithmetic(function: Callable[..., Any], method: str) -> None:
    class _Rule(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            """The signature where a vector takes part."""
            if len(args) == 2 and any(isinstance(arg, Lanes) for arg in args):
                lanes = args[0] if isinstance(args[0], Lanes) else args[1]
                if all(arg == lanes or isinstance(arg, types.Number) for arg in args):
                    return signature(lanes, *args)
            return None

    infer_global(function)(_Rule)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        left, right = (_to_lanes(context, builder, v, k, sig.return_type) for v, k in zip(args, sig.args, strict=True))
        return getattr(builder, method)(left, right)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(function, *kinds)(lower)


for _function, _method in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_function, _method)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector_of(array_type.dtype).as_pointer())


@intrinsic
def address(typing: Any, array: Any, index: Any) -> Any:
    """address(array, i): where element i of the flat array lies, as a signed integer.

    Numba makes floating-point numbers of unsigned addresses that signed numbers are added to.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ptrtoint(_pointer(context, builder, array, *args), ir.IntType(64))

    return types.intp(array, types.intp), codegen


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """load(array, index): the vector that begins at flat `index` of a C-contiguous array; any alignment."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_pointer(context, builder, sig.args[0], *args))
        value.align = array.dtype.bitwidth // 8
        return value

    return Lanes(array.dtype)(array, types.intp), codegen


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """store(array, index, vector): write a vector at flat `index` of a C-contiguous array; any alignment."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = builder.store(args[2], _pointer(context, builder, sig.args[0], args[0], args[1]))
        place.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def splat(typing: Any, scalar: Any) -> Any:
    """splat(x): a vector with x in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return spread(builder, args[0], vector_of(scalar))

    return Lanes(scalar)(scalar), codegen


def call_intrinsic(builder: Any, name: str, result: ir.Type, args: list[Any]) -> Any:
    """LLVM code that calls one of LLVM's own functions."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def prefetch_at(builder: Any, address: Any) -> None:
    """LLVM code that calls the cache line at an address into the caches; any address will do."""
    pointer = builder.inttoptr(address, ir.IntType(8).as_pointer())
    word = ir.IntType(32)
    reading, near, data = ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)
    call_intrinsic(builder, "llvm.prefetch.p0i8", ir.VoidType(), [pointer, reading, near, data])


def suffix(vector: ir.VectorType) -> str:
    """The end of an LLVM function's name for a vector type, such as v16f32."""
    return f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """fma(a, b, c): a * b + c, rounded once; each a vector or a number, at least one a vector."""
    lanes = next(kind for kind in (a, b, c) if isinstance(kind, Lanes))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        values = [_to_lanes(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True)]
        vector = vector_of(lanes.dtype)
        return call_intrinsic(builder, f"llvm.fma.{suffix(vector)}", vector, values)

    return lanes(a, b, c), codegen


@intrinsic
def root(typing: Any, x: Any) -> Any:
    """root(x): the square root, lane by lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = vector_of(x.dtype)
        return call_intrinsic(builder, f"llvm.sqrt.{suffix(vector)}", vector, list(args))

    return x(x), codegen


@intrinsic
def clamp(typing: Any, x: Any, low: Any, high: Any) -> Any:
    """clamp(x, low, high): x held between two numbers; NaN passes through."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = args[0]
        lower, upper = (_to_lanes(context, builder, args[i], sig.args[i], x) for i in (1, 2))
        value = builder.select(builder.fcmp_ordered("<", value, lower), lower, value)
        return builder.select(builder.fcmp_ordered(">", value, upper), upper, value)

    return x(x, low, high), codegen


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """larger(a, b): lane by lane the larger of two vectors; NaN in b passes through."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return a(a, b), codegen


@intrinsic
def positive(typing: Any, x: Any) -> Any:
    """positive(x): lane by lane 1 where x > 0, else 0."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = vector_of(x.dtype)
        one, zero = (ir.Constant(vector, [n] * x.count) for n in (1.0, 0.0))
        return builder.select(builder.fcmp_ordered(">", args[0], zero), one, zero)

    return x(x), codegen


def _reduction(operation: str, start: float | None) -> Callable[..., Any]:
    def typed(typing: Any, x: Any) -> Any:
        """Vector to number."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            scalar = scalar_of(x.dtype)
            values = ([] if start is None else [ir.Constant(scalar, start)]) + [args[0]]
            name = f"llvm.vector.reduce.{operation}.{suffix(vector_of(x.dtype))}"
            return call_intrinsic(builder, name, scalar, values)

        return x.dtype(x), codegen

    return typed


# Lanes are added in order, from the first: a fixed order is part of the promise of equal bits.
total = intrinsic(_reduction("fadd", 0.0))
largest = intrinsic(_reduction("fmax", None))


@intrinsic
def times_power_of_two(typing: Any, x: Any, shifted: Any) -> Any:
    """times_power_of_two(x, n + 1.5 * 2**23): x * 2**n for float32 lanes, n a whole number in [-126, 127]."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        integers = ir.VectorType(ir.IntType(32), x.count)
        bits = [builder.bitcast(arg, integers) for arg in args]
        exponent = builder.shl(bits[1], ir.Constant(integers, [23] * x.count))
        return builder.bitcast(builder.add(bits[0], exponent), vector_of(x.dtype))

    return x(x, shifted), codegen


@intrinsic
def keep_nan(typing: Any, x: Any, result: Any) -> Any:
    """keep_nan(x, y): lane by lane x where it is NaN, else y."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_unordered("uno", args[0], args[0]), args[0], args[1])

    return x(x, result), codegen


@intrinsic
def exp64(typing: Any, x: Any) -> Any:
    """exp64(x): the exponential of float64 lanes by the system's mathematical library, one lane at a time."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        """One library call a lane."""
        vector, number = vector_of(x.dtype), ir.DoubleType()
        result = ir.Constant(vector, ir.Undefined)
        for lane in range(x.count):
            place = ir.Constant(ir.IntType(32), lane)
            value = call_intrinsic(builder, "llvm.exp.f64", number, [builder.extract_element(args[0], place)])
            result = builder.insert_element(result, value, place)
        return result

    return x(x), codegen
