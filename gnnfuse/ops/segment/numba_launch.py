"""The passes of the segment operators with `impl="numba"`: buffers are laid out, and kernels run over them."""

import numpy as np
import torch
from torch import Tensor

from gnnfuse.ops.check_edges import check_range
from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.work import alone_after_fork, spread
from gnnfuse.ops.segment import numba_kernels
from gnnfuse.ops.segment.numba_arrays import array, number
from gnnfuse.ops.segment.numba_plan import Plan, item_work, plan
from gnnfuse.ops.segment.numba_sorted import sorted_backward, sorted_extremes, sorted_sums
from gnnfuse.ops.segment.numba_unsorted import unsorted_backward, unsorted_extremes, unsorted_sums


@alone_after_fork
def reduce_forward(
    values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str, *, needs_found: bool = True
) -> tuple[Tensor, Tensor | None]:
    """The result `[segments, columns]`; and for "min" and "max" the item it came from.

    The items need not be found where no gradient will be asked for.
    """
    if reduce in ("min", "max"):
        sign = -1 if reduce == "min" else 1
        if is_sorted:
            return sorted_extremes(values, place, sign, needs_found)
        return unsorted_extremes(values, place, segments, sign, needs_found)
    if reduce == "logsumexp":
        return logsumexp(values, place, is_sorted, segments), None
    if is_sorted:
        return sorted_sums(values, place, reduce == "mean"), None
    return unsorted_sums(values, place, segments, reduce == "mean"), None


@alone_after_fork
def reduce_backward(
    grad: Tensor, values: Tensor | None, result: Tensor, found: Tensor | None, place: Tensor, is_sorted: bool,
    items: int, reduce: str,
) -> Tensor:  # fmt: skip
    """Gradient of the values `[items, columns]`."""
    if reduce == "logsumexp":
        assert values is not None
        return logsumexp_backward(grad, values, result, place, is_sorted)
    back = sorted_backward if is_sorted else unsorted_backward
    return back(grad, found if reduce in ("min", "max") else None, place, items, reduce == "mean")


def logsumexp(values: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The logarithm `[segments, columns]` of the sum of exponentials."""
    tasks = checked_plan(values, place, is_sorted, segments)
    highest = shifts(tasks, values)
    total, _ = exponentials(tasks, values, highest, keep=False)
    return highest + total.log()


def logsumexp_backward(grad: Tensor, values: Tensor, result: Tensor, place: Tensor, is_sorted: bool) -> Tensor:
    """Gradient of the values."""
    out = new_memory(grad, *values.shape)
    tasks = plan(place, is_sorted, len(grad), *values.shape)
    finite = result.masked_fill(result == -torch.inf, 0)
    arrays = array(values), tasks.table(finite), tasks.table(grad)
    spread(numba_kernels.logsumexp_backward_kernel, item_work(*out.shape), tasks.row_of, *arrays, out.numpy())
    return out


def checked_plan(values: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Plan:
    """As `plan`; ValueError for what does not divide the items."""
    if not is_sorted:  # offsets are checked where they are cut
        check_range("index", place, segments)
    return plan(place, is_sorted, segments, *values.shape)


@alone_after_fork
def softmax_forward(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The weights `[items, columns]`."""
    tasks = checked_plan(scores, place, is_sorted, segments)
    total, weights = exponentials(tasks, scores, shifts(tasks, scores), keep=True)
    table = tasks.table(total.masked_fill_(total == 0, 1))
    spread(numba_kernels.divide_kernel, item_work(*scores.shape), tasks.row_of, table, weights.numpy())
    return weights


@alone_after_fork
def softmax_backward(grad: Tensor, weights: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """Gradient of the scores `[items, columns]`."""
    tasks = plan(place, is_sorted, segments, len(weights), weights.shape[1])
    mean = sums(tasks, weights, grad)
    out = new_memory(weights, *weights.shape)
    arrays = array(weights), array(grad), tasks.table(mean)
    spread(numba_kernels.softmax_backward_kernel, item_work(*out.shape), tasks.row_of, *arrays, out.numpy())
    return out


def sums(tasks: Plan, values: Tensor, factor: Tensor | None) -> Tensor:
    """Sum of the values, or of the values times the factors, `[segments, columns]`."""
    parts = new_memory(values, int(tasks.rows[-1]), values.shape[1])
    factors = array(values.new_empty(0, 0) if factor is None else factor)
    spread(
        numba_kernels.segment_sum_kernel, tasks.tasks, tasks.rows, tasks.is_copy, tasks.row_of, array(values),
        factors, factor is not None, parts.numpy(),
    )  # fmt: skip
    return tasks.join(parts)


def shifts(tasks: Plan, values: Tensor) -> Tensor:
    """What the exponents of each segment are relative to: the highest, or 0 where that is infinite."""
    highest = tasks.join(highest_parts(tasks, values, 1, needs_found=False)[0], np.maximum)
    return highest.masked_fill_(highest.isinf(), 0)


def highest_parts(tasks: Plan, values: Tensor, sign: int, *, needs_found: bool) -> tuple[Tensor, Tensor]:
    """Highest value times the sign of each partial row."""
    parts = new_memory(values, int(tasks.rows[-1]), values.shape[1])
    found = parts.new_empty(parts.shape if needs_found else (0, 0), dtype=torch.int32)
    spread(
        numba_kernels.segment_highest_kernel, tasks.tasks, tasks.rows, tasks.is_copy, tasks.row_of, array(values),
        number(sign, values), parts.numpy(), found.numpy(), needs_found,
    )  # fmt: skip
    return parts, found


def exponentials(tasks: Plan, values: Tensor, highest: Tensor, *, keep: bool) -> tuple[Tensor, Tensor]:
    """Sum of exp(value - highest), `[segments, columns]`; the exponentials `[items, columns]`, where kept."""
    parts = new_memory(values, int(tasks.rows[-1]), values.shape[1])
    out = new_memory(values, *(values.shape if keep else (0, 0)))
    spread(
        numba_kernels.segment_exponentials_kernel, tasks.tasks, tasks.rows, tasks.is_copy, tasks.row_of,
        array(values), tasks.table(highest), parts.numpy(), out.numpy(), keep,
    )  # fmt: skip
    return tasks.join(parts), out
