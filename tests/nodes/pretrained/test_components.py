"""Whitened components of a backbone's features, and a picture's map averaged within cells."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import PretrainedImage
from gnnfuse.nodes.whitening import Whitening
from gnnfuse.sample import Sample
from gnnfuse.testing import check_node_type, random_samples
from tests.nodes.cached.kinds import MAKE, cached, samples
from tests.nodes.pretrained.tiny_models import timm_image, torchvision_image


def features_of(node_type: PretrainedImage, *pictures: Tensor) -> Tensor:
    batch = GraphBuilder([node_type])([Sample({"image": picture}) for picture in pictures])
    features: Tensor = node_type.backbone()(batch.values["image"], batch.layout["image"])
    return features


@pytest.mark.parametrize("kind", MAKE)
def test_components_change_the_projection_and_neither_features_nor_caches(
    kind: str, tiny: Path, tmp_path: Path
) -> None:
    node_type = MAKE[kind](tiny, components=3)
    assert node_type.fingerprint() == MAKE[kind](tiny).fingerprint()
    stored = cached(node_type, tmp_path)
    encoder, projection = node_type.encoder(4), stored.encoder(4)
    found = [module for module in encoder.modules() if isinstance(module, Whitening)]
    assert [(each.width, each.components) for each in found] == [(node_type.width, 3)]
    whole = GraphBuilder([node_type], extra="ignore")(samples(), empty=True)
    read = GraphBuilder([stored], extra="ignore")(samples(), empty=True)
    found[0].gather(read.values[kind])
    found[0].settle()
    missing, unexpected = projection.load_state_dict(encoder.state_dict(), strict=False)
    assert not missing
    assert all("backbone" in name for name in unexpected)
    with torch.no_grad():
        expected = encoder(whole.values[kind], whole.layout[kind])
        assert torch.equal(projection(read.values[kind], read.layout[kind]), expected)


def test_more_components_than_features_are_refused(tiny: Path) -> None:
    width = torchvision_image(tiny, "tiny_resnet").width
    with pytest.raises(ValueError, match=rf"components must be 1 to {width}, .* found {width + 1}"):
        torchvision_image(tiny, "tiny_resnet", components=width + 1)


@pytest.mark.parametrize(
    ("size", "cells"), [((64, 64), 2), ((64, 96), 2), ((96, 160), 3), ((50, 70), 2), ((64, 64), 9)]
)
def test_cells_hold_the_mean_of_the_map_within_them(size: tuple[int, int], cells: int, tiny: Path) -> None:
    node_type = torchvision_image(tiny, "tiny_resnet", size=size)
    picture = torch.rand(3, 40, 30)
    whole = node_type.nodes(Sample({"image": picture}))
    assert whole is not None
    rows, columns = whole.shape
    features = features_of(node_type, picture).T.reshape(1, -1, rows, columns)
    some = dataclasses.replace(node_type, cells=cells)
    shape = min(cells, rows), min(cells, columns)
    expected = F.adaptive_avg_pool2d(features, shape).flatten(2)[0].T
    nodes = some.nodes(Sample({"image": picture}))
    assert nodes is not None
    assert nodes.shape == shape
    torch.testing.assert_close(features_of(some, picture), expected)


def test_cells_are_nodes_like_others(tiny: Path) -> None:
    node_type = timm_image(tiny, "test_resnet", cells=2)
    check_node_type(node_type, random_samples(torch.Generator().manual_seed(0)))
    pictures = [torch.rand(3, side, 50) for side in (20, 64, 80)]
    alone = torch.cat([features_of(node_type, picture) for picture in pictures])
    torch.testing.assert_close(features_of(node_type, *pictures), alone)
    nodes = node_type.nodes(Sample({"image": pictures[0]}))
    assert nodes is not None
    assert nodes.position is not None
    assert nodes.position.tolist() == [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]


def test_cells_have_caches_of_their_own_and_a_whole_map_has_those_made_before(tiny: Path) -> None:
    node_type = timm_image(tiny, "test_resnet")
    fingerprints = {dataclasses.replace(node_type, cells=cells).fingerprint() for cells in (None, 1, 2)}
    assert len(fingerprints) == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gnnfuse.nodes.pretrained.pretrained_nodes.LATER", frozenset())
        assert node_type.fingerprint() not in fingerprints  # the argument itself is left out while it is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": 0, "size": (64, 64)}, "cells must be at least 1, found 0"),
        ({"cells": 2}, r"found cells=2 for pictures of any size, expected size=\(height, width\) too"),
        ({"cells": 2, "size": 64}, "found cells=2 for pictures of any size"),
    ],
)
def test_cells_that_cannot_be_are_refused(arguments: dict[str, Any], message: str, tiny: Path) -> None:
    with pytest.raises(ValueError, match=message):
        torchvision_image(tiny, "tiny_resnet", **arguments)


def test_an_encoder_without_components_has_no_whitening(tiny: Path) -> None:
    modules: list[nn.Module] = list(torchvision_image(tiny, "tiny_resnet").projection(4).modules())
    assert not any(isinstance(module, Whitening) for module in modules)
