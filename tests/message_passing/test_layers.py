"""What holds for every layer, on its own and in a model of depth three."""

from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import SAGEConv

from gnnfuse.catalog import load, names
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing import (
    HGT,
    RGCN,
    SAGE,
    GATv2,
    LayerFactory,
    NearestStates,
    PyGLayer,
    RelationAttention,
    SimMIM,
)
from gnnfuse.ops import edges_from_index
from gnnfuse.saving import build, describe
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import make_seeded, widened

DIM = 8
SEVERAL = 4  # how many times the rounding of a layer in 16 bits autocast may have
LAYERS: dict[str, LayerFactory] = {
    "relation_attention": RelationAttention,
    "hgt": HGT,
    "gatv2": GATv2,
    "sage": SAGE,
    "rgcn": partial(RGCN, num_bases=2),
    "simmim": SimMIM,
    "nearest_states": partial(NearestStates, k=2, layer=HGT),
    "pyg": partial(PyGLayer, conv=partial(SAGEConv, (DIM, DIM), DIM)),
}


def example() -> GraphBatch:
    return example_builder()(random_samples(torch.Generator().manual_seed(0)), empty=True)


def random_states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LAYERS)
def test_three_layers_learn(name: str) -> None:
    builder, batch = example_builder(), example()

    def make() -> GraphFusion:
        return GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=3, layer=LAYERS[name])

    model = make_seeded(make)
    fused = model(batch)
    assert bool(fused.isfinite().all())
    fused.square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert bool(parameter.grad.isfinite().all()), key
    again = build(describe(model), classes=[SAGEConv])
    assert isinstance(again, GraphFusion)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(batch), fused)


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"nearest_states"}))  # whose choice hangs on the last bit
def test_autocast_errs_as_16_bits_do(name: str) -> None:
    batch = example()
    layer = make_seeded(lambda: LAYERS[name](DIM, batch.node_types, batch.relations))
    states = random_states(batch)
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            found = layer(states, batch)
        exact = layer.double()(states.double(), batch)
        rounded = layer.bfloat16()(states.bfloat16(), batch)
    allowed = SEVERAL * (rounded.double() - exact).abs().max()
    assert (found.double() - exact).abs().max() <= allowed


@pytest.mark.parametrize("name", LAYERS)
def test_autocast_gives_finite_gradients(name: str) -> None:
    batch = example()
    layer = make_seeded(lambda: LAYERS[name](DIM, batch.node_types, batch.relations))
    states = random_states(batch).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        layer(states, batch).float().square().sum().backward()
    for gradient in [states.grad, *(parameter.grad for parameter in layer.parameters())]:
        assert gradient is not None
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("name", LAYERS)
def test_how_a_batch_numbers_its_relations_does_not_matter(name: str) -> None:
    batch = widened(example())
    layer = make_seeded(lambda: LAYERS[name](DIM, batch.node_types, batch.relations)).double()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        for parameter in layer.parameters():
            parameter.normal_()  # tables that start as ones or zeros would hide a wrong order
    edges = batch.edges
    turned = edges_from_index(
        edges.src, edges.dst(), len(batch.relations) - 1 - edges.relation, num_nodes=batch.num_nodes
    )
    states = random_states(batch).double()
    found = layer(states, replace(batch, edges=turned, relations=batch.relations[::-1]))
    torch.testing.assert_close(found, layer(states, batch), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"simmim", "nearest_states"}))
def test_an_unknown_relation_is_refused(name: str) -> None:
    batch = example()
    layer = LAYERS[name](DIM, batch.node_types, batch.relations[1:])
    with pytest.raises(ValueError, match=f"the batch has relation {batch.relations[0]}, the layer knows "):
        layer(random_states(batch), batch)


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"rgcn", "pyg"}))
def test_an_unknown_node_type_is_refused(name: str) -> None:
    batch = example()
    layer = LAYERS[name](DIM, batch.node_types[1:], batch.relations)
    with pytest.raises(ValueError, match="audio"):
        layer(random_states(batch), batch)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("factory", [SAGE, RGCN, GATv2, SimMIM])
def test_an_unknown_activation_is_refused(factory: type[SAGE | RGCN | GATv2 | SimMIM]) -> None:
    relation = Relation("text", "window", "text")
    with pytest.raises(ValueError, match="activation must be one of 'relu', 'elu', 'gelu' or None, found 'tanh'"):
        factory(DIM, ["text"], [relation], activation="tanh")  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", names("layer"))
def test_an_unknown_impl_is_refused_by_the_constructor(name: str) -> None:
    layer: Any = load("layer", name)
    if "impl" not in signature(layer).parameters:
        pytest.skip("this layer has one implementation")
    relation = Relation("text", "window", "text")
    with pytest.raises(ValueError, match=r"impl must be one of 'auto', 'reference', .* found 'cuda'"):
        layer(DIM, ["text"], [relation], impl="cuda")


@pytest.mark.parametrize("factory", [SAGE, RGCN])
def test_the_activation_stands_behind_everything(factory: type[SAGE | RGCN]) -> None:
    batch, states = example(), random_states(example())
    layer = make_seeded(lambda: factory(DIM, batch.node_types, batch.relations, activation=None))
    before = layer(states, batch)
    layer.activation = "relu"  # type: ignore[assignment]
    assert torch.equal(layer(states, batch), before.relu())


@pytest.mark.parametrize("name", LAYERS)
def test_states_of_another_width_are_refused(name: str) -> None:
    batch = example()
    layer = make_seeded(lambda: LAYERS[name](DIM, batch.node_types, batch.relations))
    with pytest.raises(ValueError, match=rf"{type(layer).__name__}: states must be \[nodes, {DIM}\], found shape"):
        layer(torch.zeros(batch.num_nodes, DIM + 1), batch)


@pytest.mark.parametrize("name", ["sage", "rgcn", "simmim", "hgt", "gatv2", "relation_attention"])
def test_states_of_no_size_are_refused(name: str) -> None:
    batch = example()
    with pytest.raises(ValueError, match="dim"):
        LAYERS[name](0, batch.node_types, batch.relations)
