"""`graph_attention` over nearly complete graphs: all pairs of a graph's nodes and rows, edge or not.

A single operator for PyTorch, because its inner shapes depend on the data. It works on pieces of graphs whose matrices
fit in the cache, and its backward pass recomputes the weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.attention.dense_pieces import DensePiece, Pieces
from gnnfuse.ops.attention.dropout import kept
from gnnfuse.ops.attention.inputs import AttentionInputs

PIECE_NUMBERS = 2**19  # in a piece's matrices of all heads; 2 MiB in float32


def graph_attention_dense(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """As the reference, for the dot product; but NaN or infinity in one row reaches every node of its graph."""
    if inputs.score_weight is not None:
        raise ValueError(
            "impl='dense' takes score='dot', found score='additive', which needs head_dim numbers for every pair of "
            "nodes; use another impl"
        )
    edges = inputs.edges
    lists = [edges.offsets, edges.src, edges.relation, edges.transpose.offsets, edges.transpose.dst]
    result: tuple[Tensor, Tensor] = forward(
        inputs.query, inputs.key, inputs.value, inputs.edge_bias, inputs.relation_bias, inputs.relation_gate,
        inputs.edge_gate, inputs.seed, inputs.graph_id, lists, inputs.num_graphs, inputs.scale, inputs.dropout,
        inputs.return_weights,
    )  # fmt: skip
    return result


class PairNumbers:
    """The bias on the score and the factor on the weight of every pair of a piece.

    Args:
        relation: `[edges]`.
        edge_bias: `[edges, heads]` or None.
        relation_bias: `[relations, heads]` or None.
        relation_gate: `[relations, heads]` or None.
        edge_gate: `[edges, heads]` or None.
        stays: `[edges, heads]`, dropout's factor on the weights, or None.
    """

    def __init__(
        self,
        relation: Tensor,
        edge_bias: Tensor | None,
        relation_bias: Tensor | None,
        relation_gate: Tensor | None,
        edge_gate: Tensor | None,
        stays: Tensor | None,
    ) -> None:
        self.relation, self.edge_bias, self.stays = relation, edge_bias, stays
        self.factor = combined(stays, edge_gate, torch.mul)
        self.bias = None if relation_bias is None else with_row(relation_bias, -torch.inf)
        self.gate = None if relation_gate is None else with_row(relation_gate, 0.0)
        tables = edge_bias, relation_bias, relation_gate, edge_gate
        self.grads = [None if table is None else torch.zeros_like(table) for table in tables]

    def relations(self, piece: DensePiece) -> Tensor:
        """`[pairs]`: the relation of each pair's edge; for a pair without an edge, the number of relations."""
        tables = [table for table in (self.bias, self.gate) if table is not None]
        if not tables:
            return self.relation[:0]
        return piece.place(self.relation[:, None], tables[0].shape[1] - 1).flatten()

    def read(self, piece: DensePiece, relations: Tensor, like: Tensor) -> tuple[Tensor, Tensor | None]:
        """Bias and factor `[heads or 1, nodes, rows]`; a factor of None is 1. The caller may change them."""
        of_relation, gate = (
            None if table is None else table.index_select(1, relations).view(-1, *piece.shape)
            for table in (self.bias, self.gate)
        )
        of_edge = None if self.edge_bias is None else piece.place(self.edge_bias, -torch.inf)
        bias = combined(of_relation, of_edge, torch.add)
        if bias is None:
            bias = piece.place(like.new_zeros(len(self.relation), 1), -torch.inf)
        of_edge = None if self.factor is None else piece.place(self.factor, 0.0)
        return bias, combined(gate, of_edge, torch.mul)

    def collect(self, piece: DensePiece, relations: Tensor, grad_bias: Tensor, grad_factor: Tensor | None) -> None:
        """Add the gradients `[heads, nodes, rows]` of the results of `read` to those of the tables."""
        of_edge, of_bias, of_gate, of_edge_gate = self.grads
        if of_edge is not None:
            of_edge[piece.edge] = piece.take(grad_bias)
        if of_bias is not None:
            of_bias += sum_by_relation(grad_bias, relations, len(of_bias))
        if of_gate is not None and grad_factor is not None:
            grad_gate = grad_factor if self.factor is None else grad_factor * piece.place(self.factor, 0.0)
            of_gate += sum_by_relation(grad_gate, relations, len(of_gate))
        if of_edge_gate is not None and grad_factor is not None:
            grad_edge = piece.take(grad_factor)
            grad_edge = grad_edge if self.stays is None else grad_edge * self.stays[piece.edge]
            gate = None if self.gate is None else self.gate.T[self.relation[piece.edge]]
            of_edge_gate[piece.edge] = grad_edge if gate is None else grad_edge * gate


def with_row(table: Tensor, fill: float) -> Tensor:
    """`[relations, heads]` as `[heads, relations + 1]`, with one column more for pairs without an edge."""
    return torch.cat([table, table.new_full((1, table.shape[1]), fill)]).T.contiguous()


def combined(one: Tensor | None, other: Tensor | None, operation: Callable[[Tensor, Tensor], Tensor]) -> Tensor | None:
    """The operation's result on both; if one is None, the other."""
    if one is None or other is None:
        return other if one is None else one
    return operation(one, other)


def sum_by_relation(numbers: Tensor, relation: Tensor, relations: int) -> Tensor:
    """`[heads, nodes, rows]` summed to `[relations, heads]` by a matrix product, which rounds less than adding singly.

    A pair without an edge, whose relation is `relations`, is left out.
    """
    names = torch.arange(relations, dtype=relation.dtype, device=relation.device)[:, None]
    return (relation == names).to(numbers.dtype) @ numbers.flatten(1).T


def softmax(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    """The softmax of query . key + bias over the last axis; overwrites `bias`.

    Nodes that read nothing (every bias is -inf) get zeros, not NaN.
    """
    score = bias.baddbmm_(query, key.mT) if len(bias) == len(query) else (query @ key.mT).add_(bias)
    weight: Tensor = score.softmax(-1)
    silent = weight[..., 0].isnan()
    if bool(silent.any()):
        silent &= (score == -torch.inf).all(-1)  # other NaN come from the inputs and stay
        weight.masked_fill_(silent[..., None], 0)
    return weight


def prepare(
    states: Sequence[Tensor],
    tables: tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None],
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    dropout: float,
) -> tuple[Pieces, PairNumbers, list[Tensor]]:
    """The pieces, their pairs' numbers, and query, key, value as `[heads, nodes or rows, dim]` graph by graph."""
    query = states[0]
    heads = query.shape[1]
    pieces = Pieces(graph_id, num_graphs, edges, numbers=PIECE_NUMBERS // max(1, heads))
    stays = None if seed is None else kept(seed, len(edges[1]), heads, dropout).to(query.dtype) / (1 - dropout)
    orders = pieces.nodes, pieces.rows, pieces.rows
    by_graph = [tensor[order].transpose(0, 1).contiguous() for tensor, order in zip(states, orders, strict=True)]
    return pieces, PairNumbers(edges[2], *tables, stays), by_graph


@torch.library.custom_op("gnnfuse::graph_attention_dense", mutates_args=())
def forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edge_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    scale: float,
    dropout: float,
    wants_weights: bool,
) -> tuple[Tensor, Tensor]:
    """The output, and the softmax weights `[edges, heads]` if wanted, else an empty tensor.

    Arguments are named as in `AttentionInputs`; `edges` are offsets, src, relation, transpose.offsets, transpose.dst.
    """
    nodes, heads, _ = query.shape
    out = query.new_zeros(heads, nodes, value.shape[2])
    weights = query.new_zeros(len(edges[1]) if wants_weights else 0, heads)
    with torch.autocast(query.device.type, enabled=False):
        tables = edge_bias, relation_bias, relation_gate, edge_gate
        states = query * scale, key, value
        pieces, numbers, (queries, keys, values) = prepare(states, tables, seed, graph_id, edges, num_graphs, dropout)
        for piece in pieces:
            bias, factor = numbers.read(piece, numbers.relations(piece), query)
            weight = softmax(queries[:, piece.nodes], piece.copied(keys), bias)
            if wants_weights:
                weights[piece.edge] = piece.take(weight)
            weight = weight if factor is None else factor.mul_(weight)
            torch.bmm(weight, piece.copied(values), out=out[:, piece.nodes])
        return back(out, pieces.nodes), weights


@torch.library.custom_op("gnnfuse::graph_attention_dense_backward", mutates_args=())
def backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edge_bias: Tensor | None,
    relation_bias: Tensor | None,
    relation_gate: Tensor | None,
    edge_gate: Tensor | None,
    seed: Tensor | None,
    graph_id: Tensor | None,
    edges: Sequence[Tensor],
    num_graphs: int,
    scale: float,
    dropout: float,
) -> list[Tensor]:
    """Gradients of query, key, value, edge_bias, relation_bias, relation_gate, edge_gate; an empty one for None."""
    with torch.autocast(query.device.type, enabled=False):
        tables = edge_bias, relation_bias, relation_gate, edge_gate
        states = query * scale, key, value
        pieces, numbers, by_graph = prepare(states, tables, seed, graph_id, edges, num_graphs, dropout)
        queries, keys, values = by_graph
        grad_queries, grad_keys, grad_values = (torch.zeros_like(tensor) for tensor in by_graph)
        grad_outs = grad_out[pieces.nodes].transpose(0, 1).contiguous()
        for piece in pieces:
            query_part, key_part, grad_part = queries[:, piece.nodes], piece.copied(keys), grad_outs[:, piece.nodes]
            relations = numbers.relations(piece)
            bias, factor = numbers.read(piece, relations, query)
            weight = softmax(query_part, key_part, bias)
            grad_weight = grad_part @ piece.copied(values).mT
            gated, grad_factor = weight, None
            if factor is not None:
                gated, grad_factor = factor.mul_(weight), grad_weight * weight
            grad_values[:, piece.rows] += piece.added_up(gated.mT @ grad_part)
            grad_score = grad_weight.mul_(gated)
            grad_score.addcmul_(weight, grad_score.sum(-1, keepdim=True), value=-1)
            grad_queries[:, piece.nodes] = grad_score @ key_part
            grad_keys[:, piece.rows] += piece.added_up(grad_score.mT @ query_part)
            numbers.collect(piece, relations, grad_score, grad_factor)
        grad_query = back(grad_queries, pieces.nodes).mul_(scale)
        grads = grad_query, back(grad_keys, pieces.rows), back(grad_values, pieces.rows)
        return [*grads, *(query.new_empty(0) if grad is None else grad for grad in numbers.grads)]


def back(by_graph: Tensor, order: Tensor) -> Tensor:
    """`[heads, nodes or rows, dim]` graph by graph as `[nodes or rows, heads, dim]` in the batch's order."""
    out = by_graph.transpose(0, 1)
    return torch.empty_like(out, memory_format=torch.contiguous_format).index_copy_(0, order, out)


@forward.register_fake
def forward_fake(query: Tensor, key: Tensor, value: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of `forward`'s results."""
    edges, wants_weights = others[6], others[-1]
    rows = edges[1].shape[0] if wants_weights else 0
    return query.new_empty(*query.shape[:2], value.shape[2]), query.new_empty(rows, query.shape[1])


@backward.register_fake
def backward_fake(grad_out: Tensor, *others: Any) -> list[Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    return [grad_out.new_empty((0,) if tensor is None else tensor.shape) for tensor in others[:7]]


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Save the inputs; nothing of the matrices' size is kept."""
    *tensors, edges, ctx.num_graphs, ctx.scale, ctx.dropout, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors, *edges)


def call_backward(ctx: Any, grad_out: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    tensors, edges = ctx.saved_tensors[:9], list(ctx.saved_tensors[9:])
    grads = backward(grad_out, *tensors, edges, ctx.num_graphs, ctx.scale, ctx.dropout)
    wanted = [grad if needed else None for grad, needed in zip(grads, ctx.needs_input_grad[:7], strict=True)]
    return *wanted, None, None, [None] * len(edges), None, None, None, None


def refuse_second_derivative(ctx: Any, *grads: Any) -> None:
    """Raise RuntimeError when a gradient of a gradient is requested."""
    raise RuntimeError("this graph_attention(impl='dense') has no second derivative; use impl='reference' for it")


forward.register_autograd(call_backward, setup_context=keep_for_backward)
backward.register_autograd(refuse_second_derivative)
