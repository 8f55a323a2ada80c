"""`graph_attention` on the CPU by fused kernels, as PyTorch operators; numba is imported when they run."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.check_edges import check_indices
from gnnfuse.ops.cpu.short_way import register
from gnnfuse.ops.edges import Edges, Transpose

Floats = Sequence[Tensor | None]
"""query, key, value, score_weight, edge_bias, relation_bias, relation_gate, edge_gate."""

Numbers = Sequence[float]
"""scale, negative_slope, dropout."""


def graph_attention_numba(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """As the reference, for float32 and float64 on the CPU."""
    edges = inputs.edges
    lists = [edges.offsets, edges.src, edges.relation, *edges.transpose]
    numbers = [inputs.scale, inputs.negative_slope, inputs.dropout]
    out: tuple[Tensor, Tensor] = call(*inputs[:3], *inputs[4:10], inputs.graph_id, lists, numbers)
    return out


@torch.library.custom_op("gnnfuse::graph_attention_numba", mutates_args=())
def forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_weight: Tensor | None,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edge_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    numbers: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """The output, and the softmax weights `[edges, heads]` for the backward pass.

    `edges` are the six lists of an `Edges`; `numbers` are scale, negative_slope and dropout.
    """
    from gnnfuse.ops.attention import numba_launch

    inputs = joined(
        [query, key, value, score_weight, edge_bias, relation_bias, relation_gate, edge_gate],
        seed,
        graph_id,
        edges,
        numbers,
    )
    tables = [len(table) for table in (score_weight, relation_bias, relation_gate) if table is not None]
    check_indices(inputs.edges, nodes=len(query), rows=len(key), relations=min(tables, default=None))
    return numba_launch.attend(inputs)


@forward.register_fake
def forward_fake(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_weight: Tensor | None,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edge_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    numbers: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of `forward`'s results."""
    nodes, heads, _ = query.shape
    return query.new_empty(nodes, heads, value.shape[2]), query.new_empty(edges[1].shape[0], heads)


@torch.library.custom_op("gnnfuse::graph_attention_numba_backward", mutates_args=())
def backward(
    grad_out: Tensor,
    floats: Sequence[Tensor | None],
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    numbers: Sequence[float],
    weights: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Gradients of the `Floats`; an empty one where `needs` is False."""
    from gnnfuse.ops.attention import numba_launch

    inputs = joined(floats, seed, graph_id, edges, numbers)
    grads = numba_launch.gradients(grad_out, inputs, weights, numba_launch.Needs(*needs))
    return [weights.new_empty(0) if grad is None else grad for grad in grads]


@backward.register_fake
def backward_fake(
    grad_out: Tensor,
    floats: Sequence[Tensor | None],
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    numbers: Sequence[float],
    weights: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    shapes = [
        tensor.shape if needed and tensor is not None else (0,) for tensor, needed in zip(floats, needs, strict=True)
    ]
    return [weights.new_empty(shape) for shape in shapes]


def joined(
    floats: Floats, seed: Tensor | None, graph_id: Tensor | None, edges: Sequence[Tensor], numbers: Numbers
) -> AttentionInputs:
    """The operators' flat arguments as `AttentionInputs`."""
    query, key, value, *tables = floats
    assert query is not None
    assert key is not None
    assert value is not None
    offsets, src, relation, *transpose = edges
    lists = Edges(offsets, src, relation, Transpose(*transpose))
    given: tuple[Any, ...] = (*tables, seed, *numbers, graph_id)
    return AttentionInputs(query, key, value, lists, *given)


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Save nothing of size E x dim: the backward pass reads keys and values again."""
    *tensors, edges, ctx.numbers = inputs
    weights = output[1]
    ctx.mark_non_differentiable(weights)
    ctx.save_for_backward(*tensors, *edges, weights)


def call_backward(ctx: Any, run: Callable[..., list[Tensor]], grad_out: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    *given, offsets, src, relation, t_offsets, t_edge, t_dst, weights = ctx.saved_tensors
    *floats, seed, graph_id = given
    lists = [offsets, src, relation, t_offsets, t_edge, t_dst]
    needs = list(ctx.needs_input_grad[: len(floats)])
    grads = run(grad_out, floats, seed, graph_id, lists, ctx.numbers, weights, needs)
    wanted = [grad if needed else None for grad, needed in zip(grads, needs, strict=True)]
    return *wanted, None, None, [None] * len(lists), None


call = register(
    forward,
    backward,
    keep_for_backward,
    call_backward,
    "graph_attention(impl='numba') has no second derivative; use impl='reference' for it",
)
