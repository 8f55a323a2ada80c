import pytest
import torch

from gnnfuse.edges import Window
from gnnfuse.nodes import AudioFrames, Features, ImagePatches, NodeSet, TextTokens


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 12])
@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_nodes_at_most_size_steps_apart_are_joined(count: int, size: int) -> None:
    nodes = NodeSet(torch.zeros(count, 1), (count,))
    edges = Window(size=size).edges(nodes, nodes)
    expected = [(src, dst) for dst in range(count) for src in range(count) if src != dst and abs(src - dst) <= size]
    assert list(zip(*edges.tolist(), strict=True)) == expected


def test_it_joins_a_type_with_itself_where_that_provides_an_order() -> None:
    text, frames = TextTokens(), AudioFrames()
    assert Window().applies(text, text)
    assert Window().applies(frames, frames)
    assert not Window().applies(text, frames)
    assert not Window().applies(ImagePatches(), ImagePatches())
    rows = Features(signal="rows", width=1)
    assert not Window().applies(rows, rows)
    assert Window(types="text").applies(text, text)
    assert not Window(types="text").applies(frames, frames)


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rule 'window': size must be at least 1, found 0"):
        Window(size=0)
