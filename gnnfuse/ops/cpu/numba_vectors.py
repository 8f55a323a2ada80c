"""Several numbers as one value inside numba kernels, for loops that LLVM does not vectorise well.

A vector may be longer than the processor's: LLVM splits it into registers. One of 512 bytes stays in registers over all
edges of a row, whereas a loop over arrays loads and stores it for each edge. As it is no array, LLVM also need not
check for each edge whether writes alias reads.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

FLOAT = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
INT32 = ir.IntType(32)
FUSED = ["contract"]  # a product and a sum may become one instruction
Emit = Callable[..., Any]


class Vector(types.Type):
    """A fixed number of values of a dtype.

    Args:
        dtype: float32 or float64.
        lanes: number of values.
    """

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """A vector is a value of LLVM's vector type."""

    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, lowered(kind))  # type: ignore[no-untyped-call]


def in_kernels(function: Callable[..., tuple[Any, Emit]]) -> Callable[..., Any]:
    """Make a function callable from kernels: it maps argument types to a signature and a function that emits code."""
    made: Callable[..., Any] = intrinsic(prefer_literal=True)(function)
    return made


def lowered(kind: Vector) -> ir.VectorType:
    """LLVM's type for a vector."""
    return ir.VectorType(FLOAT[kind.dtype], kind.lanes)


def place_of(context: Any, builder: Any, array: Any, value: Any, index: Any, kind: Vector) -> Any:
    """Address of the vector that begins at an index of a flat array."""
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), lowered(kind).as_pointer())


def picked(builder: Any, left: Any, right: Any, lanes: list[int]) -> Any:
    """Selected lanes of two vectors; those of the second are numbered after those of the first."""
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(INT32, len(lanes)), lanes))


def undefined(of: Any) -> Any:
    """A placeholder for an operand that is not read."""
    return ir.Constant(of.type, ir.Undefined)


@in_kernels
def vector_at(typing: Any, array: Any, index: Any, lanes: Any) -> tuple[Any, Emit]:
    """The vector of `lanes` numbers, a constant, that begins at an index of a flat array."""
    kind = Vector(array.dtype, lanes.literal_value)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        read = builder.load(place_of(context, builder, array, values[0], values[1], kind))
        read.align = array.dtype.bitwidth // 8
        return read

    return kind(array, types.uint64, lanes), emit


@in_kernels
def put(typing: Any, array: Any, index: Any, vector: Any) -> tuple[Any, Emit]:
    """Write a vector into a flat array, beginning at an index."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        written = builder.store(values[2], place_of(context, builder, array, values[0], values[1], vector))
        written.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.uint64, vector), emit


@in_kernels
def all_lanes(typing: Any, number: Any, lanes: Any) -> tuple[Any, Emit]:
    """A vector whose `lanes` lanes, a constant, all hold the number."""
    kind = Vector(number, lanes.literal_value)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        nothing = ir.Constant(lowered(kind), ir.Undefined)
        first = builder.insert_element(nothing, values[0], ir.Constant(INT32, 0))
        return picked(builder, first, nothing, [0] * kind.lanes)

    return kind(number, lanes), emit


@in_kernels
def repeated(typing: Any, vector: Any, times: Any) -> tuple[Any, Emit]:
    """Each lane repeated `times` times, a constant, before the next."""
    kind = Vector(vector.dtype, vector.lanes * times.literal_value)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        lanes = [lane for lane in range(vector.lanes) for _ in range(times.literal_value)]
        return picked(builder, values[0], undefined(values[0]), lanes)

    return kind(vector, times), emit


@in_kernels
def summed(typing: Any, vector: Any, length: Any) -> tuple[Any, Emit]:
    """The sums of every `length` adjacent lanes: a power of two, a constant."""
    kind = Vector(vector.dtype, vector.lanes // length.literal_value)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        total, each = values[0], length.literal_value
        while each > 1:
            lower = [lane for lane in range(total.type.count) if lane % each < each // 2]
            upper = [lane + each // 2 for lane in lower]
            halves = [picked(builder, total, undefined(total), lanes) for lanes in (lower, upper)]
            total, each = builder.fadd(*halves), each // 2
        return total

    return kind(vector, length), emit


@in_kernels
def larger(typing: Any, left: Any, right: Any) -> tuple[Any, Emit]:
    """Lane by lane the left number if it is larger, else the right one."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return left(left, left), emit


@in_kernels
def inverted(typing: Any, vector: Any) -> tuple[Any, Emit]:
    """Lane by lane 1 over the number, and 0 for 0."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        ones, zeros = (ir.Constant(lowered(vector), [number] * vector.lanes) for number in (1.0, 0.0))
        return builder.select(builder.fcmp_unordered("!=", values[0], zeros), builder.fdiv(ones, values[0]), zeros)

    return vector(vector), emit


def arithmetic(operation: Any, instruction: str) -> None:
    """Extend numba by an operation on two vectors of one type."""

    @type_callable(operation)
    def give_type(context: Any) -> Callable[[Any, Any], Any]:
        def typed(left: Any, right: Any) -> Any:
            return left if isinstance(left, Vector) and left == right else None

        return typed

    builtin: Any = lower_builtin  # numba's own code has no types

    @builtin(operation, Vector, Vector)
    def compute(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return getattr(builder, instruction)(*values, flags=FUSED)


INSTRUCTIONS = {
    "fadd": (operator.add, operator.iadd),
    "fsub": (operator.sub, operator.isub),
    "fmul": (operator.mul, operator.imul),
}
for each_instruction, operations in INSTRUCTIONS.items():
    for each_operation in operations:
        arithmetic(each_operation, each_instruction)
