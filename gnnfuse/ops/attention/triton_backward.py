"""The backward pass of `graph_attention(impl="triton")`: by destination, by source, and the relation tables."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_destination_kernels import (
    attention_backward_destination_kernel,
    attention_backward_finish_kernel,
    attention_backward_merge_kernel,
)
from gnnfuse.ops.attention.triton_launch import (
    EDGES_PER_PROGRAM,
    MIN_PROGRAMS,
    TABLE_NUMBERS,
    Plan,
    float32,
    plan,
    power_of_two,
    slots_for,
)
from gnnfuse.ops.attention.triton_source_kernels import (
    attention_backward_add_kernel,
    attention_backward_score_weight_kernel,
    attention_backward_source_kernel,
    attention_backward_tables_kernel,
)

TABLE_TILE = 512
HEADS_OF_TABLES = 64


class PerEdge(NamedTuple):
    """What the edges' gradients are made of, `[edges, heads]` in float32; None where nothing needs it.

    Args:
        weight: of the message: softmax weight, dropout and gate.
        score: gradient of the score.
        gate_term: what an edge adds to its relation's gate's gradient.
    """

    weight: Tensor | None
    score: Tensor | None
    gate_term: Tensor | None


def differentiate(
    grad_out: Tensor, inputs: AttentionInputs, highest: Tensor, total: Tensor, needs: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients of query, key, value, score_weight, edge_bias, relation_bias and relation_gate; None: not needed."""
    query, key, value = needs[:3]
    score_weight, edge_bias, relation_bias, relation_gate = needs[3:]
    shape = inputs.edges.num_edges, inputs.query.shape[1]
    by_score = key or score_weight or edge_bias or relation_bias
    work = plan(inputs, grad_out)
    per_edge = PerEdge(
        float32(grad_out, *shape) if by_score or value else None,
        float32(grad_out, *shape) if by_score else None,
        float32(grad_out, *shape) if relation_gate else None,
    )
    grad_query = inputs.query.new_empty(inputs.query.shape) if query else None
    by_destination(work, inputs, per_edge, highest, total, grad_query)
    grad_key, grad_value = by_source(work, inputs, per_edge, key, value)
    grad_bias, grad_gate = by_relation(work, inputs, per_edge, relation_bias, relation_gate)
    grad_weight = by_score_weight(work, inputs, per_edge) if score_weight else None
    grad_edge_bias = per_edge.score if edge_bias else None
    floats = (inputs.score_weight, inputs.edge_bias, inputs.relation_bias, inputs.relation_gate)
    grads = (grad_weight, grad_edge_bias, grad_bias, grad_gate)
    cast = [
        None if grad is None or like is None else grad.to(like.dtype) for grad, like in zip(grads, floats, strict=True)
    ]
    return [grad_query, grad_key, grad_value, *cast]


def by_destination(
    work: Plan, inputs: AttentionInputs, per_edge: PerEdge, highest: Tensor, total: Tensor, grad_query: Tensor | None
) -> None:
    """Fill in what is not None of `per_edge` and the query's gradient."""
    slots = slots_for(inputs)
    results = {
        "weight_ptr": per_edge.weight,
        "score_ptr": per_edge.score,
        "gate_term_ptr": per_edge.gate_term,
        "pieces_ptr": slots,
        "highest_ptr": highest,
        "total_ptr": total,
    }
    kernel = attention_backward_destination_kernel
    parts = dict.fromkeys(("center_ptr", "drift_ptr", "mass_ptr", "plain_ptr"))
    work.launch(kernel, len(highest), **results, **parts, grad_query_ptr=grad_query, IN_PIECES=False)
    if slots is None:
        return
    count, heads, head_dim = len(slots), *inputs.query.shape[1:]
    sums = {name: float32(slots, count, heads) for name in ("center_ptr", "drift_ptr", "mass_ptr")}
    drifting, plain = (None if grad_query is None else float32(slots, count, heads, head_dim) for _ in range(2))
    work.launch(kernel, count, **results, **sums, plain_ptr=plain, grad_query_ptr=drifting, IN_PIECES=True)
    rows = {"drifting_ptr": drifting, "plain_ptr": plain, "grad_query_ptr": grad_query}
    mean = float32(slots, count, heads)
    work.launch(attention_backward_merge_kernel, count, **sums, **rows, pieces_ptr=slots, mean_ptr=mean)
    if per_edge.score is not None:
        work.launch(attention_backward_finish_kernel, count, **results, mean_ptr=mean)


def by_source(
    work: Plan, inputs: AttentionInputs, per_edge: PerEdge, needs_key: bool, needs_value: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of key and value, from those of the edges."""
    if not (needs_key or needs_value):
        return None, None
    kernel, key, value = attention_backward_source_kernel, inputs.key, inputs.value
    grad_key = key.new_empty(key.shape) if needs_key else None
    grad_value = value.new_empty(value.shape) if needs_value else None
    slots = slots_for(inputs)
    per_row = {
        "offsets_ptr": inputs.edges.transpose.offsets.contiguous(),
        "weight_ptr": per_edge.weight,
        "score_ptr": per_edge.score,
        "pieces_ptr": slots,
    }
    work.launch(kernel, len(key), **per_row, grad_key_ptr=grad_key, grad_value_ptr=grad_value, IN_PIECES=False)
    if slots is not None:
        part_key, part_value = (
            None if grad is None else float32(slots, len(slots), *grad.shape[1:]) for grad in (grad_key, grad_value)
        )
        work.launch(kernel, len(slots), **per_row, grad_key_ptr=part_key, grad_value_ptr=part_value, IN_PIECES=True)
        for part, grad, dim in ((part_key, grad_key, "HEAD"), (part_value, grad_value, "VALUE")):
            if grad is not None:
                sizes = {"DIM": work.arguments[f"{dim}_DIM"], "PAD": work.arguments[f"{dim}_PAD"]}
                work.launch(attention_backward_add_kernel, len(slots), **per_row, **sizes, part_ptr=part, out_ptr=grad)
    return grad_key, grad_value


def by_relation(
    work: Plan, inputs: AttentionInputs, per_edge: PerEdge, needs_bias: bool, needs_gate: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of relation_bias and relation_gate, in float32."""
    table = inputs.relation_bias if needs_bias else inputs.relation_gate if needs_gate else None
    if table is None:
        return None, None
    programs, stretch = stretches(inputs, table)
    grad_bias, grad_gate = (
        table.new_zeros(programs, *table.shape, dtype=torch.float32) if need else None
        for need in (needs_bias, needs_gate)
    )
    sums = {"grad_bias_ptr": grad_bias, "grad_gate_ptr": grad_gate}
    terms = {"score_ptr": per_edge.score, "gate_term_ptr": per_edge.gate_term}
    heads_block = min(power_of_two(table.shape[1]), HEADS_OF_TABLES)
    sizes = {"HEADS_BLOCK": heads_block, "BLOCK_E": TABLE_TILE // heads_block}
    wide = work._replace(warps=1, groups=-(-table.shape[1] // heads_block))
    wide.launch(attention_backward_tables_kernel, programs, **stretch, **sums, **terms, **sizes)
    return tuple(None if grad is None else grad.sum(0) for grad in (grad_bias, grad_gate))  # type: ignore[return-value]


def by_score_weight(work: Plan, inputs: AttentionInputs, per_edge: PerEdge) -> Tensor | None:
    """Gradient of score_weight, in float32."""
    table = inputs.score_weight
    if table is None:
        return None
    programs, stretch = stretches(inputs, table)
    grad = table.new_zeros(programs, *table.shape, dtype=torch.float32)
    work.launch(attention_backward_score_weight_kernel, programs, **stretch, score_ptr=per_edge.score, grad_ptr=grad)
    return grad.sum(0)


def stretches(inputs: AttentionInputs, table: Tensor) -> tuple[int, dict[str, int]]:
    """How many programs sum up a table's gradient, each in a table of its own, and over how many edges."""
    num_edges = inputs.edges.num_edges
    programs = max(TABLE_NUMBERS // max(table.numel(), 1), MIN_PROGRAMS)
    length = max(-(-num_edges // programs), EDGES_PER_PROGRAM)
    sizes = {"num_edges": num_edges, "edges_per_program": length, "relations": table.shape[0]}
    return -(-num_edges // length), sizes
