"""timm's models: their own features, settings and weights, by name and by folder."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import ImageArchitecture, PretrainedImage
from gnnfuse.nodes.pretrained.image_libraries import image_architecture
from gnnfuse.sample import Sample
from tests.nodes.pretrained.tiny_models import TIMM, timm_image

MEAN, STD = torch.tensor([0.4, 0.5, 0.6]).reshape(3, 1, 1), torch.tensor([0.2, 0.3, 0.4]).reshape(3, 1, 1)


def features_of(node_type: PretrainedImage, *pictures: Tensor) -> Tensor:
    batch = GraphBuilder([node_type])([Sample({"image": picture}) for picture in pictures])
    features: Tensor = node_type.backbone()(batch.values["image"], batch.layout["image"])
    return features


def architecture(name: str, size: tuple[int, int] | None = None) -> ImageArchitecture:
    return image_architecture(f"timm/{name}", None, size, None)


def weights_of(tiny: Path, name: str) -> Path:
    return Path(timm_image(tiny, name).model) / "model.safetensors"


@pytest.mark.parametrize("name", TIMM)
def test_the_features_are_those_of_timms_own_model(name: str, tiny: Path) -> None:
    picture = torch.rand(3, 64, 64)
    node_type = timm_image(tiny, name)
    model: Any = timm.create_model(f"local-dir:{node_type.model}", pretrained=True).eval()
    with torch.no_grad():
        expected = model.forward_features(((picture - MEAN) / STD).unsqueeze(0))[0]
    if name == "test_vit":
        expected = expected[1:]  # the first stands for the whole picture
    elif name == "test_resnet":
        expected = expected.permute(1, 2, 0)
    torch.testing.assert_close(features_of(node_type, picture), expected.reshape(-1, node_type.width))


@pytest.mark.parametrize("name", TIMM)
def test_whole_pictures_get_the_size_of_timms_settings(name: str, tiny: Path) -> None:
    node_type = timm_image(tiny, name)
    made = node_type.architecture
    assert made is not None
    assert (made.mean, made.std, made.size) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4), (64, 64))
    picture = torch.arange(100.0).reshape(1, 1, 100).expand(3, 30, 100) / 100
    nodes = node_type.nodes(Sample({"image": picture}))
    assert nodes is not None
    assert nodes.shape == (64 // made.stride, 64 // made.stride)
    assert nodes.values.min() < 0.02  # nothing is cut off
    assert nodes.values.max() > 0.97
    other = timm_image(tiny, name, size=(96, 128))
    found = other.nodes(Sample({"image": picture}))
    assert found is not None
    assert found.shape == (96 // made.stride, 128 // made.stride)
    assert len(features_of(other, picture)) == len(found.values)


@pytest.mark.parametrize(
    ("name", "size", "stride", "margin", "seen"),
    [
        ("resnet18", None, 32, 0, (224, 224)),
        ("efficientnet_b1", None, 32, 0, (256, 256)),  # trained on 240, which is no whole number of squares
        ("vit_tiny_patch16_224", None, 16, 0, (224, 224)),
        ("vit_tiny_patch16_224", (160, 320), 16, 0, (160, 320)),
        ("vit_so400m_patch14_siglip_384", None, 14, 6, (378, 378)),  # leaves the last 6 pixels out
        ("swin_tiny_patch4_window7_224", None, 32, 0, (224, 224)),
    ],
)
def test_squares_are_the_networks_own(
    name: str, size: tuple[int, int] | None, stride: int, margin: int, seen: tuple[int, int]
) -> None:
    found = architecture(name, size)
    assert (found.stride, found.margin, found.size) == (stride, margin, seen)


def test_a_file_of_weights_may_have_other_classes_or_none(tiny: Path, tmp_path: Path) -> None:
    path = weights_of(tiny, "test_resnet")
    headless = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("fc.")}
    save_file(headless, tmp_path / "headless.safetensors")
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    picture = torch.rand(3, 64, 64)
    for weights in (path, tmp_path / "headless.safetensors"):
        named = PretrainedImage(model="timm/test_resnet", weights=str(weights), mean=mean, std=std, size=(64, 64))
        torch.testing.assert_close(
            features_of(named, picture), features_of(timm_image(tiny, "test_resnet"), picture), rtol=0, atol=0
        )


def test_weights_of_another_network_are_refused_in_one_line(tiny: Path, tmp_path: Path) -> None:
    other = str(weights_of(tiny, "test_resnet"))
    with pytest.raises(ValueError, match=r"its weights do not fit the model .*Missing key") as told:
        PretrainedImage(model="timm/test_vit", weights=other).backbone()
    assert str(told.value).startswith(other)
    assert "\n" not in str(told.value)
    shutil.copytree(Path(timm_image(tiny, "test_vit").model), tmp_path / "mixed")
    shutil.copy(other, tmp_path / "mixed" / "model.safetensors")
    with pytest.raises(ValueError, match=r"mixed: its weights do not fit the model .*Missing key") as told:
        PretrainedImage(model=str(tmp_path / "mixed")).backbone()
    assert "\n" not in str(told.value)
    (tmp_path / "mixed" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"mixed: its weights do not fit the model .*No suitable checkpoints"):
        PretrainedImage(model=str(tmp_path / "mixed")).backbone()


def test_names_are_checked_before_anything_is_read(tiny: Path) -> None:
    for arguments, message in (
        ({"model": "timm/resnet17"}, "timm has no model 'resnet17', did you mean 'resnet18'"),
        ({"model": "timm/resnet18.a17_in1k"}, "no weights 'resnet18.a17_in1k', it lists resnet18.a1_in1k"),
        ({"model": "timm/resnet18", "weights": "a1"}, "found weights='a1', expected a file; names choose timm's own"),
        ({"model": "timm/test_mambaout_"}, "did you mean 'test_mambaout'"),
        ({"model": "timm/test_mambaout"}, "timm lists no weights for 'test_mambaout', pass weights="),
        ({"model": timm_image(tiny, "test_vit").model, "weights": "main"}, "expected none: a folder of timm has its"),
        ({"model": "timm/crossvit_tiny_240"}, "found several maps as its features, expected one"),
        ({"model": "timm/vit_tiny_patch16_224", "size": 100}, r"takes size=\(96, 96\), found size=100"),
    ):
        with pytest.raises(ValueError, match=message) as told:
            PretrainedImage(**arguments)
        assert "\n" not in str(told.value)


def test_a_config_that_names_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_vit0", "pretrained_cfg": {}}))
    with pytest.raises(ValueError, match=r"timm makes no model of it \(RuntimeError: Unknown model \(test_vit0\)"):
        PretrainedImage(model=str(tmp_path))


def test_without_timm_one_line_says_how_to_install_it(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = timm_image(tiny, "test_vit").model
    monkeypatch.setitem(sys.modules, "timm", None)
    for model in ("timm/resnet18", folder):
        with pytest.raises(ValueError, match=r'found no package timm, .* pip install "gnnfuse\[timm\]"') as told:
            PretrainedImage(model=model)
        assert "\n" not in str(told.value)


def test_the_fingerprint_knows_the_weights(tiny: Path, tmp_path: Path) -> None:
    first = timm_image(tiny, "test_vit")
    backbone = first.backbone()
    before = first.fingerprint(backbone)
    assert before == timm_image(tiny, "test_vit").fingerprint()
    with torch.no_grad():
        next(backbone.parameters()).flatten()[0] += 1e-6
    assert first.fingerprint(backbone) != before


def test_checkpointing_changes_no_gradient(tiny: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        node_type = timm_image(tiny, "test_vit", frozen=False, gradient_checkpointing=checkpointing)
        batch = GraphBuilder([node_type])([Sample({"image": torch.ones(3, 64, 64)})])
        backbone = node_type.backbone().train()
        model: Any = backbone.get_submodule("network.model")
        assert model.grad_checkpointing is checkpointing
        backbone(batch.values["image"], batch.layout["image"]).square().sum().backward()
        gradients.append([parameter.grad for parameter in backbone.parameters() if parameter.requires_grad])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_what_only_the_classifier_needs_is_not_kept(tiny: Path) -> None:
    kept = timm_image(tiny, "test_resnet").backbone().state_dict()
    assert kept
    assert not any(".fc." in name for name in kept)
