"""`graph_attention` on CUDA by fused kernels, as PyTorch operators; triton is imported when they run."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.check_edges import check_indices
from gnnfuse.ops.cpu.short_way import register
from gnnfuse.ops.edges import Edges, Transpose


def graph_attention_triton(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """As the reference, for float16, bfloat16 and float32 on CUDA; reads the inputs' dtype, accumulates in float32.

    The weights are `[edges, heads]`, or empty if not requested.

    Raises:
        ValueError: float64.
    """
    if inputs.query.dtype == torch.float64:
        raise ValueError("impl='triton' accumulates in float32: query must not be float64; use impl='reference'")
    edges = inputs.edges
    lists = [edges.offsets, edges.src, edges.relation, *edges.transpose]
    numbers = [inputs.scale, inputs.negative_slope, inputs.dropout]
    out: tuple[Tensor, ...] = call(*inputs[:3], *inputs[4:10], lists, numbers, inputs.return_weights)
    return out[0], out[1]


def on_device(tensor: Tensor) -> AbstractContextManager[Any]:
    """Triton launches on PyTorch's current device: make it the tensor's."""
    return torch.cuda.device(tensor.device) if tensor.device.type == "cuda" else nullcontext()


def gather(tensors: Sequence[Tensor | None], lists: Sequence[Tensor], numbers: Sequence[float]) -> AttentionInputs:
    """An operator's flat arguments as `AttentionInputs`; ValueError for a wrong index, where indices are checked."""
    query, key, value, *floats, seed = tensors
    assert query is not None
    assert key is not None
    assert value is not None
    offsets, src, relation, *transpose = lists
    edges = Edges(offsets, src, relation, Transpose(*transpose))
    score_weight, _, relation_bias, relation_gate, _ = floats
    tables = [table for table in (score_weight, relation_bias, relation_gate) if table is not None]
    relations = tables[0].shape[0] if tables else None
    check_indices(edges, nodes=query.shape[0], rows=key.shape[0], relations=relations)
    given: tuple[Any, ...] = (*floats, seed, *numbers)
    return AttentionInputs(query, key, value, edges, *given)


@torch.library.custom_op("gnnfuse::graph_attention_triton", mutates_args=())
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
    edges: Sequence[Tensor],
    numbers: Sequence[float],
    return_weights: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The output, the weights if requested, and of the softmax the highest score and 1 / sum `[nodes, heads]`."""
    from gnnfuse.ops.attention.triton_forward import attend

    tensors = (query, key, value, score_weight, edge_bias, relation_bias, relation_gate, edge_gate, seed)
    with on_device(query):
        return attend(gather(tensors, edges, numbers), return_weights)


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
    edges: Sequence[Tensor],
    numbers: Sequence[float],
    return_weights: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Shapes and dtypes of `forward`'s results."""
    nodes, heads, _ = query.shape
    weights = query.new_empty(edges[1].shape[0] if return_weights else 0, heads, dtype=torch.float32)
    highest = query.new_empty(nodes, heads, dtype=torch.float32)
    return query.new_empty(nodes, heads, value.shape[2]), weights, highest, torch.empty_like(highest)


@torch.library.custom_op("gnnfuse::graph_attention_triton_backward", mutates_args=())
def backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_weight: Tensor | None,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edge_gate: Tensor | None,
    seed: Tensor | None,
    edges: Sequence[Tensor],
    numbers: Sequence[float],
    highest: Tensor,
    total: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Gradients of the eight floating inputs in their order; an empty one where `needs` is False."""
    from gnnfuse.ops.attention.triton_backward import differentiate

    tensors = (query, key, value, score_weight, edge_bias, relation_bias, relation_gate, edge_gate, seed)
    with on_device(query):
        grads = differentiate(grad_out, gather(tensors, edges, numbers), highest, total, needs)
    return [query.new_empty(0) if grad is None else grad for grad in grads]


@backward.register_fake
def backward_fake(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_weight: Tensor | None,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edge_gate: Tensor | None,
    seed: Tensor | None,
    edges: Sequence[Tensor],
    numbers: Sequence[float],
    highest: Tensor,
    total: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    inputs = (query, key, value, score_weight, edge_bias, relation_bias, relation_gate, edge_gate)
    return [
        query.new_empty(0) if tensor is None or not needed else tensor.new_empty(tensor.shape)
        for tensor, needed in zip(inputs, needs, strict=True)
    ]


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Save nothing of size E x heads or E x dim: the backward pass recomputes the weights."""
    *tensors, edges, ctx.numbers, _ = inputs
    _, weights, highest, total = output
    ctx.mark_non_differentiable(weights, highest, total)
    ctx.save_for_backward(*tensors, *edges, highest, total)


def call_backward(ctx: Any, run: Callable[..., list[Tensor]], grad_out: Tensor, *_: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    saved = ctx.saved_tensors
    tensors, edges, (highest, total) = saved[:9], saved[9:-2], saved[-2:]
    needs = list(ctx.needs_input_grad[:8])
    grads = run(grad_out, *tensors, list(edges), ctx.numbers, highest, total, needs)
    wanted = [grad if needed else None for grad, needed in zip(grads, needs, strict=True)]
    return *wanted, None, [None] * len(edges), None, None


call = register(
    forward,
    backward,
    keep_for_backward,
    call_backward,
    "graph_attention(impl='triton') has no second derivative; use impl='reference' for it",
)
