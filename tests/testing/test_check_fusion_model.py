"""Broken models are caught, each by its own message."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from gnnfuse.fusion import Family, Fused, FusionModel
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType
from gnnfuse.ops import segment_reduce
from gnnfuse.testing import check_fusion_model, example_builder, random_samples

States = Mapping[str, Tensor]


class Pooled(FusionModel):
    """A correct model, which the others break in one place."""

    family: ClassVar[Family] = "classical"

    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4) -> None:
        super().__init__([t for t in node_types if t.signal is not None], dim)
        self.linear = nn.Linear(dim, dim)

    def fuse(self, states: States, batch: GraphBatch) -> Fused:
        pooled = self.linear(self.pool(states, batch))
        return Fused(self.change(pooled, batch))

    def pool(self, states: States, batch: GraphBatch) -> Tensor:
        return segment_reduce(*self.stacked(states, batch), batch.num_graphs, reduce="mean")

    def stacked(self, states: States, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        return torch.cat([*states.values()]), torch.cat([batch.layout[name].graph_id for name in states])

    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled


class ParametersInAList(Pooled):
    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4) -> None:
        super().__init__(node_types, dim=dim)
        self.factors = [nn.Parameter(torch.ones(dim))]

    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled * self.factors[0]


class ModulesInADict(Pooled):
    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4) -> None:
        super().__init__(node_types, dim=dim)
        self.networks = {"text": nn.Linear(dim, dim).double()}

    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled + self.networks["text"].bias


class LeavesAParameterAside(Pooled):
    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4) -> None:
        super().__init__(node_types, dim=dim)
        self.unread = nn.Parameter(torch.ones(dim))


class SkipsAbsentModalities(Pooled):
    def stacked(self, states: States, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        states = {name: found for name, found in states.items() if len(found)}
        ids = [batch.layout[name].graph_id for name in states]
        none = torch.zeros(0, self.dim, dtype=self.linear.weight.dtype)
        return torch.cat([none, *states.values()]), torch.cat([batch.graph_id[:0], *ids])


class CentresTheBatch(Pooled):
    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled - pooled.mean(dim=0)


class AveragesOverPadding(Pooled):
    def pool(self, states: States, batch: GraphBatch) -> Tensor:
        stacked, graph_id = self.stacked(states, batch)
        longest = torch.bincount(graph_id, minlength=batch.num_graphs).max()
        return segment_reduce(stacked, graph_id, batch.num_graphs, reduce="sum") / longest.clamp(min=1)


class DividesByNothing(Pooled):
    def pool(self, states: States, batch: GraphBatch) -> Tensor:
        stacked, graph_id = self.stacked(states, batch)
        count = torch.bincount(graph_id, minlength=batch.num_graphs)
        return segment_reduce(stacked, graph_id, batch.num_graphs, reduce="sum") / count.unsqueeze(1)


class ReadsUnwrittenMemory(Pooled):
    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        unwritten = torch.empty_like(pooled)
        unwritten[:0] = 0.0
        return pooled + unwritten.nan_to_num(nan=1.0, posinf=0.0, neginf=0.0).clamp(0.5, 1.0)


class CountsEdgesInSecret(Pooled):
    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled + torch.bincount(batch.graph_id[batch.edges.dst()], minlength=len(batch)).unsqueeze(1)


class SaysItSeesEdges(Pooled):
    sees_edges: ClassVar[bool] = True


class DrawsInEvaluation(Pooled):
    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled + torch.rand_like(pooled)


class SetsThreads(Pooled):
    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        torch.set_num_threads(torch.get_num_threads() + 1)
        return pooled


class LosesAnArgument(Pooled):
    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4, factor: float = 2.0) -> None:
        super().__init__(node_types, dim=dim)


class ForgetsInTheFile(Pooled):
    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4) -> None:
        super().__init__(node_types, dim=dim)
        self.noise = torch.rand(dim)

    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled + self.noise


class ForgetsItsParts(Pooled):
    gives = frozenset({"parts"})


class KeepsItsNodesSecret(Pooled):
    def fuse(self, states: States, batch: GraphBatch) -> Fused:
        return super().fuse(states, batch)._replace(nodes=torch.zeros(batch.num_nodes, self.dim))


class GivesPartsOfAbsentModalities(Pooled):
    gives = frozenset({"parts"})

    def fuse(self, states: States, batch: GraphBatch) -> Fused:
        vector = super().fuse(states, batch).vector
        parts = vector[:, None].expand(-1, len(self.modalities), -1)
        return Fused(vector, parts, torch.ones(parts.shape[:2], dtype=torch.bool))


class EncodesHubs(Pooled):
    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 4) -> None:
        FusionModel.__init__(self, node_types, dim)
        self.linear = nn.Linear(dim, dim)


class GivesNumbersNotVectors(Pooled):
    def change(self, pooled: Tensor, batch: GraphBatch) -> Tensor:
        return pooled.sum(dim=1)


BROKEN = {
    ParametersInAList: r"factors\[0\] holds a parameter that is not registered",
    ModulesInADict: r"networks\['text'\].weight holds a parameter that is not registered",
    LeavesAParameterAside: "parameter unread gets no gradient",
    SkipsAbsentModalities: "in a batch without audio: parameter encoders.encoders.audio.* gets no gradient",
    CentresTheBatch: "differs between a batch and the sample alone",
    AveragesOverPadding: "differs between a batch and the sample alone",
    DividesByNothing: "found NaN or infinity in the output",
    ReadsUnwrittenMemory: "unwritten memory|different outputs",
    CountsEdgesInSecret: "sees_edges is False, but its output depends on edges",
    SaysItSeesEdges: "sees_edges is True, but removing all edges changes nothing",
    DrawsInEvaluation: "changed torch's random state",
    SetsThreads: "changed torch's number of threads",
    LosesAnArgument: "does not keep its argument 'factor'",
    ForgetsInTheFile: "gives another output after saving and loading",
    ForgetsItsParts: r"fuse: found no parts, expected some, as ForgetsItsParts.gives names them",
    KeepsItsNodesSecret: r"gives \[\], but nodes is not None",
    GivesPartsOfAbsentModalities: "present does not mark the graphs that have nodes of the modality",
    EncodesHubs: "sees no edges, found node type 'hub', which reads no signal, expected types that read one",
    GivesNumbersNotVectors: r"fuse: found vectors \[\d+\], expected \[\d+, 4\]",
}


@pytest.mark.usefixtures("unchecked")  # which would refuse some of them first
@pytest.mark.parametrize("model", BROKEN, ids=lambda model: model.__name__)
def test_a_broken_model_is_caught(model: type[Pooled]) -> None:
    threads = torch.get_num_threads()
    samples = random_samples(torch.Generator().manual_seed(0))
    try:
        with pytest.raises((AssertionError, ValueError), match=BROKEN[model]), torch.random.fork_rng(devices=[]):
            check_fusion_model(lambda builder: model(builder.node_types), example_builder(), samples, classes=[model])
    finally:
        torch.set_num_threads(threads)


def test_the_correct_model_passes() -> None:
    samples = random_samples(torch.Generator().manual_seed(0))
    check_fusion_model(lambda builder: Pooled(builder.node_types), example_builder(), samples, classes=[Pooled])
