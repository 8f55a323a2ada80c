from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.edges import EdgeRule
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import Layout, NodeEncoder, NodeSet, NodeType, TextTokens, check_nodes, check_promises
from gnnfuse.sample import Sample


@dataclass(frozen=True, kw_only=True)
class Anything(NodeType):
    """A node type that promises and holds what a test says."""

    name: str = "anything"
    signal: str | None = None
    provides: frozenset[str] = frozenset()
    none: NodeSet = field(default_factory=lambda: NodeSet(torch.zeros(0, 2), (0,)))

    def empty(self) -> NodeSet:
        return self.none

    def nodes(self, sample: Sample) -> NodeSet | None:
        return None

    def encoder(self, dim: int) -> NodeEncoder:
        raise NotImplementedError


@pytest.mark.usefixtures("unchecked")
def test_position_and_time_are_for_every_node() -> None:
    values = torch.zeros(3, 1)
    with pytest.raises(ValueError, match=r"position needs shape \[3, coordinates\], found \[2, 2\]"):
        NodeSet(values, (3,), position=torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"position needs shape \[3, coordinates\], found \[3\]"):
        NodeSet(values, (3,), position=torch.zeros(3))
    for shape in ((2, 2), (3,), (3, 1)):
        with pytest.raises(ValueError, match=r"time needs shape \[3, 2\]"):
            NodeSet(values, (3,), time=torch.zeros(shape))


def test_the_index_counts_within_each_graph() -> None:
    zeros = torch.zeros(3, dtype=torch.int64)
    layout = Layout(torch.tensor([0, 0, 2, 2, 2]), torch.tensor([0, 2, 2, 5]), zeros.unsqueeze(1), None, None, zeros)
    assert layout.index.tolist() == [0, 1, 0, 1, 2]


def test_by_default_nothing_is_augmented_or_fitted() -> None:
    node_type, sample = Anything(), Sample({"text": "a"})
    assert node_type.augment(sample, torch.Generator()) is sample
    assert node_type.fit([sample]) is node_type


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["", "a.b", None, 3])
def test_a_name_that_cannot_name_parameters_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=rf"Anything: name must be .*found {name!r}"):
        check_promises(Anything(name=name))


def test_promises_of_ones_own_are_allowed_and_near_misses_are_refused() -> None:
    check_promises(Anything(provides=frozenset({"odour"})))
    with pytest.raises(ValueError, match="node type 'anything' provides 'postion', did you mean 'position'"):
        check_promises(Anything(provides=frozenset({"odour", "postion"})))


def test_rules_see_what_else_a_node_type_found_and_batches_do_not() -> None:
    """By a word of one's own, without a name of a node type."""

    @dataclass(frozen=True)
    class Smelly(Anything):
        def nodes(self, sample: Sample) -> NodeSet | None:
            found = sample.signals["text"]
            return NodeSet(torch.zeros(len(str(found)), 2), (len(str(found)),), extra={"odour": str(found)})

    @dataclass(frozen=True)
    class SameOdour(EdgeRule):
        name: str = "same_odour"

        def applies(self, src: NodeType, dst: NodeType) -> bool:
            return "odour" in src.provides & dst.provides

        def edges(self, src: NodeSet, dst: NodeSet) -> torch.Tensor:
            one, other = str(src.extra["odour"]), str(dst.extra["odour"])
            pairs = [(i, j) for i, a in enumerate(one) for j, b in enumerate(other) if a == b and i != j]
            return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T

    builder = GraphBuilder([Smelly(signal="text", provides=frozenset({"odour"}))], [SameOdour()])
    batch = builder([Sample({"text": "aba"}), Sample({"text": "b"})])
    assert sorted(zip(batch.edges.src.tolist(), batch.edges.dst().tolist(), strict=True)) == [(0, 2), (2, 0)]


def test_an_empty_set_with_nodes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"empty\(\) holds 1 nodes, expected 0"):
        check_promises(Anything(none=NodeSet(torch.zeros(1, 2), (1,))))


@pytest.mark.parametrize("word", ["time", "position"])
def test_an_empty_set_that_lacks_what_the_type_provides_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=rf"found no {word}, expected one: 'anything' provides \['{word}'\]"):
        check_promises(Anything(provides=frozenset({word})))


def test_features_that_are_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found values \[0, 2, 2\], expected \[nodes, features\]"):
        check_promises(Anything(provides=frozenset({"features"}), none=NodeSet(torch.zeros(0, 2, 2), (0,))))


def found(values: Tensor, shape: tuple[int, ...] | None = None, **fields: Tensor) -> NodeSet:
    return NodeSet(values, (len(values),) if shape is None else shape, **fields)  # type: ignore[arg-type]


PLACED = Anything(
    provides=frozenset({"position", "grid"}), none=NodeSet(torch.zeros(0, 2), (0, 0), position=torch.zeros(0, 3))
)


@pytest.mark.parametrize(
    ("node_type", "nodes", "message"),
    [
        (Anything(), found(torch.zeros(4, 3)), r"found values \[4, 3\] of torch.float32, expected \[nodes, 2\]"),
        (Anything(), found(torch.zeros(4, 2).long()), r"torch.int64, expected \[nodes, 2\] of torch.float32"),
        (Anything(), found(torch.zeros(4, 2), (2, 2)), r"found a shape of 2 axes, expected 1"),
        (Anything(), found(torch.zeros(4, 2), time=torch.zeros(4, 2)), r"found a time, expected none"),
        (Anything(), found(torch.zeros(4, 2), position=torch.zeros(4, 2)), r"found a position, expected none"),
        (PLACED, found(torch.zeros(4, 2), (2, 2)), r"found no position, expected one"),
        (PLACED, found(torch.zeros(4, 2), (2, 2), position=torch.zeros(4, 2)), r"of 2 coordinates, expected 3"),
        (PLACED, found(torch.zeros(4, 2), (2, 3), position=torch.zeros(4, 3)), r"found 4 nodes, expected one for each"),
    ],
)
def test_nodes_that_contradict_their_type_are_refused(node_type: Anything, nodes: NodeSet, message: str) -> None:
    with pytest.raises(ValueError, match=rf"here: .*{message}"):
        check_nodes(node_type, nodes, node_type.empty(), "here")


def test_nodes_that_keep_their_promise_pass() -> None:
    check_nodes(PLACED, found(torch.zeros(4, 2), (2, 2), position=torch.zeros(4, 3)), PLACED.empty(), "here")
    check_promises(TextTokens())
