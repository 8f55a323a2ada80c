"""`graph_attention` on the CPU by fused kernels, as PyTorch operators; numba is imported when they run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.attention.work import Work, cut, spread
from gnnfuse.ops.edges import Edges


def graph_attention_numba(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edges: Edges,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    scale: float,
) -> Tensor:
    """As the reference, for float32 and float64 on the CPU."""
    lists = [edges.offsets, edges.src, edges.relation, *edges.transpose]
    out: Tensor = forward(query, key, value, relation_bias, relation_gate, lists, scale)[0]
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
    from gnnfuse.ops.attention import numba_kernels

    nodes, heads, _ = query.shape
    offsets, src, relation, *_ = edges
    check_ranges(edges, nodes, key.shape[0], relation_bias, relation_gate)
    work = cut(offsets)
    out = query.new_empty(len(work.row), heads, value.shape[2])
    weights = query.new_empty(len(src), heads)
    log_total = query.new_empty(len(work.row), heads)
    spread(
        numba_kernels.attention_forward_kernel, work, work.row, index(src), index(relation),
        array(query), array(key), array(value), table(relation_bias, query), table(relation_gate, query),
        number(scale, query), relation_bias is not None, relation_gate is not None,
        out.numpy(), weights.numpy(), log_total.numpy(),
    )  # fmt: skip
    return join_softmax(work, out, weights, log_total), weights


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
    out: Tensor,
    weights: Tensor,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Gradients of query, key, value, relation_bias and relation_gate; an empty one where `needs` says no."""
    from gnnfuse.ops.attention import numba_kernels

    needs_query, needs_key, needs_value, needs_bias, needs_gate = needs
    needs_relation = needs_bias or needs_gate
    offsets, src, relation, transpose_offsets, edge, dst = edges
    heads = query.shape[1]
    gate = table(relation_gate, query)
    grad_out_array, weights_array = array(grad_out), array(weights)
    grad_score = torch.empty_like(weights)
    grad_query, grad_key, grad_value, grad_bias, grad_gate = (query.new_empty(0) for _ in needs)

    if needs_query or needs_key or needs_relation:
        work = cut(offsets)
        relations = max(len(t) for t in (relation_bias, relation_gate) if t is not None) if needs_relation else 0
        query_pieces = query.new_empty(len(work.row) if needs_query else 0, *query.shape[1:])
        bias_chunks = query.new_zeros(work.num_chunks, relations, heads)
        gate_chunks = torch.zeros_like(bias_chunks)
        spread(
            numba_kernels.attention_backward_dst_kernel, work, work.row, index(src), index(relation),
            array(key), array(value), gate, number(scale, query), relation_gate is not None,
            array(out), weights_array, grad_out_array, needs_query, needs_relation,
            grad_score.numpy(), query_pieces.numpy(), bias_chunks.numpy(), gate_chunks.numpy(),
        )  # fmt: skip
        grad_query = work.sum_rows(query_pieces) if needs_query else grad_query
        grad_bias = bias_chunks.sum(0) if needs_bias else grad_bias
        grad_gate = gate_chunks.sum(0) if needs_gate else grad_gate

    if needs_key or needs_value:
        work = cut(transpose_offsets)
        key_pieces = query.new_empty(len(work.row) if needs_key else 0, *key.shape[1:])
        value_pieces = query.new_empty(len(work.row) if needs_value else 0, *value.shape[1:])
        spread(
            numba_kernels.attention_backward_src_kernel, work, index(edge), index(dst), index(relation),
            array(query), gate, relation_gate is not None, weights_array, grad_out_array, grad_score.numpy(),
            needs_key, needs_value, key_pieces.numpy(), value_pieces.numpy(),
        )  # fmt: skip
        grad_key = work.sum_rows(key_pieces) if needs_key else grad_key
        grad_value = work.sum_rows(value_pieces) if needs_value else grad_value
    return [grad_query, grad_key, grad_value, grad_bias, grad_gate]


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
    out: Tensor,
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
    """Everything but E x dim tensors: the backward pass reads keys and values again."""
    *tensors, edges, ctx.scale = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors, *edges, *output)


def call_backward(ctx: Any, grad_out: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    query, key, value, relation_bias, relation_gate, *edges, out, weights = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:5])
    grads = backward(grad_out, query, key, value, relation_bias, relation_gate, edges, ctx.scale, out, weights, needs)
    wanted = [grad if needed else None for grad, needed in zip(grads, needs, strict=True)]
    return *wanted, [None] * len(edges), None


def refuse_second_derivative(ctx: Any, *grads: Any) -> None:
    """Raise where a gradient of a gradient is asked for."""
    raise RuntimeError("graph_attention(impl='numba') has no second derivative; use impl='reference' for it")


forward.register_autograd(call_backward, setup_context=keep_for_backward)
backward.register_autograd(refuse_second_derivative)


def join_softmax(work: Work, out: Tensor, weights: Tensor, log_total: Tensor) -> Tensor:
    """From a softmax over each piece to one over each row; `weights` are changed in place.

    A piece's share of its row is exp(log_total of the piece) / sum of the same over the row's pieces.
    """
    if work.starts is None:
        return out
    rows = torch.from_numpy(work.row.view(np.int64))
    highest = torch.from_numpy(np.maximum.reduceat(log_total.numpy(), work.starts, axis=0))
    share = (log_total - highest[rows]).exp()
    share = share / work.sum_rows(share)[rows]
    # A row of one piece is complete, and one without edges has no share to speak of: -inf - -inf.
    share = torch.where((torch.bincount(rows) > 1)[rows, None], share, 1.0)
    lengths = torch.from_numpy(np.diff(work.bounds.view(np.int64)))
    weights *= share.repeat_interleave(lengths, 0)
    return work.sum_rows(out * share[:, :, None])


def check_ranges(
    edges: Sequence[Tensor], nodes: int, rows: int, relation_bias: Tensor | None, relation_gate: Tensor | None
) -> None:
    """Raise ValueError before a kernel would read or write beside its arrays."""
    offsets, src, relation, transpose_offsets, edge, dst = edges
    limits = {"src": (src, rows), "transpose.edge": (edge, len(src)), "transpose.dst": (dst, nodes)}
    for name, table in (("relation_bias", relation_bias), ("relation_gate", relation_gate)):
        if table is not None:
            limits[f"relation for {name}"] = (relation, len(table))
    for name, (indices, limit) in limits.items():
        low, high = (int(end) for end in indices.aminmax()) if len(indices) else (0, -1)
        if low < 0 or high >= limit:
            raise ValueError(f"edges.{name} must lie in 0..{limit - 1}, found {low}..{high}")
    for name, ends in (("offsets", offsets), ("transpose.offsets", transpose_offsets)):
        if int(ends[0]) != 0 or int(ends[-1]) != len(src) or bool((ends.diff() < 0).any()):
            raise ValueError(f"edges.{name} must rise from 0 to {len(src)}, the number of edges")


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of the one layout the kernels are compiled for."""
    return tensor.detach().contiguous().numpy()


def index(tensor: Tensor) -> NDArray[np.uint64]:
    """The int64 tensor as unsigned indices."""
    return array(tensor).view(np.uint64)


def table(tensor: Tensor | None, like: Tensor) -> NDArray[Any]:
    """A relation table, or an empty one for none: the kernels' argument types stay the same."""
    return array(like.new_empty(0, like.shape[1]) if tensor is None else tensor)


def number(value: float, like: Tensor) -> np.generic:
    """A scalar in the tensors' precision, which a plain float would raise to float64."""
    number: np.generic = array(like).dtype.type(value)
    return number
