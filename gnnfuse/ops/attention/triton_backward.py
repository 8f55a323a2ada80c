"""The backward pass of `graph_attention(impl="triton")`: by destination, by source, and the relation tables."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_destination_kernels import (
    attention_backward_destination_kernel,
    attention_backward_merge_kernel,
)
from gnnfuse.ops.attention.triton_launch import LaunchPlan, Tiles, float32, plan, slots_for
from gnnfuse.ops.attention.triton_source_kernels import (
    attention_backward_add_kernel,
    attention_backward_source_kernel,
)
from gnnfuse.ops.attention.triton_tables import PerEdge, by_relation, by_score_weight

BACKWARD = Tiles(block_e=4)


class PerNode(NamedTuple):
    """Statistics of the softmax, and its weights' mean gradient D, `[nodes, heads]` in float32.

    Args:
        highest: score.
        total: one over the sum of exponentials.
        mean: D, of each node's weights.
    """

    highest: Tensor
    total: Tensor
    mean: Tensor

    def arguments(self) -> dict[str, Tensor]:
        """Keyed by the kernels' argument names."""
        return {"highest_ptr": self.highest, "total_ptr": self.total, "mean_ptr": self.mean}


def differentiate(
    grad_out: Tensor, inputs: AttentionInputs, highest: Tensor, total: Tensor, needs: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients of query, key, value, score_weight, edge_bias, relation_bias, relation_gate and edge_gate.

    None if not needed.
    """
    query, key, value = needs[:3]
    work = plan(inputs, grad_out, BACKWARD)
    per_node = PerNode(highest, total, torch.empty_like(highest))
    per_edge = new_per_edge(inputs, tables=any(needs[3:])) if any(needs[1:]) else None
    grad_query = inputs.query.new_empty(inputs.query.shape) if query else None
    by_destination(work, inputs, per_node, per_edge, grad_query)
    grad_key, grad_value = by_source(work, inputs, per_node, per_edge, key, value)
    tables: tuple[Tensor | None, ...] = (None,) * 5
    if per_edge is not None and any(needs[3:]):
        others = by_relation(work, inputs, per_edge, per_node.mean, needs[4:])
        weight = by_score_weight(work, inputs, per_edge, per_node.mean) if needs[3] else None
        tables = (weight, *others)
    floats = inputs[4:9]
    cast = [
        None if grad is None or like is None else grad.to(like.dtype) for grad, like in zip(tables, floats, strict=True)
    ]
    return [grad_query, grad_key, grad_value, *cast]


def new_per_edge(inputs: AttentionInputs, *, tables: bool) -> PerEdge:
    """Memory for the results per edge."""
    num_edges, heads = inputs.edges.num_edges, inputs.query.shape[1]
    weight, grad = (float32(inputs.query, num_edges, heads) for _ in range(2))
    return PerEdge(weight, grad, weight.new_empty(num_edges, dtype=torch.int32) if tables else None)


def by_destination(
    work: LaunchPlan, inputs: AttentionInputs, per_node: PerNode, per_edge: PerEdge | None, grad_query: Tensor | None
) -> None:
    """Write the mean, the results per edge, and the query's gradient."""
    kernel, slots, nodes = attention_backward_destination_kernel, slots_for(inputs), len(per_node.mean)
    names = ("weight_ptr", "edge_grad_ptr", "edge_dst_ptr")
    shared = per_node.arguments() | (dict.fromkeys(names) if per_edge is None else per_edge.arguments())
    none = dict.fromkeys(("drift_ptr", "mass_ptr", "plain_ptr"))
    work.rows(kernel, nodes, **shared, **none, grad_query_ptr=grad_query)
    if slots is None:
        return
    count, heads, head_dim = len(slots), *inputs.query.shape[1:]
    center, drift, mass = (float32(slots, count, heads) for _ in range(3))
    sums = {"drift_ptr": drift, "mass_ptr": mass}
    drifting, plain = (None if grad_query is None else float32(slots, count, heads, head_dim) for _ in range(2))
    own = shared | {"mean_ptr": center}
    work.pieces(kernel, nodes, slots, **own, **sums, plain_ptr=plain, grad_query_ptr=drifting)
    rows = {"drifting_ptr": drifting, "plain_ptr": plain, "grad_query_ptr": grad_query}
    work.merge(
        attention_backward_merge_kernel, slots, **sums, **rows, center_ptr=center, mean_ptr=per_node.mean
    )  # fmt: skip


def by_source(
    work: LaunchPlan,
    inputs: AttentionInputs,
    per_node: PerNode,
    per_edge: PerEdge | None,
    needs_key: bool,
    needs_value: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of key and value."""
    if per_edge is None or not (needs_key or needs_value):
        return None, None
    kernel, key, value = attention_backward_source_kernel, inputs.key, inputs.value
    grad_key = key.new_empty(key.shape) if needs_key else None
    grad_value = value.new_empty(value.shape) if needs_value else None
    slots = slots_for(inputs)
    offsets = inputs.edges.transpose.offsets.contiguous()
    shared = per_edge.arguments() | {"offsets_ptr": offsets, "mean_ptr": per_node.mean}
    work.rows(kernel, len(key), **shared, grad_key_ptr=grad_key, grad_value_ptr=grad_value)
    if slots is None:
        return grad_key, grad_value
    part_key, part_value = (
        None if grad is None else float32(slots, len(slots), *grad.shape[1:]) for grad in (grad_key, grad_value)
    )
    work.pieces(kernel, len(key), slots, **shared, grad_key_ptr=part_key, grad_value_ptr=part_value)
    for part, grad, dim in ((part_key, grad_key, "HEAD"), (part_value, grad_value, "VALUE")):
        if grad is not None:
            sizes = {"DIM": work.arguments[f"{dim}_DIM"], "PAD": work.arguments[f"{dim}_PAD"]}
            work.merge(attention_backward_add_kernel, slots, **shared, **sizes, part_ptr=part, out_ptr=grad)
    return grad_key, grad_value
