"""The forward pass of `graph_attention(impl="triton")`."""

from torch import Tensor

from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_forward_kernels import (
    attention_forward_kernel,
    attention_forward_merge_kernel,
    attention_weights_kernel,
)
from gnnfuse.ops.attention.triton_launch import Plan, float32, plan, slots_for


def attend(inputs: AttentionInputs, return_weights: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The output, the weights or none, and the highest score and the sum of exponentials `[nodes, heads]`."""
    nodes, heads, _ = inputs.query.shape
    out = inputs.query.new_empty(nodes, heads, inputs.value.shape[2])
    highest, total = float32(out, nodes, heads), float32(out, nodes, heads)
    work, slots = plan(inputs), slots_for(inputs)
    results = {"out_ptr": out, "highest_ptr": highest, "total_ptr": total, "pieces_ptr": slots}
    work.launch(attention_forward_kernel, nodes, **results, IN_PIECES=False)
    if slots is not None:
        attend_hubs(work, slots, results)
    weights = float32(out, inputs.edges.num_edges if return_weights else 0, heads)
    if return_weights:
        work.launch(attention_weights_kernel, nodes, **results, weights_ptr=weights, IN_PIECES=False)
    if return_weights and slots is not None:
        work.launch(attention_weights_kernel, len(slots), **results, weights_ptr=weights, IN_PIECES=True)
    return out, weights, highest, total


def attend_hubs(work: Plan, slots: Tensor, results: dict[str, Tensor | None]) -> None:
    """Fill in the rows that `slots` names: their pieces, each with a softmax of its own, and then the rows of these."""
    heads, value_dim = work.arguments["HEADS"], work.arguments["VALUE_DIM"]
    part = float32(slots, len(slots), heads, value_dim)
    part_highest, part_total = float32(slots, len(slots), heads), float32(slots, len(slots), heads)
    parts = {"out_ptr": part, "highest_ptr": part_highest, "total_ptr": part_total, "pieces_ptr": slots}
    work.launch(attention_forward_kernel, len(slots), **parts, IN_PIECES=True)
    work.launch(
        attention_forward_merge_kernel,
        len(slots),
        **results,
        part_ptr=part,
        part_highest_ptr=part_highest,
        part_total_ptr=part_total,
    )
