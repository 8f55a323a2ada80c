import torch

from gnnfuse.edges import Relation
from gnnfuse.edges.edge_rule import expand_ranges, named, without_self
from gnnfuse.nodes import TextTokens


def test_a_relation_reads_as_its_three_names() -> None:
    assert str(Relation("image", "nearest", "text")) == "image-nearest-text"


def test_none_names_every_type_and_names_name_their_own() -> None:
    text = TextTokens()
    assert named(None, text)
    assert named("text", text)
    assert named(("image", "text"), text)
    assert not named("texts", text)
    assert not named((), text)


def test_ranges_expand_to_one_edge_from_every_member() -> None:
    generator = torch.Generator().manual_seed(0)
    for count in (0, 1, 7):
        first, last = torch.randint(0, 6, (2, count), generator=generator)
        edges = expand_ranges(first, last)
        expected = [(src, dst) for dst in range(count) for src in range(int(first[dst]), int(last[dst]))]
        assert list(zip(*edges.tolist(), strict=True)) == expected


def test_only_edges_from_a_node_to_itself_are_left_out() -> None:
    edges = torch.tensor([[0, 1, 2, 2], [0, 2, 2, 1]])
    assert without_self(edges).tolist() == [[1, 2], [2, 1]]
