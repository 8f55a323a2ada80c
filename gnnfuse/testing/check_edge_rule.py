"""The conformance of edge rules."""

import pickle
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gnnfuse.edges import EdgeList, EdgeRule
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.sample import Sample
from gnnfuse.saving.describe import describe
from gnnfuse.testing.global_state import unchanged_globals
from gnnfuse.testing.properties import StandIn


def check_edge_rule(rule: EdgeRule, node_types: Sequence[NodeType], samples: Sequence[Sample]) -> None:
    """Check an edge rule.

    The rule joins some of the types, depends on what they provide and not on their class, and gives no edges to empty
    node sets. Its edges are pairs of valid node numbers; edges, weights and features are the same in every call and for
    equal keys. The rule can be pickled (loader workers) and described (saving). Global state is unchanged.

    Args:
        rule: the rule to check.
        node_types: node types, some of which it joins.
        samples: samples, some of which have edges.

    Raises:
        AssertionError: names what is violated.

    Example:
        >>> from gnnfuse.edges import Window
        >>> from gnnfuse.nodes import TextTokens
        >>> check_edge_rule(Window(), [TextTokens()], [Sample({"text": "a cat"})])
    """
    name = f"edge rule {rule.name!r}"
    joined = [(src, dst) for src in node_types for dst in node_types if rule.applies(src, dst)]
    assert joined, f"{name}: joins none of {', '.join(t.name for t in node_types)}"
    stand_ins = [StandIn(node_type) for node_type in node_types]
    for src, stands_for_src in zip(node_types, stand_ins, strict=True):
        for dst, stands_for_dst in zip(node_types, stand_ins, strict=True):
            same = rule.applies(stands_for_src, stands_for_dst) == rule.applies(src, dst)
            assert same, (
                f"{name}: depends on the class of {src.name!r} or {dst.name!r}; use what they provide, or their names"
            )
    try:
        copied: EdgeRule = pickle.loads(pickle.dumps(rule))
        describe(rule)
    except (pickle.PicklingError, AttributeError, TypeError, ValueError) as error:
        raise AssertionError(f"{name}: cannot be pickled or described: {error}") from error
    by_key: dict[object, EdgeList] = {}
    total = 0
    for relation, src_nodes, dst_nodes in _ends(joined, samples):
        where = f"{name} on {relation[0]}-{relation[1]}"
        with unchanged_globals(where):
            edges = _listed(rule, src_nodes, dst_nodes)
        _check_pairs(where, edges.index, src_nodes, dst_nodes)
        assert _same(_listed(rule, src_nodes, dst_nodes), edges), f"{where}: gives other edges in a second call"
        assert _same(_listed(copied, src_nodes, dst_nodes), edges), f"{where}: gives other edges after pickling"
        key = rule.key(src_nodes, dst_nodes)
        if key is not None:
            known = by_key.setdefault((relation, key), edges)
            assert _same(known, edges), f"{where}: node sets with the same key {key!r} get different edges"
        total += edges.index.shape[1]
    assert total, f"{name}: gives no edge in any of the samples"
    builder = GraphBuilder(node_types, [rule], extra="ignore")
    assert builder(samples, empty=True).edges.num_edges == total, (
        f"{name}: the number of edges in a batch differs from the sum over its samples"
    )


def _ends(
    joined: Sequence[tuple[NodeType, NodeType]], samples: Sequence[Sample]
) -> Iterator[tuple[tuple[str, str], NodeSet, NodeSet]]:
    """The node sets of every relation in every sample, then empty ones."""
    for src, dst in joined:
        for sample in samples:
            src_nodes, dst_nodes = src.nodes(sample), dst.nodes(sample)
            if src.name == dst.name:
                dst_nodes = src_nodes  # the same object: a rule recognises by it that a type is joined with itself
            if src_nodes is not None and dst_nodes is not None:
                yield (src.name, dst.name), src_nodes, dst_nodes
        empty = src.empty()
        yield (src.name, dst.name), empty, empty if src.name == dst.name else dst.empty()


def _listed(rule: EdgeRule, src: NodeSet, dst: NodeSet) -> EdgeList:
    edges = rule.edges(src, dst)
    return edges if isinstance(edges, EdgeList) else EdgeList(edges)


def _same(one: EdgeList, other: EdgeList) -> bool:
    return all(
        torch.equal(left, right) if left is not None and right is not None else left is right
        for left, right in zip(one, other, strict=True)
    )


def _check_pairs(where: str, edges: Tensor, src: NodeSet, dst: NodeSet) -> None:
    assert edges.dtype == torch.int64, f"{where}: found edges of {edges.dtype}, expected int64"
    assert edges.ndim == 2, f"{where}: found edges of shape {list(edges.shape)}, expected [2, edges]"
    assert len(edges) == 2, f"{where}: found edges of shape {list(edges.shape)}, expected [2, edges]"
    for end, numbers, nodes in (("source", edges[0], src), ("destination", edges[1], dst)):
        inside = bool(((numbers >= 0) & (numbers < nodes.num_nodes)).all())
        assert inside, f"{where}: found a {end} outside 0..{nodes.num_nodes - 1}"
    assert len(set(map(tuple, edges.T.tolist()))) == edges.shape[1], f"{where}: joins two nodes twice"
