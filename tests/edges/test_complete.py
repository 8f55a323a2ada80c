import pytest
import torch

from gnnfuse.edges import Complete
from gnnfuse.nodes import Hub, NodeSet, TextTokens


def nodes(count: int) -> NodeSet:
    return NodeSet(torch.zeros(count), (count,))


@pytest.mark.parametrize("num_src", [0, 1, 4])
@pytest.mark.parametrize("num_dst", [0, 1, 3])
def test_all_pairs_of_two_sets_are_joined(num_src: int, num_dst: int) -> None:
    edges = Complete().edges(nodes(num_src), nodes(num_dst))
    assert list(zip(*edges.tolist(), strict=True)) == [(s, d) for d in range(num_dst) for s in range(num_src)]


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_all_pairs_but_the_node_with_itself_within_one_set(count: int) -> None:
    one = nodes(count)
    edges = Complete(within=True).edges(one, one)
    assert list(zip(*edges.tolist(), strict=True)) == [(s, d) for d in range(count) for s in range(count) if s != d]


def test_the_key_tells_one_set_from_two_of_its_size() -> None:
    one, other = nodes(3), nodes(3)
    assert Complete().key(one, one) != Complete().key(one, other)


def test_it_joins_the_types_that_are_named() -> None:
    text, hub = TextTokens(), Hub()
    assert Complete().applies(text, hub)
    assert Complete().applies(hub, text)
    assert not Complete().applies(text, text)
    assert Complete(within=True).applies(text, text)
    assert Complete(dst="hub").applies(text, hub)
    assert not Complete(dst="hub").applies(hub, text)
    assert Complete(src=("hub", "image")).applies(hub, text)
    assert not Complete(src=("hub", "image")).applies(text, hub)
