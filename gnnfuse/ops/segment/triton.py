"""The segment operators on CUDA by compiled kernels, as PyTorch operators; triton is imported when they run."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.check_edges import CHECK_ON_DEVICE, check_offsets, check_range


def check_place(place: Tensor, is_sorted: bool, segments: int, items: int) -> None:
    """Raise ValueError before a kernel would write out of bounds; on accelerators within `checked_indices()`."""
    if place.device.type != "cpu" and not CHECK_ON_DEVICE.get():
        return
    if is_sorted:
        check_offsets("offsets", place, items)
    else:
        check_range("index", place, segments)


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


@segment_reduce_triton.register_fake
def reduce_fake(values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of the results."""
    shape = (segments, values.shape[1])
    return values.new_empty(shape), values.new_empty(shape if reduce in ("min", "max") else (0, 0), dtype=torch.int32)


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
    """Gradient of the values; `values` and `result` are read for "logsumexp" alone."""
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


def keep_reduced(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Save what the gradient needs; sums and extremes do not need the values."""
    values, place, ctx.is_sorted, _, ctx.reduce = inputs
    ctx.items = values.shape[0]
    ctx.mark_non_differentiable(output[1])
    kept = (values, output[0]) if ctx.reduce == "logsumexp" else (None, None)
    ctx.save_for_backward(*kept, output[1], place)


def reduce_backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradient of the values."""
    values, result, found, place = ctx.saved_tensors
    result = grad if result is None else result
    grads = segment_reduce_triton_backward(grad, values, result, found, place, ctx.is_sorted, ctx.items, ctx.reduce)
    return grads, None, None, None, None


def keep_weights(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Save the weights."""
    _, place, ctx.is_sorted, ctx.segments = inputs
    ctx.save_for_backward(output, place)


def softmax_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    """The gradient of the scores."""
    weights, place = ctx.saved_tensors
    return segment_softmax_triton_backward(grad, weights, place, ctx.is_sorted, ctx.segments), None, None, None


def refusing(name: str) -> Callable[..., None]:
    """A derivative that raises RuntimeError: gradients have no gradient."""

    def refuse(ctx: Any, *grads: Any) -> None:
        raise RuntimeError(f"{name}(impl='triton') has no second derivative; use impl='reference' for it")

    return refuse


segment_reduce_triton.register_autograd(reduce_backward, setup_context=keep_reduced)
segment_softmax_triton.register_autograd(softmax_backward, setup_context=keep_weights)
segment_reduce_triton_backward.register_fake(lambda grad, *given: grad.new_empty(given[5], grad.shape[1]))
segment_softmax_triton.register_fake(lambda scores, *_: scores.new_empty(scores.shape))
segment_softmax_triton_backward.register_fake(lambda grad, weights, *_: weights.new_empty(weights.shape))
segment_reduce_triton_backward.register_autograd(refusing("segment_reduce"))
segment_softmax_triton_backward.register_autograd(refusing("segment_softmax"))
