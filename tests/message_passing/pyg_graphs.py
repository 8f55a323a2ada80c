"""Random heterogeneous graphs, as a batch of ours and as the dictionaries of PyTorch Geometric."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnfuse.graph import EdgeList, GraphBatch, Relation
from gnnfuse.graph.assemble import assemble
from gnnfuse.nodes import Layout

DIM = 6
NAMES = ("audio", "image", "text", "events")
ROUNDINGS = 16  # roundings that one addition may cost, over all the steps of a layer


@dataclass(frozen=True)
class HeteroGraph:
    """A graph with float64 states and the gradients that come back into its types' outputs."""

    states: Mapping[str, Tensor]
    pairs: Mapping[Relation, Tensor]
    grads: Mapping[str, Tensor]

    @property
    def node_types(self) -> tuple[str, ...]:
        return tuple(self.states)

    @property
    def relations(self) -> tuple[Relation, ...]:
        return tuple(self.pairs)

    @property
    def entered(self) -> tuple[str, ...]:
        """The types that some relation enters."""
        return tuple(name for name in self.node_types if name in {relation.dst for relation in self.relations})

    @property
    def metadata(self) -> tuple[list[str], list[tuple[str, str, str]]]:
        return list(self.node_types), list(self.edge_index())

    @property
    def terms(self) -> int:
        """How many numbers are added up in one, at most."""
        return DIM + max([1, *(pairs.shape[1] for pairs in self.pairs.values())]) * max(1, len(self.pairs))

    def edge_index(self) -> dict[tuple[str, str, str], Tensor]:
        return {(relation.src, relation.rule, relation.dst): pairs for relation, pairs in self.pairs.items()}

    def batch(self, node_types: Sequence[str] = (), relations: Sequence[Relation] = ()) -> GraphBatch:
        """The graph as a batch of one; types and relations in the order given."""
        names = node_types or self.node_types
        layout = {name: one_sample(len(self.states[name])) for name in names}
        return assemble(
            {name: self.states[name] for name in names},
            layout,
            {relation: EdgeList(self.pairs[relation]) for relation in relations or self.relations},
            target=None,
            ids=("0",),
            modalities=tuple(names),
            present=torch.ones(1, len(names), dtype=torch.bool),
        )

    def restricted(self, relation: Relation) -> "HeteroGraph":
        """The graph without the edges of the other relations, which stay as relations."""
        none = torch.zeros(2, 0, dtype=torch.int64)
        return HeteroGraph(
            self.states, {r: pairs if r == relation else none for r, pairs in self.pairs.items()}, self.grads
        )


def one_sample(nodes: int) -> Layout:
    count = torch.tensor([nodes])
    return Layout(
        graph_id=torch.zeros(nodes, dtype=torch.int64),
        offsets=torch.tensor([0, nodes]),
        shape=count[:, None],
        position=None,
        time=None,
        dropped=torch.zeros_like(count),
    )


def random_graph(seed: int) -> HeteroGraph:
    """One to four types, of which one in five has no node; one to six relations, of which some have no edge."""
    draw = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    names = draw.sample(NAMES, draw.randint(1, len(NAMES)))
    sizes = {name: draw.randint(1, 7) if draw.random() < 0.8 else 0 for name in names}
    sizes[names[0]] = draw.randint(1, 7)
    every = [Relation(src, rule, dst) for src in names for rule in ("near", "then") for dst in names]
    pairs = {}
    for relation in draw.sample(every, min(len(every), draw.randint(1, 6))):
        src, dst = sizes[relation.src], sizes[relation.dst]
        count = draw.randint(0, 2 * dst) if src and dst else 0
        ends = [torch.randint(0, max(1, size), (count,), generator=generator) for size in (src, dst)]
        pairs[relation] = torch.stack(ends)

    def normal(size: int) -> Tensor:
        return torch.randn(size, DIM, generator=generator, dtype=torch.float64)

    states = {name: normal(size) for name, size in sizes.items()}
    return HeteroGraph(states, pairs, {name: normal(size) for name, size in sizes.items()})


def shuffled(graph: HeteroGraph, seed: int) -> tuple[list[str], list[Relation]]:
    """The graph's types and relations in another order."""
    draw = random.Random(seed)
    return draw.sample(graph.node_types, len(graph.node_types)), draw.sample(graph.relations, len(graph.relations))


def assert_only_rounding(found: Mapping[str, Tensor], expected: Mapping[str, Tensor | None], terms: int) -> None:
    """The same names, and numbers that differ as much as sums of that many terms may in float64.

    A gradient that the other library did not write is zero.
    """
    assert found.keys() == expected.keys()
    whole = {name: torch.zeros_like(found[name]) if tensor is None else tensor for name, tensor in expected.items()}
    largest = max([1.0, *(float(tensor.abs().max()) for tensor in whole.values() if tensor.numel())])
    bound = ROUNDINGS * terms * torch.finfo(torch.float64).eps * largest
    for name, tensor in whole.items():
        assert found[name].shape == tensor.shape, name
        difference = float((found[name] - tensor).abs().max()) if tensor.numel() else 0.0
        assert difference <= bound, f"{name}: off by {difference:.2g}, more than rounding ({bound:.2g})"
