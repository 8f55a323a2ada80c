"""The two ways of joining the summaries of modalities, by loops over nodes and edges."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.readout import InteractionReadout, JoinedReadout
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import assert_close, make_seeded

DIM = 4


@pytest.fixture
def batch() -> GraphBatch:
    return example_builder()(random_samples(torch.Generator().manual_seed(0)), empty=True)


@pytest.fixture
def states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def summaries(states: Tensor, batch: GraphBatch, graph: int) -> list[Tensor]:
    """The mean state of each modality that the sample has; the hub is none."""
    found = []
    for name in ("audio", "image", "text"):
        place = batch.slices[name]
        nodes = [i for i in range(place.start, place.stop) if batch.graph_id[i] == graph]
        if nodes:
            found.append(torch.stack([states[i] for i in nodes]).mean(0))
    return found


def interaction(states: Tensor, batch: GraphBatch, graph: int) -> Tensor | None:
    """The mean of x_i * y_j over the sample's edges between two modalities."""
    products = []
    for i in range(batch.num_nodes):
        for edge in range(int(batch.edges.offsets[i]), int(batch.edges.offsets[i + 1])):
            relation = batch.relations[int(batch.edges.relation[edge])]
            across = relation.src != relation.dst and "hub" not in (relation.src, relation.dst)
            if across and batch.graph_id[i] == graph:
                products.append(states[i] * states[int(batch.edges.src[edge])])
    return torch.stack(products).mean(0) if products else None


def test_summaries_are_joined_at_equal_variance(batch: GraphBatch, states: Tensor) -> None:
    found = JoinedReadout()(states, batch)
    lengths = []
    for graph, row in enumerate(found):
        means = summaries(states, batch, graph)
        expected = sum(means, torch.zeros(DIM, dtype=torch.float64)) / math.sqrt(max(1, len(means)))
        assert_close(row, expected, f"sample {graph}")
        lengths.append(len(means))
    assert sorted(set(lengths)) == [0, 1, 2, 3]


def test_three_terms(batch: GraphBatch, states: Tensor) -> None:
    readout = make_seeded(lambda: InteractionReadout(DIM)).double()
    assert isinstance(readout, InteractionReadout)
    found = readout(states, batch)
    without = 0
    for graph, row in enumerate(found):
        terms = summaries(states, batch, graph)
        product = interaction(states, batch, graph)
        without += product is None
        terms += [] if product is None else [product]
        expected = torch.zeros(DIM, dtype=torch.float64)
        for term in terms:
            expected = expected + readout.network(term)
        assert_close(row, expected, f"sample {graph}")
    assert 0 < without < batch.num_graphs


def test_the_batch_may_have_no_modality_and_no_relation(batch: GraphBatch, states: Tensor) -> None:
    bare = replace(batch.without_edges(), modalities=(), present=batch.present[:, :0], relations=())
    readout = InteractionReadout(DIM).double()
    for found in (JoinedReadout()(states, bare), readout(states, bare)):
        assert torch.equal(found, torch.zeros(batch.num_graphs, DIM, dtype=torch.float64))
