"""`graph_attention` on the CPU by fused kernels, as PyTorch operators; numba is imported when they run."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs


def graph_attention_numba(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """As the reference, for float32 and float64 on the CPU."""
    query, key, value, edges, score_weight, edge_bias, relation_bias, relation_gate, seed, scale, *_ = inputs
    if score_weight is not None or edge_bias is not None or seed is not None:
        raise ValueError("impl='numba' has no additive score, edge_bias or dropout yet; use impl='reference'")
    lists = [edges.offsets, edges.src, edges.relation, *edges.transpose]
    out: tuple[Tensor, Tensor] = forward(query, key, value, relation_bias, relation_gate, lists, scale)
    return out


@torch.library.custom_op("gnnfuse::graph_attention_numba", mutates_args=())
def forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edges: Sequence[Tensor],
    scale: float,
) -> tuple[Tensor, Tensor]:
    """The output, and the softmax weights `[edges, heads]` for the backward pass."""
    from gnnfuse.ops.attention import numba_launch

    numba_launch.check_ranges(edges, query.shape[0], key.shape[0], relation_bias, relation_gate)
    return numba_launch.attend(query, key, value, relation_bias, relation_gate, edges, scale)


@forward.register_fake
def forward_fake(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edges: Sequence[Tensor],
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of `forward`'s results."""
    nodes, heads, _ = query.shape
    return query.new_empty(nodes, heads, value.shape[2]), query.new_empty(edges[1].shape[0], heads)


@torch.library.custom_op("gnnfuse::graph_attention_numba_backward", mutates_args=())
def backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edges: Sequence[Tensor],
    scale: float,
    weights: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Gradients of query, key, value, relation_bias and relation_gate; an empty one where `needs` says no."""
    from gnnfuse.ops.attention import numba_launch

    needs_query, needs_key, needs_value, needs_bias, needs_gate = needs
    none = [query.new_empty(0) for _ in needs]
    grad, grad_query, grad_bias, grad_gate = weights, *none[:3]
    grad_key, grad_value = none[3:]
    if needs_query or needs_key or needs_bias or needs_gate:
        grad, grad_query, grad_bias, grad_gate = numba_launch.backward_by_destination(
            grad_out, query, key, value, relation_bias, relation_gate, edges, scale, weights, needs
        )
    if needs_key or needs_value:
        grad_key, grad_value = numba_launch.backward_by_source(
            grad_out, query, key, value, relation_gate, edges, weights, grad, needs
        )
    grads = (grad_query, grad_key, grad_value, grad_bias, grad_gate)
    return [one if needed else empty for one, needed, empty in zip(grads, needs, none, strict=True)]


@backward.register_fake
def backward_fake(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edges: Sequence[Tensor],
    scale: float,
    weights: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    inputs = (query, key, value, relation_bias, relation_gate)
    return [
        query.new_empty(tensor.shape if needed and tensor is not None else (0,))
        for tensor, needed in zip(inputs, needs, strict=True)
    ]


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Nothing of size E x dim: the backward pass reads keys and values again."""
    *tensors, edges, ctx.scale = inputs
    weights = output[1]
    ctx.mark_non_differentiable(weights)
    ctx.save_for_backward(*tensors, *edges, weights)


def call_backward(ctx: Any, grad_out: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    query, key, value, relation_bias, relation_gate, *edges, weights = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:5])
    grads = backward(grad_out, query, key, value, relation_bias, relation_gate, edges, ctx.scale, weights, needs)
    wanted = [grad if needed else None for grad, needed in zip(grads, needs, strict=True)]
    return *wanted, [None] * len(edges), None


def refuse_second_derivative(ctx: Any, *grads: Any) -> None:
    """Raise where a gradient of a gradient is asked for."""
    raise RuntimeError("graph_attention(impl='numba') has no second derivative; use impl='reference' for it")


forward.register_autograd(call_backward, setup_context=keep_for_backward)
backward.register_autograd(refuse_second_derivative)
