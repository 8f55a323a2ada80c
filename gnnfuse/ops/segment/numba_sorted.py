"""Sums, means and extremes between offsets with `impl="numba"`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnnfuse.ops.check_edges import check_offsets
from gnnfuse.ops.new_memory import new_memory
from gnnfuse.ops.numba_team import address_of
from gnnfuse.ops.segment import numba_passes as passes
from gnnfuse.ops.segment import numba_sorted_kernels as kernels
from gnnfuse.ops.segment.numba_arrays import array, dtypes, number
from gnnfuse.ops.segment.numba_unsorted import joined
from gnnfuse.ops.work import Work, cut, piece_limit, spread, team_address

NO_ROWS = np.empty(0, np.uint64)


def sorted_sums(values: Tensor, offsets: Tensor, is_mean: bool) -> Tensor:
    """Sums or means `[segments, columns]`."""
    out = new_memory(values, len(offsets) - 1, values.shape[1])
    given = array(values)
    if run(kernels.sorted_sum_kernel, offsets, given.shape, given, is_mean, out.numpy()):
        return out
    work, pieces = in_pieces(values, offsets)
    spread(kernels.sorted_sum_kernel, work, given, False, pieces.numpy())
    total = work.sum_rows(pieces)
    return total.div_(lengths(offsets, total)) if is_mean else total


def sorted_extremes(values: Tensor, offsets: Tensor, sign: int, needs_found: bool) -> tuple[Tensor, Tensor]:
    """Extremes `[segments, columns]`, the lowest where the sign is -1, and where needed the items that have them."""
    out = new_memory(values, len(offsets) - 1, values.shape[1])
    found = torch.empty(out.shape if needs_found else (0, 0), dtype=torch.int32)
    given = array(values), number(sign, values)
    kernel = kernels.sorted_first_extreme_kernel if needs_found else kernels.sorted_extreme_kernel
    results = (out.numpy(), found.numpy()) if needs_found else (out.numpy(),)
    if run(kernel, offsets, values.shape, *given, True, *results):
        return out, found
    work, pieces = in_pieces(values, offsets)
    if not needs_found:
        spread(kernel, work, *given, False, pieces.numpy())
        highest = torch.from_numpy(np.maximum.reduceat(pieces.numpy(), work.starts, axis=0)).mul_(sign)
        return highest.masked_fill_((offsets.diff() == 0)[:, None], 0), found
    found = torch.empty(pieces.shape, dtype=torch.int32)
    spread(kernel, work, *given, False, pieces.numpy(), found.numpy())
    assert work.starts is not None
    return joined(pieces, found, (work.starts, np.diff(np.append(work.starts, len(pieces))), 1), sign)


def sorted_backward(grad: Tensor, found: Tensor | None, offsets: Tensor, items: int, is_mean: bool) -> Tensor:
    """Gradient of the values `[items, columns]`: of sums, of means, or of the items that were found."""
    out = new_memory(grad, items, grad.shape[1])
    kernel: Any = kernels.sorted_gather_kernel if found is None else kernels.sorted_choose_kernel
    option = is_mean if found is None else array(found)
    if run(kernel, offsets, out.shape, NO_ROWS, True, array(grad), option, out.numpy()):
        return out
    work = cut(offsets, grad.shape[1])
    if found is None:
        grad, option = grad / lengths(offsets, grad) if is_mean else grad, False
    spread(kernel, work, work.row, False, array(grad), option, out.numpy())
    return out


def run(kernel: Any, offsets: Tensor, shape: tuple[int, ...], *arguments: Any) -> bool:
    """Call the kernel over all segments of values of this shape; False if one is too long to be a single piece.

    Raises:
        ValueError: the offsets do not rise from 0 to the number of items.
    """
    bounds, (items, columns) = array(offsets), shape
    address = address_of(kernel, dtypes(arguments), (NO_ROWS, NO_ROWS, *arguments))
    threads = torch.get_num_threads()
    done = passes.sorted_pass(team_address(), address, threads, bounds, items, piece_limit(columns), *arguments)
    if done == passes.OUT_OF_RANGE:
        check_offsets("offsets", offsets, items)
    if done == passes.OUT_OF_MEMORY:
        raise MemoryError(f"{kernel.__name__} found no memory for its scratch rows")
    return bool(done == passes.DONE)


def in_pieces(values: Tensor, offsets: Tensor) -> tuple[Work, Tensor]:
    """Long segments cut into pieces, and memory for a row of each."""
    work = cut(offsets, values.shape[1])
    return work, new_memory(values, len(work.row), values.shape[1])


def lengths(offsets: Tensor, like: Tensor) -> Tensor:
    """Items of each segment, 1 at least, `[segments, 1]` in the dtype of `like`."""
    return offsets.diff().clamp(min=1).to(like.dtype)[:, None]
