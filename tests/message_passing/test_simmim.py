"""SimMIM against its formula, one neighbour after the other."""

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.graph import GraphBatch
from gnnfuse.message_passing import SimMIM
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import make_seeded
from tests.message_passing.pyg_graphs import assert_only_rounding

DIM = 5


def layer_and_batch() -> tuple[SimMIM, GraphBatch]:
    builder = example_builder()
    names = [node_type.name for node_type in builder.node_types]
    layer = make_seeded(lambda: SimMIM(DIM, names, builder.relations)).double()
    assert isinstance(layer, SimMIM)
    return layer, builder(random_samples(torch.Generator().manual_seed(0)), empty=True)


def by_hand(layer: SimMIM, states: Tensor, batch: GraphBatch) -> Tensor:
    """act(W x + b + sum over y of alpha(y) W_type(y) y), alpha(y) the share of exp(a_type(y) . y)."""
    kind = {i: name for name, place in batch.slices.items() for i in range(place.start, place.stop)}
    after = []
    for i in range(len(states)):
        neighbours = batch.edges.src[int(batch.edges.offsets[i]) : int(batch.edges.offsets[i + 1])].tolist()
        weights = [layer.neighbours.linears.get_parameter(f"{kind[j]}.weight") for j in neighbours]
        shares = [math.exp(float(weight[DIM] @ states[j])) for j, weight in zip(neighbours, weights, strict=True)]
        total = layer.own(states[i])
        for j, weight, share in zip(neighbours, weights, shares, strict=True):
            total = total + share / sum(shares) * (weight[:DIM] @ states[j])
        after.append(F.relu(total))
    return torch.stack(after)


def test_the_formula() -> None:
    layer, batch = layer_and_batch()
    states = torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        found = layer(states, batch)
        assert_only_rounding({"": found}, {"": by_hand(layer, states, batch)}, batch.edges.num_edges)


def test_relations_make_no_difference() -> None:
    layer, batch = layer_and_batch()
    states = torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    renamed = batch.edges._replace(relation=torch.zeros_like(batch.edges.relation))
    with torch.no_grad():
        assert torch.equal(layer(states, batch), layer(states, replace(batch, edges=renamed)))
