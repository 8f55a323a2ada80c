import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torchvision import models
from torchvision.models import get_model, list_models
from transformers import AutoImageProcessor, AutoModel

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeSet, PretrainedImage
from gnnfuse.nodes.pretrained.image_backbone import ImageBackbone
from gnnfuse.nodes.pretrained.image_libraries import image_architecture
from gnnfuse.nodes.pretrained.torchvision_network import LAST_MAP, build_without_memory
from gnnfuse.sample import Sample, SignalError
from tests.nodes.pretrained.tiny_models import HALF, torchvision_image, transformers_image


def nodes_of(node_type: PretrainedImage, height: int, width: int) -> NodeSet:
    pixels = torch.rand(3, height, width, generator=torch.Generator().manual_seed(height))
    nodes = node_type.nodes(Sample({"image": pixels}, id="seven"))
    assert nodes is not None
    return nodes


def features_of(node_type: PretrainedImage, *pictures: torch.Tensor) -> torch.Tensor:
    batch = GraphBuilder([node_type])([Sample({"image": picture}) for picture in pictures])
    features: torch.Tensor = node_type.backbone()(batch.values["image"], batch.layout["image"])
    return features


@pytest.mark.parametrize("name", list_models(module=models))
def test_every_classification_network_of_torchvision_has_a_known_map(name: str) -> None:
    assert type(build_without_memory(name, {})).__name__ in LAST_MAP


@pytest.mark.parametrize(
    ("name", "stride", "margin", "width"),
    [("resnet18", 32, 0, 512), ("vgg11", 32, 0, 512), ("alexnet", 32, 31, 256), ("squeezenet1_1", 16, 1, 512)],
)
def test_stride_and_margin_are_the_networks_own(name: str, stride: int, margin: int, width: int) -> None:
    found = image_architecture(f"torchvision/{name}", None, None, None)
    assert (found.stride, found.margin, found.network.width) == (stride, margin, width)
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_listed_weights_say_how_large_a_transformers_pictures_are() -> None:
    sizes = {
        weights: image_architecture("torchvision/vit_h_14", weights, None, None).size
        for weights in ("IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1")
    }
    assert sizes == {"IMAGENET1K_SWAG_E2E_V1": (518, 518), "IMAGENET1K_SWAG_LINEAR_V1": (224, 224)}


def test_a_picture_is_extended_inside_its_own_border_to_a_multiple_of_the_stride(tiny: Path) -> None:
    nodes = nodes_of(torchvision_image(tiny, "tiny_resnet"), 250, 333)
    assert nodes.shape == (8, 11)
    assert nodes.values.shape == (88, 3, 32, 32)
    last = nodes.values[-1]
    torch.testing.assert_close(last[:, -1, :], last[:, 250 % 32 - 1, :], rtol=0, atol=0)


def test_the_features_are_those_of_torchvisions_own_network(tiny: Path) -> None:
    picture = torch.rand(3, 64, 96)
    node_type = torchvision_image(tiny, "tiny_resnet")
    network: Any = get_model("tiny_resnet")
    network.load_state_dict(load_file(tiny / "tiny_resnet.safetensors"))
    network.eval()
    pixels = ((picture - 0.5) / 0.5).unsqueeze(0)
    with torch.no_grad():
        stem = network.maxpool(network.relu(network.bn1(network.conv1(pixels))))
        expected = network.layer4(network.layer3(network.layer2(network.layer1(stem))))
    torch.testing.assert_close(features_of(node_type, picture), expected[0].flatten(1).T)


@pytest.mark.parametrize(("kind", "side"), [("vit", 12), ("dinov2", 12), ("resnet", 16), ("swin", 16)])
def test_the_features_are_those_of_transformers_own_model(kind: str, side: int, tiny: Path) -> None:
    node_type = transformers_image(tiny, kind)
    picture = torch.randint(0, 256, (3, side, side), dtype=torch.uint8)
    read: Any = AutoImageProcessor.from_pretrained
    model, processor = AutoModel.from_pretrained(node_type.model), read(node_type.model)
    pixels = processor(picture, return_tensors="pt", do_resize=False)["pixel_values"]
    with torch.no_grad():
        states = model(pixels).last_hidden_state[0]
    if kind in ("vit", "dinov2"):
        states = states[1:]  # the first stands for the whole picture
    expected = states.flatten(1).T if states.ndim == 3 else states
    torch.testing.assert_close(features_of(node_type, picture), expected)


def test_normalisation_comes_from_the_processor_and_can_be_given(tiny: Path) -> None:
    own = transformers_image(tiny, "vit").backbone()
    given = transformers_image(tiny, "vit", mean=HALF, std=HALF).backbone()
    assert isinstance(own, ImageBackbone)
    assert isinstance(given, ImageBackbone)
    assert (own.mean, own.std) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    assert (given.mean, given.std) == (HALF, HALF)
    with pytest.raises(ValueError, match="mean and std belong together"):
        transformers_image(tiny, "vit", mean=HALF)


@pytest.mark.parametrize(("height", "width"), [(12, 12), (30, 7), (5, 100)])
def test_a_transformer_gets_pictures_of_its_own_size_stretched(height: int, width: int, tiny: Path) -> None:
    node_type = transformers_image(tiny, "vit")
    nodes = nodes_of(node_type, height, width)
    assert nodes.shape == (3, 3)
    pixels = torch.rand(3, height, width, generator=torch.Generator().manual_seed(height))
    stretched = pixels
    if (height, width) != (12, 12):
        stretched = F.interpolate(pixels.unsqueeze(0), (12, 12), mode="bilinear", antialias=True)[0].clamp(0, 1)
    rows = nodes.values.reshape(3, 3, 3, 4, 4).permute(2, 0, 3, 1, 4).reshape(3, 12, 12)
    torch.testing.assert_close(rows, stretched, rtol=0, atol=0)


def test_size_says_how_large_pictures_are(tiny: Path) -> None:
    assert nodes_of(transformers_image(tiny, "vit", size=(8, 20)), 30, 30).shape == (2, 5)
    assert nodes_of(transformers_image(tiny, "vit", size=16), 30, 60).shape == (4, 8)
    assert nodes_of(torchvision_image(tiny, "tiny_convnext", size=16), 60, 30).shape == (4, 2)
    with pytest.raises(ValueError, match=r"takes size=\(12, 12\), found size=24"):
        PretrainedImage(
            model="torchvision/tiny_vit",
            weights=str(tiny / "tiny_vit.safetensors"),
            architecture=torchvision_image(tiny, "tiny_vit").architecture,
            size=24,
        )


def test_too_many_nodes(tiny: Path) -> None:
    pooled = nodes_of(torchvision_image(tiny, "tiny_convnext", max_nodes=20), 40, 48)
    assert (pooled.shape, pooled.dropped) == ((3, 3), 21)
    cut = nodes_of(torchvision_image(tiny, "tiny_convnext", max_nodes=20, overflow="truncate"), 40, 48)
    assert (cut.shape, cut.dropped) == ((3, 6), 12)
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'image': found 30 nodes, expected at most 20"):
        nodes_of(torchvision_image(tiny, "tiny_convnext", max_nodes=20, overflow="raise"), 40, 48)
    with pytest.raises(ValueError, match="gives 9 nodes for every picture, more than max_nodes=8"):
        transformers_image(tiny, "vit", max_nodes=8)


def test_another_number_of_states_than_declared_raises(tiny: Path) -> None:
    node_type = torchvision_image(tiny, "tiny_convnext")
    assert node_type.architecture is not None
    wrong = dataclasses.replace(node_type, architecture=dataclasses.replace(node_type.architecture, stride=16))
    with pytest.raises(ValueError, match="found 4 x 4 states, expected 2 x 2 from its declared"):
        features_of(wrong, torch.rand(3, 32, 32))


def test_positions_are_the_middles_of_the_squares(tiny: Path) -> None:
    nodes = nodes_of(torchvision_image(tiny, "tiny_convnext"), 16, 8)
    assert nodes.position is not None
    assert nodes.position.tolist() == [[0.25, 0.5], [0.75, 0.5]]


def test_pictures_of_one_size_are_run_together_and_others_apart(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = torchvision_image(tiny, "tiny_convnext").backbone()
    seen = []
    backbone.get_submodule("network").register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    node_type = torchvision_image(tiny, "tiny_convnext")
    sizes = [(16, 16), (24, 8), (16, 16), (15, 9)]
    batch = GraphBuilder([node_type])([Sample({"image": torch.rand(3, *size)}) for size in sizes])
    backbone(batch.values["image"], batch.layout["image"])
    assert seen == [(3, 3, 16, 16), (1, 3, 24, 8)]


def test_a_state_dict_may_be_what_torch_save_wrote(tiny: Path) -> None:
    picture = torch.rand(3, 24, 24)
    first, second = (torchvision_image(tiny, "tiny_vgg", pth=pth) for pth in (True, False))
    assert torch.equal(features_of(first, picture), features_of(second, picture))


def test_weights_that_do_not_fit_are_refused(tiny: Path, tmp_path: Path) -> None:
    torchvision_image(tiny, "tiny_vgg")
    state = load_file(tiny / "tiny_vgg.safetensors")
    for change, message in (
        ({"features.0.bias": torch.zeros(9)}, r"of another shape: features.0.bias \[9\] \(expected \[8\]\)"),
        ({"other": torch.zeros(1)}, "unexpected: other"),
    ):
        save_file(state | change, tmp_path / "wrong.safetensors")
        with pytest.raises(ValueError, match=message):
            PretrainedImage(
                model="torchvision/tiny_vgg", weights=str(tmp_path / "wrong.safetensors"), mean=HALF, std=HALF
            ).encoder(4)
    save_file({"features.0.bias": state["features.0.bias"]}, tmp_path / "wrong.safetensors")
    with pytest.raises(ValueError, match=r"missing: features.0.weight"):
        PretrainedImage(
            model="torchvision/tiny_vgg", weights=str(tmp_path / "wrong.safetensors"), mean=HALF, std=HALF
        ).encoder(4)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="torchvision has no model 'resnet17'"):
        PretrainedImage(model="torchvision/resnet17")
    with pytest.raises(ValueError, match="expected a file or one of: IMAGENET1K_V1"):
        PretrainedImage(model="torchvision/resnet18", weights="IMAGENET")
    with pytest.raises(ValueError, match="torchvision lists no weights for 'tiny_vgg', pass weights="):
        PretrainedImage(model="torchvision/tiny_vgg")
