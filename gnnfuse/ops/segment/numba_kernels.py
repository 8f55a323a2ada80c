"""The kernels behind the segment operators with `impl="numba"`. The derivation is in README.md.

The reducing kernels walk tasks `first` to `last`. Task t reads the items `bounds[t]` to `bounds[t + 1]` and alone
writes the output rows `rows[t]` to `rows[t + 1]`, at `index[item]`, plus `rows[t]` where every task has a copy of all
segments. The item kernels write one row per item. Either way any number of threads gives the same bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled
from gnnfuse.ops.cpu.numba_exponential import exponential

Ints = NDArray[Any]
Floats = NDArray[Any]


@compiled
def expand_kernel(bounds: Ints, index: Ints) -> None:
    """Index `[items]`: the number of the span that each item lies in."""
    one = np.uint64(1)
    for span in range(np.uint64(len(bounds)) - one):
        for item in range(bounds[span], bounds[span + one]):
            index[item] = span


@compiled
def count_kernel(index: Ints, counts: Floats) -> None:
    """Counts `[segments]` of the items, added to what is there."""
    for item in range(len(index)):
        counts[index[item]] += 1


@compiled
def segment_sum_kernel(
    first: int, last: int, _: Ints, bounds: Ints, rows: Ints, is_copy: bool, index: Ints, values: Floats,
    factor: Floats, has_factor: bool, out: Floats,
) -> None:  # fmt: skip
    """Sum of the values, or of the values times the factors, both `[items, columns]`."""
    columns = np.uint64(values.shape[1])
    for task in range(first, last):
        shift = rows[task] if is_copy else np.uint64(0)
        out[rows[task] : rows[task + 1]] = 0
        for item in range(bounds[task], bounds[task + 1]):
            out_row, value_row = out[index[item] + shift], values[item]
            if has_factor:
                factor_row = factor[item]
                for c in range(columns):
                    out_row[c] += value_row[c] * factor_row[c]
            else:
                for c in range(columns):
                    out_row[c] += value_row[c]


@compiled
def segment_highest_kernel(
    first: int, last: int, _: Ints, bounds: Ints, rows: Ints, is_copy: bool, index: Ints, values: Floats,
    sign: np.floating[Any], out: Floats, found: NDArray[np.int32], needs_found: bool,
) -> None:  # fmt: skip
    """Highest sign * value, -inf without items; and the first item that has it, or -1. A NaN is the highest of all."""
    columns = np.uint64(values.shape[1])
    for task in range(first, last):
        shift = rows[task] if is_copy else np.uint64(0)
        out[rows[task] : rows[task + 1]] = -np.inf
        if needs_found:
            found[rows[task] : rows[task + 1]] = -1
        for item in range(bounds[task], bounds[task + 1]):
            row, value_row = index[item] + shift, values[item]
            out_row = out[row]
            if needs_found:
                found_row, number = found[row], np.int32(item)
                for c in range(columns):
                    new, old = sign * value_row[c], out_row[c]
                    better = (new > old) | (found_row[c] < 0) | ((new != new) & (old == old))
                    out_row[c] = new if better else old
                    found_row[c] = number if better else found_row[c]
            else:
                for c in range(columns):
                    new, old = sign * value_row[c], out_row[c]
                    out_row[c] = new if (new > old) | (new != new) else old


@compiled
def segment_join_kernel(
    starts: Ints, counts: Ints, step: int, parts: Floats, part_found: NDArray[np.int32], sign: np.floating[Any],
    out: Floats, found: NDArray[np.int32],
) -> None:  # fmt: skip
    """Extremes of rows from the highest of their parts `starts[row] + n * step`; 0 without items."""
    columns = np.uint64(out.shape[1])
    for row in range(len(out)):
        out_row, found_row = out[row], found[row]
        out_row[:] = parts[starts[row]]
        found_row[:] = part_found[starts[row]]
        for number in range(1, counts[row]):
            part = parts[starts[row] + number * step]
            part_found_row = part_found[starts[row] + number * step]
            for c in range(columns):
                new, old = part[c], out_row[c]
                better = (new > old) | ((new != new) & (old == old))
                better = (better | (found_row[c] < 0)) & (part_found_row[c] >= 0)
                out_row[c] = new if better else old
                found_row[c] = part_found_row[c] if better else found_row[c]
        for c in range(columns):
            out_row[c] = sign * out_row[c] if found_row[c] >= 0 else 0


@compiled
def segment_exponentials_kernel(
    first: int, last: int, _: Ints, bounds: Ints, rows: Ints, is_copy: bool, index: Ints, values: Floats,
    highest: Floats, total: Floats, out: Floats, needs_out: bool,
) -> None:  # fmt: skip
    """Total of exp(value - highest of its row); each of them in out `[items, columns]` too, where needed."""
    columns = np.uint64(values.shape[1])
    scratch = np.empty(values.shape[1], values.dtype)
    for task in range(first, last):
        shift = rows[task] if is_copy else np.uint64(0)
        total[rows[task] : rows[task + 1]] = 0
        for item in range(bounds[task], bounds[task + 1]):
            value_row, highest_row = values[item], highest[index[item]]
            total_row = total[index[item] + shift]
            out_row = out[item] if needs_out else scratch
            for c in range(columns):
                out_row[c] = exponential(value_row[c] - highest_row[c])
            for c in range(columns):
                total_row[c] += out_row[c]


@compiled
def gather_kernel(
    first: int, last: int, _: Ints, bounds: Ints, index: Ints, table: Floats, found: NDArray[np.int32],
    has_found: bool, out: Floats,
) -> None:  # fmt: skip
    """Each item's row of the table; with `found`, only what that names as the item's."""
    columns = np.uint64(table.shape[1])
    for item in range(bounds[first], bounds[last]):
        out_row, table_row = out[item], table[index[item]]
        if has_found:
            found_row, number = found[index[item]], np.int32(item)
            for c in range(columns):
                out_row[c] = table_row[c] if found_row[c] == number else 0
        else:
            for c in range(columns):
                out_row[c] = table_row[c]


@compiled
def logsumexp_backward_kernel(
    first: int, last: int, _: Ints, bounds: Ints, index: Ints, values: Floats, result: Floats, grad: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """exp(value - result of its row) * gradient of its row."""
    columns = np.uint64(values.shape[1])
    for item in range(bounds[first], bounds[last]):
        out_row, value_row = out[item], values[item]
        result_row, grad_row = result[index[item]], grad[index[item]]
        for c in range(columns):
            out_row[c] = exponential(value_row[c] - result_row[c]) * grad_row[c]


@compiled
def divide_kernel(first: int, last: int, _: Ints, bounds: Ints, index: Ints, total: Floats, out: Floats) -> None:
    """Divide each item of `out` by the total of its row, in place."""
    columns = np.uint64(out.shape[1])
    for item in range(bounds[first], bounds[last]):
        out_row, total_row = out[item], total[index[item]]
        for c in range(columns):
            out_row[c] /= total_row[c]


@compiled
def softmax_backward_kernel(
    first: int, last: int, _: Ints, bounds: Ints, index: Ints, weights: Floats, grad: Floats, mean: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """weight * (gradient - mean of its row)."""
    columns = np.uint64(weights.shape[1])
    for item in range(bounds[first], bounds[last]):
        out_row, weight_row, grad_row, mean_row = out[item], weights[item], grad[item], mean[index[item]]
        for c in range(columns):
            out_row[c] = weight_row[c] * (grad_row[c] - mean_row[c])
