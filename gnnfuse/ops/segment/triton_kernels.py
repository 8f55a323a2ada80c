"""The kernel of the segment operators with `impl="triton"` that writes one row per item; reductions are shared."""
# ruff: noqa: N803 - what is known when a kernel is compiled is written in capitals

import triton
import triton.language as tl

GATHER, CHOOSE, LOGSUMEXP_BACKWARD, SOFTMAX, SOFTMAX_BACKWARD = range(5)


@triton.jit
def segment_items_kernel(  # type: ignore[no-untyped-def]
    value, grad, index, first, second, out, items, dim, STEP: tl.constexpr, ACCUMULATOR: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Out `[items, dim]` from the items' value and grad, and their segments' first and second."""
    item = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    item_mask = item < items
    mask = item_mask[:, None] & (column < dim)[None, :]
    place = item[:, None] * dim + column[None, :]
    segment = tl.load(index + item, mask=item_mask, other=0).to(tl.int64)
    segment_place = segment[:, None] * dim + column[None, :]
    result = tl.load(first + segment_place, mask=mask, other=0).to(ACCUMULATOR)
    if STEP == 1:  # second names the item that the gradient in first is for
        result = tl.where(tl.load(second + segment_place, mask=mask, other=-1) == item[:, None], result, 0)
    elif STEP == 2 or STEP == 3:  # first is the highest, second the total of the exponentials
        shift = tl.where(tl.abs(result) == float("inf"), 0.0, result)
        total = tl.load(second + segment_place, mask=mask, other=1).to(ACCUMULATOR)
        share = tl.exp(tl.load(value + place, mask=mask, other=0).to(ACCUMULATOR) - shift)
        result = share / tl.where(total == 0, 1.0, total)
        if STEP == 2:  # grad is that of each segment's result
            result *= tl.load(grad + segment_place, mask=mask, other=0).to(ACCUMULATOR)
    elif STEP == 4:  # value is the weight, first the weighted mean of the gradients
        change = tl.load(grad + place, mask=mask, other=0).to(ACCUMULATOR) - result
        result = tl.load(value + place, mask=mask, other=0).to(ACCUMULATOR) * change
    tl.store(out + place, result, mask=mask)
