"""`neighbor_sum` by fused kernels, as PyTorch operators; the modules that launch them are imported when they run."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.check_edges import check_indices
from gnnfuse.ops.cpu.short_way import register
from gnnfuse.ops.edges import Edges, Transpose


def edge_lists(edges: Edges) -> list[Tensor]:
    """The lists that the kernels read: all but the relations."""
    return [edges.offsets, edges.src, *edges.transpose]


def check_lists(lists: Sequence[Tensor]) -> None:
    """Raise ValueError before a kernel would read or write out of bounds; on accelerators, in `checked_indices()`."""
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
    grads = [value.new_empty(value.shape if needs[0] else 0), (value if weight is None else weight).new_empty(0)]
    return [grads[0], torch.empty_like(weight)] if weight is not None and needs[1] else grads


def fused(impl: str) -> Callable[..., Any]:
    """A function that calls the kernels of an implementation, `numba` or `triton`, with a first derivative."""

    def launch() -> Any:
        return import_module(f"gnnfuse.ops.neighbor_sum.{impl}_launch")

    @torch.library.custom_op(f"gnnfuse::neighbor_sum_{impl}", mutates_args=())
    def forward(value: Tensor, weight: Tensor | None, edges: Sequence[Tensor], reduce: str) -> tuple[Tensor, Tensor]:
        """The output; and for "max" the edge that each number came from, int32 `[nodes, dim]`, else an empty tensor."""
        check_lists(edges)
        out, highest = launch().reduce_forward(value, weight, edges, reduce)
        return out, highest

    @torch.library.custom_op(f"gnnfuse::neighbor_sum_{impl}_backward", mutates_args=())
    def backward(
        grad_out: Tensor,
        value: Tensor,
        weight: Tensor | None,
        edges: Sequence[Tensor],
        highest: Tensor,
        reduce: str,
        needs: Sequence[bool],
    ) -> list[Tensor]:
        """Gradients of value and weight; an empty one where `needs` is False."""
        rest = (edges, highest if reduce == "max" else None, reduce == "mean")
        grads = [value.new_empty(0), (value if weight is None else weight).new_empty(0)]
        if needs[0]:
            grads[0] = launch().backward_value(grad_out, weight, *rest)
        if needs[1] and weight is not None:
            grads[1] = launch().backward_weight(grad_out, value, weight, *rest)
        return grads

    forward.register_fake(forward_fake)
    backward.register_fake(backward_fake)
    refusal = f"neighbor_sum(impl={impl!r}) has no second derivative; use impl='reference' for it"
    return register(forward, backward, keep_for_backward, call_backward, refusal)


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Save the inputs, and the edges of maxima."""
    value, weight, edges, ctx.reduce = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(value, weight, *edges, output[1])


def call_backward(ctx: Any, run: Callable[..., list[Tensor]], grad_out: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    value, weight, *edges, highest = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:2])
    grads = run(grad_out, value, weight, edges, highest, ctx.reduce, needs)
    wanted = [grad if needed else None for grad, needed in zip(grads, needs, strict=True)]
    return *wanted, [None] * len(edges), None


KERNELS = {impl: fused(impl) for impl in ("numba", "triton")}
