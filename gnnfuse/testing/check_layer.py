"""The conformance of message-passing layers."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion import NodeEncoders
from gnnfuse.graph import GraphBatch, GraphBuilder, Relation
from gnnfuse.message_passing import LayerFactory, MessageLayer
from gnnfuse.sample import Sample
from gnnfuse.testing.properties import (
    check_batches,
    check_defined,
    check_parameters,
    check_seed,
    make_seeded,
    one_per_node,
    probe,
    widened,
)


class EncodedLayer(nn.Module):
    """A layer over the states that the encoders of the node types give."""

    def __init__(self, layer: MessageLayer, builder: GraphBuilder, dim: int) -> None:
        super().__init__()
        self.encoders = NodeEncoders(builder.node_types, dim)
        self.layer = layer

    def forward(self, batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States after the layer."""
        states: Tensor = self.layer(torch.cat(list(self.encoders(batch).values())), batch)
        return states


def check_layer(factory: LayerFactory, builder: GraphBuilder, samples: Sequence[Sample], *, dim: int = 16) -> None:
    """Check a message-passing layer.

    The layer gives every node a state of the same size, finite for a node without edges. A sample gets the same states
    in a batch as alone; order does not matter. States depend on edges, and on the weights and features that the layer
    `takes`. Every parameter is registered and gets a gradient. The same seed gives the same bits. Global state is
    unchanged.

    Args:
        factory: makes the layer from (dim, node type names, relations).
        builder: a builder with relations.
        samples: some complete, some not; see `random_samples`.
        dim: size of the states.

    Raises:
        AssertionError: names what is violated.

    Example:
        >>> from gnnfuse.message_passing import RelationAttention
        >>> from gnnfuse.testing import example_builder, random_samples
        >>> check_layer(RelationAttention, example_builder(), random_samples(torch.Generator().manual_seed(0)))
    """
    names = [node_type.name for node_type in builder.node_types]

    def make() -> MessageLayer:
        return factory(dim, names, builder.relations)

    layer = make_seeded(make)
    assert isinstance(layer, MessageLayer), f"{factory}: made a {type(layer).__name__}, expected a MessageLayer"
    name = type(layer).__name__
    check_seed(name, make)
    module = make_seeded(lambda: EncodedLayer(layer, builder, dim))
    subject = probe(name, module, builder, tested="layer", graph_id=one_per_node)
    batch = widened(builder(samples, empty=True))
    with torch.no_grad():
        states, unjoined = subject(batch), subject(batch.without_edges())
    assert states.shape == (batch.num_nodes, dim), f"{name}: found states of shape {list(states.shape)}, not {dim} wide"
    check_defined(subject, samples)  # before outputs are compared: unwritten memory may hold the previous output
    assert not torch.equal(states, unjoined), f"{name}: removing all edges changes no state"
    check_batches(subject, samples)
    check_parameters(subject, samples)
    if "weight" in layer.takes:
        _check_weights(name, module, batch)
    if "features" in layer.takes:
        _check_features(name, factory, builder, batch, dim)


def _check_weights(name: str, module: nn.Module, batch: GraphBatch) -> None:
    module = copy.deepcopy(module).double().eval()
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(batch.edges.num_edges, generator=generator, dtype=torch.float64).requires_grad_()
    batch = replace(batch, edge_weight=None)
    states = module(batch)
    ones = module(replace(batch, edge_weight=torch.ones(len(weight))))
    assert torch.allclose(ones, states, rtol=1e-9, atol=1e-9), f"{name}: edge weights of 1 change states"
    (gradient,) = torch.autograd.grad(module(replace(batch, edge_weight=weight)).square().sum(), weight)
    assert bool(gradient.any()), f"{name}: takes weights of edges, but none of them changes a state"
    first = batch.graph_id == 0
    found = module(replace(batch, edge_weight=torch.where(first[batch.edges.dst()], weight.detach(), 1.0)))
    assert torch.allclose(found[~first], states[~first], rtol=1e-9, atol=1e-9), (
        f"{name}: weights of edges in one sample change states in others"
    )


def _check_features(name: str, factory: LayerFactory, builder: GraphBuilder, batch: GraphBatch, dim: int) -> None:
    relations = tuple(Relation(*relation.triple, features=3) for relation in builder.relations)
    names = [node_type.name for node_type in builder.node_types]
    module = make_seeded(lambda: EncodedLayer(factory(dim, names, relations), builder, dim)).double().eval()
    counts = torch.bincount(batch.edges.relation, minlength=len(relations)).tolist()
    generator = torch.Generator().manual_seed(0)
    features = {
        relation: torch.rand(count, 3, generator=generator, dtype=torch.float64).requires_grad_()
        for relation, count in zip(relations, counts, strict=True)
    }
    states = module(replace(batch, relations=relations, edge_features=features))
    gradients = torch.autograd.grad(states.square().sum(), list(features.values()), allow_unused=True)
    for relation, gradient in zip(relations, gradients, strict=True):
        used = gradient is not None and (bool(gradient.any()) or not gradient.numel())
        assert used, f"{name}: takes features of edges, but those of {relation} change no state"
