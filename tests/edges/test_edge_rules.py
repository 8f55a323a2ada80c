"""What every edge rule keeps."""

import pytest
import torch

from gnnfuse.edges import Aligned, Complete, EdgeRule, Grid, Nearest, Window
from gnnfuse.nodes import NodeSet

RULES: dict[str, EdgeRule] = {
    "grid": Grid(radius=2),
    "cross": Grid(diagonal=False),
    "window": Window(size=2),
    "complete": Complete(within=True),
    "aligned": Aligned(by="order", margin=0.1),
    "aligned in time": Aligned(),
    "nearest": Nearest(k=2),
    "nearest rows": Nearest(k=2, by="features", across=True),
}
ONE_TYPE_ONLY = ("grid", "cross", "window")
every_rule = pytest.mark.parametrize("name", RULES)


def nodes(shape: tuple[int, ...], seed: int = 0) -> NodeSet:
    generator = torch.Generator().manual_seed(seed)
    count = int(torch.tensor(shape).prod())
    start = torch.rand(count, generator=generator)
    time = torch.stack([start, start + torch.rand(count, generator=generator)], dim=1)
    values, position = (torch.rand(count, 3, generator=generator) for _ in range(2))
    return NodeSet(values, shape, position, time)


def pairs_of(name: str) -> list[tuple[NodeSet, NodeSet]]:
    sets = [nodes((rows, columns), seed) for rows, columns, seed in ((0, 0, 0), (1, 1, 1), (2, 3, 2), (4, 2, 3))]
    same = [(found, found) for found in sets]
    return same if name in ONE_TYPE_ONLY else same + [(src, dst) for src in sets for dst in sets]


def pairs_by(rule: EdgeRule, src: NodeSet, dst: NodeSet) -> torch.Tensor:
    edges = rule.edges(src, dst)
    assert isinstance(edges, torch.Tensor)
    return edges


@every_rule
def test_edges_are_whole_numbers_within_both_sets_and_none_stands_twice(name: str) -> None:
    for src, dst in pairs_of(name):
        edges = pairs_by(RULES[name], src, dst)
        assert edges.dtype == torch.int64
        assert len(edges) == 2
        pairs = list(zip(*edges.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        assert all(0 <= s < src.num_nodes and 0 <= d < dst.num_nodes for s, d in pairs)


@every_rule
def test_no_node_is_joined_to_itself_within_a_type(name: str) -> None:
    if name.startswith("aligned"):  # joins different types only
        return
    for src, dst in pairs_of(name):
        if src is dst:
            edges = pairs_by(RULES[name], src, dst)
            assert not bool((edges[0] == edges[1]).any())


@every_rule
def test_equal_keys_mean_equal_edges(name: str) -> None:
    rule = RULES[name]
    kept: dict[object, torch.Tensor] = {}
    shapes = [(0, 0), (1, 1), (2, 3), (3, 2), (6, 1), (1, 6)]
    for seed in range(3):
        sets = [nodes(shape, seed) for shape in shapes]
        couples = [(one, one) for one in sets]
        couples += [] if name in ONE_TYPE_ONLY else [(one, other) for one in sets for other in sets]
        for src, dst in couples:
            key = rule.key(src, dst)
            if key is not None:
                edges = pairs_by(rule, src, dst)
                assert torch.equal(kept.setdefault(key, edges), edges)


def test_rules_that_look_at_content_have_no_key() -> None:
    found = nodes((2, 3))
    assert Nearest().key(found, found) is None
    assert Aligned().key(found, nodes((2, 3), 1)) is None
