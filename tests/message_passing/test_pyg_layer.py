from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch_geometric.nn import GATv2Conv, GCNConv, HeteroConv, SAGEConv

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import Relation
from gnnfuse.message_passing import PyGLayer
from gnnfuse.saving import build, describe
from gnnfuse.testing import example_builder
from tests.message_passing.pyg_graphs import DIM, HeteroGraph, assert_only_rounding, random_graph, shuffled

WINDOW, ALIGNED = Relation("text", "window", "text"), Relation("image", "aligned", "text")
CONVS: dict[str, Callable[[], nn.Module]] = {
    "sage": partial(SAGEConv, (DIM, DIM), DIM),
    "gatv2": partial(GATv2Conv, (DIM, DIM), DIM, heads=2, concat=False, add_self_loops=False),
    "lazy": partial(SAGEConv, (-1, -1), DIM),
}

pytestmark = pytest.mark.filterwarnings("ignore:There exist node types")


@pytest.mark.parametrize("conv", CONVS)
@pytest.mark.parametrize("seed", range(10))
def test_as_hetero_conv(seed: int, conv: str) -> None:
    graph = random_graph(seed)
    layer = PyGLayer(DIM, graph.node_types, graph.relations, conv=CONVS[conv]).double()
    names, relations = shuffled(graph, seed)
    batch = graph.batch(names, relations)
    hetero = HeteroConv({tuple(r): layer.convs[place] for place, r in enumerate(graph.relations)})
    with torch.no_grad():
        found = layer(torch.cat([graph.states[name] for name in names]), batch)
        expected = hetero(graph.states, graph.edge_index())
    assert_only_rounding({name: found[batch.slices[name]] for name in graph.entered}, expected, graph.terms)
    for name in set(names) - set(graph.entered):
        assert torch.equal(found[batch.slices[name]], graph.states[name])


@pytest.mark.parametrize("seed", range(10))
def test_a_convolution_on_one_set_of_nodes(seed: int) -> None:
    """Both types joined, as if they were one; the sources' part of the result is left out."""
    graph = random_graph(seed)
    layer = PyGLayer(DIM, graph.node_types, graph.relations, conv=partial(GCNConv, DIM, DIM), joined=True).double()
    expected = {name: torch.zeros_like(graph.states[name]) for name in graph.entered}
    with torch.no_grad():
        for conv, relation in zip(layer.convs, graph.relations, strict=True):
            src, dst, pairs = graph.states[relation.src], graph.states[relation.dst], graph.pairs[relation]
            if relation.src == relation.dst:
                expected[relation.dst] = expected[relation.dst] + conv(src, pairs)
            else:
                shifted = torch.stack([pairs[0], pairs[1] + len(src)])
                expected[relation.dst] = expected[relation.dst] + conv(torch.cat([src, dst]), shifted)[len(src) :]
        found = layer(torch.cat(list(graph.states.values())), graph.batch())
    places = graph.batch().slices
    assert_only_rounding({name: found[places[name]] for name in expected}, expected, graph.terms)


def test_a_relation_that_the_batch_lacks_says_nothing() -> None:
    graph = HeteroGraph({"text": torch.ones(3, DIM).double()}, {WINDOW: torch.tensor([[0], [1]])}, {})
    layer = PyGLayer(DIM, ["text"], [WINDOW], conv=CONVS["sage"]).double()
    batch = HeteroGraph(graph.states, {}, {}).batch()
    assert not layer(graph.states["text"], batch).any()
    with pytest.raises(ValueError, match="the batch has relation text-window-text, the layer knows none"):
        PyGLayer(DIM, ["text"], [], conv=CONVS["sage"])(graph.states["text"], graph.batch())


@pytest.mark.parametrize(
    ("conv", "relation", "message"),
    [
        (
            partial(SAGEConv, DIM, DIM + 1),
            WINDOW,
            r"must give \[nodes, 6\] along text-window-text, found shape \(2, 7\)",
        ),
        (partial(SAGEConv, DIM + 1, DIM), WINDOW, "fails on states of size 6 along text-window-text: "),
        (partial(GCNConv, DIM, DIM), ALIGNED, "along image-aligned-text; where it takes no pair, joined=True helps"),
        (lambda: "a word", WINDOW, "conv must make a torch.nn.Module, found a str"),
        (lambda: nn.Identity(unused=1), WINDOW, "fails on states"),
    ],
)
def test_what_does_not_fit_is_refused(conv: Any, relation: Relation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PyGLayer(DIM, ["image", "text"], [relation], conv=conv)


def test_a_partial_of_the_class_can_be_saved_and_a_function_cannot() -> None:
    builder = example_builder()

    def model(conv: Callable[[], nn.Module]) -> GraphFusion:
        layer = partial(PyGLayer, conv=conv)
        return GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1, layer=layer)

    again = build(describe(model(CONVS["sage"])), classes=[SAGEConv])
    assert isinstance(again, GraphFusion)
    assert again.state_dict().keys() == model(CONVS["sage"]).state_dict().keys()
    with pytest.raises(ValueError, match="found function"):
        describe(model(lambda: SAGEConv((DIM, DIM), DIM)))
