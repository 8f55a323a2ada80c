"""Limits the number of nodes per sample."""

import torch
from torch import Tensor

from gnnfuse.nodes.node_type import NodeSet, Overflow
from gnnfuse.sample import Sample, SignalError


def check_limit(max_nodes: int | None, overflow: Overflow) -> None:
    """Refuse an invalid limit.

    Raises:
        ValueError: `max_nodes` is below 1, or `overflow` is unknown.
    """
    if max_nodes is not None and max_nodes < 1:
        raise ValueError(f"max_nodes must be at least 1 or None, found {max_nodes}")
    if overflow not in ("truncate", "pool", "raise"):
        raise ValueError(f"overflow must be 'truncate', 'pool' or 'raise', found {overflow!r}")


def refuse_overflow(sample: Sample, signal: str, nodes: int, max_nodes: int) -> SignalError:
    """The error for a sample with too many nodes."""
    return SignalError(sample, signal, f"{nodes} nodes", f"at most {max_nodes}, see max_nodes and overflow")


def limit_sequence(
    nodes: NodeSet, max_nodes: int | None, overflow: Overflow, *, sample: Sample, signal: str
) -> NodeSet:
    """Keep a sequence of nodes within `max_nodes`.

    "truncate" keeps the first nodes; "pool" averages the values of equal runs of neighbours (times are joined,
    positions averaged); "raise" refuses.

    Raises:
        SignalError: too many nodes and overflow is "raise".

    Example:
        >>> nodes = NodeSet(torch.arange(6.0).reshape(6, 1), shape=(6,))
        >>> limit_sequence(nodes, 3, "pool", sample=Sample({}), signal="x").values.flatten().tolist()
        [0.5, 2.5, 4.5]
    """
    count = nodes.num_nodes
    if max_nodes is None or count <= max_nodes:
        return nodes
    if overflow == "raise":
        raise refuse_overflow(sample, signal, count, max_nodes)
    if overflow == "truncate":
        position = None if nodes.position is None else nodes.position[:max_nodes]
        time = None if nodes.time is None else nodes.time[:max_nodes]
        return NodeSet(nodes.values[:max_nodes], (max_nodes,), position, time, count - max_nodes, nodes.extra)
    run = -(-count // max_nodes)
    group = torch.arange(count) // run
    kept = int(group[-1]) + 1
    time = None if nodes.time is None else _join(nodes.time, group, kept)
    position = None if nodes.position is None else _mean(nodes.position, group, kept)
    return NodeSet(_mean(nodes.values, group, kept), (kept,), position, time, count - kept, nodes.extra)


def limit_slices(
    nodes: NodeSet,
    max_nodes: int | None,
    overflow: Overflow,
    max_pool: int,
    *,
    sample: Sample,
    signal: str,
    absent: int = 0,
) -> NodeSet:
    """Limit slices to `max_nodes` as `limit_sequence` does, but pooling keeps them all: `[nodes, max_pool, ...]`.

    Nodes with fewer than `max_pool` slices are filled up with `absent`.

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
    held = nodes.values.new_full((count, max_pool, *nodes.values.shape[1:]), absent)
    filled = nodes.values.new_full((count * run, *nodes.values.shape[1:]), absent)
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


def _join(time: Tensor, group: Tensor, groups: int) -> Tensor:
    start = time.new_zeros(groups).scatter_reduce_(0, group, time[:, 0], "amin", include_self=False)
    end = time.new_zeros(groups).scatter_reduce_(0, group, time[:, 1], "amax", include_self=False)
    return torch.stack([start, end], dim=1)


def _mean(values: Tensor, group: Tensor, groups: int) -> Tensor:
    total = values.new_zeros(groups, *values.shape[1:]).index_add_(0, group, values)
    counts = torch.bincount(group, minlength=groups).to(values.dtype)
    return total / counts.reshape(-1, *[1] * (values.ndim - 1))
