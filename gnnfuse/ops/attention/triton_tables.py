"""Gradients of `graph_attention(impl="triton")` that are sums over the edges of each relation, or stand per edge."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from gnnfuse.ops.attention import triton_launch
from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_launch import Plan, float32, power_of_two
from gnnfuse.ops.attention.triton_table_kernels import (
    attention_backward_score_weight_kernel,
    attention_backward_tables_kernel,
)

PROGRAMS = 2048  # that sum at once: a few for every multiprocessor
EDGES_PER_PROGRAM = 1024  # at least
TILE_NUMBERS = 2048
TABLE_WARPS = 4
HEADS_OF_TABLES = 64
ROW_NUMBERS = 256
EDGES_OF_ROWS = 4
SCANNED = 64


class PerEdge(NamedTuple):
    """What the gradients of keys, values and tables are made of.

    Args:
        weight: `[edges, heads]` in float32, of the softmax.
        grad: likewise; of the weight, before the gate.
        dst: `[edges]`, int32; None where no table is asked for.
    """

    weight: Tensor
    grad: Tensor
    dst: Tensor | None

    def arguments(self) -> dict[str, Tensor | None]:
        """By the names that kernels have for them."""
        return {"weight_ptr": self.weight, "edge_grad_ptr": self.grad, "edge_dst_ptr": self.dst}


def by_relation(
    work: Plan, inputs: AttentionInputs, per_edge: PerEdge, mean: Tensor, needs: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients of edge_bias, relation_bias and relation_gate, in float32; None: not needed."""
    if not any(needs):
        return [None, None, None]
    heads, num_edges = inputs.query.shape[1], inputs.edges.num_edges
    tables = (inputs.relation_bias, inputs.relation_gate)
    needed = [table for table, need in zip(tables, needs[1:], strict=True) if need and table is not None]
    relations = len(needed[0]) if needed else 1
    stretches, length = cut(num_edges, relations)
    edge_bias = float32(mean, num_edges, heads) if needs[0] else None
    bias, gate = (float32(mean, stretches, relations, heads) if need else None for need in needs[1:])
    block = min(power_of_two(heads), HEADS_OF_TABLES)
    sizes = {"HEADS_BLOCK": block, "BLOCK_E": TILE_NUMBERS // block}
    grads = {"grad_edge_bias_ptr": edge_bias, "grad_bias_ptr": bias, "grad_gate_ptr": gate}
    counts = {"edges_per_program": length, "relations": relations, "mean_ptr": mean}
    if stretches and relations and heads:
        triton_launch.call(
            attention_backward_tables_kernel,
            (stretches * relations, -(-heads // block)),
            TABLE_WARPS,
            work.arguments | per_edge.arguments() | sizes | counts | grads,
        )
    return [edge_bias, *(None if grad is None else grad.sum(0) for grad in (bias, gate))]


def by_score_weight(work: Plan, inputs: AttentionInputs, per_edge: PerEdge, mean: Tensor) -> Tensor | None:
    """Gradient of score_weight, in float32."""
    table = inputs.score_weight
    if table is None:
        return None
    relations, heads, head_dim = table.shape
    stretches, length = cut(inputs.edges.num_edges, relations)
    grad = float32(mean, stretches, *table.shape)
    pad = power_of_two(head_dim)
    block = min(power_of_two(heads), max(ROW_NUMBERS // pad, 1))
    sizes = {"HEADS_BLOCK": block, "BLOCK_E": EDGES_OF_ROWS, "SCANNED": SCANNED}
    counts = {"edges_per_program": length, "relations": relations, "mean_ptr": mean}
    if stretches and table.numel():
        triton_launch.call(
            attention_backward_score_weight_kernel,
            (stretches * relations, -(-heads // block)),
            max(block * pad // ROW_NUMBERS, 1),
            work.arguments | per_edge.arguments() | sizes | counts | {"grad_ptr": grad},
        )
    return grad.sum(0)


def cut(num_edges: int, relations: int) -> tuple[int, int]:
    """Into how many stretches the list is cut, of how many edges: about so many programs, one per relation in each."""
    stretches = max(min(PROGRAMS // max(relations, 1), -(-num_edges // EDGES_PER_PROGRAM)), 1)
    length = max(-(-num_edges // stretches), 1)
    return -(-num_edges // length), length
