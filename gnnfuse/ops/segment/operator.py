"""What the segment operators of triton are to PyTorch: their checks, the shapes of their results, their derivative."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._library.custom_ops import CustomOpDef

from gnnfuse.ops.check_edges import CHECK_ON_DEVICE, check_offsets, check_range


def check_place(place: Tensor, is_sorted: bool, segments: int, items: int) -> None:
    """Raise ValueError before a kernel would write beside its tensors; on accelerators within `checked_indices()`."""
    if place.device.type != "cpu" and not CHECK_ON_DEVICE.get():
        return
    if is_sorted:
        check_offsets("offsets", place, items)
    else:
        check_range("index", place, segments)


def reduce_forward_fake(
    values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str
) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of the result, and of the item that each extreme came from."""
    shape = (segments, values.shape[1])
    return values.new_empty(shape), values.new_empty(shape if reduce in ("min", "max") else (0, 0), dtype=torch.int32)


def reduce_backward_fake(
    grad: Tensor,
    values: Tensor | None,
    result: Tensor,
    found: Tensor,
    place: Tensor,
    is_sorted: bool,
    items: int,
    reduce: str,
) -> Tensor:
    """Shape and dtype of the gradient."""
    return grad.new_empty(items, grad.shape[1])


def softmax_forward_fake(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """Shape and dtype of the weights."""
    return scores.new_empty(scores.shape)


def softmax_backward_fake(grad: Tensor, weights: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """Shape and dtype of the gradient."""
    return weights.new_empty(weights.shape)


def register_reduce(forward: CustomOpDef, backward: CustomOpDef, impl: str) -> None:
    """Tell PyTorch the shapes and the first derivative of a pair of operators; a second is refused."""

    def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        values, place, ctx.is_sorted, _, ctx.reduce = inputs
        ctx.items = values.shape[0]
        ctx.mark_non_differentiable(output[1])
        # Sums and extremes need no values: what was added up is not kept.
        kept = (values, output[0]) if ctx.reduce == "logsumexp" else (None, None)
        ctx.save_for_backward(*kept, output[1], place)

    def call_backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Any, ...]:
        values, result, found, place = ctx.saved_tensors
        result = grad if result is None else result
        grads = backward(grad, values, result, found, place, ctx.is_sorted, ctx.items, ctx.reduce)
        return grads, None, None, None, None

    forward.register_fake(reduce_forward_fake)
    backward.register_fake(reduce_backward_fake)
    forward.register_autograd(call_backward, setup_context=keep_for_backward)
    backward.register_autograd(refusing("segment_reduce", impl))


def register_softmax(forward: CustomOpDef, backward: CustomOpDef, impl: str) -> None:
    """As `register_reduce`."""

    def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, place, ctx.is_sorted, ctx.segments = inputs
        ctx.save_for_backward(output, place)

    def call_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        weights, place = ctx.saved_tensors
        return backward(grad, weights, place, ctx.is_sorted, ctx.segments), None, None, None

    forward.register_fake(softmax_forward_fake)
    backward.register_fake(softmax_backward_fake)
    forward.register_autograd(call_backward, setup_context=keep_for_backward)
    backward.register_autograd(refusing("segment_softmax", impl))


def refusing(name: str, impl: str) -> Callable[..., None]:
    """A derivative that raises: of a gradient none can be taken."""

    def refuse_second_derivative(ctx: Any, *grads: Any) -> None:
        raise RuntimeError(f"{name}(impl={impl!r}) has no second derivative; use impl='reference' for it")

    return refuse_second_derivative
