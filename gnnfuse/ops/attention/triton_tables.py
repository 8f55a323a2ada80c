"""Gradients of `graph_attention(impl="triton")` that are sums over the edges of each relation, or per edge."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from gnnfuse.ops.attention import triton_launch
from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_launch import LaunchPlan, float32, power_of_two
from gnnfuse.ops.attention.triton_table_kernels import (
    attention_backward_score_weight_kernel,
    attention_backward_tables_kernel,
)

PROGRAMS = 1024  # that run at once: several per multiprocessor
EDGES_PER_PROGRAM = 512  # at least
WARPS, WARPS_OF_ROWS = 2, 4
EDGES_AT_ONCE = 32
ROW_NUMBERS = 256
EDGES_OF_ROWS = 16
FEWEST_HEADS, MOST_HEADS = 8, 16  # per program, as matrix products need
MOST_RELATIONS, MOST_RELATIONS_OF_ROWS = 64, 16  # per program


class PerEdge(NamedTuple):
    """Intermediate results per edge, from which the gradients of keys, values and tables are computed.

    Args:
        weight: `[edges, heads]` in float32, of the softmax.
        grad: likewise; of the weight, before the gates.
        dst: `[edges]`, int32; None if no table's gradient is needed.
    """

    weight: Tensor
    grad: Tensor
    dst: Tensor | None

    def arguments(self) -> dict[str, Tensor | None]:
        """Keyed by the kernels' argument names."""
        return {"weight_ptr": self.weight, "edge_grad_ptr": self.grad, "edge_dst_ptr": self.dst}


def by_relation(
    work: LaunchPlan, inputs: AttentionInputs, per_edge: PerEdge, mean: Tensor, needs: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients of edge_bias, relation_bias, relation_gate and edge_gate, in float32; None if not needed."""
    if not any(needs):
        return [None] * 4
    heads, num_edges = inputs.query.shape[1], inputs.edges.num_edges
    tables = (inputs.relation_bias, inputs.relation_gate)
    needed = [table for table, need in zip(tables, needs[1:3], strict=True) if need and table is not None]
    relations = len(needed[0]) if needed else 1
    stretches, length = cut(num_edges)
    edge_bias, edge_gate = (float32(mean, num_edges, heads) if need else None for need in (needs[0], needs[3]))
    bias, gate = (float32(mean, stretches, relations, heads) if need else None for need in needs[1:3])
    block = min(max(power_of_two(heads), FEWEST_HEADS), MOST_HEADS)
    sizes = {"HEADS_BLOCK": block, "BLOCK_E": EDGES_AT_ONCE}
    grads = {"grad_edge_bias_ptr": edge_bias, "grad_bias_ptr": bias, "grad_gate_ptr": gate}
    grads["grad_edge_gate_ptr"] = edge_gate
    given = work.arguments | per_edge.arguments() | {"mean_ptr": mean, "edges_per_program": length} | sizes | grads
    launch(attention_backward_tables_kernel, stretches, relations, MOST_RELATIONS, WARPS, given)
    return [edge_bias, *(None if grad is None else grad.sum(0) for grad in (bias, gate)), edge_gate]


def by_score_weight(work: LaunchPlan, inputs: AttentionInputs, per_edge: PerEdge, mean: Tensor) -> Tensor | None:
    """Gradient of score_weight, in float32."""
    table = inputs.score_weight
    if table is None:
        return None
    relations, heads, head_dim = table.shape
    stretches, length = cut(inputs.edges.num_edges)
    grad = float32(mean, stretches, *table.shape)
    block = min(power_of_two(heads), max(ROW_NUMBERS // power_of_two(head_dim), 1))
    sizes = {"HEADS_BLOCK": block, "BLOCK_E": EDGES_OF_ROWS, "edges_per_program": length}
    given = work.arguments | per_edge.arguments() | {"mean_ptr": mean, "grad_ptr": grad} | sizes
    most = MOST_RELATIONS_OF_ROWS
    launch(attention_backward_score_weight_kernel, stretches, relations, most, WARPS_OF_ROWS, given)
    return grad.sum(0)


def launch(kernel: Any, stretches: int, relations: int, most: int, warps: int, given: dict[str, Any]) -> None:
    """Run a kernel over stretches, groups of heads and blocks of relations."""
    block = min(max(power_of_two(relations), 16), most)
    grid = (stretches, -(-given["HEADS"] // given["HEADS_BLOCK"]), -(-relations // block))
    if all(grid):
        triton_launch.call(kernel, grid, warps, given | {"relations": relations, "RELATIONS_BLOCK": block})


def cut(num_edges: int) -> tuple[int, int]:
    """The number of stretches into which the list is cut, and edges per stretch."""
    length = max(-(-num_edges // PROGRAMS), EDGES_PER_PROGRAM)
    return -(-num_edges // length), length
