"""The library's layers as blocks, and the same attention written plainly."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

import gnnfuse.message_passing
from gnnfuse.graph import GraphBatch
from gnnfuse.message_passing import TypedLinear
from gnnfuse.ops import graph_attention
from layer_timing.block import AbsentError, Block, Problem, attention_operations, linear_operations
from layer_timing.memory import check_room

Attend = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class AttentionBlock(nn.Module):
    """RelationAttention without norm and feed-forward: projections, attention, output projection.

    Args:
        batch: node types and relations to make weights for.
        dim: size of the states.
        heads: attention heads.
    """

    def __init__(self, batch: GraphBatch, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = TypedLinear(dim, 3 * dim, batch.node_types)
        self.output = TypedLinear(dim, dim, batch.node_types)
        self.relation_bias = nn.Parameter(torch.randn(len(batch.relations), heads))
        self.relation_gate = nn.Parameter(torch.randn(len(batch.relations), heads))

    def forward(self, states: Tensor, batch: GraphBatch, attend: Attend) -> Tensor:
        """`[nodes, dim]` in and out."""
        projected = self.project.split(states, batch.slices, 3)
        query, key, value = (part.view(len(part), self.heads, part.shape[1] // self.heads) for part in projected)
        received = attend(query, key, value, self.relation_bias, self.relation_gate)
        out: Tensor = self.output(received.flatten(1), batch.slices)
        return out


def attention_block(problem: Problem, attend: Attend) -> Block:
    """The block around one way to attend."""
    batch, dim = problem.batch, problem.dim
    module = problem.module(lambda: AttentionBlock(batch, dim, problem.heads))
    states = problem.states().requires_grad_()
    operations = linear_operations(batch.num_nodes, dim, 4 * dim) + attention_operations(batch.edges.num_edges, dim)
    return Block(
        states=[states],
        parameters=dict(module.named_parameters()),
        forward=lambda: [module(states, batch, attend)],
        gradients=[problem.gradient()],
        operations=operations,
    )


def relation_attention(problem: Problem, impl: str) -> Block:
    """The library's `graph_attention`."""
    if impl == "reference":
        check_room(problem, tensors=8)
    if impl == "dense":
        check_room(problem, tensors=5 * problem.heads, pairs=problem.batch.num_nodes**2 // problem.batch.num_graphs)
    options = graph_options(problem.batch) | {"impl": impl}

    def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, gate: Tensor) -> Tensor:
        edges = problem.batch.edges
        out: Tensor = graph_attention(query, key, value, edges, relation_bias=bias, relation_gate=gate, **options)
        return out

    return attention_block(problem, attend)


def attention_op(problem: Problem, impl: str) -> Block:
    """The library's `graph_attention` alone, with a bias and a gate per relation."""
    batch, heads = problem.batch, problem.heads
    options = graph_options(batch) | {"impl": impl}
    query, key, value, gradient = (problem.gradient(seed=seed).view(batch.num_nodes, heads, -1) for seed in range(4))
    leaves = [query.requires_grad_(), key.requires_grad_(), value.requires_grad_()]
    size = (len(batch.relations), heads)
    bias, gate = (problem.rows(torch.full(size, number)).requires_grad_() for number in (0.5, 2.0))

    def forward() -> list[Tensor]:
        out: Tensor = graph_attention(query, key, value, batch.edges, relation_bias=bias, relation_gate=gate, **options)
        return [out]

    edges, row = batch.edges.num_edges, problem.dim * problem.dtype.itemsize
    # Per edge a key, a value, and two numbers that say where; per node a query, the output and two sums per head.
    gathered = edges * (2 * row + 8.0) + batch.num_nodes * (2 * row + 8.0 * heads)
    operations = attention_operations(edges, problem.dim)
    tables = {"relation_bias": bias, "relation_gate": gate}
    return Block(leaves, tables, forward, [gradient], operations, gathered_bytes=gathered)


def graph_options(batch: GraphBatch) -> dict[str, Any]:
    """Which nodes form a sample, where the op asks for it."""
    known = signature(graph_attention).parameters
    options = {"graph_id": batch.graph_id, "num_graphs": batch.num_graphs}
    return {name: option for name, option in options.items() if name in known}


def gather(problem: Problem, impl: str) -> Block:
    """What one writes without a graph library: gather both ends of every edge, softmax by index, index_add."""
    check_room(problem, tensors=8)
    edges = problem.batch.edges
    src, dst, relation = edges.src.long(), edges.dst(), edges.relation.long()

    def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, gate: Tensor) -> Tensor:
        score = (query[dst] * key[src]).sum(-1) * query.shape[2] ** -0.5 + bias[relation]
        index = dst[:, None].expand_as(score)
        highest = score.new_full(query.shape[:2], -torch.inf).scatter_reduce(0, index, score.detach(), "amax")
        weight = (score - highest[dst]).exp()
        weight = weight / torch.zeros_like(highest).index_add(0, dst, weight)[dst]
        message = (weight * gate[relation])[:, :, None] * value[src]
        return torch.zeros_like(query).index_add(0, dst, message)

    return attention_block(problem, attend)


def layer_class(name: str) -> Any:
    """A class of `gnnfuse.message_passing`.

    Raises:
        AbsentError: there is none of that name.
    """
    found = getattr(gnnfuse.message_passing, name, None)
    if found is None:
        raise AbsentError(f"gnnfuse.message_passing has no {name}")
    return found


def make_layer(problem: Problem, name: str, impl: str) -> nn.Module:
    """A layer of the library for the problem's types and relations."""
    kind, batch = layer_class(name), problem.batch
    # No activation: it is no part of a block, and at a kink rounding alone would change gradients.
    options = {"heads": problem.heads, "activation": None}
    options = {option: value for option, value in options.items() if option in signature(kind).parameters}
    made: nn.Module = kind(problem.dim, batch.node_types, batch.relations, impl=impl, **options)
    return made


def layer_block(problem: Problem, module: nn.Module, operations: float) -> Block:
    """A layer of the library that is a block as it is."""
    states = problem.states().requires_grad_()
    return Block(
        states=[states],
        parameters=dict(module.named_parameters()),
        forward=lambda: [module(states, problem.batch)],
        gradients=[problem.gradient()],
        operations=operations,
    )


def gatv2(problem: Problem, impl: str) -> Block:
    """The library's GATv2: maps of both ends and of the node itself, additive scores."""
    if impl == "reference":
        check_room(problem, tensors=10)
    module = problem.module(lambda: make_layer(problem, "GATv2", impl))
    nodes, dim = problem.batch.num_nodes, problem.dim
    pairs = 6.0 * problem.batch.edges.num_edges * dim  # sum, leaky ReLU and product of the score; weighted sum
    return layer_block(problem, module, linear_operations(nodes, dim, 3 * dim) + pairs)


def sage(problem: Problem, impl: str) -> Block:
    """The library's SAGE: a mean per relation, a map per relation and one of the node itself."""
    if impl == "reference":
        check_room(problem, tensors=4)
    module = problem.module(lambda: make_layer(problem, "SAGE", impl))
    maps = linear_operations(problem.batch.num_nodes + relation_nodes(problem.batch, "dst"), problem.dim, problem.dim)
    return layer_block(problem, module, maps + problem.batch.edges.num_edges * problem.dim)


def relation_nodes(batch: GraphBatch, end: str) -> int:
    """Nodes at one end of each relation, over all relations: rows of what is mapped per relation."""
    sizes = {name: place.stop - place.start for name, place in batch.slices.items()}
    return sum(sizes[getattr(relation, end)] for relation in batch.relations)
