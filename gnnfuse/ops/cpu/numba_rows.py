"""Steps of the kernels on rows of `heads * dim` numbers, one head after the other, to be inlined into them.

Rows are 1-D slices of flat arrays and indices unsigned: a 2-D row, or an index that may be negative, keeps LLVM
from using vector instructions. Four rows at a time share the loads and stores of their sum.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import inlined

Floats = NDArray[Any]


@inlined
def row_at(flat: Floats, index: np.unsignedinteger[Any], stride: np.uint64, width: np.uint64) -> Floats:
    """`width` numbers from row `index` of a flat array whose rows begin `stride` apart."""
    start = np.uint64(index) * stride
    return flat[start : start + width]


@inlined
def fill(row: Floats, number: float) -> None:
    """Set every entry to the number."""
    for place in range(np.uint64(row.shape[0])):
        row[place] = number


@inlined
def dot_four_rows(
    left: Floats, row_0: Floats, row_1: Floats, row_2: Floats, row_3: Floats, heads: np.uint64, dim: np.uint64,
    out_0: Floats, out_1: Floats, out_2: Floats, out_3: Floats,
) -> None:  # fmt: skip
    """`out_i[h]` = dot product of head h of the left row and of row i."""
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
    """`out[h]` = dot product of the two rows' head h."""
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
