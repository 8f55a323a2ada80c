"""`neighbor_sum` on the CPU by fused kernels, as PyTorch operators; numba is imported when they run."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gnnfuse.ops.edges import Edges
from gnnfuse.ops.neighbor_sum.operator import check_lists, edge_lists, register_gradient


def neighbor_sum_numba(value: Tensor, edges: Edges, weight: Tensor | None, reduce: str) -> Tensor:
    """As the reference, for float32 and float64 on the CPU."""
    out: Tensor = call(value, weight, edge_lists(edges), reduce)[0]
    return out


@torch.library.custom_op("gnnfuse::neighbor_sum_numba", mutates_args=())
def forward(value: Tensor, weight: Tensor | None, edges: Sequence[Tensor], reduce: str) -> tuple[Tensor, Tensor]:
    """The output; and for "max" the edge that each number came from, int32 `[nodes, dim]`, else an empty tensor."""
    from gnnfuse.ops.neighbor_sum import numba_launch

    check_lists(edges)
    if reduce == "max":
        return numba_launch.max_forward(value, weight, edges)
    return numba_launch.sum_forward(value, weight, edges, reduce == "mean"), edges[1].new_empty(0, 0)


@torch.library.custom_op("gnnfuse::neighbor_sum_numba_backward", mutates_args=())
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
    from gnnfuse.ops.neighbor_sum import numba_launch

    edge_of_highest = highest if reduce == "max" else None
    grads = [value.new_empty(0), value.new_empty(0)]
    if needs[0]:
        grads[0] = numba_launch.backward_value(grad_out, weight, edges, edge_of_highest, reduce == "mean")
    if needs[1]:
        grads[1] = numba_launch.backward_weight(grad_out, value, edges, edge_of_highest, reduce == "mean")
    return grads


call = register_gradient(forward, backward, "numba")
