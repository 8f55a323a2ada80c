"""The passes of `neighbor_sum(impl="triton")`."""

from collections.abc import Sequence

import torch
import triton
from torch import Tensor

from gnnfuse.ops.cuda.triton_reduce import Terms, reduce_rows, tile_options
from gnnfuse.ops.cuda.triton_reduce_kernels import EXTREME, SUM
from gnnfuse.ops.neighbor_sum.triton_kernels import neighbor_sum_backward_weight_kernel


def reduce_forward(value: Tensor, weight: Tensor | None, lists: Sequence[Tensor], reduce: str) -> tuple[Tensor, Tensor]:
    """The output `[nodes, dim]`; and for "max" the edge it came from, else an empty tensor."""
    offsets, src, *_ = lists
    kind = EXTREME if reduce == "max" else SUM
    terms = Terms(value.contiguous(), source=src.contiguous(), weight=contiguous(weight))
    out, second = reduce_rows(terms, offsets.contiguous(), len(src), kind, value.dtype, mean=reduce == "mean")
    return out, second if reduce == "max" else src.new_empty(0, 0)


def backward_value(
    grad_out: Tensor, weight: Tensor | None, lists: Sequence[Tensor], highest: Tensor | None, mean: bool
) -> Tensor:
    """Gradient of the value `[rows, dim]`, a sum along the transpose."""
    offsets, _, transpose_offsets, edge, dst = lists
    dtype = grad_out.dtype
    if mean:  # in the accumulator's dtype, so that 16-bit gradients are rounded once
        share = offsets.diff().clamp(min=1).to(torch.promote_types(dtype, torch.float32))
        grad_out = grad_out / share[:, None]
    terms = Terms(
        grad_out.contiguous(),
        source=dst.contiguous(),
        number=edge.contiguous(),
        weight=contiguous(weight),
        chosen=highest,
    )
    return reduce_rows(terms, transpose_offsets.contiguous(), len(edge), SUM, dtype)[0]


def backward_weight(
    grad_out: Tensor, value: Tensor, weight: Tensor, lists: Sequence[Tensor], highest: Tensor | None, mean: bool
) -> Tensor:
    """Gradient of the weight `[edges]`."""
    offsets, src, *_ = lists
    grad = torch.empty_like(weight, memory_format=torch.contiguous_format)
    if value.shape[1] == 0:
        return grad.zero_()
    if len(src) == 0:
        return grad
    dst = torch.repeat_interleave(offsets.diff(), output_size=len(src))
    options = tile_options(value.shape[1], torch.promote_types(value.dtype, torch.float32))
    with torch.cuda.device_of(value):  # type: ignore[no-untyped-call]
        neighbor_sum_backward_weight_kernel[(triton.cdiv(len(src), options["BLOCK_E"]),)](
            value.contiguous(), grad_out.contiguous(), offsets.contiguous(), src.contiguous(), dst,
            dst if highest is None else highest, grad, len(src), value.shape[1],
            MEAN=mean, HAS_HIGHEST=highest is not None, **options,
        )  # fmt: skip
    return grad


def contiguous(tensor: Tensor | None) -> Tensor | None:
    """The tensor, contiguous; None for None."""
    return None if tensor is None else tensor.contiguous()
