"""The passes of the segment operators with `impl="numba"`: buffers are laid out, and kernels run over them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.new_memory import new_memory
from gnnfuse.ops.segment import numba_kernels
from gnnfuse.ops.segment.numba_plan import Plan, cut_sorted, item_work, plan
from gnnfuse.ops.work import spread


def reduce_forward(
    values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str, *, needs_found: bool = True
) -> tuple[Tensor, Tensor]:
    """The result `[segments, columns]`; and for "min" and "max" the item it came from, else an empty tensor.

    The items need not be found where no gradient will be asked for.
    """
    if is_sorted and reduce in ("min", "max"):
        return sorted_extremes(values, place, -1 if reduce == "min" else 1, needs_found)
    nothing = torch.empty(0, 0, dtype=torch.int32)
    if is_sorted and reduce in ("sum", "mean"):
        total = sorted_sums(values, place)
        return total.div_(counts(place, is_sorted, total)) if reduce == "mean" else total, nothing
    tasks = plan(place, is_sorted, segments, len(values), values.shape[1])
    if reduce in ("min", "max"):
        return extremes(tasks, values, -1 if reduce == "min" else 1)
    if reduce == "logsumexp":
        highest = shifts(tasks, values)
        total, _ = exponentials(tasks, values, highest, keep=False)
        return highest + total.log(), nothing
    total = sums(tasks, values, None)
    return total.div_(counts(place, is_sorted, total)) if reduce == "mean" else total, nothing


def reduce_backward(
    grad: Tensor, values: Tensor | None, result: Tensor, found: Tensor, place: Tensor, is_sorted: bool, items: int,
    reduce: str,
) -> Tensor:  # fmt: skip
    """Gradient of the values `[items, columns]`."""
    out = new_memory(grad, items, grad.shape[1])
    if reduce == "mean":
        grad = grad / counts(place, is_sorted, grad)
    if is_sorted and reduce in ("sum", "mean"):
        work = cut_sorted(place, items, grad.shape[1])
        spread(numba_kernels.sorted_gather_kernel, work, work.row, array(grad), out.numpy())
        return out
    tasks = plan(place, is_sorted, len(grad), items, grad.shape[1])
    if reduce == "logsumexp":
        assert values is not None
        finite = result.masked_fill(result == -torch.inf, 0)
        arrays = array(values), tasks.table(finite), tasks.table(grad)
        spread(numba_kernels.logsumexp_backward_kernel, item_work(*out.shape), tasks.row_of, *arrays, out.numpy())
        return out
    table, has_found = tasks.table(grad), reduce in ("min", "max")
    named = tasks.table(found) if has_found else array(found)
    spread(numba_kernels.gather_kernel, item_work(*out.shape), tasks.row_of, table, named, has_found, out.numpy())
    return out


def softmax_forward(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The weights `[items, columns]`."""
    tasks = plan(place, is_sorted, segments, len(scores), scores.shape[1])
    total, weights = exponentials(tasks, scores, shifts(tasks, scores), keep=True)
    table = tasks.table(total.masked_fill_(total == 0, 1))
    spread(numba_kernels.divide_kernel, item_work(*scores.shape), tasks.row_of, table, weights.numpy())
    return weights


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


def sorted_sums(values: Tensor, offsets: Tensor) -> Tensor:
    """Sum of the values between offsets, `[segments, columns]`."""
    work = cut_sorted(offsets, len(values), values.shape[1])
    pieces = new_memory(values, len(work.row), values.shape[1])
    spread(numba_kernels.sorted_sum_kernel, work, array(values), pieces.numpy())
    return work.sum_rows(pieces)


def sorted_extremes(values: Tensor, offsets: Tensor, sign: int, needs_found: bool) -> tuple[Tensor, Tensor]:
    """As `extremes`, between offsets."""
    work = cut_sorted(offsets, len(values), values.shape[1])
    is_whole = work.starts is None
    out = new_memory(values, len(work.row), values.shape[1])
    found = torch.empty(out.shape if needs_found else (0, 0), dtype=torch.int32)
    spread(
        numba_kernels.sorted_extreme_kernel, work, array(values), number(sign, values), is_whole, out.numpy(),
        found.numpy(), needs_found,
    )  # fmt: skip
    if work.starts is None:
        return out, found
    if not needs_found:
        highest = torch.from_numpy(np.maximum.reduceat(out.numpy(), work.starts, axis=0)).mul_(sign)
        return highest.masked_fill_((offsets.diff() == 0)[:, None], 0), found
    return joined(out, found, (work.starts, np.diff(np.append(work.starts, len(out))), 1), sign)


def extremes(tasks: Plan, values: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """Highest value times the sign, `[segments, columns]`, and the item that has it."""
    return joined(*highest_parts(tasks, values, sign, needs_found=True), tasks.parts(), sign)


def joined(
    parts: Tensor, found: Tensor, places: tuple[NDArray[np.int64], NDArray[np.int64], int], sign: int
) -> tuple[Tensor, Tensor]:
    """Extremes of segments from those of their partial rows."""
    out = new_memory(parts, len(places[0]), parts.shape[1])
    out_found = new_memory(found, len(places[0]), parts.shape[1])
    numba_kernels.segment_join_kernel(
        *places, parts.numpy(), found.numpy(), number(sign, parts), out.numpy(), out_found.numpy()
    )
    return out, out_found


def shifts(tasks: Plan, values: Tensor) -> Tensor:
    """What the exponents of each segment are relative to: the highest, or 0 where that is infinite."""
    highest = tasks.join(highest_parts(tasks, values, 1, needs_found=False)[0], np.maximum)
    return highest.masked_fill_(highest.isinf(), 0)


def highest_parts(tasks: Plan, values: Tensor, sign: int, *, needs_found: bool) -> tuple[Tensor, Tensor]:
    """Highest value times the sign of each partial row."""
    parts = new_memory(values, int(tasks.rows[-1]), values.shape[1])
    found = torch.empty(parts.shape if needs_found else (0, 0), dtype=torch.int32)
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


def counts(place: Tensor, is_sorted: bool, like: Tensor) -> Tensor:
    """Items of each segment, 1 at least, `[segments, 1]` in the dtype of `like`, which is `[segments, columns]`."""
    if is_sorted:
        return place.diff().clamp(min=1).to(like.dtype)[:, None]
    counted = np.zeros(len(like), np.int64)
    numba_kernels.count_kernel(array(place), counted)
    return torch.from_numpy(np.maximum(counted, 1)).to(like.dtype)[:, None]


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of the one layout the kernels are compiled for."""
    return tensor.detach().contiguous().numpy()


def number(value: float, like: Tensor) -> np.floating[Any]:
    """A scalar in the tensor's precision; a Python float would raise the kernel's arithmetic to float64."""
    scalar: np.floating[Any] = array(like).dtype.type(value)
    return scalar
