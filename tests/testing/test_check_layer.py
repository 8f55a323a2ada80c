"""Broken layers and readouts are caught."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, GraphBuilder, Relation
from gnnfuse.message_passing import SAGE, MessageLayer, RelationAttention
from gnnfuse.ops import segment_reduce
from gnnfuse.readout import Fused, Readout
from gnnfuse.testing import check_layer, check_readout, example_builder, random_samples
from tests.graph.graphs import Distance

SAMPLES = random_samples(torch.Generator().manual_seed(0))


class SumLayer(MessageLayer):
    """A correct layer, which the others break in one place."""

    def __init__(self, dim: int, node_types: Sequence[str], relations: Sequence[Relation]) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, states: Tensor, batch: GraphBatch) -> Tensor:
        received = torch.zeros_like(states).index_add(0, batch.edges.dst(), self.linear(states)[batch.edges.src])
        return self.change(states, received, batch)

    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        return states + received


class DividesByDegree(SumLayer):
    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        return states + received / batch.edges.offsets.diff().unsqueeze(1)


class IgnoresEdges(SumLayer):
    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        return states * 2


class MixesGraphs(SumLayer):
    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        return states + received + states.mean(dim=0)


class WritesOnlyWhereThereAreEdges(SumLayer):
    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        joined = batch.edges.offsets.diff() > 0
        written = torch.empty_like(states)
        written[joined] = received[joined]
        return states + written


class DropsIsolatedNodes(SumLayer):
    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        return received[batch.edges.offsets.diff() > 0]


class KeepsModulesInAList(SumLayer):
    def __init__(self, dim: int, node_types: Sequence[str], relations: Sequence[Relation]) -> None:
        super().__init__(dim, node_types, relations)
        self.further = [nn.Linear(dim, dim)]

    def change(self, states: Tensor, received: Tensor, batch: GraphBatch) -> Tensor:
        further: Tensor = self.further[0](received)
        return states + further


BROKEN = {
    KeepsModulesInAList: r"further\[0\].weight holds a parameter that is not registered",
    DividesByDegree: "found NaN or infinity in the output",
    IgnoresEdges: "removing all edges changes no state",
    MixesGraphs: "differs between a batch and the sample alone",
    WritesOnlyWhereThereAreEdges: "found NaN|unwritten memory|different outputs",
    DropsIsolatedNodes: "found shape .*, expected .* rows",
}


@pytest.mark.parametrize("layer", BROKEN, ids=lambda layer: layer.__name__)
def test_a_broken_layer_is_caught(layer: type[SumLayer]) -> None:
    with pytest.raises(AssertionError, match=BROKEN[layer]):
        check_layer(layer, example_builder(), SAMPLES)


def test_a_builder_whose_edges_carry_weights_and_features_checks_layers_too() -> None:
    builder = example_builder()
    carrying = GraphBuilder(builder.node_types, [*builder.edge_rules, Distance()])
    for layer in (RelationAttention, SAGE):
        check_layer(layer, carrying, SAMPLES)


def test_the_correct_layer_passes() -> None:
    check_layer(SumLayer, example_builder(), SAMPLES)


class MeanOfNothing(Readout):
    def read(self, states: Tensor, batch: GraphBatch) -> Fused:
        total = segment_reduce(states, batch.graph_id, batch.num_graphs, reduce="sum")
        return Fused(total / torch.bincount(batch.graph_id, minlength=batch.num_graphs).unsqueeze(1))


class SumOfTheBatch(Readout):
    def read(self, states: Tensor, batch: GraphBatch) -> Fused:
        own = segment_reduce(states, batch.graph_id, batch.num_graphs, reduce="sum")
        return Fused(own / max(1, len(states)))


class KeepsNoSize(Readout):
    def __init__(self, size: int) -> None:
        super().__init__()

    def read(self, states: Tensor, batch: GraphBatch) -> Fused:
        return Fused(segment_reduce(states, batch.graph_id, batch.num_graphs, reduce="sum"))


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        (MeanOfNothing(), "found NaN or infinity"),
        (SumOfTheBatch(), "between a batch and the sample alone"),
        (KeepsNoSize(3), "does not keep its argument 'size'"),
    ],
)
@pytest.mark.parametrize("builder", [example_builder(), example_builder().without_edges()], ids=["hub", "no hub"])
def test_a_broken_readout_is_caught(readout: Readout, message: str, builder: GraphBuilder) -> None:
    with pytest.raises(AssertionError, match=message):
        check_readout(readout, builder, SAMPLES)
