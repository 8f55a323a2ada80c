"""Attention over all nodes of a sample, or over its edges by FlexAttention."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layer_timing.block import AbsentError, Block, Problem, attention_operations, linear_operations


class DenseBlock(nn.Module):
    """Self-attention with the same maps for every node, over `[samples, nodes, dim]`.

    Args:
        dim: size of the states.
        heads: attention heads.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.output = nn.Linear(dim, dim)

    def forward(self, states: Tensor, samples: int, attend: Any) -> Tensor:
        """`[samples * nodes, dim]` in and out, sample by sample."""
        maps = (self.query, self.key, self.value)
        split = (map_(states).view(samples, -1, self.heads, states.shape[1] // self.heads) for map_ in maps)
        received = attend(*(part.transpose(1, 2) for part in split))
        out: Tensor = self.output(received.transpose(1, 2).reshape(states.shape))
        return out


def dense_block(problem: Problem, attend: Any, pairs: int) -> Block:
    """The block around one way to attend; the states already lie sample by sample, as it likes them best."""
    batch, dim = problem.batch, problem.dim
    order = batch.graph_id.argsort(stable=True)
    sizes = batch.graph_id.bincount(minlength=batch.num_graphs)
    if bool((sizes != sizes[0]).any()):
        raise AbsentError("samples differ in size: they do not form one dense batch")
    module = problem.module(lambda: DenseBlock(dim, problem.heads))
    states = problem.states()[order].requires_grad_()
    return Block(
        states=[states],
        parameters=dict(module.named_parameters()),
        forward=lambda: [module(states, batch.num_graphs, attend)],
        gradients=[problem.gradient()[order]],
        operations=linear_operations(batch.num_nodes, dim, 4 * dim) + attention_operations(pairs, dim),
        order=order,
    )


def full_attention(problem: Problem, impl: str) -> Block:
    """scaled_dot_product_attention of every node to every node of its sample."""
    batch = problem.batch
    return dense_block(problem, F.scaled_dot_product_attention, batch.num_nodes**2 // batch.num_graphs)


def sdpa_op(problem: Problem, impl: str) -> Block:
    """scaled_dot_product_attention alone, on query, key and value as it likes them."""
    batch, heads = problem.batch, problem.heads
    nodes = batch.num_nodes // batch.num_graphs
    shape = (batch.num_graphs, heads, nodes, problem.dim // heads)
    query, key, value, gradient = (problem.gradient(seed=seed).view(shape) for seed in range(4))
    return Block(
        states=[query.requires_grad_(), key.requires_grad_(), value.requires_grad_()],
        parameters={},
        forward=lambda: [F.scaled_dot_product_attention(query, key, value)],
        gradients=[gradient],
        operations=attention_operations(batch.num_graphs * nodes**2, problem.dim),
    )


def flex_attention(problem: Problem, impl: str) -> Block:
    """FlexAttention with the graph as block mask; biases and gates of relations are left out."""
    batch = problem.batch
    if batch.device.type != "cuda":
        raise AbsentError("PyTorch's FlexAttention has no backward pass on the CPU")
    from torch.nn.attention import flex_attention as flex

    order = batch.graph_id.argsort(stable=True)
    nodes = batch.num_nodes // batch.num_graphs
    place = torch.empty_like(order).index_copy(0, order, torch.arange(len(order), device=batch.device)) % nodes
    joined = torch.zeros(batch.num_graphs, nodes, nodes, dtype=torch.bool, device=batch.device)
    dst, src = batch.edges.dst(), batch.edges.src.long()
    joined[batch.graph_id[dst], place[dst], place[src]] = True

    def is_edge(sample: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return joined[sample, query, key]

    mask = flex.create_block_mask(is_edge, batch.num_graphs, None, nodes, nodes, device=str(batch.device))
    compiled: Any = torch.compile(flex.flex_attention)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out: Tensor = compiled(query, key, value, block_mask=mask)
        return out

    # Under a hook that watches operators it would run uncompiled.
    return replace(dense_block(problem, attend, batch.edges.num_edges), countable=False)
