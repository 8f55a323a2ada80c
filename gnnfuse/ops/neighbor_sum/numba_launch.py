"""The passes of `neighbor_sum(impl="numba")`: allocates buffers and runs kernels on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.work import Work, alone_after_fork, cut, spread
from gnnfuse.ops.neighbor_sum import numba_kernels


def reduce_forward(value: Tensor, weight: Tensor | None, lists: Sequence[Tensor], reduce: str) -> tuple[Tensor, Tensor]:
    """The output `[nodes, dim]`; and for "max" the edge it came from, else an empty tensor."""
    if reduce == "max":
        return max_forward(value, weight, lists)
    return sum_forward(value, weight, lists, reduce == "mean"), lists[1].new_empty(0, 0)


@alone_after_fork
def sum_forward(value: Tensor, weight: Tensor | None, lists: Sequence[Tensor], mean: bool) -> Tensor:
    """The sum or mean `[nodes, dim]` over each node's edges."""
    offsets, src, *_ = lists
    work = cut(offsets, value.shape[1])
    out = new_memory(value, len(work.row), value.shape[1])
    spread(
        numba_kernels.neighbor_sum_forward_kernel, work, work.row, index(src), array(value),
        *weights(weight, value), shares(offsets, value, mean), out.numpy(),
    )  # fmt: skip
    return work.sum_rows(out)


@alone_after_fork
def max_forward(value: Tensor, weight: Tensor | None, lists: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The maximum `[nodes, dim]` over each node's edges, and the edge it came from; -1 without edges."""
    offsets, src, *_ = lists
    work = cut(offsets, value.shape[1])
    out = new_memory(value, len(work.row), value.shape[1])
    highest = new_memory(src, len(work.row), value.shape[1])
    spread(
        numba_kernels.neighbor_max_forward_kernel, work, index(src), array(value), *weights(weight, value),
        out.numpy(), highest.numpy(),
    )  # fmt: skip
    return join_highest(work, out, highest)


def join_highest(work: Work, out: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
    """Merge the maxima of pieces to those of rows."""
    if work.starts is None:
        return out, highest
    first_piece = np.append(work.starts, len(work.row))
    joined = new_memory(out, len(work.starts), out.shape[1])
    joined_highest = new_memory(highest, len(work.starts), out.shape[1])
    results = joined.numpy(), joined_highest.numpy()
    numba_kernels.neighbor_max_join_kernel(first_piece, out.numpy(), highest.numpy(), *results)
    return joined, joined_highest


@alone_after_fork
def backward_value(
    grad_out: Tensor, weight: Tensor | None, lists: Sequence[Tensor], highest: Tensor | None, mean: bool
) -> Tensor:
    """Gradient of the value `[rows, dim]`."""
    offsets, _, transpose_offsets, edge, dst = lists
    work = cut(transpose_offsets, grad_out.shape[1])
    grad = new_memory(grad_out, len(work.row), grad_out.shape[1])
    spread(
        numba_kernels.neighbor_sum_backward_value_kernel, work, index(edge), index(dst), array(grad_out),
        *weights(weight, grad_out), shares(offsets, grad_out, mean), *edges_of_maxima(highest), grad.numpy(),
    )  # fmt: skip
    return work.sum_rows(grad)


@alone_after_fork
def backward_weight(
    grad_out: Tensor, value: Tensor, weight: Tensor, lists: Sequence[Tensor], highest: Tensor | None, mean: bool
) -> Tensor:
    """Gradient of the weight `[edges]`."""
    offsets, src, *_ = lists
    work = cut(offsets, value.shape[1])
    grad = torch.empty_like(weight, memory_format=torch.contiguous_format)
    spread(
        numba_kernels.neighbor_sum_backward_weight_kernel, work, work.row, index(src), array(value),
        array(grad_out), shares(offsets, value, mean), *edges_of_maxima(highest), grad.numpy(),
    )  # fmt: skip
    return grad


def shares(offsets: Tensor, like: Tensor, mean: bool) -> NDArray[Any]:
    """The factor on each node's edges, `[nodes]`: 1, or 1 / their number."""
    dtype = array(like).dtype
    counts = np.diff(array(offsets)) if mean else np.ones(len(offsets) - 1, dtype)
    return (1 / np.maximum(counts, 1)).astype(dtype)


def weights(weight: Tensor | None, like: Tensor) -> tuple[NDArray[Any], bool]:
    """The weights; an empty array for None, so that the kernels' argument types stay the same."""
    return array(like.new_empty(0) if weight is None else weight), weight is not None


def edges_of_maxima(highest: Tensor | None) -> tuple[NDArray[np.int32], bool]:
    """The edges that the maxima came from; an empty array for None."""
    empty = torch.empty(0, 0, dtype=torch.int32, device="cpu")
    return array(empty if highest is None else highest), highest is not None


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of the one layout the kernels are compiled for."""
    return tensor.detach().contiguous().numpy()


def index(tensor: Tensor) -> NDArray[np.uint32]:
    """The int32 tensor as unsigned indices."""
    return array(tensor).view(np.uint32)
