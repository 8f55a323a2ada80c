"""A batch of samples as one heterogeneous graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gnnfuse.catalog import listed
from gnnfuse.edges import Relation
from gnnfuse.graph.ragged import Ragged
from gnnfuse.nodes import Layout
from gnnfuse.ops import Edges, Transpose, relation_rows


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """Several samples' graphs side by side, without an edge between them.

    Nodes are numbered type by type, within a type sample by sample: each type is one slice.

    Args:
        values: node type -> the input of its encoder, `[nodes of the type, ...]`.
        layout: node type -> its nodes' layout.
        edges: the incoming edges of every node, all relations together.
        relations: the relation for each relation number in `edges`.
        graph_id: `[nodes]`, each node's sample.
        num_graphs: number of samples.
        target: `[graphs, ...]`, encoded targets, or `Ragged`; None where no sample has one.
        ids: the samples' ids; a sample without one is named by its position in the batch.
        modalities: node types that are read from a signal, in the order of `present`'s columns.
        present: `[graphs, modalities]`, whether the sample has the signal.
        edge_weight: `[edges]`, a factor on each edge's message; None means 1. Gradients flow to it.
        edge_features: relation -> `[edges of the relation, features]`, in the order of its edges, for each relation
            whose edges carry features.
        edge_order: `[edges]`, for batches from another library: each edge's position in that library's list for its
            relation; None if the edges are in the order of this batch.
    """

    values: Mapping[str, Tensor]
    layout: Mapping[str, Layout]
    edges: Edges
    relations: tuple[Relation, ...]
    graph_id: Int[Tensor, "nodes"]
    num_graphs: int
    target: Tensor | Ragged | None
    ids: tuple[str, ...]
    modalities: tuple[str, ...]
    present: Bool[Tensor, "graphs modalities"]
    edge_weight: Float[Tensor, "edges"] | None = None
    edge_features: Mapping[Relation, Float[Tensor, "_ _"]] = field(default_factory=dict)
    edge_order: Int[Tensor, "edges"] | None = None
    # Derived values, kept on first access. A plain dictionary: torch.compile cannot trace cached_property.
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def node_types(self) -> tuple[str, ...]:
        """Names of the node types, in the order of the numbering."""
        return tuple(self.values)

    @property
    def num_nodes(self) -> int:
        """Number of nodes of all types."""
        return len(self.graph_id)

    @property
    def slices(self) -> Mapping[str, slice]:
        """Each type's slice of the numbering."""
        found, start = {}, 0
        for name, values in self.values.items():
            found[name] = slice(start, start + len(values))
            start += len(values)
        return found

    @property
    def relation_spans(self) -> tuple[tuple[int, int], ...]:
        """Per relation (start, stop), the nodes of its source type; empty if there are no destination nodes."""
        slices = self.slices
        spans = []
        for relation in self.relations:
            src, dst = slices[relation.src], slices[relation.dst]
            spans.append((src.start, src.stop if dst.stop > dst.start else src.start))
        return tuple(spans)

    @property
    def relation_edges(self) -> Edges:
        """The edges with one row per (relation, source node), for keys and values that differ by relation.

        The rows of a relation are those of its span, relation after relation. Computed on first access and kept, so
        that all layers of a model share them.
        """
        if "relation_edges" not in self._kept:
            with torch.inference_mode(False):  # the kept tensors may be used in training later
                self._kept["relation_edges"] = relation_rows(self.edges, self.relation_spans)
        edges: Edges = self._kept["relation_edges"]
        return edges

    @property
    def relation_degree(self) -> Int[Tensor, "edges"]:
        """For each edge, the number of its relation's edges into the same node; computed on first access and kept."""
        if "relation_degree" not in self._kept:
            relations = max(1, len(self.relations))
            with torch.inference_mode(False):
                group = self.edges.dst() * relations + self.edges.relation
                counts = torch.zeros(self.num_nodes * relations, dtype=torch.int64, device=self.device)
                self._kept["relation_degree"] = counts.index_add(0, group, torch.ones_like(group))[group]
        degree: Tensor = self._kept["relation_degree"]
        return degree

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.graph_id.device

    def __len__(self) -> int:
        return self.num_graphs

    def __repr__(self) -> str:
        """Sizes and device, no tensors.

        Example:
            >>> from gnnfuse.edges import Window
            >>> from gnnfuse.graph import GraphBuilder
            >>> from gnnfuse.nodes import TextTokens
            >>> from gnnfuse.sample import Sample
            >>> GraphBuilder([TextTokens()], [Window(size=1)])([Sample({"text": "ab"}), Sample({"text": "abc"})])
            GraphBatch(2 graphs; nodes: text 5; edges: text-window-text 6; cpu)
        """
        nodes = listed([f"{name} {len(values)}" for name, values in self.values.items()])
        if self.device.type == "meta":  # its values are unknown
            edges = f"{self.edges.num_edges}"
        else:
            counts = torch.bincount(self.edges.relation, minlength=len(self.relations)).tolist()
            edges = listed([f"{name} {count}" for name, count in zip(self.relations, counts, strict=True)]) or "none"
        return f"GraphBatch({self.num_graphs} graphs; nodes: {nodes}; edges: {edges}; {self.device})"

    def __eq__(self, other: object) -> bool:
        """Bit for bit: every tensor of the same dtype and content, every name in the same order."""
        if not isinstance(other, GraphBatch):
            return NotImplemented
        return all(_same(getattr(self, of.name), getattr(other, of.name)) for of in fields(self) if of.compare)

    __hash__ = None  # type: ignore[assignment]  # tensors have no hash by content

    def __getstate__(self) -> dict[str, object]:
        """Only the fields, without kept derived values."""
        return {of.name: {} if of.name == "_kept" else getattr(self, of.name) for of in fields(self)}

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """The same batch on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory; loaders call this."""
        return self._map(lambda tensor: tensor.pin_memory())

    def keep(
        self,
        *,
        nodes: Bool[Tensor, "nodes"] | Mapping[str, Bool[Tensor, "_"]] | None = None,
        edges: Bool[Tensor, "edges"] | None = None,
    ) -> Self:
        """The batch without some nodes, the edges at them, and some other edges.

        The remaining nodes and edges keep their order. A sample that loses all nodes of a type becomes one without that
        type: `shape` and `dropped` are 0, and `present` is False. One that loses some keeps the type's `shape`;
        `Layout.place` gives the places of the remaining nodes. A target per node loses the same rows. Times and
        positions are unchanged, even relative to a removed node. Unchanged tensors are shared with this batch.

        On an accelerator it synchronises twice: for the number of nodes and for the number of edges.

        Args:
            nodes: whether each node stays: `[nodes]`, or node type -> `[nodes of the type]`; other types stay whole.
            edges: `[edges]`, whether each edge may stay.

        Raises:
            ValueError: a mask of another dtype, length or device, or a node type that is not in the batch.

        Example:
            >>> from gnnfuse.edges import Window
            >>> from gnnfuse.graph import GraphBuilder
            >>> from gnnfuse.nodes import TextTokens
            >>> from gnnfuse.sample import Sample
            >>> batch = GraphBuilder([TextTokens()], [Window(size=1)])([Sample({"text": "abc"}), Sample({"text": "d"})])
            >>> kept = batch.keep(nodes={"text": torch.tensor([False, True, True, False])})
            >>> kept, kept.layout["text"].index.tolist(), kept.present.tolist()
            (GraphBatch(2 graphs; nodes: text 2; edges: text-window-text 2; cpu), [1, 2], [[True], [False]])
        """
        from gnnfuse.graph.keep import keep  # that module imports this one

        return keep(self, nodes, edges)

    def without_edges(self) -> Self:
        """The same nodes without edges."""
        offsets = torch.zeros_like(self.edges.offsets)
        none = self.edges.src[:0]
        transpose = Transpose(torch.zeros_like(self.edges.transpose.offsets), none, none)
        return replace(
            self,
            edges=Edges(offsets, none, none, transpose),
            edge_weight=None if self.edge_weight is None else self.edge_weight[:0],
            edge_features={relation: found[:0] for relation, found in self.edge_features.items()},
            edge_order=None,
        )

    def _map(self, move: Callable[[Tensor], Tensor]) -> Self:
        def moved(layout: Layout) -> Layout:
            return Layout(
                graph_id=move(layout.graph_id),
                offsets=move(layout.offsets),
                shape=move(layout.shape),
                position=None if layout.position is None else move(layout.position),
                time=None if layout.time is None else move(layout.time),
                dropped=move(layout.dropped),
                place=None if layout.place is None else move(layout.place),
            )

        edges = self.edges
        return replace(
            self,
            values={name: move(values) for name, values in self.values.items()},
            layout={name: moved(layout) for name, layout in self.layout.items()},
            edges=Edges(
                move(edges.offsets), move(edges.src), move(edges.relation), Transpose(*map(move, edges.transpose))
            ),
            graph_id=move(self.graph_id),
            target=_moved_target(self.target, move),
            present=move(self.present),
            edge_weight=None if self.edge_weight is None else move(self.edge_weight),
            edge_features={relation: move(found) for relation, found in self.edge_features.items()},
            edge_order=None if self.edge_order is None else move(self.edge_order),
        )


def _moved_target(target: Tensor | Ragged | None, move: Callable[[Tensor], Tensor]) -> Tensor | Ragged | None:
    if isinstance(target, Ragged):
        return Ragged(move(target.values), move(target.offsets), target.of)
    return None if target is None else move(target)


def _same(left: object, right: object) -> bool:
    match left, right:
        case Tensor(), Tensor():
            return left.dtype == right.dtype and torch.equal(left, right)
        case Mapping(), Mapping():
            return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
        case Layout(), Layout():
            return all(_same(getattr(left, of.name), getattr(right, of.name)) for of in fields(left))
        case Edges() | Transpose() | Ragged(), Edges() | Transpose() | Ragged():
            return all(_same(one, other) for one, other in zip(left, right, strict=True))
    return bool(left == right)
