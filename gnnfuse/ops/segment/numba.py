"""The segment operators on the CPU by compiled kernels, as PyTorch operators; numba is imported when they run."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.cpu.short_way import apply, needs_derivative, needs_operator
from gnnfuse.ops.segment.operator import register_reduce, register_softmax


def reduce_by_numba(values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str) -> Tensor:
    """As the reference, for `[items, columns]` in float32 or float64."""
    out: Tensor
    if needs_operator([values]):
        out, _ = segment_reduce_numba(values, place, is_sorted, segments, reduce)
    elif needs_derivative([values]):
        out = apply(Reduce, values, place, is_sorted, segments, reduce)
    else:
        out, _ = launch().reduce_forward(values, place, is_sorted, segments, reduce, needs_found=False)
    return out


def softmax_by_numba(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """As the reference, for `[items, columns]` in float32 or float64."""
    out: Tensor
    if needs_operator([scores]):
        out = segment_softmax_numba(scores, place, is_sorted, segments)
    elif needs_derivative([scores]):
        out = apply(Softmax, scores, place, is_sorted, segments)
    else:
        out = launch().softmax_forward(scores, place, is_sorted, segments)
    return out


@cache
def launch() -> Any:
    """The passes; the first call imports numba."""
    from gnnfuse.ops.segment import numba_launch

    return numba_launch


class Reduce(torch.autograd.Function):
    """`segment_reduce_numba` for plain tensors."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str) -> Tensor:
        """The result `[segments, columns]`."""
        out: Tensor
        out, found = launch().reduce_forward(values, place, is_sorted, segments, reduce)
        ctx.items, ctx.is_sorted, ctx.reduce = len(values), is_sorted, reduce
        kept = {"logsumexp": (place, values, out), "sum": (place,), "mean": (place,)}
        ctx.save_for_backward(*kept.get(reduce, (place, found)))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of the values; the operator's where a second is asked for, which it refuses."""
        place, *kept = ctx.saved_tensors
        values, out = kept if ctx.reduce == "logsumexp" else (None, grad)
        found = kept[0] if ctx.reduce in ("min", "max") else None
        others = place, ctx.is_sorted, ctx.items, ctx.reduce
        if torch.is_grad_enabled():
            found = place.new_empty(0, 0, dtype=torch.int32) if found is None else found
            return segment_reduce_numba_backward(grad, values, out, found, *others), None, None, None, None
        return launch().reduce_backward(grad, values, out, found, *others), None, None, None, None


class Softmax(torch.autograd.Function):
    """`segment_softmax_numba` for plain tensors."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
        """The weights `[items, columns]`."""
        weights: Tensor = launch().softmax_forward(scores, place, is_sorted, segments)
        ctx.is_sorted, ctx.segments = is_sorted, segments
        ctx.save_for_backward(weights, place)
        return weights

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of the scores; as in `Reduce`."""
        weights, place = ctx.saved_tensors
        run: Any = segment_softmax_numba_backward if torch.is_grad_enabled() else launch().softmax_backward
        return run(grad, weights, place, ctx.is_sorted, ctx.segments), None, None, None


@torch.library.custom_op("gnnfuse::segment_reduce_numba", mutates_args=())
def segment_reduce_numba(
    values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str
) -> tuple[Tensor, Tensor]:
    """The result `[segments, columns]`; and for "min" and "max" the item it came from, int32, else an empty tensor.

    `place` is the offsets of sorted items, or else their index.
    """
    out, found = launch().reduce_forward(values, place, is_sorted, segments, reduce)
    return out, out.new_empty(0, 0, dtype=torch.int32) if found is None else found


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
    grads: Tensor = launch().reduce_backward(grad, values, result, found, place, is_sorted, items, reduce)
    return grads


@torch.library.custom_op("gnnfuse::segment_softmax_numba", mutates_args=())
def segment_softmax_numba(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The weights `[items, columns]`."""
    weights: Tensor = launch().softmax_forward(scores, place, is_sorted, segments)
    return weights


@torch.library.custom_op("gnnfuse::segment_softmax_numba_backward", mutates_args=())
def segment_softmax_numba_backward(
    grad: Tensor, weights: Tensor, place: Tensor, is_sorted: bool, segments: int
) -> Tensor:
    """Gradient of the scores `[items, columns]`."""
    grads: Tensor = launch().softmax_backward(grad, weights, place, is_sorted, segments)
    return grads


register_reduce(segment_reduce_numba, segment_reduce_numba_backward, "numba")
register_softmax(segment_softmax_numba, segment_softmax_numba_backward, "numba")
