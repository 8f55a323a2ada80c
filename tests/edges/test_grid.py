from itertools import product

import pytest
import torch

from gnnfuse.edges import Grid
from gnnfuse.nodes import AudioFrames, ImagePatches, NodeSet, TextTokens

SHAPES = [(0, 0), (1, 1), (1, 5), (5, 1), (2, 2), (4, 3), (7,), (1,), (2, 3, 4), (1, 3, 1), (3, 3, 3)]


def oracle(shape: tuple[int, ...], radius: int, diagonal: bool) -> set[tuple[int, int]]:
    places = list(product(*(range(size) for size in shape)))
    found = set()
    for here, place in enumerate(places):
        for there, other in enumerate(places):
            steps = [abs(a - b) for a, b in zip(place, other, strict=True)]
            moved = sum(step > 0 for step in steps)
            if max(steps) <= radius and (moved == 1 or (moved > 1 and diagonal)):
                found.add((there, here))
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [1, 2, 10])
@pytest.mark.parametrize("diagonal", [True, False])
def test_neighbours_on_the_lattice_are_joined(shape: tuple[int, ...], radius: int, diagonal: bool) -> None:
    nodes = NodeSet(torch.zeros(int(torch.tensor(shape).prod()), 1), shape)
    edges = Grid(radius=radius, diagonal=diagonal).edges(nodes, nodes)
    pairs = list(zip(*edges.tolist(), strict=True))
    assert set(pairs) == oracle(shape, radius, diagonal)
    assert len(pairs) == len(set(pairs))


def test_a_picture_of_14_by_14_has_1404_edges_to_8_neighbours() -> None:
    nodes = NodeSet(torch.zeros(196, 1), (14, 14))
    assert Grid().edges(nodes, nodes).shape == (2, 4 * 14 * 13 + 4 * 13 * 13)


def test_it_joins_a_type_with_itself_where_that_provides_a_grid() -> None:
    image, photo, frames = ImagePatches(), ImagePatches(signal="photo"), AudioFrames()
    assert Grid().applies(image, image)
    assert not Grid().applies(image, photo)
    assert not Grid().applies(frames, frames)
    assert not Grid().applies(TextTokens(), TextTokens())
    assert Grid(types="photo").applies(photo, photo)
    assert Grid(types=("photo", "image")).applies(image, image)
    assert not Grid(types="photo").applies(image, image)
    assert not Grid(types=()).applies(image, image)


@pytest.mark.parametrize("radius", [0, -1])
def test_a_radius_below_one_is_refused(radius: int) -> None:
    with pytest.raises(ValueError, match=rf"rule 'grid': radius must be at least 1, found {radius}"):
        Grid(radius=radius)
