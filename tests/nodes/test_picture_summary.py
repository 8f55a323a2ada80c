"""Histograms of a picture do not depend on how it is cut into patches."""

import math

import pytest
import torch
from torch import Tensor

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import ImagePatches
from gnnfuse.nodes.picture_summary import PictureSummary
from gnnfuse.sample import Sample

CELLS, DIRECTIONS, REGIONS, LEVELS = 6, 9, 3, 8


def summary(picture: Tensor, node_type: ImagePatches) -> tuple[Tensor, Tensor]:
    """Edges `[cells, cells, directions]` and colours `[regions, regions, channels, levels]`."""
    batch = GraphBuilder([node_type])([Sample({"image": picture})])
    found = node_type.summary()(batch.values["image"], batch.layout["image"])[0]
    edges = CELLS**2 * DIRECTIONS
    return found[:edges].reshape(CELLS, CELLS, DIRECTIONS), found[edges:].reshape(REGIONS, REGIONS, -1, LEVELS)


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(3, 48, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("patch", "stride"), [(8, 8), (24, 12), (16, 8), (48, 48)])
def test_any_cut_of_a_picture_gives_the_same_numbers(picture: Tensor, patch: int, stride: int) -> None:
    for found, expected in zip(
        summary(picture, ImagePatches(patch=patch, stride=stride)),
        summary(picture, ImagePatches(patch=16)),
        strict=True,
    ):
        assert torch.allclose(found, expected, atol=1e-5)


def test_bytes_give_the_same_numbers_as_floats() -> None:
    picture = torch.randint(256, (3, 32, 32), generator=torch.Generator().manual_seed(0)) / 255
    floats = summary(picture, ImagePatches(patch=16))
    for found, expected in zip(summary(picture, ImagePatches(patch=16, dtype="uint8")), floats, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("turn", "direction"), [(0.0, 0), (math.pi / 2, 4.5), (-math.pi / 4, 6.75)])
def test_a_slope_lies_in_its_direction(turn: float, direction: float) -> None:
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    slope = x * math.cos(turn) + y * math.sin(turn)
    picture = ((slope - slope.min()) / (slope.max() - slope.min())).expand(1, -1, -1)
    edges, _ = summary(picture, ImagePatches(patch=16, channels=1))
    inner = edges[1:-1, 1:-1].mean(dim=(0, 1))
    nearest = {math.floor(direction), math.ceil(direction)}
    assert {int(place) for place in (inner > 1e-3).nonzero()} == nearest


def test_an_edge_lies_in_its_cell_at_any_size() -> None:
    for side in (48, 96):
        picture = torch.zeros(1, side, side)
        picture[:, : side // 12] = 1  # an edge at a twelfth: within the first row of six cells
        edges, _ = summary(picture, ImagePatches(patch=16, channels=1))
        assert edges[0].sum() > 1
        assert not edges[2:].any()


def test_colours_are_shares_of_levels_by_region_and_channel() -> None:
    picture = torch.zeros(3, 48, 48)
    picture[0, :, 32:] = 1.0
    _, colours = summary(picture, ImagePatches(patch=16))
    assert torch.allclose(colours.square().sum(dim=3), torch.ones(REGIONS, REGIONS, 3))
    red, green = colours[1, :, 0], colours[1, :, 1]
    assert red[0, 0] == 1
    assert red[2, -1] > red[2, 0]
    assert bool((green[:, 0] == 1).all())


def test_part_of_a_picture_is_refused(picture: Tensor) -> None:
    node_type = ImagePatches(patch=16)
    batch = GraphBuilder([node_type])([Sample({"image": picture})])
    some = batch.keep(nodes=torch.arange(batch.num_nodes) > 0)
    with pytest.raises(ValueError, match="without some of their patches"):
        PictureSummary(3, 16, 16)(some.values["image"], some.layout["image"])
