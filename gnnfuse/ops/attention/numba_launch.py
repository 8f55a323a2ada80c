"""The passes of `graph_attention(impl="numba")`: buffers are laid out, and kernels run over them."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.attention import numba_backward_kernels as backward_kernels
from gnnfuse.ops.attention import numba_forward_kernels as forward_kernels
from gnnfuse.ops.attention.dropout import threshold
from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.work import Work, cut, spread

NOWHERE = np.empty(0, np.uint32)  # no list of places: every item stands at its own


class Needs(NamedTuple):
    """Which gradients are asked for."""

    query: bool
    key: bool
    value: bool
    score_weight: bool
    edge_bias: bool
    relation_bias: bool
    relation_gate: bool


class Rows(NamedTuple):
    """A tensor `[rows, heads, dim]` as the kernels read it: flat, with the distance between rows."""

    flat: NDArray[Any]
    stride: np.uint64
    heads: np.uint64
    dim: np.uint64


def attend(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """The output `[nodes, heads, value_dim]` and the softmax weights `[edges, heads]`."""
    work = cut(inputs.edges.offsets)
    weights = softmax(inputs, work, scores(inputs, work))
    value = rows_of(inputs.value)
    out = weighted_rows(work, NOWHERE, index(inputs.edges.src), value, messages(inputs, work, weights))
    return out.view(-1, *inputs.value.shape[1:]), weights


def scores(inputs: AttentionInputs, work: Work) -> Tensor:
    """Products of query and key, or additive scores, `[edges, heads]`; neither scaled nor biased."""
    query, key, src = rows_of(inputs.query), rows_of(inputs.key), index(inputs.edges.src)
    if inputs.score_weight is None:
        return products(work, src, query, key)
    score = inputs.query.new_empty(len(src), inputs.query.shape[1])
    spread(
        forward_kernels.attention_additive_score_kernel, work, work.row, src, index(inputs.edges.relation),
        query.flat, query.stride, key.flat, key.stride, query.heads, query.dim,
        array(inputs.score_weight).reshape(-1), number(inputs.negative_slope, score), score.numpy(),
    )  # fmt: skip
    return score


def products(work: Work, src: NDArray[np.uint32], left: Rows, right: Rows) -> Tensor:
    """Per edge and head, the product of the left row it goes into and the right row it comes from."""
    score = torch.empty(len(src), int(left.heads), dtype=torch.from_numpy(left.flat[:0]).dtype)
    spread(
        forward_kernels.attention_dot_score_kernel, work, work.row, src,
        left.flat, left.stride, right.flat, right.stride, left.heads, left.dim, score.numpy(),
    )  # fmt: skip
    return score


def softmax(inputs: AttentionInputs, work: Work, score: Tensor) -> Tensor:
    """Weights that sum to 1 over each node's edges; in place."""
    highest, total = (score.new_empty(len(work.row), score.shape[1]) for _ in range(2))
    spread(
        forward_kernels.attention_softmax_kernel, work, index(inputs.edges.relation), number(inputs.scale, score),
        table(inputs.edge_bias, score), table(inputs.relation_bias, score), np.uint64(score.shape[1]),
        score.numpy(), highest.numpy(), total.numpy(),
    )  # fmt: skip
    return score if work.starts is None else join_softmax(work, work.starts, score, highest, total)


def join_softmax(work: Work, starts: NDArray[np.int64], weights: Tensor, highest: Tensor, total: Tensor) -> Tensor:
    """From a softmax over each piece to one over each row, in place.

    A piece's share of its row is total exp(highest) / sum of the same over the row's pieces.
    """
    rows = torch.from_numpy(work.row.view(np.int64))
    highest = highest.masked_fill(total == 0, -torch.inf)  # a silenced piece has no say in the row's highest score
    top = torch.from_numpy(np.maximum.reduceat(highest.numpy(), starts, axis=0))
    top = top.masked_fill(top == -torch.inf, 0)
    share = total * (highest - top[rows]).exp()
    whole = work.sum_rows(share)
    share = share / whole.masked_fill(whole == 0, 1)[rows]
    several = (torch.bincount(rows) > 1)[rows, None]
    lengths = torch.from_numpy(np.diff(work.bounds.view(np.int64)))
    weights *= torch.where(several, share, 1.0).repeat_interleave(lengths, 0)
    return weights


def messages(inputs: AttentionInputs, work: Work, weights: Tensor) -> Tensor:
    """What each value is multiplied by, `[edges, heads]`; the weights themselves without dropout and gate."""
    if inputs.seed is None and inputs.relation_gate is None:
        return weights
    message = torch.empty_like(weights)
    spread(
        forward_kernels.attention_message_kernel, work, index(inputs.edges.relation), weights.numpy(),
        table(inputs.relation_gate, weights), *dropping(inputs, weights), np.uint64(weights.shape[1]), message.numpy(),
    )  # fmt: skip
    return message


def weighted_rows(
    work: Work, place: NDArray[np.uint32], source: NDArray[np.uint32], rows: Rows, weight: Tensor
) -> Tensor:
    """Per row of the work, the sum of its edges' rows times their weights, `[rows, heads * dim]`."""
    out = weight.new_empty(len(work.row), int(rows.heads * rows.dim))
    spread(
        forward_kernels.weighted_rows_kernel, work, place, source, rows.flat, rows.stride, weight.numpy(),
        rows.heads, rows.dim, out.numpy().reshape(-1),
    )  # fmt: skip
    return work.sum_rows(out)


def gradients(grad_out: Tensor, inputs: AttentionInputs, weights: Tensor, needs: Needs) -> list[Tensor | None]:
    """The gradients of the inputs in the order of `Needs`; None where they are not needed."""
    edges, work = inputs.edges, cut(inputs.edges.offsets)
    src, grad_rows, query, key = index(edges.src), rows_of(grad_out), rows_of(inputs.query), rows_of(inputs.key)
    found: dict[str, Tensor] = {}
    if any((*needs[:2], *needs[3:])):
        grad = products(work, src, grad_rows, rows_of(inputs.value))
        message, mean, found["relation_gate"] = weight_gradients(inputs, work, weights, grad, needs)
    else:
        message = messages(inputs, work, weights)
    if any((*needs[:2], *needs[3:6])):
        found |= score_gradients(inputs, work, weights, mean, grad, needs)
        if inputs.score_weight is not None:
            found |= additive_gradients(inputs, work, grad, needs)
    if inputs.score_weight is None and needs.query:
        found["query"] = weighted_rows(work, NOWHERE, src, key, grad)
    back, place, dst = cut(edges.transpose.offsets), index(edges.transpose.edge), index(edges.transpose.dst)
    if inputs.score_weight is None and needs.key:
        found["key"] = weighted_rows(back, place, dst, query, grad)
    if needs.value:
        found["value"] = weighted_rows(back, place, dst, grad_rows, message)
    return [
        found[name].view(getattr(inputs, name).shape) if needed else None
        for name, needed in zip(Needs._fields, needs, strict=True)
    ]


def weight_gradients(
    inputs: AttentionInputs, work: Work, weights: Tensor, grad: Tensor, needs: Needs
) -> tuple[Tensor, Tensor, Tensor]:
    """What values are multiplied by, the mean of the weights' gradients per row, and the gradient of the gate.

    `grad` enters as grad_out times value and leaves times what values are multiplied by.
    """
    heads, message = weights.shape[1], torch.empty_like(weights)
    mean = weights.new_empty(len(work.row), heads)
    relations = inputs.relation_gate.shape[0] if needs.relation_gate and inputs.relation_gate is not None else 0
    grad_gate = weights.new_zeros(work.num_chunks, relations, heads)
    spread(
        backward_kernels.attention_backward_weight_kernel, work, index(inputs.edges.relation), weights.numpy(),
        table(inputs.relation_gate, weights), *dropping(inputs, weights), np.uint64(heads),
        grad.numpy(), message.numpy(), mean.numpy(), grad_gate.numpy(),
    )  # fmt: skip
    return message, work.sum_rows(mean), grad_gate.sum(0)


def score_gradients(
    inputs: AttentionInputs, work: Work, weights: Tensor, mean: Tensor, grad: Tensor, needs: Needs
) -> dict[str, Tensor]:
    """Gradients of the biases; `grad` becomes that of the unscaled scores, in place."""
    edge_bias = torch.empty_like(weights) if needs.edge_bias else weights[:0]
    relations = inputs.relation_bias.shape[0] if needs.relation_bias and inputs.relation_bias is not None else 0
    relation_bias = weights.new_zeros(work.num_chunks, relations, weights.shape[1])
    spread(
        backward_kernels.attention_backward_score_kernel, work, work.row, index(inputs.edges.relation),
        number(inputs.scale, weights), weights.numpy(), mean.numpy(), np.uint64(weights.shape[1]), grad.numpy(),
        edge_bias.numpy(), relation_bias.numpy(),
    )  # fmt: skip
    return {"edge_bias": edge_bias, "relation_bias": relation_bias.sum(0)}


def additive_gradients(inputs: AttentionInputs, work: Work, grad: Tensor, needs: Needs) -> dict[str, Tensor]:
    """Gradients of query, key and score weight; `grad` is that of the unscaled scores."""
    edges = inputs.edges
    query, key = rows_of(inputs.query), rows_of(inputs.key)

    def run(work: Work, place: Any, other: Tensor, own: Rows, them: Rows, relations: int) -> tuple[Tensor, Tensor]:
        grad_rows = grad.new_empty(len(work.row), int(own.heads * own.dim))
        grad_weight = grad.new_zeros(work.num_chunks, relations, int(own.heads * own.dim))
        spread(
            backward_kernels.attention_backward_additive_kernel, work, work.row, place, index(other),
            index(edges.relation), own.flat, own.stride, them.flat, them.stride, own.heads, own.dim,
            table(inputs.score_weight, grad).reshape(-1), number(inputs.negative_slope, grad), grad.numpy(),
            grad_rows.numpy().reshape(-1), grad_weight.numpy(),
        )  # fmt: skip
        return work.sum_rows(grad_rows), grad_weight.sum(0)

    found = {}
    if needs.query or needs.score_weight:
        relations = len(table(inputs.score_weight, grad)) if needs.score_weight else 0
        found["query"], found["score_weight"] = run(work, NOWHERE, edges.src, query, key, relations)
    if needs.key:
        back = edges.transpose
        found["key"], _ = run(cut(back.offsets), index(back.edge), back.dst, key, query, 0)
    return found


def dropping(inputs: AttentionInputs, like: Tensor) -> tuple[np.uint64, np.uint64, np.generic, bool]:
    """Seed, smallest word that is kept, factor of what is kept, and whether anything is dropped at all."""
    if inputs.seed is None:
        return np.uint64(0), np.uint64(0), number(1.0, like), False
    seed = np.uint64(int(inputs.seed[0]) % 2**64)
    return seed, np.uint64(threshold(inputs.dropout)), number(1 / (1 - inputs.dropout), like), True


def rows_of(tensor: Tensor) -> Rows:
    """The tensor for the kernels; copied only where the numbers of a row do not stand together."""
    heads, dim = tensor.shape[1:]
    tensor = tensor.detach()
    if tensor.stride(2) != 1 or tensor.stride(1) != dim or tensor.stride(0) < heads * dim:
        tensor = tensor.contiguous()
    span = (len(tensor) - 1) * tensor.stride(0) + heads * dim if tensor.numel() else 0
    flat = tensor.as_strided((span,), (1,)).numpy()
    return Rows(flat, np.uint64(tensor.stride(0)), np.uint64(heads), np.uint64(dim))


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of the one layout the kernels are compiled for."""
    return tensor.detach().contiguous().numpy()


def index(tensor: Tensor) -> NDArray[np.uint32]:
    """The int32 tensor as unsigned indices."""
    return array(tensor).view(np.uint32)


def table(tensor: Tensor | None, like: Tensor) -> NDArray[Any]:
    """A table, or an empty one for none: the kernels' argument types stay the same."""
    return array(like.new_empty(0, like.shape[1]) if tensor is None else tensor)


def number(value: float, like: Tensor) -> np.generic:
    """A scalar in the tensors' precision; a Python float would raise the kernel's arithmetic to float64."""
    scalar: np.generic = array(like[:0]).dtype.type(value)
    return scalar
