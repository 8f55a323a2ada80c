"""Runs of neighbours that share a node if a sample has more slices than `max_nodes`.

A node then holds up to `max_pool` slices; a network still sees each slice, and the states of a run are averaged.
A sample has `nodes + dropped` slices, both in the layout; runs have equal length, but the last may be shorter.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from gnnfuse.nodes.limit import run_length
from gnnfuse.nodes.node_type import Layout


def unpool(
    values: Shaped[Tensor, "nodes max_pool ..."], layout: Layout, max_nodes: int
) -> tuple[Shaped[Tensor, "slices ..."], list[int]]:
    """All slices, and their number per sample."""
    nodes, dropped = layout.offsets.diff().tolist(), layout.dropped.tolist()
    counts = [held + lost for held, lost in zip(nodes, dropped, strict=True)]
    parts = [
        of_sample[:, : run_length(count, max_nodes)].flatten(0, 1)[:count]
        for of_sample, count in zip(torch.split(values, nodes), counts, strict=True)
    ]
    return torch.cat(parts), counts


def pool(
    states: Float[Tensor, "slices features"], counts: Sequence[int], max_nodes: int
) -> Float[Tensor, "nodes features"]:
    """The mean state of every run."""
    group, first = [], 0
    for count in counts:
        of_sample = torch.arange(count, device=states.device) // run_length(count, max_nodes)
        group.append(of_sample + first)
        first += -(-count // run_length(count, max_nodes))
    node = torch.cat(group) if group else torch.zeros(0, dtype=torch.int64, device=states.device)
    total = states.new_zeros(first, states.shape[1]).index_add(0, node, states)
    return total / torch.bincount(node, minlength=first).to(states.dtype).unsqueeze(1)
