"""`neighbor_sum` on CUDA by fused kernels, as PyTorch operators; triton is imported when they run."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gnnfuse.ops.edges import Edges
from gnnfuse.ops.neighbor_sum.operator import check_lists, edge_lists, register_gradient


def neighbor_sum_triton(value: Tensor, edges: Edges, weight: Tensor | None, reduce: str) -> Tensor:
    """As the reference; 16-bit values are read as they are and added up in float32."""
    out: Tensor = call(value, weight, edge_lists(edges), reduce)[0]
    return out


@torch.library.custom_op("gnnfuse::neighbor_sum_triton", mutates_args=())
def forward(value: Tensor, weight: Tensor | None, edges: Sequence[Tensor], reduce: str) -> tuple[Tensor, Tensor]:
    """The output; and for "max" the edge that each number came from, int32 `[nodes, dim]`, else an empty tensor."""
    from gnnfuse.ops.neighbor_sum import triton_launch

    check_lists(edges)
    return triton_launch.reduce_forward(value, weight, edges, reduce)


@torch.library.custom_op("gnnfuse::neighbor_sum_triton_backward", mutates_args=())
def backward(
    grad_out: Tensor,
    value: Tensor,
    weight: Tensor | None,
    edges: Sequence[Tensor],
    highest: Tensor,
    reduce: str,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Gradients of value and weight; an empty one where `needs` says no."""
    from gnnfuse.ops.neighbor_sum import triton_launch

    mean, edge_of_highest = reduce == "mean", highest if reduce == "max" else None
    grads = [value.new_empty(0), (value if weight is None else weight).new_empty(0)]
    if needs[0]:
        grads[0] = triton_launch.backward_value(grad_out, weight, edges, edge_of_highest, mean)
    if needs[1] and weight is not None:
        grads[1] = triton_launch.backward_weight(grad_out, value, weight, edges, edge_of_highest, mean)
    return grads


call = register_gradient(forward, backward, "triton")
