"""The kernel of `neighbor_sum(impl="triton")` for the gradient of the weights; the others are shared by operators."""
# ruff: noqa: N803 - what is known when a kernel is compiled is written in capitals

import triton
import triton.language as tl


@triton.jit
def neighbor_sum_backward_weight_kernel(  # type: ignore[no-untyped-def]
    value, grad_out, offsets, src, dst, highest, grad_weight, edges, dim, MEAN: tl.constexpr,
    HAS_HIGHEST: tl.constexpr, ACCUMULATOR: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Program (block of edges): each edge's value times the gradient of its node, grad_weight `[edges]`."""
    edge = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)
    edge_mask = edge < edges
    row = tl.load(src + edge, mask=edge_mask, other=0).to(tl.int64)
    node = tl.load(dst + edge, mask=edge_mask, other=0)
    dot = tl.full([BLOCK_E], 0, ACCUMULATOR)
    for start in range(0, dim, BLOCK_D):
        column = start + tl.arange(0, BLOCK_D)
        mask = edge_mask[:, None] & (column < dim)[None, :]
        place = node[:, None] * dim + column[None, :]
        product = tl.load(grad_out + place, mask=mask, other=0).to(ACCUMULATOR)
        product *= tl.load(value + row[:, None] * dim + column[None, :], mask=mask, other=0).to(ACCUMULATOR)
        if HAS_HIGHEST:
            product = tl.where(tl.load(highest + place, mask=mask, other=-1) == edge[:, None], product, 0)
        dot += tl.sum(product, 1)
    if MEAN:
        count = tl.load(offsets + node + 1, mask=edge_mask, other=1) - tl.load(offsets + node, mask=edge_mask, other=0)
        dot = dot / count.to(ACCUMULATOR)
    tl.store(grad_weight + edge, dot, mask=edge_mask)
