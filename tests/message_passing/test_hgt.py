"""HGT against its formula, one edge after the other, and against PyG's layer where that is wrong."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch_geometric.nn import HGTConv

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing import HGT
from gnnfuse.ops import Edges, relation_rows
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import make_seeded
from tests.message_passing.pyg_graphs import DIM, HeteroGraph, assert_only_rounding, random_graph

HEADS = 2
WINDOW = Relation("text", "window", "text")


def layer_and_batch(dropout: float = 0.0) -> tuple[HGT, GraphBatch]:
    builder = example_builder()
    batch = builder(random_samples(torch.Generator().manual_seed(0)), empty=True)
    names = [node_type.name for node_type in builder.node_types]
    layer = make_seeded(lambda: HGT(8, names, builder.relations, heads=HEADS, dropout=dropout)).double()
    assert isinstance(layer, HGT)
    generator = torch.Generator().manual_seed(1)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 2
    return layer, batch


def random_states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(layer: HGT, states: Tensor, batch: GraphBatch) -> Tensor:
    kind = {i: name for name, place in batch.slices.items() for i in range(place.start, place.stop)}
    projected = [layer.project.linears[kind[i]](states[i]).reshape(3, HEADS, -1) for i in range(len(states))]
    after = []
    for i in range(len(states)):
        incoming = range(int(batch.edges.offsets[i]), int(batch.edges.offsets[i + 1]))
        ends = [(int(batch.edges.src[e]), int(batch.edges.relation[e])) for e in incoming]
        heads = []
        for h in range(HEADS):
            key = [projected[j][0, h] @ layer.key_matrix[r, h] for j, r in ends]
            value = [projected[j][2, h] @ layer.value_matrix[r, h] for j, r in ends]
            score = [
                math.exp(float(layer.prior[r, h]) * float(k @ projected[i][1, h]) / math.sqrt(len(k)))
                for (_, r), k in zip(ends, key, strict=True)
            ]
            message = torch.zeros(8 // HEADS, dtype=torch.float64)
            for one, v in zip(score, value, strict=True):
                message = message + one / sum(score) * v
            heads.append(message)
        gate = float(layer.skip[kind[i]].sigmoid())
        after.append(gate * layer.output[kind[i]](F.gelu(torch.cat(heads))) + (1 - gate) * states[i])
    return torch.stack(after)


@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_the_formula(impl: str) -> None:
    layer, batch = layer_and_batch()
    layer.impl = impl  # type: ignore[assignment]
    states = random_states(batch)
    with torch.no_grad():
        assert_only_rounding({"": layer(states, batch)}, {"": by_hand(layer, states, batch)}, batch.edges.num_edges)


def many_relations() -> HeteroGraph:
    graphs = (random_graph(seed) for seed in range(100))
    return next(g for g in graphs if sum(pairs.shape[1] > 0 for pairs in g.pairs.values()) > 3)


def test_any_order_of_the_edge_dictionary_where_pyg_has_one_right_order_only() -> None:
    graph = many_relations()
    conv = HGTConv(DIM, DIM, graph.metadata, heads=HEADS).double()
    backwards = graph.relations[::-1]
    with torch.no_grad():
        right = conv(graph.states, graph.edge_index())
        wrong = conv(graph.states, {relation.triple: graph.pairs[relation] for relation in backwards})
        assert any(not torch.allclose(right[name], wrong[name]) for name in graph.entered)

        batch = graph.batch(relations=backwards)
        after = HGT.from_pyg(conv)(torch.cat(list(graph.states.values())), batch)
    found = {name: after[batch.slices[name]] for name in graph.entered}
    assert_only_rounding(found, right, graph.terms)


def test_nodes_of_a_type_that_no_relation_enters_keep_their_state() -> None:
    graph = next(g for seed in range(100) if set((g := random_graph(seed)).node_types) - set(g.entered))
    conv = HGTConv(DIM, DIM, graph.metadata, heads=HEADS).double()
    layer = HGT.from_pyg(conv)
    batch, states = graph.batch(), torch.cat(list(graph.states.values()))
    after = layer(states, batch)
    for name in set(graph.node_types) - set(graph.entered):
        assert torch.equal(after[batch.slices[name]], graph.states[name])
        assert name not in conv(graph.states, graph.edge_index())
        assert name not in layer.output
        assert name not in layer.skip


def test_a_layer_from_pyg_is_a_copy_in_its_dtype() -> None:
    graph = many_relations()
    conv = HGTConv(DIM, DIM, graph.metadata, heads=3).double()
    layer = HGT.from_pyg(conv, impl="reference")
    assert (layer.dim, layer.heads, layer.impl, layer.relations) == (DIM, 3, "reference", graph.relations)
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}
    batch, states = graph.batch(), torch.cat(list(graph.states.values()))
    before = layer(states, batch)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.zero_()
    assert torch.equal(layer(states, batch), before)


@pytest.mark.parametrize("sizes", [4, -1, {"text": 8, "image": 3}])
def test_a_pyg_layer_that_changes_the_size_is_refused(sizes: int | dict[str, int]) -> None:
    conv = HGTConv(sizes, 8, (["text", "image"], [WINDOW.triple]), heads=2)
    with pytest.raises(ValueError, match="in_channels must be out_channels=8 for every node type, found"):
        HGT.from_pyg(conv)


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
        HGT(8, ["text"], [WINDOW], heads=heads)


def test_the_edges_are_made_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    _, batch = layer_and_batch()
    calls: list[int] = []

    def counted(edges: Edges, spans: Sequence[tuple[int, int]]) -> Edges:
        calls.append(edges.num_edges)
        return relation_rows(edges, spans)

    monkeypatch.setattr("gnnfuse.graph.graph_batch.relation_rows", counted)
    layers = [layer_and_batch()[0] for _ in range(3)]
    states = random_states(batch)
    for layer in layers:
        states = layer(states, batch)
    assert len(calls) == 1
