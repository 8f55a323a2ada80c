"""Makes a sample's edges once per repeated shape, and merges a batch's once per repeated set of samples."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.edges import EdgeRule, Relation
from gnnfuse.graph.sample_graph import sort_edges
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.ops import Edges, PackedEdges, merge_edges

KEPT_SHAPES = 1024  # edge lists kept for repeated shapes, evicting the least recently used
KEPT_BATCHES = 4  # merged edges kept for batches of one shape: full and last ones, in training and validation

MergeImpl = Literal["auto", "reference", "numba"]


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
            Relation(src.name, rule.name, dst.name): rule
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
        self._kept: OrderedDict[Hashable, PackedEdges | Tensor] = OrderedDict()
        self._merged: OrderedDict[tuple[PackedEdges, int, MergeImpl], Edges] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": OrderedDict(), "_merged": OrderedDict()}  # workers start with an empty cache

    def of(self, nodes: Mapping[str, NodeSet | None]) -> PackedEdges:
        """The edges of one sample's nodes.

        Raises:
            ValueError: a rule returns anything but pairs of valid node numbers.
        """
        ends = [(nodes[r.src], nodes[r.dst]) for r in self.relations]
        keys = [
            None if src is None or dst is None else (rule.key(src, dst),)
            for rule, (src, dst) in zip(self._typed.values(), ends, strict=True)
        ]
        counts = tuple(-1 if found is None else found.num_nodes for found in nodes.values())
        key = None if (None,) in keys else (counts, tuple(keys))
        kept = self._recall(key)
        if isinstance(kept, PackedEdges):
            return kept
        found = [
            self._pairs(relation, rule, src, dst)
            for (relation, rule), (src, dst) in zip(self._typed.items(), ends, strict=True)
        ]
        edges = sort_edges(found, self.relations, self._names, [max(0, count) for count in counts])
        self._keep(key, edges)
        return edges

    def _pairs(
        self, relation: Relation, rule: EdgeRule, src: NodeSet | None, dst: NodeSet | None
    ) -> Int[Tensor, "2 edges"] | None:
        if src is None or dst is None:
            return None
        key = rule.key(src, dst)
        kept = self._recall(None if key is None else (relation, key))
        if isinstance(kept, Tensor):
            return kept
        pairs = rule.edges(src, dst)
        limits = torch.tensor([[src.num_nodes], [dst.num_nodes]])
        whole = pairs.dtype in (torch.int32, torch.int64)
        if not whole or pairs.ndim != 2 or len(pairs) != 2 or bool(((pairs < 0) | (pairs >= limits)).any()):
            raise ValueError(
                f"edge rule {rule.name!r} on {relation}: found edges of shape {list(pairs.shape)} and {pairs.dtype}, "
                f"expected [2, edges] of torch.int64 with sources below {src.num_nodes} and destinations below "
                f"{dst.num_nodes}"
            )
        self._keep(None if key is None else (relation, key), pairs)
        return pairs

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

    def _recall(self, key: Hashable | None) -> PackedEdges | Tensor | None:
        kept = None if key is None else self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def _keep(self, key: Hashable | None, edges: PackedEdges | Tensor) -> None:
        if key is None:
            return
        self._kept[key] = edges
        if len(self._kept) > KEPT_SHAPES:
            self._kept.popitem(last=False)
