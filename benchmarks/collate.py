"""Collating ready samples: ours against PyG's `Batch.from_data_list`, side by side in one process on one thread.

The samples are *clip*: a picture of 14x14 patches joined with their 8 neighbours, 128 audio frames and 64 text tokens
joined within 2 steps, and 8 edges into every node from each other type; values 64 wide. A second round gives every
sample lengths of its own. Before anything is timed, both sides must hold the same nodes and edges. `GraphBatch.keep` is
timed beside them: a batch that loses half of its nodes, and one that loses the pictures of half of its samples.

    python benchmarks/collate.py [--samples 64] [--rounds 15] [--out FILE]
"""

import argparse
import json
import random
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch_geometric.data import Batch, HeteroData

from gnnfuse.bench.environment import environment
from gnnfuse.edges import EdgeRule, Grid, Window
from gnnfuse.graph import GraphBatch, GraphBuilder, SampleGraph
from gnnfuse.graph.assemble import list_edges
from gnnfuse.graph.collate import collate
from gnnfuse.nodes import NodeEncoder, NodeSet, NodeType
from gnnfuse.ops import merge_edges
from gnnfuse.sample import Sample

WIDTH = 64
WARM_UP = 3
CALLS_PER_TURN = 4
BASELINE = "pyg.Batch.from_data_list"
ANEW = "edges merged anew, numba"


class Spent(NamedTuple):
    """What one call cost."""

    milliseconds: float
    page_faults: float


@dataclass(frozen=True, kw_only=True)
class Ready(NodeType):
    """Nodes that the sample already holds."""

    name: str
    provides: frozenset[str]
    axes: int

    @property
    def signal(self) -> str:  # type: ignore[override]
        """The signal is named as the type."""
        return self.name

    def empty(self) -> NodeSet:
        """No rows."""
        return NodeSet(torch.zeros(0, WIDTH), (0,) * self.axes)

    def nodes(self, sample: Sample) -> NodeSet | None:
        """The sample's own."""
        nodes = sample.signals.get(self.name)
        assert nodes is None or isinstance(nodes, NodeSet)
        return nodes

    def encoder(self, dim: int) -> NodeEncoder:
        """Collating asks for none."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Into(EdgeRule):
    """Edges into every node from nodes of each other type, the same for equal lengths."""

    degree: int = 8
    name: str = "into"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """Two different types."""
        return src.name != dst.name

    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        """Different sources each, spread over the type."""
        index = torch.arange(dst.num_nodes).repeat_interleave(self.degree)
        step = torch.arange(self.degree).repeat(dst.num_nodes) * (src.num_nodes // self.degree)
        return torch.stack([(index * 7919 + step) % src.num_nodes, index])

    def key(self, src: NodeSet, dst: NodeSet) -> tuple[int, int]:
        """Both lengths."""
        return src.num_nodes, dst.num_nodes


def builder() -> GraphBuilder:
    types = [
        Ready(name="image", provides=frozenset({"grid"}), axes=2),
        Ready(name="audio", provides=frozenset({"order"}), axes=1),
        Ready(name="text", provides=frozenset({"order"}), axes=1),
    ]
    return GraphBuilder(types, [Grid(), Window(size=2), Into()])


def sample(side: int, frames: int, tokens: int) -> Sample:
    shapes = {"image": (side, side), "audio": (frames,), "text": (tokens,)}
    counts = {"image": side * side, "audio": frames, "text": tokens}
    return Sample({name: NodeSet(torch.randn(counts[name], WIDTH), shape) for name, shape in shapes.items()})


def samples(lengths: Literal["fixed", "random"], count: int) -> list[Sample]:
    """Clip samples; random lengths are of the same sizes on average."""
    if lengths == "fixed":
        return [sample(14, 128, 64) for _ in range(count)]
    draw = random.Random(0)
    return [sample(draw.randint(9, 18), draw.randint(64, 192), draw.randint(32, 96)) for _ in range(count)]


def to_data(made: GraphBuilder, graph: SampleGraph) -> HeteroData:
    """The sample as PyG keeps it."""
    data, alone = HeteroData(), made.collate([graph])
    for name, values in alone.values.items():
        data[name].x = values
    for relation, (pairs, *_) in list_edges(alone).items():
        data[relation.src, relation.rule, relation.dst].edge_index = pairs
    return data


def refuse_difference(ours: GraphBatch, theirs: HeteroData) -> None:
    """Raise unless both batches hold the same nodes, and the same edges in whatever order."""
    for name, values in ours.values.items():
        if not torch.equal(values, theirs[name].x):
            raise RuntimeError(f"the two batches have different nodes of type {name!r}")
        if not torch.equal(ours.layout[name].graph_id, theirs[name].batch):
            raise RuntimeError(f"the two batches share the nodes of type {name!r} out differently")
    for relation, (pairs, *_) in list_edges(ours).items():
        found = theirs[relation.src, relation.rule, relation.dst].edge_index
        if not all(torch.equal(*sides) for sides in zip(ordered(pairs), ordered(found), strict=True)):
            raise RuntimeError(f"the two batches have different edges of relation {relation}")


def ordered(pairs: Tensor) -> Tensor:
    return pairs[:, torch.argsort(pairs[1] * (int(pairs[0].max()) + 1) + pairs[0], stable=True)]


def merge_anew(
    made: GraphBuilder, graphs: Sequence[SampleGraph], impl: Literal["reference", "numba"] = "numba"
) -> GraphBatch:
    """Without the merged edges that a builder keeps for batches of one shape."""
    merge = partial(merge_edges, impl=impl)
    return collate(graphs, made.empties, made.modalities, made.relations, merge=merge)


def keeping(made: GraphBuilder, given: Sequence[Sample], batch: GraphBatch) -> dict[str, Callable[[], GraphBatch]]:
    """Calls of `keep`; raises unless leaving pictures out gives the batch that is built without them."""
    half = torch.rand(batch.num_nodes, generator=torch.Generator().manual_seed(0)) < 0.5
    even = {"image": batch.layout["image"].graph_id % 2 == 0}
    bare = [Sample({name: s for name, s in one.signals.items() if name != "image"}) for one in given]
    if batch.keep(nodes=even) != made([bare[i] if i % 2 else one for i, one in enumerate(given)]):
        raise RuntimeError("GraphBatch.keep gives another batch than samples without pictures")
    return {
        "GraphBatch.keep, half of the nodes": partial(batch.keep, nodes=half),
        "GraphBatch.keep, no picture in every other sample": partial(batch.keep, nodes=even),
    }


def interleaved(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Spent]]:
    """What each call costs: all in turns, so that all meet the same disturbances.

    A turn is one call that is not counted and four that are, as a loader makes batch after batch; the median of the
    four is the turn's. The last batch is alive while the next is made, as in a training loop.
    """
    found: dict[str, list[Spent]] = {name: [] for name in calls}
    for turn in range(WARM_UP + rounds):
        for name, call in calls.items():
            batch, spent = call(), []
            for _ in range(CALLS_PER_TURN):
                faults, begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time_ns()
                batch = call()
                milliseconds = (time.process_time_ns() - begin) / 1e6
                spent.append(Spent(milliseconds, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults))
            del batch
            if turn >= WARM_UP:
                found[name].append(Spent(*map(statistics.median, zip(*spent, strict=True))))
    return found


def measure(lengths: Literal["fixed", "random"], count: int, rounds: int) -> list[dict[str, Any]]:
    made = builder()
    given = samples(lengths, count)
    graphs = [made.graph(one) for one in given]
    data = [to_data(made, graph) for graph in graphs]
    calls: dict[str, Callable[[], Any]] = {
        BASELINE: partial(Batch.from_data_list, data),
        "edges merged anew, reference": partial(merge_anew, made, graphs, "reference"),
        ANEW: partial(merge_anew, made, graphs, "numba"),
        "GraphBuilder.collate": partial(made.collate, graphs),
    }
    for name, call in calls.items():
        if name != BASELINE:
            refuse_difference(call(), calls[BASELINE]())
    found = interleaved(calls | keeping(made, given, merge_anew(made, graphs)), rounds)

    def over(name: str, other: str) -> float:
        """Median over the turns of what one costs in units of the other."""
        turns = zip(found[name], found[other], strict=True)
        return round(statistics.median(one.milliseconds / two.milliseconds for one, two in turns), 2)

    return [
        {
            "work": f"clip x{count}, {lengths} lengths",
            "name": name,
            "nodes": sum(graph.edges.num_nodes for graph in graphs),
            "edges": sum(graph.edges.num_edges for graph in graphs),
            "milliseconds": round(statistics.median(turn.milliseconds for turn in turns), 3),
            "fastest": round(min(turn.milliseconds for turn in turns), 3),
            "pyg_over_this": over(BASELINE, name),
            "over_merged_anew": over(name, ANEW),
            "page_faults": statistics.median(turn.page_faults for turn in turns),
        }
        for name, turns in found.items()
    ]


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ("work", "name", "milliseconds", "fastest", "pyg_over_this", "over_merged_anew", "page_faults")
    table = Table(*columns, title="Medians of one thread's process time")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for lengths in ("fixed", "random") for row in measure(lengths, options.samples, options.rounds)]
    show(rows)
    if options.out is not None:
        report = {"environment": environment(torch.device("cpu")), "rows": rows}
        options.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
