"""The segment operators on CUDA by compiled kernels, as PyTorch operators; triton is imported when they run."""

import torch
from torch import Tensor

from gnnfuse.ops.segment.operator import check_place, register_reduce, register_softmax


@torch.library.custom_op("gnnfuse::segment_reduce_triton", mutates_args=())
def segment_reduce_triton(
    values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str
) -> tuple[Tensor, Tensor]:
    """The result `[segments, columns]`; and for "min" and "max" the item it came from, int32, else an empty tensor.

    `place` is the offsets of sorted items, or else their index.
    """
    from gnnfuse.ops.segment import triton_launch

    check_place(place, is_sorted, segments, len(values))
    return triton_launch.reduce_forward(values, place, is_sorted, segments, reduce)


@torch.library.custom_op("gnnfuse::segment_reduce_triton_backward", mutates_args=())
def segment_reduce_triton_backward(
    grad: Tensor,
    values: Tensor | None,
    result: Tensor,
    found: Tensor,
    place: Tensor,
    is_sorted: bool,
    items: int,
    reduce: str,
) -> Tensor:
    """Gradient of the values; `values` and `result` are looked at for "logsumexp" alone."""
    from gnnfuse.ops.segment import triton_launch

    return triton_launch.reduce_backward(grad, values, result, found, place, is_sorted, items, reduce)


@torch.library.custom_op("gnnfuse::segment_softmax_triton", mutates_args=())
def segment_softmax_triton(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The weights `[items, columns]`."""
    from gnnfuse.ops.segment import triton_launch

    check_place(place, is_sorted, segments, len(scores))
    return triton_launch.softmax_forward(scores, place, is_sorted, segments)


@torch.library.custom_op("gnnfuse::segment_softmax_triton_backward", mutates_args=())
def segment_softmax_triton_backward(
    grad: Tensor, weights: Tensor, place: Tensor, is_sorted: bool, segments: int
) -> Tensor:
    """Gradient of the scores `[items, columns]`."""
    from gnnfuse.ops.segment import triton_launch

    return triton_launch.softmax_backward(grad, weights, place, is_sorted, segments)


register_reduce(segment_reduce_triton, segment_reduce_triton_backward, "triton")
register_softmax(segment_softmax_triton, segment_softmax_triton_backward, "triton")
