from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch_geometric.nn import GATv2Conv, GCNConv, GINConv, GINEConv, HeteroConv, SAGEConv, TransformerConv

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
    hetero = HeteroConv({r.triple: layer.convs[place] for place, r in enumerate(graph.relations)})
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


@pytest.mark.parametrize("joined", [False, True])
def test_without_edges_the_sources_do_not_matter(joined: bool) -> None:
    """PyG's default self loops would give text i the state of image i, in a batch that of another sample."""
    conv = partial(GATv2Conv, DIM, DIM)
    layer = PyGLayer(DIM, ["image", "text"], [ALIGNED], conv=conv, joined=joined).double()
    none = torch.zeros(2, 0, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    text, *images = (torch.randn(3, DIM, generator=generator).double() for _ in range(3))
    found = [
        layer(torch.cat([image, text]), HeteroGraph({"image": image, "text": text}, {ALIGNED: none}, {}).batch())
        for image in images
    ]
    assert torch.equal(found[0][3:], found[1][3:])


def test_self_loops_within_a_type_stay() -> None:
    layer = PyGLayer(DIM, ["image", "text"], [ALIGNED, WINDOW], conv=partial(GATv2Conv, DIM, DIM))
    assert [conv.add_self_loops for conv in layer.convs] == [False, True]


class Centred(nn.Module):
    """A convolution that takes off the mean over all nodes of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = SAGEConv(DIM, DIM)

    def forward(self, states: Any, pairs: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv(states, pairs)
        return out - out.mean(dim=0)


SHARED = SAGEConv(DIM, DIM)


@pytest.mark.parametrize(
    ("conv", "options", "message"),
    [
        (Centred, {}, "mixes samples along image-aligned-text: its output for one sample depends on another"),
        (partial(GCNConv, DIM, DIM, cached=True), {"joined": True}, r"the same with and without edges .*cached=False"),
        (partial(TransformerConv, DIM, DIM, edge_dim=2), {}, "its edges carry no features: leave edge_dim= out"),
        (lambda: GINEConv(nn.Linear(DIM, DIM)), {}, "its edges carry no features: leave edge_dim= out"),
        (partial(GINConv, nn.Linear(DIM, DIM)), {}, "gives all relations one Linear, expected one of its own for each"),
        (lambda: SHARED, {}, "gives all relations one module, expected one of its own for each"),
    ],
)
def test_what_would_be_wrong_in_silence_is_refused(conv: Any, options: dict[str, bool], message: str) -> None:
    relations = [ALIGNED, Relation("image", "near", "text")]
    with pytest.raises(ValueError, match=message):
        PyGLayer(DIM, ["image", "text"], relations, conv=conv, **options)


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
            r"must return \[nodes, 6\] along text-window-text, found shape \(2, 7\)",
        ),
        (partial(SAGEConv, DIM + 1, DIM), WINDOW, "fails on states of size 6 along text-window-text: "),
        (partial(SAGEConv, DIM + 1, DIM), ALIGNED, "fails on states of size 6 along image-aligned-text: mat1 and mat2"),
        (partial(GCNConv, DIM, DIM), ALIGNED, "along image-aligned-text; if it accepts no pair, pass joined=True"),
        (
            lambda: "a word",
            WINDOW,
            "conv must make a torch.nn.Module, found 'a word'; expected a callable that makes one",
        ),
        (SAGEConv, WINDOW, "cannot be called: .* expected a callable that makes one: partial"),
        (SAGEConv(8, 8), WINDOW, "conv: found a convolution, "),
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
