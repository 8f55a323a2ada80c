"""`graph_attention` by matrix products over whole graphs, as PyTorch operators of fixed shapes.

The sizes inside follow from the data, which torch.compile need not know: it sees one operator. The backward pass
computes the weights again.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.attention import dense_strips
from gnnfuse.ops.attention.dense_layout import DenseLayout, lay_out
from gnnfuse.ops.attention.dense_numbers import EdgeNumbers, TableNumbers
from gnnfuse.ops.attention.dropout import kept


@torch.library.custom_op("gnnfuse::graph_attention_dense", mutates_args=())
def forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    scale: float,
    dropout: float,
    wants_weights: bool,
) -> tuple[Tensor, Tensor]:
    """The output, and the softmax weights `[edges, heads]` if wanted, else none.

    Arguments are named as in `AttentionInputs`; `edges` are offsets, src, relation, transpose.offsets, transpose.dst.
    """
    tables = edge_bias, relation_bias, relation_gate
    if len(edges[1]) == 0:
        return query.new_zeros(query.shape[0], *value.shape[1:]), query.new_zeros(0, query.shape[1])
    with torch.autocast(query.device.type, enabled=False):
        layout = lay_out(graph_id, num_graphs, edges, query.shape[1])
        numbers = pair_numbers(layout, query, tables, seed, edges, dropout)
        out, weights = dense_strips.attend(query * scale, key, value, layout, numbers, wants_weights=wants_weights)
        if weights is None:
            return out, query.new_empty(0, query.shape[1])
        of_edges = weights.index_select(1, layout.pair).T.contiguous()
        share = numbers.pairs.share if isinstance(numbers, EdgeNumbers) else None
        return out, of_edges if share is None else of_edges * share


def pair_numbers(
    layout: DenseLayout,
    query: Tensor,
    tables: tuple[Tensor | None, Tensor | None, Tensor | None],
    seed: Tensor | None,
    edges: Sequence[Tensor],
    dropout: float,
) -> TableNumbers | EdgeNumbers:
    """The pairs' numbers in the smallest form that can say them."""
    edge_bias, relation_bias, relation_gate = tables
    relation = edges[2]
    if edge_bias is None and seed is None and not layout.joins_a_pair_twice():
        return TableNumbers(layout, relation, relation_bias, relation_gate, query)
    stays = None
    if seed is not None:
        stays = kept(seed, len(relation), query.shape[1], dropout).to(query.dtype) / (1 - dropout)
    return EdgeNumbers(layout, relation, edge_bias, relation_bias, relation_gate, stays, query)


@forward.register_fake
def forward_fake(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    scale: float,
    dropout: float,
    wants_weights: bool,
) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of `forward`'s results."""
    nodes, heads, _ = query.shape
    rows = edges[1].shape[0] if wants_weights else 0
    return query.new_empty(nodes, heads, value.shape[2]), query.new_empty(rows, heads)


@torch.library.custom_op("gnnfuse::graph_attention_dense_backward", mutates_args=())
def backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    scale: float,
    dropout: float,
) -> list[Tensor]:
    """Gradients of query, key, value, edge_bias, relation_bias and relation_gate; an empty one for what is None."""
    tables = edge_bias, relation_bias, relation_gate
    if len(edges[1]) == 0:
        return [query.new_zeros((0,) if t is None else t.shape) for t in (query, key, value, *tables)]
    with torch.autocast(query.device.type, enabled=False):
        layout = lay_out(graph_id, num_graphs, edges, query.shape[1])
        numbers = pair_numbers(layout, query, tables, seed, edges, dropout)
        grad_query, grad_key, grad_value = dense_strips.backward(grad_out, query * scale, key, value, layout, numbers)
        grads = grad_query.mul_(scale), grad_key, grad_value, *numbers.grads()
        return [query.new_empty(0) if grad is None else grad for grad in grads]


@backward.register_fake
def backward_fake(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    scale: float,
    dropout: float,
) -> list[Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    inputs = query, key, value, edge_bias, relation_bias, relation_gate
    return [query.new_empty((0,) if tensor is None else tensor.shape) for tensor in inputs]


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Nothing of the matrices' size is kept."""
    *tensors, edges, ctx.num_graphs, ctx.scale, ctx.dropout, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors, *edges)


def call_backward(ctx: Any, grad_out: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    tensors, edges = ctx.saved_tensors[:8], list(ctx.saved_tensors[8:])
    grads = backward(grad_out, *tensors, edges, ctx.num_graphs, ctx.scale, ctx.dropout)
    wanted = [grad if needed else None for grad, needed in zip(grads, ctx.needs_input_grad[:6], strict=True)]
    return *wanted, None, None, [None] * len(edges), None, None, None, None


def refuse_second_derivative(ctx: Any, *grads: Any) -> None:
    """Raise where a gradient of a gradient is asked for."""
    raise RuntimeError("this graph_attention(impl='dense') has no second derivative; use impl='reference' for it")


forward.register_autograd(call_backward, setup_context=keep_for_backward)
backward.register_autograd(refuse_second_derivative)
