"""Sums, means and extremes between offsets with `impl="numba"`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnnfuse.ops.check_edges import check_offsets
from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.numba_team import ADDRESSES, address_of
from gnnfuse.ops.cpu.work import piece_limit, team_address
from gnnfuse.ops.segment import numba_passes as passes
from gnnfuse.ops.segment import numba_sorted_kernels as kernels
from gnnfuse.ops.segment.numba_arrays import array, number
from gnnfuse.ops.segment.numba_plan import item_runs

NO_ROWS = np.empty(0, np.uint64)


def sorted_sums(values: Tensor, offsets: Tensor, is_mean: bool) -> Tensor:
    """Sums or means `[segments, columns]`."""
    out = new_memory(values, len(offsets) - 1, values.shape[1])
    given, result = array(values), out.numpy()
    key = kernels.sorted_sum_kernel, given.dtype
    code = ADDRESSES.get(key) or address_of(*key, (NO_ROWS, NO_ROWS, given, is_mean, result))
    run(passes.sorted_sums_pass, code, offsets, len(given), piece_limit(given.shape[1]), given, is_mean, result)
    return out


def sorted_extremes(values: Tensor, offsets: Tensor, sign: int, needs_found: bool) -> tuple[Tensor, Tensor | None]:
    """Extremes `[segments, columns]`, the lowest where the sign is -1, and where needed the items that have them."""
    out = new_memory(values, len(offsets) - 1, values.shape[1])
    found = out.new_empty(out.shape, dtype=torch.int32) if needs_found else None
    results = (out.numpy(),) if found is None else (out.numpy(), found.numpy())
    kernel: Any = kernels.sorted_extreme_kernel if found is None else kernels.sorted_first_extreme_kernel
    given, signed = array(values), number(sign, values)
    code = address_of(kernel, given.dtype, (NO_ROWS, NO_ROWS, given, signed, True, *results))
    whole: Any = passes.sorted_extremes_pass if found is None else passes.sorted_first_extremes_pass
    run(whole, code, offsets, len(given), piece_limit(values.shape[1]), given, signed, *results)
    return out, found


def sorted_backward(grad: Tensor, found: Tensor | None, offsets: Tensor, items: int, is_mean: bool) -> Tensor:
    """Gradient of the values `[items, columns]`: of sums, of means, or of the items that were found."""
    out = new_memory(grad, items, grad.shape[1])
    kernel: Any = kernels.sorted_gather_kernel if found is None else kernels.sorted_choose_kernel
    arguments = array(grad), is_mean if found is None else array(found), out.numpy()
    key = kernel, arguments[0].dtype
    code = ADDRESSES.get(key) or address_of(*key, (NO_ROWS, NO_ROWS, array(offsets), *arguments))
    run(passes.sorted_items_pass, code, offsets, items, item_runs(*out.shape), *arguments)
    return out


def run(whole: Any, code: int, offsets: Tensor, items: int, *arguments: Any) -> None:
    """Call a pass whose kernel's machine code is at `code`.

    Raises:
        ValueError: the offsets do not rise from 0 to the number of items.
    """
    done = whole(team_address(), code, torch.get_num_threads(), array(offsets), *arguments)
    if done == passes.OUT_OF_RANGE:
        check_offsets("offsets", offsets, items)
    if done == passes.OUT_OF_MEMORY:
        raise MemoryError("a kernel found no memory for its scratch rows")
