"""Layers on edges with weights and features, against loops, other layers and PyTorch Geometric."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv, GCNConv, GraphConv, SAGEConv

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import GraphBatch, GraphBuilder, Relation
from gnnfuse.graph.assemble import list_edges
from gnnfuse.message_passing import (
    HGT,
    RGCN,
    SAGE,
    GATv2,
    LayerFactory,
    MessageLayer,
    NearestStates,
    PyGLayer,
    RelationAttention,
    SimMIM,
)
from gnnfuse.saving import build, describe
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import make_seeded, widened
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, Distance
from tests.graph.graphs import random_samples as carrying_samples

DIM, WIDTH = 8, 2
ATTENTION: dict[str, LayerFactory] = {
    "relation_attention": RelationAttention,
    "gatv2": GATv2,
    "hgt": HGT,
    "simmim": SimMIM,
    "nearest_states": partial(NearestStates, k=1, layer=RelationAttention),
}


def carrying(*, features: bool = True, weights: bool = True) -> GraphBatch:
    """A batch in which every second relation has features."""
    batch = widened(example_builder()(random_samples(torch.Generator().manual_seed(0)), empty=True))
    relations = tuple(Relation(*r.triple, features=WIDTH * (place % 2)) for place, r in enumerate(batch.relations))
    generator = torch.Generator().manual_seed(1)
    counts = torch.bincount(batch.edges.relation, minlength=len(relations)).tolist()
    found = {
        relation: torch.randn(count, WIDTH, generator=generator)
        for relation, count in zip(relations, counts, strict=True)
        if relation.features
    }
    assert sum(len(rows) > 0 for rows in found.values()) > 1
    weight = torch.rand(batch.edges.num_edges, generator=generator)
    if not features:
        return replace(batch, edge_weight=weight)
    return replace(batch, relations=relations, edge_features=found, edge_weight=weight if weights else None)


def random_states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def made(factory: LayerFactory, batch: GraphBatch) -> MessageLayer:
    layer = make_seeded(lambda: factory(DIM, batch.node_types, batch.relations)).double()
    assert isinstance(layer, MessageLayer)
    return layer


@pytest.mark.parametrize("factory", [SAGE, RGCN])
def test_means_by_loops(factory: type[SAGE | RGCN]) -> None:
    batch = carrying()
    states = random_states(batch)
    layer = made(partial(factory, activation=None), batch)
    assert isinstance(layer, SAGE | RGCN)
    own = layer.own(states, batch.slices) if isinstance(layer, SAGE) else layer.own(states)
    expected = own.clone()
    src, dst, relation = batch.edges.src.tolist(), batch.edges.dst().tolist(), batch.edges.relation.tolist()
    degree = {key: list(zip(relation, dst, strict=True)).count(key) for key in set(zip(relation, dst, strict=True))}
    assert batch.edge_weight is not None
    seen = dict.fromkeys(batch.edge_features, 0)
    for edge, number in enumerate(relation):
        message = states[src[edge]] @ layer.neighbours[number]
        name = batch.relations[number]
        if name.features:
            message = message + layer.edge_terms.maps[str(number)](batch.edge_features[name][seen[name]].double())
            seen[name] += 1
        expected[dst[edge]] += batch.edge_weight[edge].double() * message / degree[number, dst[edge]]
    torch.testing.assert_close(layer(states, batch), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_turns_away_from_edges_whose_features_speak_against_them(name: str) -> None:
    """Features of -1e6 under positive maps are as if the edges were not there."""
    batch = carrying(weights=False)
    layer = made(ATTENTION[name], batch)
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            if "edge_terms" in key:
                parameter.fill_(1.0)
    generator = torch.Generator().manual_seed(2)
    gone = {r: torch.rand(len(rows), generator=generator) < 0.5 for r, rows in batch.edge_features.items()}
    stays = torch.ones(batch.edges.num_edges, dtype=torch.bool)
    for number, relation in enumerate(batch.relations):
        if relation.features:
            stays[batch.edges.relation == number] = ~gone[relation]
    features = {r: -1e6 * gone[r].double()[:, None].expand(-1, WIDTH) for r in gone}
    states = random_states(batch)
    found = layer(states, replace(batch, edge_features=features))
    zeros: Mapping[Relation, Tensor] = {r: torch.zeros_like(rows) for r, rows in batch.edge_features.items()}
    expected = layer(states, replace(batch, edge_features=zeros).keep(edges=stays))
    assert not torch.allclose(expected, layer(states, replace(batch, edge_features=zeros)))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_weights_by_relation_are_gates_of_relations() -> None:
    batch = carrying(features=False)
    scale = torch.rand(len(batch.relations), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weighted, plain = (replace(batch, edge_weight=w) for w in (scale[batch.edges.relation], None))
    states = random_states(batch)
    for factory, table in ((RelationAttention, "relation_gate"), (HGT, "value_matrix"), (SAGE, "neighbours")):
        layer = made(factory, batch)
        found = layer(states, weighted)
        with torch.no_grad():
            rows = getattr(layer, table)
            rows.mul_(scale.view(-1, *[1] * (rows.ndim - 1)))
        torch.testing.assert_close(found, layer(states, plain), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("factory", [RelationAttention, GATv2, SAGE])
def test_gradients_of_weights_and_features(factory: LayerFactory) -> None:
    batch = carrying()
    stays = torch.arange(batch.edges.num_edges) % 9 == 0
    batch = batch.keep(edges=stays)
    layer, states = made(factory, batch), random_states(batch)
    assert batch.edge_weight is not None
    inputs = [tensor.double().requires_grad_() for tensor in (batch.edge_weight, *batch.edge_features.values())]

    def run(weight: Tensor, *rows: Tensor) -> Tensor:
        features = dict(zip(batch.edge_features, rows, strict=True))
        out: Tensor = layer(states, replace(batch, edge_weight=weight, edge_features=features))
        return out

    assert torch.autograd.gradcheck(run, inputs)


def test_edges_to_the_nearest_states_have_a_weight_of_one() -> None:
    batch = carrying()
    layer = made(partial(NearestStates, k=2), batch)
    assert isinstance(layer, NearestStates)
    assert layer.takes == {"weight", "features"}
    extended = layer.extended(random_states(batch), batch)
    assert extended.edge_weight is not None
    old, new = list_edges(batch), list_edges(extended)
    for relation, (index, weight, features) in new.items():
        assert weight is not None
        if relation in old:
            assert torch.equal(index, old[relation].index)
            assert torch.equal(weight, old[relation].weight)  # type: ignore[arg-type]  # tensors, as in the batch
            assert features is old[relation].features is None or torch.equal(features, old[relation].features)  # type: ignore[arg-type]
        else:
            assert bool((weight == 1).all())


@pytest.mark.parametrize(
    ("conv", "carried"),
    [
        (partial(GraphConv, (DIM, DIM), DIM), "edge_weight"),
        (partial(GATv2Conv, (DIM, DIM), DIM, edge_dim=WIDTH), "edge_attr"),
    ],
)
def test_convolutions_of_pyg_get_what_they_accept(conv: partial[nn.Module], carried: str) -> None:
    weighted = carried == "edge_weight"
    batch = carrying(features=False) if weighted else carrying(weights=False)
    kept = [r for r in batch.relations if r.src != r.dst and (weighted or r.features)]
    layer = made(partial(PyGLayer, conv=conv), replace(batch, relations=tuple(kept)))
    assert layer.takes == {"weight" if weighted else "features"}
    states = random_states(batch)
    number = batch.relations.index(kept[0])
    only = batch.keep(edges=batch.edges.relation == number)
    only = replace(
        only,
        relations=(kept[0],),
        edges=only.edges._replace(relation=torch.zeros_like(only.edges.relation)),
        edge_features={r: rows for r, rows in only.edge_features.items() if r == kept[0]},
    )
    found = layer(states, only)
    (listed,) = list_edges(only).values()
    src, dst = (states[batch.slices[name]] for name in (kept[0].src, kept[0].dst))
    given = listed.weight if weighted else listed.features
    assert given is not None
    assert isinstance(layer, PyGLayer)
    expected = layer.convs[0]((src, dst), listed.index, **{carried: given.double()})
    torch.testing.assert_close(found[batch.slices[kept[0].dst]], expected, rtol=1e-12, atol=1e-12)


class IgnoresFeatures(SAGEConv):
    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None = None) -> Tensor:
        out: Tensor = super().forward(x, edge_index)
        return out


@pytest.mark.parametrize("name", sorted(ATTENTION.keys() - {"nearest_states"} | {"sage", "rgcn"}))
def test_a_node_whose_edges_weigh_nothing_is_as_one_without_edges(name: str) -> None:
    batch = carrying(features=False)
    layer, states = made(({"sage": SAGE, "rgcn": RGCN} | ATTENTION)[name], batch), random_states(batch)
    silent = torch.rand(batch.num_nodes, generator=torch.Generator().manual_seed(4)) < 0.5
    assert batch.edge_weight is not None
    weight = torch.where(silent[batch.edges.dst()], 0.0, batch.edge_weight)
    found = layer(states, replace(batch, edge_weight=weight))
    expected = torch.where(silent[:, None], layer(states, batch.without_edges()), layer(states, batch))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_what_no_layer_takes_is_refused() -> None:
    builder = GraphBuilder(NODE_TYPES, EDGE_RULES)
    relation = next(relation for relation in builder.relations if relation.features)
    for conv, message in (
        (SAGEConv, "takes no edge_attr, found 2 features per edge of"),
        (IgnoresFeatures, "ignores the 2 features per edge of"),
        (GATv2Conv, r"fails on .*; its edges carry 2 features: edge_dim=2"),
    ):
        with pytest.raises(ValueError, match=f"conv={conv.__name__}.* {message}"):
            PyGLayer(
                DIM, ["image"], [Relation("image", "grid", "image", features=2)], conv=partial(conv, (DIM, DIM), DIM)
            )

    class Plain(SAGE):
        takes = frozenset()

    with pytest.raises(ValueError, match=rf"found 2 features per edge of {relation}, which Plain does not use"):
        GraphFusion.of(builder, dim=DIM, depth=1, layer=Plain)

    class Misspelt(SAGE):
        takes = frozenset({"weights"})

    with pytest.raises(ValueError, match="takes 'weights', expected some of 'weight' and 'features'"):
        GraphFusion.of(builder, dim=DIM, depth=1, layer=Misspelt)
    plain = GraphBuilder(NODE_TYPES, EDGE_RULES[:-1])
    batch = plain(carrying_samples(0), empty=True)
    model = GraphFusion.of(plain, dim=DIM, depth=1, layer=Plain)
    model(batch)
    with pytest.raises(ValueError, match="found a batch with weights of edges, which Plain does not use"):
        model(replace(batch, edge_weight=torch.ones(batch.edges.num_edges)))


def test_relations_that_differ_in_features_alone_are_told_apart() -> None:
    model = GraphFusion.of(GraphBuilder(NODE_TYPES, EDGE_RULES), dim=DIM, depth=1)

    class Bare(Distance):
        features = 0

    other = GraphBuilder(NODE_TYPES, [*EDGE_RULES[:-1], Bare()])
    with pytest.raises(
        ValueError, match=r"found relation events-distance-events.*, expected relation .* with 2 features"
    ):
        model.check_fits(other)


def test_a_model_of_such_edges_is_saved_and_explains_itself_by_their_gradient() -> None:
    builder = GraphBuilder(NODE_TYPES, EDGE_RULES)
    model = make_seeded(lambda: GraphFusion.of(builder, dim=DIM, depth=2))
    again = build(describe(model))
    assert isinstance(again, GraphFusion)
    again.load_state_dict(model.state_dict())
    batch = builder(carrying_samples(1, count=4), empty=True)
    assert torch.equal(again(batch), model(batch))
    weight = torch.ones(batch.edges.num_edges, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(replace(batch, edge_weight=weight)).square().sum(), weight)
    assert bool(gradient.isfinite().all())
    assert float((gradient != 0).float().mean()) > 0.5


def test_one_set_of_nodes_gets_weights_too() -> None:
    batch = carrying(features=False)
    relation = next(r for r in batch.relations if r.src == r.dst)
    conv = partial(GCNConv, DIM, DIM)
    layer = made(partial(PyGLayer, conv=conv, joined=True), batch)
    weight = batch.edge_weight
    assert weight is not None
    changed = weight.clone()
    changed[batch.edges.relation == batch.relations.index(relation)] *= 2
    states = random_states(batch)
    found = layer(states, replace(batch, edge_weight=changed)) - layer(states, batch)
    assert not bool(found[batch.slices[relation.dst]].eq(0).all())
