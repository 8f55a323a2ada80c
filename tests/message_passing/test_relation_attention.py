"""RelationAttention against its formula, one edge after the other."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing import RelationAttention
from gnnfuse.testing import example_builder, random_samples

DIM, HEADS = 8, 2


def layer_and_batch(dropout: float = 0.0) -> tuple[RelationAttention, GraphBatch]:
    builder = example_builder()
    batch = builder(random_samples(torch.Generator().manual_seed(0)), empty=True)
    names = [node_type.name for node_type in builder.node_types]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = RelationAttention(DIM, names, builder.relations, heads=HEADS, dropout=dropout, expansion=2).double()
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return layer, batch


def random_states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(layer: RelationAttention, states: Tensor, batch: GraphBatch) -> Tensor:
    """x_i + W sum_j gate softmax_j(q_i . k_j / sqrt(d) + bias) v_j, then the feed-forward block: loops throughout."""
    kind = {i: name for name, place in batch.slices.items() for i in range(place.start, place.stop)}
    normed = F.layer_norm(states, (DIM,), layer.attention_norm.weight, layer.attention_norm.bias)
    query, key, value = (
        torch.stack([layer.project.linears[kind[i]](normed[i]) for i in range(len(states))])
        .reshape(-1, 3, HEADS, DIM // HEADS)
        .unbind(1)
    )
    after = []
    for i in range(len(states)):
        incoming = range(int(batch.edges.offsets[i]), int(batch.edges.offsets[i + 1]))
        ends = [(int(batch.edges.src[e]), int(batch.edges.relation[e])) for e in incoming]
        parts = []
        for head in range(HEADS):
            scores = [
                math.exp(
                    float(query[i, head] @ key[j, head]) / math.sqrt(DIM // HEADS) + float(layer.relation_bias[r, head])
                )
                for j, r in ends
            ]
            part = torch.zeros(DIM // HEADS, dtype=torch.float64)
            for (j, r), score in zip(ends, scores, strict=True):
                part = part + float(layer.relation_gate[r, head]) * score / sum(scores) * value[j, head]
            parts.append(part)
        state = states[i] + layer.output.linears[kind[i]](torch.cat(parts))
        after.append(state + layer.feed_forward(state))
    return torch.stack(after)


def test_the_formula() -> None:
    layer, batch = layer_and_batch()
    states = random_states(batch)
    with torch.no_grad():
        assert torch.allclose(layer(states, batch), by_hand(layer, states, batch), rtol=1e-10, atol=1e-10)


def test_the_implementations_agree() -> None:
    layer, batch = layer_and_batch()
    states = random_states(batch)
    with torch.no_grad():
        found = {impl: _with_impl(layer, impl)(states, batch) for impl in ("auto", "reference", "numba")}
    assert torch.allclose(found["reference"], found["numba"], rtol=1e-10, atol=1e-10)
    assert torch.equal(found["auto"], found["numba"])


def _with_impl(layer: RelationAttention, impl: str) -> RelationAttention:
    layer.impl = impl  # type: ignore[assignment]
    return layer


def test_closing_a_relation_leaves_the_weights_of_the_others() -> None:
    """The gate stands behind the softmax: a closed relation's messages vanish, no other grows."""
    layer, batch = layer_and_batch()
    states = random_states(batch)
    relation = int(batch.edges.relation[0])
    with torch.no_grad():
        layer.relation_gate.fill_(1.0)
        layer.relation_gate[relation] = 0.0
        assert torch.allclose(layer(states, batch), by_hand(layer, states, batch), rtol=1e-10, atol=1e-10)


def test_dropout_acts_in_training_only() -> None:
    layer, batch = layer_and_batch(dropout=0.5)
    states = random_states(batch)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert torch.equal(layer.eval()(states, batch), layer(states, batch))
        assert not torch.equal(layer.train()(states, batch), layer(states, batch))


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_must_divide_dim(heads: int) -> None:
    with pytest.raises(ValueError, match=f"heads must divide dim, found heads={heads} and dim=8"):
        RelationAttention(8, ["text"], [Relation("text", "window", "text")], heads=heads)
