"""Makes a sample's edges once per repeated shape, and merges a batch's once per repeated set of samples."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gnnfuse.edges import EdgeList, EdgeRule, Relation
from gnnfuse.graph.sample_graph import sort_edges
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.ops import Edges, PackedEdges, merge_edges

KEPT_SHAPES = 1024  # edge lists kept for repeated shapes, evicting the least recently used
KEPT_BATCHES = 4  # merged edges kept for batches of one shape: full and last ones, in training and validation

MergeImpl = Literal["auto", "reference", "numba"]


class Found(NamedTuple):
    """One sample's edges.

    Args:
        edges: sorted, the nodes numbered type by type.
        data: relation number -> its edges with their weights and features, for relations that have any.
    """

    edges: PackedEdges
    data: Mapping[int, EdgeList]


class SampleEdges:
    """Makes edges by rules, and caches repeated ones.

    Args:
        node_types: of the samples, in the order of numbering.
        edge_rules: in the order of numbering.

    Raises:
        ValueError: a rule that joins none of the node types.

    Attributes:
        relations: the relations of the rules' edges, in the order of numbering.
    """

    def __init__(self, node_types: Sequence[NodeType], edge_rules: Sequence[EdgeRule]) -> None:
        self._names = [node_type.name for node_type in node_types]
        self._typed = {
            Relation(src.name, rule.name, dst.name, rule.features): rule
            for src in node_types
            for rule in edge_rules
            for dst in node_types
            if rule.applies(src, dst)
        }
        self.relations = tuple(self._typed)
        for rule in edge_rules:
            if not any(rule is used for used in self._typed.values()):
                joined = {node_type.name: sorted(node_type.provides) for node_type in node_types}
                expected = f"; it joins {rule.joins}" if rule.joins else ""
                raise ValueError(
                    f"edge rule {rule.name!r} joins none of the node types, which provide {joined}{expected}"
                )
        self._given: dict[str, list[tuple[str, str]]] = {}  # per type, the listed edges that rules read
        for relation, rule in self._typed.items():
            if rule.given:
                self._given.setdefault(relation.dst, []).append((relation.src, relation.rule))
        self._kept: OrderedDict[Hashable, Found | EdgeList] = OrderedDict()
        self._merged: OrderedDict[tuple[PackedEdges, int, MergeImpl], Edges] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": OrderedDict(), "_merged": OrderedDict()}  # workers start with an empty cache

    def of(self, nodes: Mapping[str, NodeSet | None]) -> Found:
        """The edges of one sample's nodes.

        Raises:
            ValueError: a rule returns anything but pairs of valid node numbers with the weights and features that it
                promises, or the sample lists edges that no rule reads.
        """
        ends = [(nodes[r.src], nodes[r.dst]) for r in self.relations]
        keys = [
            None if src is None or dst is None else (rule.key(src, dst),)
            for rule, (src, dst) in zip(self._typed.values(), ends, strict=True)
        ]
        counts = tuple(-1 if found is None else found.num_nodes for found in nodes.values())
        key = None if (None,) in keys else (counts, tuple(keys))
        kept = self._recall(key)
        if isinstance(kept, Found):
            return kept
        self._refuse_unread(nodes)
        lists = [
            self._list(relation, rule, src, dst)
            for (relation, rule), (src, dst) in zip(self._typed.items(), ends, strict=True)
        ]
        found = Found(*sort_edges(lists, self.relations, self._names, [max(0, count) for count in counts]))
        self._keep(key, found)
        return found

    def _list(self, relation: Relation, rule: EdgeRule, src: NodeSet | None, dst: NodeSet | None) -> EdgeList:
        if src is None or dst is None:
            return _nothing(rule)
        key = rule.key(src, dst)
        kept = self._recall(None if key is None else (relation, key))
        if isinstance(kept, EdgeList):
            return kept
        made: object = rule.edges(src, dst)
        if not isinstance(made, Tensor | EdgeList):
            found = type(made).__name__
            raise ValueError(f"edge rule {rule.name!r} on {relation}: found a {found}, expected a tensor or EdgeList")
        listed = made if isinstance(made, EdgeList) else EdgeList(made)
        _check_pairs(rule, relation, listed.index, (src.num_nodes, dst.num_nodes))
        if listed.index.shape[1]:
            _check_data(rule, relation, listed)
        else:
            listed = _nothing(rule)
        self._keep(None if key is None else (relation, key), listed)
        return listed

    def _refuse_unread(self, nodes: Mapping[str, NodeSet | None]) -> None:
        """Refuse edges that a sample lists under another name than those that rules read."""
        for name, read in self._given.items():
            found = nodes[name]
            listed = {} if found is None else found.extra.get("edges", {})
            stray = [key for key in listed if key not in read] if isinstance(listed, Mapping) else []
            if stray:
                known = ", ".join(map(str, read))
                raise ValueError(
                    f"node type {name!r}: found edges under {stray[0]}, which no edge rule reads, expected {known}"
                )

    def merged(self, edges: Sequence[PackedEdges], impl: MergeImpl = "auto") -> Edges:
        """The merged edges of several samples; cached if all are the same object."""
        if any(other is not edges[0] for other in edges):
            return merge_edges(edges, impl=impl)
        key = (edges[0], len(edges), impl)
        merged = self._merged.get(key)
        if merged is None:
            merged = self._merged[key] = merge_edges(edges, impl=impl)
            while len(self._merged) > KEPT_BATCHES:
                self._merged.popitem(last=False)
        self._merged.move_to_end(key)
        return merged

    def _recall(self, key: Hashable | None) -> Found | EdgeList | None:
        kept = None if key is None else self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def _keep(self, key: Hashable | None, edges: Found | EdgeList) -> None:
        if key is None:
            return
        self._kept[key] = edges
        if len(self._kept) > KEPT_SHAPES:
            self._kept.popitem(last=False)


def _nothing(rule: EdgeRule) -> EdgeList:
    """No edges, with as many features as the rule promises."""
    weight = torch.zeros(0) if rule.weighted else None
    features = torch.zeros(0, rule.features) if rule.features else None
    return EdgeList(torch.zeros(2, 0, dtype=torch.int64), weight, features)


def _check_pairs(rule: EdgeRule, relation: Relation, pairs: Tensor, ends: tuple[int, int]) -> None:
    whole, limits = pairs.dtype in (torch.int32, torch.int64), torch.tensor(ends)[:, None]
    if not whole or pairs.ndim != 2 or len(pairs) != 2 or bool(((pairs < 0) | (pairs >= limits)).any()):
        raise ValueError(
            f"edge rule {rule.name!r} on {relation}: found edges of shape {list(pairs.shape)} and {pairs.dtype}, "
            f"expected [2, edges] of torch.int64 with sources below {ends[0]} and destinations below {ends[1]}"
        )


def _check_data(rule: EdgeRule, relation: Relation, listed: EdgeList) -> None:
    """Refuse weights or features that differ from the rule's promise."""
    count = listed.index.shape[1]
    for what, found, shape in (
        ("weight", listed.weight, [count] if rule.weighted else None),
        ("features", listed.features, [count, rule.features] if rule.features else None),
    ):
        fits = shape is None if found is None else found.dtype == torch.float32 and list(found.shape) == shape
        if not fits:
            shown = "none" if found is None else f"{found.dtype} {list(found.shape)}"
            wanted = "none" if shape is None else f"torch.float32 {shape}"
            raise ValueError(
                f"edge rule {rule.name!r} on {relation}: found {what} {shown}, expected {wanted} (a rule promises them "
                "by `weighted` and `features`)"
            )
        if found is not None and not bool(found.isfinite().all()):
            raise ValueError(f"edge rule {rule.name!r} on {relation}: found {what} with NaN or infinity, expected none")
