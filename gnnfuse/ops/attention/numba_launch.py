"""The passes of `graph_attention(impl="numba")`: buffers are laid out, and kernels run over them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.attention import numba_kernels
from gnnfuse.ops.work import Work, cut, spread


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    gate: Tensor | None,
    edges: Sequence[Tensor],
    scale: float,
) -> tuple[Tensor, Tensor]:
    """The output and the softmax weights `[edges, heads]`."""
    offsets, src, relation, *_ = edges
    heads = query.shape[1]
    work = cut(offsets)
    out = query.new_empty(len(work.row), heads, value.shape[2])
    weights = query.new_empty(len(src), heads)
    log_total = query.new_empty(len(work.row), heads)
    spread(
        numba_kernels.attention_forward_kernel, work, work.row, index(src), index(relation),
        array(query), array(key), array(value), table(bias, query), table(gate, query),
        number(scale, query), bias is not None, gate is not None,
        out.numpy(), weights.numpy(), log_total.numpy(),
    )  # fmt: skip
    return join_softmax(work, out, weights, log_total), weights


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


def backward_by_destination(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    gate: Tensor | None,
    edges: Sequence[Tensor],
    scale: float,
    weights: Tensor,
    needs: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of the products q.k `[edges, heads]`, the query, the bias and the gate."""
    needs_query, needs_key, _, needs_bias, needs_gate = needs
    offsets, src, relation, *_ = edges
    work = cut(offsets)
    lists = work.row, index(src), index(relation)
    grad = torch.empty_like(weights)
    mean = query.new_empty(len(work.row), query.shape[1])
    grad_gate = query.new_zeros(work.num_chunks, *table(gate if needs_gate else None, query).shape)
    spread(
        numba_kernels.attention_backward_weight_kernel, work, *lists,
        array(value), table(gate, query), gate is not None, array(weights), array(grad_out), needs_gate,
        grad.numpy(), mean.numpy(), grad_gate.numpy(),
    )  # fmt: skip
    grad_query = query.new_empty(len(work.row) if needs_query else 0, *query.shape[1:])
    grad_bias = query.new_zeros(work.num_chunks, *table(bias if needs_bias else None, query).shape)
    if needs_query or needs_key or needs_bias:
        spread(
            numba_kernels.attention_backward_score_kernel, work, *lists,
            array(key), number(scale, query), array(weights), work.sum_rows(mean).numpy(),
            needs_query, needs_bias, grad.numpy(), grad_query.numpy(), grad_bias.numpy(),
        )  # fmt: skip
    grad_query = work.sum_rows(grad_query) if needs_query else grad_query
    return grad, grad_query, grad_bias.sum(0), grad_gate.sum(0)


def backward_by_source(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    gate: Tensor | None,
    edges: Sequence[Tensor],
    weights: Tensor,
    grad: Tensor,
    needs: Sequence[bool],
) -> tuple[Tensor, Tensor]:
    """Gradients of the key and the value; `grad` is that of the products, `[edges, heads]`."""
    _, needs_key, needs_value, _, _ = needs
    _, _, relation, offsets, edge, dst = edges
    work = cut(offsets)
    grad_key = query.new_empty(len(work.row) if needs_key else 0, *key.shape[1:])
    grad_value = query.new_empty(len(work.row) if needs_value else 0, *value.shape[1:])
    spread(
        numba_kernels.attention_backward_source_kernel, work, index(edge), index(dst), index(relation),
        array(query), table(gate, query), gate is not None, array(weights), array(grad_out), array(grad),
        needs_key, needs_value, grad_key.numpy(), grad_value.numpy(),
    )  # fmt: skip
    grad_key = work.sum_rows(grad_key) if needs_key else grad_key
    return grad_key, work.sum_rows(grad_value) if needs_value else grad_value


def check_ranges(edges: Sequence[Tensor], nodes: int, rows: int, bias: Tensor | None, gate: Tensor | None) -> None:
    """Raise ValueError before a kernel would read or write beside its arrays."""
    offsets, src, relation, transpose_offsets, edge, dst = edges
    limits = {"src": (src, rows), "transpose.edge": (edge, len(src)), "transpose.dst": (dst, nodes)}
    for tensor in (bias, gate):
        if tensor is not None:
            limits["relation"] = (relation, len(tensor))
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


def index(tensor: Tensor) -> NDArray[np.uint32]:
    """The int32 tensor as unsigned indices."""
    return array(tensor).view(np.uint32)


def table(tensor: Tensor | None, like: Tensor) -> NDArray[Any]:
    """A relation table, or an empty one for none: the kernels' argument types stay the same."""
    return array(like.new_empty(0, like.shape[1]) if tensor is None else tensor)


def number(value: float, like: Tensor) -> np.generic:
    """A scalar in the tensors' precision; a Python float would raise the kernel's arithmetic to float64."""
    scalar: np.generic = array(like).dtype.type(value)
    return scalar
