from typing import Any

import pytest
import torch

from gnnfuse.edges import Nearest, nearest
from gnnfuse.nodes import AudioFrames, Features, Hub, ImagePatches, NodeSet


def points(count: int, coordinates: int, seed: int) -> NodeSet:
    """Points on a coarse lattice: distances are exact, ties are frequent."""
    generator = torch.Generator().manual_seed(seed)
    position, values = (torch.randint(0, 4, (count, coordinates), generator=generator).float() for _ in range(2))
    return NodeSet(values, (count,), position)


def oracle(src: torch.Tensor, dst: torch.Tensor, k: int, same: bool) -> set[tuple[int, int]]:
    found = set()
    for d, here in enumerate(dst.tolist()):
        ranked = []
        for s, there in enumerate(src.tolist()):
            if not (same and s == d):
                ranked.append((sum((a - b) ** 2 for a, b in zip(here, there, strict=True)), s))
        found |= {(s, d) for _, s in sorted(ranked)[:k]}
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("coordinates", [1, 2, 3])
def test_the_k_nearest_are_joined_and_of_equals_the_first(seed: int, k: int, coordinates: int) -> None:
    for num_src, num_dst in ((0, 2), (2, 0), (0, 0), (1, 1), (9, 12)):
        src, dst = points(num_src, coordinates, seed), points(num_dst, coordinates, seed + 100)
        edges = Nearest(k=k, across=True).edges(src, dst)
        assert src.position is not None
        assert dst.position is not None
        assert set(zip(*edges.tolist(), strict=True)) == oracle(src.position, dst.position, k, same=False)
        assert edges.shape[1] == num_dst * min(k, num_src)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_within_a_set_no_node_is_its_own_neighbour_even_among_doubles(seed: int, k: int, count: int) -> None:
    one = points(count, 1, seed)
    assert one.position is not None
    edges = Nearest(k=k).edges(one, one)
    assert set(zip(*edges.tolist(), strict=True)) == oracle(one.position, one.position, k, same=True)


def test_positions_with_an_offset_are_joined_as_without_it() -> None:
    one = points(9, 2, 0)
    assert one.position is not None
    moved = NodeSet(one.values, one.shape, one.position.double() + torch.tensor([5e5, 5.6e6]).double())
    assert torch.equal(Nearest(k=3).edges(moved, moved), Nearest(k=3).edges(one, one))
    across = Nearest(k=3, across=True).edges(one, moved)  # float32 beside float64
    assert across.shape == (2, 27)


def test_by_features_compares_the_rows() -> None:
    one = points(8, 3, 0)
    edges = Nearest(k=2, by="features").edges(one, one)
    assert set(zip(*edges.tolist(), strict=True)) == oracle(one.values, one.values, 2, same=True)


def test_measuring_block_by_block_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one = points(20, 2, 0)
    at_once = Nearest(k=3).edges(one, one)
    monkeypatch.setattr(nearest, "PAIRS_AT_ONCE", 50)
    assert torch.equal(Nearest(k=3).edges(one, one), at_once)


def test_it_joins_types_that_provide_coordinates_of_one_length() -> None:
    image, photo = ImagePatches(), ImagePatches(signal="photo")
    space = Features(signal="space", width=2, coordinates=3)
    flat = Features(signal="flat", width=2, coordinates=2)
    assert Nearest().applies(image, image)
    assert not Nearest(within=False).applies(image, image)
    assert not Nearest().applies(image, photo)
    across = Nearest(across=True)
    assert across.applies(image, photo)
    assert across.applies(image, flat)
    assert not across.applies(image, space)
    assert not across.applies(AudioFrames(), AudioFrames())
    assert not across.applies(Hub(), Hub())
    assert Nearest(by="features", across=True).applies(space, flat)
    assert not Nearest(by="features").applies(image, image)
    assert not Nearest(src="photo").applies(image, image)
    assert not Nearest(dst="photo").applies(image, image)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("arguments", [{"k": 0}, {"by": "colour"}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"k must be at least 1, found 0|found by='colour', expected 'position' or"):
        Nearest(**arguments)
