"""Runs of neighbours that share a node if a sample has more slices than `max_nodes`.

A node then holds up to `max_pool` slices; a network still sees each slice, and the states of a run are averaged.
A sample has `nodes + dropped` slices, both in the layout; runs have equal length, but the last may be shorter.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from gnnfuse.nodes.limit import limit_sequence, refuse_overflow
from gnnfuse.nodes.node_type import Layout, NodeSet, Overflow
from gnnfuse.sample import Sample


def limit_slices(
    nodes: NodeSet, max_nodes: int | None, overflow: Overflow, max_pool: int, *, sample: Sample, signal: str
) -> NodeSet:
    """Limit slices to `max_nodes` as `limit_sequence` does, but pooling keeps them all: `[nodes, max_pool, ...]`.

    Raises:
        SignalError: too many slices.
    """
    if overflow != "pool" or max_nodes is None:
        return limit_sequence(nodes, max_nodes, overflow, sample=sample, signal=signal)
    slices = nodes.num_nodes
    run = run_length(slices, max_nodes)
    if run > max_pool:
        raise refuse_overflow(sample, signal, slices, max_nodes * max_pool)
    count = -(-slices // run)
    held = nodes.values.new_zeros(count, max_pool, *nodes.values.shape[1:])
    filled = nodes.values.new_zeros(count * run, *nodes.values.shape[1:])
    filled[:slices] = nodes.values
    held[:, :run] = filled.reshape(count, run, *nodes.values.shape[1:])
    time = nodes.time
    if time is not None:
        last = (torch.arange(1, count + 1) * run).clamp(max=slices) - 1
        time = torch.stack([time[::run, 0], time[last, 1]], dim=1)
    return NodeSet(held, (count,), time=time, dropped=slices - count)


def run_length(slices: int, max_nodes: int) -> int:
    """Slices per node."""
    return max(1, -(-slices // max_nodes))


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
