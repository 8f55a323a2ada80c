"""Merging sample graphs into a batch: offsets and concatenation, nothing per node or edge in Python."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from gnnfuse.edges import Relation
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.sample_graph import Block, SampleGraph
from gnnfuse.nodes import Layout, NodeSet, NodeType
from gnnfuse.ops import Edges, Transpose
from gnnfuse.ops.edges import offsets_of


def collate(
    graphs: Sequence[SampleGraph], node_types: Sequence[NodeType], relations: tuple[Relation, ...]
) -> GraphBatch:
    """Number the nodes of all samples type by type and merge their edges.

    Args:
        graphs: the samples' graphs, with these node types (they may have more) and these relations.
        node_types: in the order of numbering.
        relations: in the order of numbering; none leaves the graphs' edges out.

    Raises:
        ValueError: no sample, or only some of the samples have a target.
    """
    if not graphs:
        raise ValueError("a batch needs at least one sample, found none")
    layouts, values = {}, {}
    for node_type in node_types:
        sets = [graph.nodes[node_type.name] for graph in graphs]
        values[node_type.name], layouts[node_type.name] = _merge_nodes(sets, node_type.empty())
    modalities = tuple(node_type.name for node_type in node_types if node_type.signal is not None)
    present = [[graph.nodes[name] is not None for name in modalities] for graph in graphs]
    return GraphBatch(
        values=values,
        layout=layouts,
        edges=_merge_edges(graphs, [layouts[t.name] for t in node_types], [t.name for t in node_types], relations),
        relations=relations,
        graph_id=torch.cat([layout.graph_id for layout in layouts.values()]),
        num_graphs=len(graphs),
        target=_merge_targets(graphs),
        ids=tuple(str(place) if graph.id is None else graph.id for place, graph in enumerate(graphs)),
        modalities=modalities,
        present=torch.tensor(present, dtype=torch.bool).reshape(len(graphs), len(modalities)),
    )


def _merge_nodes(sets: Sequence[NodeSet | None], empty: NodeSet) -> tuple[Tensor, Layout]:
    found = [nodes for nodes in sets if nodes is not None] or [empty]
    counts = torch.tensor([0 if nodes is None else nodes.num_nodes for nodes in sets])
    offsets = offsets_of(counts)
    total = int(offsets[-1])
    absent = (0,) * len(empty.shape)
    layout = Layout(
        graph_id=torch.repeat_interleave(counts, output_size=total),
        offsets=offsets,
        shape=torch.tensor([absent if nodes is None else nodes.shape for nodes in sets], dtype=torch.int64),
        position=None if empty.position is None else torch.cat([cast(Tensor, nodes.position) for nodes in found]),
        time=None if empty.time is None else torch.cat([cast(Tensor, nodes.time) for nodes in found]),
        dropped=torch.tensor([0 if nodes is None else nodes.dropped for nodes in sets]),
    )
    return torch.cat([nodes.values for nodes in found]), layout


def _merge_targets(graphs: Sequence[SampleGraph]) -> Tensor | None:
    targets = [graph.target for graph in graphs]
    without = [graph.id for graph in graphs if graph.target is None]
    if len(without) == len(graphs):
        return None
    if without:
        raise ValueError(f"sample {without[0]!r}: found no target, expected one, as other samples of the batch have")
    return torch.stack(cast(list[Tensor], targets))


def _merge_edges(
    graphs: Sequence[SampleGraph], layouts: Sequence[Layout], names: Sequence[str], relations: Sequence[Relation]
) -> Edges:
    if not relations:
        nodes, none = sum(len(layout.graph_id) for layout in layouts), torch.zeros(0, dtype=torch.int32)
        offsets = torch.zeros(nodes + 1, dtype=torch.int64)
        return Edges(offsets, none, none, Transpose(offsets, none, none))
    number = {name: index for index, name in enumerate(names)}
    src_type = torch.tensor([number[r.src] for r in relations], dtype=torch.int64)
    dst_type = torch.tensor([number[r.dst] for r in relations], dtype=torch.int64)
    first = torch.tensor([0, *(len(layout.graph_id) for layout in layouts)]).cumsum(0)
    node_base = torch.stack([layout.offsets[:-1] for layout in layouts], dim=1) + first[:-1]  # [graphs, types]

    incoming = _Flat([[graph.edges.incoming[t] for graph in graphs] for t in range(len(names))])
    outgoing = _Flat([[graph.edges.outgoing[t] for graph in graphs] for t in range(len(names))])
    # Blocks stand type by type, within a type sample by sample, as the nodes do.
    edge_base = (incoming.lengths.cumsum(0) - incoming.lengths).reshape(len(names), len(graphs)).T

    src = incoming.other + node_base[:, src_type].flatten()[incoming.graph * len(relations) + incoming.relation]
    key = outgoing.graph * len(relations) + outgoing.relation
    dst = outgoing.other + node_base[:, dst_type].flatten()[key]
    edge = outgoing.place + edge_base[:, dst_type].flatten()[key]
    transpose = Transpose(offsets_of(outgoing.counts), edge.int(), dst.int())
    return Edges(offsets_of(incoming.counts), src.int(), incoming.relation, transpose)


class _Flat:
    """Blocks laid end to end, with the sample each edge belongs to."""

    def __init__(self, blocks: Sequence[Sequence[Block]]) -> None:
        flat = [block for of_type in blocks for block in of_type]
        self.counts = torch.cat([block.counts for block in flat])
        self.other = torch.cat([block.other for block in flat])
        self.relation = torch.cat([block.relation for block in flat])
        self.place = torch.cat([block.relation[:0] if block.place is None else block.place for block in flat])
        self.lengths = torch.tensor([len(block.other) for block in flat])
        graph = torch.arange(len(blocks[0])).repeat(len(blocks))
        self.graph = torch.repeat_interleave(graph, self.lengths, output_size=len(self.other))
