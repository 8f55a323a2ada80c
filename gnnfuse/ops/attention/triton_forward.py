"""The forward pass of `graph_attention(impl="triton")`."""

from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_forward_kernels import (
    attention_forward_kernel,
    attention_forward_merge_kernel,
    attention_weights_kernel,
)
from gnnfuse.ops.attention.triton_launch import LaunchPlan, float32, plan, slots_for


def attend(inputs: AttentionInputs, return_weights: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The output; the weights, or an empty tensor; the highest score and 1 / sum of exponentials `[nodes, heads]`."""
    nodes, heads, _ = inputs.query.shape
    out = inputs.query.new_empty(nodes, heads, inputs.value.shape[2])
    highest, total = float32(out, nodes, heads), float32(out, nodes, heads)
    work, slots = plan(inputs), slots_for(inputs)
    results = {"out_ptr": out, "highest_ptr": highest, "total_ptr": total}
    work.rows(attention_forward_kernel, nodes, **results)
    if slots is not None:
        attend_hubs(work, nodes, slots, results)
    weights = float32(out, inputs.edges.num_edges if return_weights else 0, heads)
    if return_weights:
        work.rows(attention_weights_kernel, nodes, **results, weights_ptr=weights)
    if return_weights and slots is not None:
        work.pieces(attention_weights_kernel, nodes, slots, **results, weights_ptr=weights)
    return out, weights, highest, total


def attend_hubs(work: LaunchPlan, nodes: int, slots: Tensor, results: dict[str, Tensor]) -> None:
    """Write the rows of hubs: first their pieces, each with its own softmax, then the rows merged from these."""
    heads, value_dim = work.arguments["HEADS"], work.arguments["VALUE_DIM"]
    part = float32(slots, len(slots), heads, value_dim)
    part_highest, part_total = float32(slots, len(slots), heads), float32(slots, len(slots), heads)
    work.pieces(
        attention_forward_kernel, nodes, slots, out_ptr=part, highest_ptr=part_highest, total_ptr=part_total
    )  # fmt: skip
    parts = {"part_ptr": part, "part_highest_ptr": part_highest, "part_total_ptr": part_total}
    work.merge(attention_forward_merge_kernel, slots, **results, **parts)
