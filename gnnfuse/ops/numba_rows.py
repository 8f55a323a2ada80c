"""What the kernels do with rows of `heads * dim` numbers, one head after the other; parts to be compiled into them.

Rows are 1-D slices of flat arrays and indices unsigned: a 2-D row, or an index that may be negative, keeps LLVM
from using vector instructions. Four rows at a time share the loads and stores of what they are added to.
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from gnnfuse.ops.numba_compile import inlined

Ints = NDArray[Any]
Floats = NDArray[Any]


@inlined
def row_at(flat: Floats, index: np.unsignedinteger[Any], stride: np.uint64, width: np.uint64) -> Floats:
    """`width` numbers from row `index` of a flat array whose rows begin `stride` apart."""
    start = np.uint64(index) * stride
    return flat[start : start + width]


@inlined
def fill(row: Floats, number: float) -> None:
    """Every entry becomes the number."""
    for place in range(np.uint64(row.shape[0])):
        row[place] = number


@inlined
def dot_four_rows(
    left: Floats, row_0: Floats, row_1: Floats, row_2: Floats, row_3: Floats, heads: np.uint64, dim: np.uint64,
    out_0: Floats, out_1: Floats, out_2: Floats, out_3: Floats,
) -> None:  # fmt: skip
    """`out_i[h]` = product of head h of the left row and of row i."""
    for head in range(heads):
        total_0 = total_1 = total_2 = total_3 = left.dtype.type(0)
        first = head * dim
        for d in range(dim):
            number = left[first + d]
            total_0 += number * row_0[first + d]
            total_1 += number * row_1[first + d]
            total_2 += number * row_2[first + d]
            total_3 += number * row_3[first + d]
        out_0[head], out_1[head], out_2[head], out_3[head] = total_0, total_1, total_2, total_3


@inlined
def dot_row(left: Floats, row: Floats, heads: np.uint64, dim: np.uint64, out: Floats) -> None:
    """`out[h]` = product of the two rows' head h."""
    for head in range(heads):
        total = left.dtype.type(0)
        first = head * dim
        for d in range(dim):
            total += left[first + d] * row[first + d]
        out[head] = total


@inlined
def add_row(out: Floats, weight: Floats, row: Floats, heads: np.uint64, dim: np.uint64) -> None:
    """`out` += `weight[h]` times head h of the row."""
    for head in range(heads):
        factor = weight[head]
        first = head * dim
        for d in range(dim):
            out[first + d] += factor * row[first + d]


@inlined
def add_four_rows(
    out: Floats, weight_0: Floats, weight_1: Floats, weight_2: Floats, weight_3: Floats,
    row_0: Floats, row_1: Floats, row_2: Floats, row_3: Floats, heads: np.uint64, dim: np.uint64,
) -> None:  # fmt: skip
    """As `add_row` for four rows."""
    for head in range(heads):
        factor_0, factor_1, factor_2, factor_3 = weight_0[head], weight_1[head], weight_2[head], weight_3[head]
        first = head * dim
        for d in range(dim):
            out[first + d] += (factor_0 * row_0[first + d] + factor_1 * row_1[first + d]) + (
                factor_2 * row_2[first + d] + factor_3 * row_3[first + d]
            )


def _float32_of_bits(typing_context: Any, bits: Any) -> Any:
    """The float32 that has these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


float32_of_bits: Any = intrinsic(_float32_of_bits)


def exp_below_zero(x: Any) -> Any:
    """The exponential of a number of at most 0, or NaN."""
    return math.exp(x)


@overload(exp_below_zero, jit_options={"fastmath": {"contract", "nsz"}}, inline="always")
def _exp_below_zero(x: Any) -> Any:
    if x == types.float32:
        return exp_float32
    return exp_float64


def exp_float64(x: Any) -> Any:
    """By the mathematical library."""
    return math.exp(x)


def exp_float32(x: Any) -> Any:
    """2^n e^r with n = round(x log2 e), by a polynomial of degree 7 in r; unlike the library's, LLVM can vectorise it.

    Cody and Waite (1980) split ln 2 into two addends so that r is exact. Below -87.3, where e^x is no normal float32
    any more, it is 0.
    """
    clamped = max(x, np.float32(-88.0))
    n = math.floor(clamped * np.float32(1.4426950408889634) + np.float32(0.5))
    r = clamped - n * np.float32(0.693359375) - n * np.float32(-2.12194440e-4)
    power = np.float32(1.9841270e-4)
    power = power * r + np.float32(1.3888889e-3)
    power = power * r + np.float32(8.3333333e-3)
    power = power * r + np.float32(4.1666667e-2)
    power = power * r + np.float32(1.6666667e-1)
    power = power * r + np.float32(0.5)
    power = power * r + np.float32(1.0)
    power = power * r + np.float32(1.0)
    scale: Any = float32_of_bits((np.int32(n) + np.int32(127)) << np.int32(23))
    return power * scale if x > np.float32(-87.3) else (np.float32(0.0) if x <= np.float32(-87.3) else x)
