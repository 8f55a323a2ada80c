"""The passes of the segment operators with `impl="triton"`.

An unsorted index is sorted stably: items are then added in their own order, and every run gives the same bits.
"""

from typing import NamedTuple

import torch
import triton
from torch import Tensor

from gnnfuse.ops.cuda.triton_reduce import Terms, reduce_rows, tile_options
from gnnfuse.ops.cuda.triton_reduce_kernels import EXPONENTIALS, EXTREME, SUM
from gnnfuse.ops.segment import triton_kernels as steps


class Order(NamedTuple):
    """Items by segment.

    Args:
        offsets: `[segments + 1]`, int64.
        item: `[items]`, the items in the order that the offsets divide; None if that is their own.
    """

    offsets: Tensor
    item: Tensor | None


def order(place: Tensor, is_sorted: bool, segments: int) -> Order:
    """The items of each segment."""
    if is_sorted:
        return Order(place.contiguous(), None)
    sorted_index, item = torch.sort(place, stable=True)
    ends = torch.arange(segments + 1, dtype=place.dtype, device=place.device)
    return Order(torch.searchsorted(sorted_index, ends), item)


def reduce_forward(values: Tensor, place: Tensor, is_sorted: bool, segments: int, reduce: str) -> tuple[Tensor, Tensor]:
    """The result `[segments, columns]`; and for "min" and "max" the item it came from, else an empty tensor."""
    items = len(values)
    offsets, item = order(place, is_sorted, segments)
    terms = Terms(values.contiguous(), source=item)
    nothing = torch.empty(0, 0, dtype=torch.int32, device=values.device)
    if reduce in ("min", "max"):
        sign = -1 if reduce == "min" else 1
        out, found = reduce_rows(terms, offsets, items, EXTREME, values.dtype, sign=sign)
        return out, found if item is None else items_at(item, found)
    if reduce == "logsumexp":
        highest, total = exponentials(terms, offsets, items)
        shift = highest.masked_fill(highest.isinf(), 0)
        return (shift + total.log()).to(values.dtype), nothing
    return reduce_rows(terms, offsets, items, SUM, values.dtype, mean=reduce == "mean")[0], nothing


def items_at(item: Tensor, found: Tensor) -> Tensor:
    """The items at the positions `found`; -1 where that is -1."""
    if len(item) == 0:
        return found
    return torch.where(found < 0, -1, item[found.clamp(min=0).long()]).int()


def reduce_backward(
    grad: Tensor, values: Tensor | None, result: Tensor, found: Tensor, place: Tensor, is_sorted: bool, items: int,
    reduce: str,
) -> Tensor:  # fmt: skip
    """Gradient of the values `[items, columns]`."""
    index = item_index(place, is_sorted, items)
    if reduce == "logsumexp":
        assert values is not None
        # Not from the result: rounded, it is off by more than the small differences that count here.
        offsets, item = order(place, is_sorted, len(grad))
        highest, total = exponentials(Terms(values.contiguous(), source=item), offsets, items)
        options = {"value": values, "first": highest, "second": total, "grad": grad.contiguous()}
        return by_item(steps.LOGSUMEXP_BACKWARD, index, grad.dtype, **options)
    if reduce in ("min", "max"):
        return by_item(steps.CHOOSE, index, grad.dtype, value=grad, first=grad, second=found)
    first = grad
    if reduce == "mean":  # in the accumulator's dtype, so that 16-bit gradients are rounded once
        counts = place.diff() if is_sorted else torch.bincount(place, minlength=len(grad))
        first = grad / counts.clamp(min=1).to(torch.promote_types(grad.dtype, torch.float32))[:, None]
    return by_item(steps.GATHER, index, grad.dtype, value=first, first=first, second=first)


def softmax_forward(scores: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """The weights `[items, columns]`."""
    offsets, item = order(place, is_sorted, segments)
    highest, total = exponentials(Terms(scores.contiguous(), source=item), offsets, len(scores))
    index = item_index(place, is_sorted, len(scores))
    return by_item(steps.SOFTMAX, index, scores.dtype, value=scores, first=highest, second=total)


def softmax_backward(grad: Tensor, weights: Tensor, place: Tensor, is_sorted: bool, segments: int) -> Tensor:
    """Gradient of the scores `[items, columns]`."""
    offsets, item = order(place, is_sorted, segments)
    grad, weights = grad.contiguous(), weights.contiguous()
    accumulator = torch.promote_types(weights.dtype, torch.float32)
    mean, _ = reduce_rows(Terms(weights, source=item, other=grad), offsets, len(weights), SUM, accumulator)
    index = item_index(place, is_sorted, len(weights))
    return by_item(steps.SOFTMAX_BACKWARD, index, weights.dtype, value=weights, grad=grad, first=mean, second=mean)


def exponentials(terms: Terms, offsets: Tensor, items: int) -> tuple[Tensor, Tensor]:
    """The highest of each segment, and the sum of the exponentials relative to it, in the accumulator's dtype."""
    accumulator = torch.promote_types(terms.value.dtype, torch.float32)
    return reduce_rows(terms, offsets, items, EXPONENTIALS, accumulator)


def item_index(place: Tensor, is_sorted: bool, items: int) -> Tensor:
    """The segment of each item."""
    if is_sorted:
        return torch.repeat_interleave(place.diff(), output_size=items)
    return place.contiguous()


def by_item(
    step: int, index: Tensor, dtype: torch.dtype, *, value: Tensor, first: Tensor, second: Tensor,
    grad: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """One row per item, `[items, columns]`."""
    items, dim = len(index), first.shape[1]
    out = first.new_empty(items, dim, dtype=dtype)
    if out.numel() == 0:
        return out
    options = tile_options(dim, torch.promote_types(dtype, torch.float32))
    grid = triton.cdiv(items, options["BLOCK_E"]), triton.cdiv(dim, options["BLOCK_D"])
    tensors = (value, value if grad is None else grad, index, first, second)
    with torch.cuda.device_of(out):  # type: ignore[no-untyped-call]
        steps.segment_items_kernel[grid](
            *(tensor.contiguous() for tensor in tensors), out, items, dim, STEP=step, **options
        )
    return out
