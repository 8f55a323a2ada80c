from typing import Any

import pytest
import torch

from gnnfuse.nodes import NodeSet
from gnnfuse.nodes.limit import check_limit, limit_sequence
from gnnfuse.nodes.node_type import Overflow
from gnnfuse.sample import Sample, SignalError


def limited(nodes: NodeSet, max_nodes: int | None, overflow: Overflow) -> NodeSet:
    return limit_sequence(nodes, max_nodes, overflow, sample=Sample({}, id="seven"), signal="x")


@pytest.mark.parametrize("count", range(0, 12))
@pytest.mark.parametrize("max_nodes", [1, 2, 3, 5, None])
def test_pooling_averages_equal_runs_and_counts_what_it_took(count: int, max_nodes: int | None) -> None:
    values = torch.rand(count, 2, 3)
    start = torch.rand(count)
    nodes = NodeSet(values, (count,), torch.rand(count, 2), torch.stack([start, start + torch.rand(count)], dim=1))
    found = limited(nodes, max_nodes, "pool")
    run = 1 if max_nodes is None else max(1, -(-count // max_nodes))
    runs = [range(first, min(first + run, count)) for first in range(0, count, run)]
    assert max_nodes is None or found.num_nodes <= max_nodes
    assert (found.shape, found.dropped) == ((len(runs),), count - len(runs))
    assert nodes.time is not None
    assert nodes.position is not None
    assert found.time is not None
    assert found.position is not None
    for i, members in enumerate(runs):
        torch.testing.assert_close(found.values[i], sum(values[m] for m in members) / len(members))
        torch.testing.assert_close(found.position[i], sum(nodes.position[m] for m in members) / len(members))
        assert float(found.time[i, 0]) == min(float(nodes.time[m, 0]) for m in members)
        assert float(found.time[i, 1]) == max(float(nodes.time[m, 1]) for m in members)


@pytest.mark.parametrize("overflow", ["truncate", "pool", "raise"])
def test_a_sequence_within_the_limit_stays_as_it_is(overflow: Overflow) -> None:
    nodes = NodeSet(torch.rand(4, 2), (4,))
    assert limited(nodes, 4, overflow) is nodes
    assert limited(nodes, None, overflow) is nodes


def test_raising_names_the_sample_and_both_numbers() -> None:
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'x': found 4 nodes, expected at most 3"):
        limited(NodeSet(torch.rand(4, 2), (4,)), 3, "raise")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("max_nodes", "overflow"), [(0, "pool"), (-1, "pool"), (1, "average")])
def test_a_limit_that_cannot_be_kept_is_refused(max_nodes: int, overflow: Any) -> None:
    with pytest.raises(ValueError, match=r"max_nodes must|overflow must"):
        check_limit(max_nodes, overflow)
