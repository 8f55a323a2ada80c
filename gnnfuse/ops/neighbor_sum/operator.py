"""What the operators of `neighbor_sum` share: their lists, the shapes of their results, and their derivative."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch._library.custom_ops import CustomOpDef

from gnnfuse.ops.check_edges import check_indices
from gnnfuse.ops.cpu.short_way import register
from gnnfuse.ops.edges import Edges, Transpose


def edge_lists(edges: Edges) -> list[Tensor]:
    """The lists that the kernels read: all but the relations."""
    return [edges.offsets, edges.src, *edges.transpose]


def check_lists(lists: Sequence[Tensor]) -> None:
    """Raise ValueError before a kernel would read or write beside its tensors; on accelerators when asked to."""
    offsets, src, *transpose = lists
    edges = Edges(offsets, src, src, Transpose(*transpose))
    check_indices(edges, nodes=edges.num_nodes, rows=edges.transpose.offsets.numel() - 1)


def forward_fake(value: Tensor, weight: Tensor | None, edges: Sequence[Tensor], reduce: str) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of the forward operator's results."""
    offsets, src, *_ = edges
    shape = (offsets.shape[0] - 1, value.shape[1])
    return value.new_empty(shape), src.new_empty(shape if reduce == "max" else (0, 0))


def backward_fake(
    grad_out: Tensor,
    value: Tensor,
    weight: Tensor | None,
    edges: Sequence[Tensor],
    highest: Tensor,
    reduce: str,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Shapes and dtypes of the backward operator's results."""
    value_shape = value.shape if needs[0] else (0,)
    grad_weight = value if weight is None else weight
    return [value.new_empty(value_shape), grad_weight.new_empty(edges[1].shape if needs[1] else (0,))]


def register_gradient(forward: CustomOpDef, backward: CustomOpDef, impl: str) -> Callable[..., Any]:
    """Tell PyTorch the shapes and the first derivative of a pair of operators, and give what calls the first."""

    def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        value, weight, edges, ctx.reduce = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(value, weight, *edges, output[1])

    def call_backward(
        ctx: Any, run: Callable[..., list[Tensor]], grad_out: Tensor, _: Tensor | None
    ) -> tuple[Any, ...]:
        value, weight, *edges, highest = ctx.saved_tensors
        needs = list(ctx.needs_input_grad[:2])
        grads = run(grad_out, value, weight, edges, highest, ctx.reduce, needs)
        wanted = [grad if needed else None for grad, needed in zip(grads, needs, strict=True)]
        return *wanted, [None] * len(edges), None

    forward.register_fake(forward_fake)
    backward.register_fake(backward_fake)
    refusal = f"neighbor_sum(impl={impl!r}) has no second derivative; use impl='reference' for it"
    return register(forward, backward, keep_for_backward, call_backward, refusal)
