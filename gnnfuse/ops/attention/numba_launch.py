"""The passes of `graph_attention(impl="numba")`: allocates buffers and runs kernels on them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.attention import numba_kernels
from gnnfuse.ops.attention.dropout import threshold
from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.work import Work, alone_after_fork, cut, spread

NOWHERE = np.empty(0, np.uint32)  # no list of positions: every item is at its own


class Needs(NamedTuple):
    """Which gradients are needed."""

    query: bool
    key: bool
    value: bool
    score_weight: bool
    edge_bias: bool
    relation_bias: bool
    relation_gate: bool
    edge_gate: bool


class FlatRows(NamedTuple):
    """A tensor `[rows, heads, dim]` as the kernels read it: flat, with the stride of its rows."""

    flat: NDArray[Any]
    stride: np.uint64
    heads: np.uint64
    dim: np.uint64


def by_destination(inputs: AttentionInputs) -> Work:
    """The work on the nodes, graph by graph if graphs are known, so that their keys and values stay in the cache."""
    return cut(inputs.edges.offsets, group=None if inputs.graph_id is None else inputs.graph_id.numpy())


def by_source(inputs: AttentionInputs) -> Work:
    """The work on the rows of keys and values; a row belongs to the graph of the first node that it feeds."""
    back, graph_id = inputs.edges.transpose, inputs.graph_id
    if graph_id is None or not len(back.dst):
        return cut(back.offsets)
    fed = back.dst[back.offsets[:-1].clamp(max=len(back.dst) - 1)]
    return cut(back.offsets, group=graph_id[fed].numpy())


@alone_after_fork
def attend(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """The output `[nodes, heads, value_dim]` and the softmax weights `[edges, heads]`."""
    edges, work = inputs.edges, by_destination(inputs)
    query, key, value = (rows_of(tensor) for tensor in (inputs.query, inputs.key, inputs.value))
    heads = inputs.query.shape[1]
    pieces = len(work.row)
    sizes = [(pieces, heads, inputs.value.shape[2]), (edges.num_edges, heads), (pieces, heads), (pieces, heads)]
    out, weights, highest, total = (new_memory(inputs.query, *size) for size in sizes)
    if inputs.score_weight is not None:
        additive_scores(inputs, work, weights)
    spread(
        numba_kernels.attention_forward_kernel, work, work.order, work.row, index(edges.src), index(edges.relation),
        query.flat, query.stride, key.flat, key.stride, value.flat, value.stride, query.heads, query.dim, value.dim,
        inputs.score_weight is not None, number(inputs.scale, weights), flat(inputs.edge_bias, weights),
        flat(inputs.relation_bias, weights), flat(inputs.relation_gate, weights), flat(inputs.edge_gate, weights),
        *dropping(inputs, weights), NOWHERE,
        *(numbers.numpy().reshape(-1) for numbers in (weights, highest, total, out)),
    )  # fmt: skip
    if work.starts is not None:
        out = join_softmax(work, work.starts, out, weights, highest, total)
    return out, weights


def additive_scores(inputs: AttentionInputs, work: Work, score: Tensor) -> None:
    """Write the additive scores `[edges, heads]`, neither scaled nor biased."""
    query, key = rows_of(inputs.query), rows_of(inputs.key)
    spread(
        numba_kernels.attention_additive_score_kernel, work, work.order, work.row, index(inputs.edges.src),
        index(inputs.edges.relation), query.flat, query.stride, key.flat, key.stride, query.heads, query.dim,
        flat(inputs.score_weight, score), number(inputs.negative_slope, score), score.numpy(),
    )  # fmt: skip


def join_softmax(
    work: Work, starts: NDArray[np.int64], out: Tensor, weights: Tensor, highest: Tensor, total: Tensor
) -> Tensor:
    """Turn the softmax over each piece into one over each row, changing `weights` in place.

    A piece's share of its row is total exp(highest) / sum of the same over the row's pieces.
    """
    rows = torch.from_numpy(work.row.view(np.int64))
    highest = highest.masked_fill(total == 0, -torch.inf)  # a silenced piece must not affect the row's highest score
    top = torch.from_numpy(np.maximum.reduceat(highest.numpy(), starts, axis=0))
    top = top.masked_fill(top == -torch.inf, 0)
    share = total * (highest - top[rows]).exp()
    whole = work.sum_rows(share)
    share = share / whole.masked_fill(whole == 0, 1)[rows]
    several = (torch.bincount(rows) > 1)[rows, None]
    share = torch.where(several, share, 1.0)
    lengths = torch.from_numpy(np.diff(work.bounds.view(np.int64)))
    weights *= share.repeat_interleave(lengths, 0)
    return work.sum_rows(out * share[:, :, None])


@alone_after_fork
def gradients(grad_out: Tensor, inputs: AttentionInputs, weights: Tensor, needs: Needs) -> list[Tensor | None]:
    """The gradients of the inputs in the order of `Needs`; None where they are not needed."""
    work, back, dot = by_destination(inputs), by_source(inputs), inputs.score_weight is None
    sizes = {
        "scores": weights.shape,
        "messages": weights.shape,
        "query": (len(work.row) if needs.query and dot else 0, *inputs.query.shape[1:]),
        "key": (len(back.row) if needs.key and dot else 0, *inputs.key.shape[1:]),
        "value": (len(back.row) if needs.value else 0, *inputs.value.shape[1:]),
    }
    memory = {name: new_memory(weights, *size) for name, size in sizes.items()}
    found = destination_gradients(grad_out, inputs, weights, needs, work, memory)
    if not dot:
        found |= additive_gradients(inputs, memory["scores"], needs)
    elif needs.key:
        found["key"] = source_gradient(inputs, back, inputs.query, memory["scores"], memory["key"])
    if needs.value:
        found["value"] = source_gradient(inputs, back, grad_out, memory["messages"], memory["value"])
    return [found[name] if needed else None for name, needed in zip(Needs._fields, needs, strict=True)]


def destination_gradients(
    grad_out: Tensor,
    inputs: AttentionInputs,
    weights: Tensor,
    needs: Needs,
    work: Work,
    memory: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Gradients of query, biases and gates.

    Writes the gradients of the unscaled scores to `memory["scores"]` and the factors on values to `memory["messages"]`.
    """
    edges, query = inputs.edges, memory["query"]
    rows, value, key = rows_of(grad_out), rows_of(inputs.value), rows_of(inputs.key)
    pieces, heads = len(work.row), weights.shape[1]
    mean = new_memory(weights, pieces, heads)
    tables = {
        name: weights.new_zeros(work.num_chunks, len(tensor) if tensor is not None and needed else 0, heads)
        for name, tensor, needed in (
            ("relation_gate", inputs.relation_gate, needs.relation_gate),
            ("relation_bias", inputs.relation_bias, needs.relation_bias),
        )
    }
    edge_bias, edge_gate = (
        new_memory(weights, *weights.shape) if needed else weights[:0] for needed in (needs.edge_bias, needs.edge_gate)
    )

    def run(before_mean: bool, after_mean: bool) -> None:
        spread(
            numba_kernels.attention_backward_destination_kernel, work, work.order, work.row, index(edges.src),
            index(edges.relation), rows.flat, rows.stride, value.flat, value.stride, key.flat, key.stride,
            key.heads, key.dim, value.dim, number(inputs.scale, weights), flat(inputs.relation_gate, weights),
            flat(inputs.edge_gate, weights), *dropping(inputs, weights), NOWHERE, weights.numpy().reshape(-1),
            before_mean, after_mean,
            memory["scores"].numpy().reshape(-1), memory["messages"].numpy().reshape(-1), mean.numpy().reshape(-1),
            tables["relation_gate"].flatten(1).numpy(), edge_gate.numpy().reshape(-1), edge_bias.numpy().reshape(-1),
            tables["relation_bias"].flatten(1).numpy(), query.numpy().reshape(-1),
        )  # fmt: skip

    if work.starts is None:
        run(before_mean=True, after_mean=True)
    else:
        run(before_mean=True, after_mean=False)
        mean = work.sum_rows(mean)
        run(before_mean=False, after_mean=True)
    found = {name: sums.sum(0) for name, sums in tables.items()}
    found |= {"edge_bias": edge_bias, "edge_gate": edge_gate}
    return found | {"query": work.sum_rows(query) if len(query) else query}


def source_gradient(inputs: AttentionInputs, work: Work, rows: Tensor, weight: Tensor, out: Tensor) -> Tensor:
    """Per source row, the sum over its edges of the destinations' rows times the edges' weights."""
    back, read = inputs.edges.transpose, rows_of(rows)
    spread(
        numba_kernels.attention_backward_source_kernel, work, work.order, index(back.edge), index(back.dst), read.flat,
        read.stride, weight.numpy().reshape(-1), read.heads, read.dim, out.numpy().reshape(-1),
    )  # fmt: skip
    return work.sum_rows(out)


def additive_gradients(inputs: AttentionInputs, grad: Tensor, needs: Needs) -> dict[str, Tensor]:
    """Gradients of query, key and score weight; `grad` is that of the unscaled scores."""
    edges, found = inputs.edges, {}
    back = edges.transpose

    def run(work: Work, place: NDArray[Any], other: Tensor, own: Tensor, them: Tensor, relations: int) -> list[Tensor]:
        near, far = rows_of(own), rows_of(them)
        grad_rows = new_memory(grad, len(work.row), *own.shape[1:])
        grad_weight = grad.new_zeros(work.num_chunks, relations, *own.shape[1:])
        spread(
            numba_kernels.attention_backward_additive_kernel, work, work.order, work.row, place, index(other),
            index(edges.relation), near.flat, near.stride, far.flat, far.stride, near.heads, near.dim,
            flat(inputs.score_weight, grad), number(inputs.negative_slope, grad), grad.numpy(),
            grad_rows.numpy().reshape(-1), grad_weight.flatten(2).numpy(),
        )  # fmt: skip
        return [work.sum_rows(grad_rows), grad_weight.sum(0)]

    if needs.query or needs.score_weight:
        relations = len(inputs.score_weight) if inputs.score_weight is not None and needs.score_weight else 0
        ends = inputs.query, inputs.key
        found["query"], found["score_weight"] = run(by_destination(inputs), NOWHERE, edges.src, *ends, relations)
    if needs.key:
        found["key"], _ = run(by_source(inputs), index(back.edge), back.dst, inputs.key, inputs.query, 0)
    return found


def dropping(inputs: AttentionInputs, like: Tensor) -> tuple[np.uint64, np.uint64, np.generic, bool]:
    """Seed, smallest word that is kept, factor on kept weights, and whether any are dropped."""
    if inputs.seed is None:
        return np.uint64(0), np.uint64(0), number(1.0, like), False
    seed = np.uint64(int(inputs.seed[0]) % 2**64)
    return seed, np.uint64(threshold(inputs.dropout)), number(1 / (1 - inputs.dropout), like), True


def rows_of(tensor: Tensor) -> FlatRows:
    """The tensor for the kernels; copied only if its rows are not contiguous."""
    heads, dim = tensor.shape[1:]
    tensor = tensor.detach()
    if tensor.stride(2) != 1 or tensor.stride(1) != dim or tensor.stride(0) < heads * dim:
        tensor = tensor.contiguous()
    span = (len(tensor) - 1) * tensor.stride(0) + heads * dim if tensor.numel() else 0
    flat = tensor.as_strided((span,), (1,)).numpy()
    return FlatRows(flat, np.uint64(tensor.stride(0)), np.uint64(heads), np.uint64(dim))


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of the one layout the kernels are compiled for."""
    return tensor.detach().contiguous().numpy()


def index(tensor: Tensor) -> NDArray[np.uint32]:
    """The int32 tensor as unsigned indices."""
    return array(tensor).view(np.uint32)


def flat(table: Tensor | None, like: Tensor) -> NDArray[Any]:
    """A table's numbers; an empty array for None, so that the kernels' argument types stay the same."""
    return array(like[:0] if table is None else table).reshape(-1)


def number(value: float, like: Tensor) -> np.generic:
    """A scalar in the tensors' precision; a Python float would raise the kernel's arithmetic to float64."""
    scalar: np.generic = array(like[:0]).dtype.type(value)
    return scalar
