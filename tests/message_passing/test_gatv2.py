"""GATv2 against its formula, the softmax running over the edges of all relations."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing import GATv2
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import make_seeded
from tests.message_passing.pyg_graphs import assert_only_rounding

DIM, HEADS, SLOPE = 6, 2, 0.3
WINDOW = Relation("text", "window", "text")


def layer_and_batch(dropout: float = 0.0) -> tuple[GATv2, GraphBatch]:
    builder = example_builder()
    names = [node_type.name for node_type in builder.node_types]

    def make() -> GATv2:
        return GATv2(DIM, names, builder.relations, heads=HEADS, negative_slope=SLOPE, dropout=dropout)

    layer = make_seeded(make).double()
    assert isinstance(layer, GATv2)
    return layer, builder(random_samples(torch.Generator().manual_seed(0)), empty=True)


def random_states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(layer: GATv2, states: Tensor, batch: GraphBatch) -> Tensor:
    kind = {i: name for name, place in batch.slices.items() for i in range(place.start, place.stop)}
    projected = [layer.project.linears[kind[i]](states[i]) for i in range(len(states))]
    destination, source, own = torch.stack(projected).chunk(3, dim=1)
    after = []
    for i in range(len(states)):
        incoming = range(int(batch.edges.offsets[i]), int(batch.edges.offsets[i + 1]))
        ends = [(int(batch.edges.src[e]), int(batch.edges.relation[e])) for e in incoming]
        heads = []
        for h in range(HEADS):
            part = slice(h * DIM // HEADS, (h + 1) * DIM // HEADS)
            joined = [F.leaky_relu(destination[i, part] + source[j, part], SLOPE) for j, _ in ends]
            score = [math.exp(float(layer.score_weight[r, h] @ v)) for (_, r), v in zip(ends, joined, strict=True)]
            message = torch.zeros(DIM // HEADS, dtype=torch.float64)
            for (j, _), one in zip(ends, score, strict=True):
                message = message + one / sum(score) * source[j, part]
            heads.append(message)
        after.append(F.elu(own[i] + torch.cat(heads)))
    return torch.stack(after)


@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_the_formula(impl: str) -> None:
    layer, batch = layer_and_batch()
    layer.impl = impl  # type: ignore[assignment]
    states = random_states(batch)
    with torch.no_grad():
        found = layer(states, batch)
        assert_only_rounding({"": found}, {"": by_hand(layer, states, batch)}, batch.edges.num_edges)


def test_dropout_acts_in_training_only() -> None:
    layer, batch = layer_and_batch(dropout=0.5)
    states = random_states(batch)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert torch.equal(layer.eval()(states, batch), layer(states, batch))
        assert not torch.equal(layer.train()(states, batch), layer(states, batch))


@pytest.mark.parametrize("heads", [0, 4])
def test_heads_must_divide_dim(heads: int) -> None:
    with pytest.raises(ValueError, match=f"heads must divide dim, found heads={heads} and dim=6"):
        GATv2(DIM, ["text"], [WINDOW], heads=heads)


def test_dropout_must_leave_something() -> None:
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1, found 1"):
        GATv2(DIM, ["text"], [WINDOW], heads=2, dropout=1.0)
