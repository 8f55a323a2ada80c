"""Sums, means and extremes by an unsorted index with `impl="numba"`."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.check_edges import check_range
from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.numba_team import address_of
from gnnfuse.ops.cpu.work import team_address
from gnnfuse.ops.segment import numba_kernels as kernels
from gnnfuse.ops.segment import numba_passes as passes
from gnnfuse.ops.segment.numba_arrays import array, dtypes, number
from gnnfuse.ops.segment.numba_plan import copies_of, item_runs, unsigned

NO_ROWS = np.empty(0, np.uint64)


def unsorted_sums(values: Tensor, index: Tensor, segments: int, is_mean: bool) -> Tensor:
    """Sums or means `[segments, columns]`."""
    copies = copies_of(len(values), segments, values.shape[1])
    parts, given = new_memory(values, copies * segments, values.shape[1]), array(values)
    no_factor = np.empty((0, 0), given.dtype)
    run(kernels.segment_sum_kernel, index, copies, segments, given, no_factor, False, parts.numpy())
    if copies == 1 and not is_mean:
        return parts
    out = parts if copies == 1 else new_memory(values, segments, values.shape[1])
    passes.join_sums_kernel(parts.numpy(), unsigned(index), is_mean, out.numpy())
    return out


def unsorted_extremes(
    values: Tensor, index: Tensor, segments: int, sign: int, needs_found: bool
) -> tuple[Tensor, Tensor | None]:
    """Extremes `[segments, columns]`, the lowest where the sign is -1, and where needed the items that have them."""
    copies = copies_of(len(values), segments, values.shape[1])
    parts, signed = new_memory(values, copies * segments, values.shape[1]), number(sign, values)
    found = parts.new_empty(parts.shape if needs_found else (0, 0), dtype=torch.int32)
    results = parts.numpy(), found.numpy(), needs_found
    run(kernels.segment_highest_kernel, index, copies, segments, array(values), signed, *results)
    if needs_found:
        return joined(parts, found, (np.arange(segments), np.full(segments, copies), segments), sign)
    out = new_memory(values, segments, values.shape[1])
    passes.join_extremes_kernel(parts.numpy(), unsigned(index), signed, out.numpy())
    return out, None


def unsorted_backward(grad: Tensor, found: Tensor | None, index: Tensor, items: int, is_mean: bool) -> Tensor:
    """Gradient of the values `[items, columns]`: of sums, of means, or of the items that were found."""
    out, places = new_memory(grad, items, grad.shape[1]), unsigned(index)
    table, named = array(grad), np.empty((0, 0), np.int32) if found is None else array(found)
    if is_mean:
        table = np.empty_like(table)
        passes.divide_by_counts_kernel(array(grad), places, table)
    arguments = places, table, named, found is not None, out.numpy()
    address = address_of(kernels.gather_kernel, dtypes(arguments), (NO_ROWS, NO_ROWS, *arguments))
    threads, runs = torch.get_num_threads(), item_runs(*out.shape)
    passes.item_pass(team_address(), address, threads, items, runs, *arguments)
    return out


def run(kernel: Any, index: Tensor, copies: int, segments: int, *arguments: Any) -> None:
    """Call the kernel over runs of items, each with a copy of all segments.

    Raises:
        ValueError: the index is not below the number of segments.
    """
    places = unsigned(index)
    address = address_of(
        kernel, (*dtypes(arguments), places.dtype), (NO_ROWS, NO_ROWS, NO_ROWS, True, places, *arguments)
    )
    threads = torch.get_num_threads()
    done = passes.copied_pass(team_address(), address, threads, places, copies, segments, *arguments)
    if done == passes.OUT_OF_RANGE:
        check_range("index", index, segments)


def joined(
    parts: Tensor, found: Tensor, places: tuple[NDArray[np.int64], NDArray[np.int64], int], sign: int
) -> tuple[Tensor, Tensor]:
    """Extremes of segments from those of their partial rows."""
    out = new_memory(parts, len(places[0]), parts.shape[1])
    out_found = new_memory(found, len(places[0]), parts.shape[1])
    kernels.segment_join_kernel(
        *places, parts.numpy(), found.numpy(), number(sign, parts), out.numpy(), out_found.numpy()
    )
    return out, out_found
