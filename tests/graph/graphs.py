"""Random samples with modalities missing, and graphs made of them by double loops."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gnnfuse.edges import Aligned, Complete, EdgeList, EdgeRule, Grid, Nearest, Window
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import AudioFrames, Features, Hub, ImagePatches, NodeSet, NodeType, TextTokens, WaveformFrames
from gnnfuse.sample import Audio, Rows, Sample


class Distance(EdgeRule):
    """Joins a node with every second node that has a position; edges carry how far and in which direction."""

    name = "distance"
    weighted = True
    features = 2

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return "position" in src.provides & dst.provides

    def edges(self, src: NodeSet, dst: NodeSet) -> EdgeList:
        assert src.position is not None
        assert dst.position is not None
        pairs = torch.cartesian_prod(torch.arange(0, src.num_nodes, 2), torch.arange(dst.num_nodes)).T
        between = (dst.position[pairs[1]] - src.position[pairs[0]]).float()
        return EdgeList(pairs, between.norm(dim=1), between)


NODE_TYPES: tuple[NodeType, ...] = (
    TextTokens(),
    ImagePatches(patch=2),
    AudioFrames(sample_rate=100, encoding=WaveformFrames()),
    Features(signal="events", width=2, timed=True, coordinates=2),
    Hub(),
    Hub(name="image_hub", of="image", count=2),
)
EDGE_RULES: tuple[EdgeRule, ...] = (
    Grid(),
    Window(size=2),
    Complete(name="gather", src=("text", "audio", "image", "events"), dst="hub"),
    Complete(name="spread", src="hub", dst=("text", "audio", "image", "events")),
    Complete(name="of_image", src="image", dst="image_hub"),
    Complete(name="hubs", src="image_hub", dst="image_hub", within=True),
    Aligned(by="time"),
    Aligned(name="in_order", by="order"),
    Nearest(k=2, across=True),
    Nearest(name="alike", k=1, by="features"),
    Distance(),
)

EdgeSet = set[tuple[int, int, int, int]]  # graph, relation, source and destination within their types


def random_sample(generator: torch.Generator, id: str | None = None) -> Sample:
    """Each modality missing one time in three; some present and empty."""

    def below(limit: int) -> int:
        return int(torch.randint(0, limit, (), generator=generator))

    rows = torch.rand(below(4), 2, generator=generator)
    signals: dict[str, object] = {
        "text": "abcdefg"[: below(6)],
        "image": torch.rand(3, 1 + below(6), 1 + below(6), generator=generator),
        "audio": Audio(torch.rand(1 + below(20), generator=generator), 100),
        "events": Rows(rows, time=rows[:, 0], position=rows),
    }
    return Sample({name: signal for name, signal in signals.items() if below(3)}, id=id)


def random_samples(seed: int, count: int | None = None) -> list[Sample]:
    generator = torch.Generator().manual_seed(seed)
    size = 1 + int(torch.randint(0, 6, (), generator=generator)) if count is None else count
    return [random_sample(generator, f"{seed}-{place}") for place in range(size)]


def expected_edges(builder: GraphBuilder, samples: Sequence[Sample]) -> EdgeSet:
    """Every rule asked anew for every sample."""
    types = {node_type.name: node_type for node_type in builder.node_types}
    rules = {rule.name: rule for rule in builder.edge_rules}
    found: EdgeSet = set()
    for graph, sample in enumerate(samples):
        nodes = {name: node_type.nodes(sample) for name, node_type in types.items()}
        for number, relation in enumerate(builder.relations):
            src, dst = nodes[relation.src], nodes[relation.dst]
            if src is not None and dst is not None:
                made = rules[relation.rule].edges(src, dst)
                pairs = (made.index if isinstance(made, EdgeList) else made).T.tolist()
                found |= {(graph, number, s, d) for s, d in pairs}
    return found


def node_places(builder: GraphBuilder, samples: Sequence[Sample]) -> list[tuple[str, int, int, Tensor]]:
    """Type, sample, number within both, and value of each node: type by type by name, then sample by sample."""
    places = []
    for node_type in sorted(builder.node_types, key=lambda found: found.name):
        for graph, sample in enumerate(samples):
            nodes = node_type.nodes(sample)
            if nodes is not None:
                places += [(node_type.name, graph, i, value) for i, value in enumerate(nodes.values)]
    return places


def found_edges(batch: GraphBatch, places: Sequence[tuple[str, int, int, Tensor]]) -> EdgeSet:
    """The batch's edges read back node by node; both ends must lie in one sample and have the relation's types."""
    found: EdgeSet = set()
    offsets, sources, relations = (part.tolist() for part in batch.edges[:3])
    for dst, (dst_type, dst_graph, dst_index, _) in enumerate(places):
        for edge in range(offsets[dst], offsets[dst + 1]):
            src_type, src_graph, src_index, _ = places[sources[edge]]
            relation = batch.relations[relations[edge]]
            assert (src_type, dst_type) == (relation.src, relation.dst)
            assert src_graph == dst_graph
            assert (dst_graph, relations[edge], src_index, dst_index) not in found
            found.add((dst_graph, relations[edge], src_index, dst_index))
    return found
