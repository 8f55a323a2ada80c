"""The segment operators on the CPU by compiled kernels, as PyTorch operators; numba is imported when they run."""

from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.segment.operator import register_reduce, register_softmax


def reduce_by_numba(values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str) -> Tensor:
    """As the reference, for `[items, columns]` in float32 or float64."""
    if needs_operator(values):
        out: Tensor = segment_reduce_numba(values, place, is_sorted, segments, reduce)[0]
        return out
    if not needs_derivative(values):
        from gnnfuse.ops.segment import numba_launch

        return numba_launch.reduce_forward(values, place, is_sorted, segments, reduce, needs_found=False)[0]
    found: Tensor = Reduce.apply(values, place, is_sorted, segments, reduce)  # type: ignore[no-untyped-call]
    return found


def softmax_by_numba(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """As the reference, for `[items, columns]` in float32 or float64."""
    if needs_operator(scores):
        out: Tensor = segment_softmax_numba(scores, place, is_sorted, segments)
        return out
    if not needs_derivative(scores):
        from gnnfuse.ops.segment import numba_launch

        return numba_launch.softmax_forward(scores, place, is_sorted, segments)
    found: Tensor = Softmax.apply(scores, place, is_sorted, segments)  # type: ignore[no-untyped-call]
    return found


def needs_operator(values: Tensor) -> bool:
    """Whether more than plain tensors pass here: a compiler, or a transform of functions.

    They see one opaque operator. Otherwise an autograd function does the same, and starts 0.05 ms sooner: a fifth of
    what reading 6 MB takes.
    """
    if torch.compiler.is_compiling():
        return True
    is_plain = type(values) in (Tensor, torch.nn.Parameter)
    return not is_plain or torch._C._are_functorch_transforms_active()


def needs_derivative(values: Tensor) -> bool:
    """Whether autograd wants to know; where not, 0.01 to 0.03 ms of its bookkeeping are saved."""
    follows = values.requires_grad and torch.is_grad_enabled()
    return follows or torch.autograd.forward_ad._current_level >= 0


class Reduce(torch.autograd.Function):
    """`segment_reduce_numba` for plain tensors."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str) -> Tensor:
        """The result `[segments, columns]`."""
        from gnnfuse.ops.segment import numba_launch

        out, found = numba_launch.reduce_forward(values, place, is_sorted, segments, reduce)
        ctx.items, ctx.is_sorted, ctx.reduce = len(values), is_sorted, reduce
        kept = (values, out) if reduce == "logsumexp" else (None, None)
        ctx.save_for_backward(*kept, found, place)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of the values; the operator's where a second is asked for, which it refuses."""
        from gnnfuse.ops.segment import numba_launch

        values, out, found, place = ctx.saved_tensors
        run: Any = segment_reduce_numba_backward if torch.is_grad_enabled() else numba_launch.reduce_backward
        out = grad if out is None else out
        return run(grad, values, out, found, place, ctx.is_sorted, ctx.items, ctx.reduce), None, None, None, None


class Softmax(torch.autograd.Function):
    """`segment_softmax_numba` for plain tensors."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
        """The weights `[items, columns]`."""
        from gnnfuse.ops.segment import numba_launch

        weights = numba_launch.softmax_forward(scores, place, is_sorted, segments)
        ctx.is_sorted, ctx.segments = is_sorted, segments
        ctx.save_for_backward(weights, place)
        return weights

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of the scores; as in `Reduce`."""
        from gnnfuse.ops.segment import numba_launch

        weights, place = ctx.saved_tensors
        run: Any = segment_softmax_numba_backward if torch.is_grad_enabled() else numba_launch.softmax_backward
        return run(grad, weights, place, ctx.is_sorted, ctx.segments), None, None, None


@torch.library.custom_op("gnnfuse::segment_reduce_numba", mutates_args=())
def segment_reduce_numba(
    values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str
) -> tuple[Tensor, Tensor]:
    """The result `[segments, columns]`; and for "min" and "max" the item it came from, int32, else an empty tensor.

    `place` is the offsets of sorted items, or else their index.
    """
    from gnnfuse.ops.segment import numba_launch

    return numba_launch.reduce_forward(values, place, is_sorted, segments, reduce)


@torch.library.custom_op("gnnfuse::segment_reduce_numba_backward", mutates_args=())
def segment_reduce_numba_backward(
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
    from gnnfuse.ops.segment import numba_launch

    return numba_launch.reduce_backward(grad, values, result, found, place, is_sorted, items, reduce)


@torch.library.custom_op("gnnfuse::segment_softmax_numba", mutates_args=())
def segment_softmax_numba(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The weights `[items, columns]`."""
    from gnnfuse.ops.segment import numba_launch

    return numba_launch.softmax_forward(scores, place, is_sorted, segments)


@torch.library.custom_op("gnnfuse::segment_softmax_numba_backward", mutates_args=())
def segment_softmax_numba_backward(
    grad: Tensor, weights: Tensor, place: Tensor, is_sorted: bool, segments: int
) -> Tensor:
    """Gradient of the scores `[items, columns]`."""
    from gnnfuse.ops.segment import numba_launch

    return numba_launch.softmax_backward(grad, weights, place, is_sorted, segments)


register_reduce(segment_reduce_numba, segment_reduce_numba_backward, "numba")
register_softmax(segment_softmax_numba, segment_softmax_numba_backward, "numba")
