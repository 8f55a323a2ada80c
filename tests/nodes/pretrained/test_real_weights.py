"""Encoders with their real weights: what their own libraries give, alone and in a batch."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import PretrainedImage, PretrainedNodes, PretrainedText
from gnnfuse.sample import Sample

timms: Any = timm.data  # has no types
TEXTS = ["a picture of a cat", "No.", "Two dogs, running along an unbelievably long beach at 7:30!"]


def features_of(node_type: PretrainedNodes, values: list[object]) -> list[Tensor]:
    """The features of each sample, all in one batch."""
    batch = GraphBuilder([node_type])([Sample({node_type.signal: value}) for value in values])
    layout = batch.layout[node_type.name]
    features = node_type.backbone()(batch.values[node_type.name], layout)
    return list(features.split(layout.offsets.diff().tolist()))


def pictures(*sizes: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator) for size in sizes]


@pytest.mark.parametrize("by_name", [False, True], ids=["folder", "name"])
def test_efficientnet_is_timms(by_name: bool, shared_models: Path) -> None:
    folder = shared_models / "efficientnet_lite0"
    model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    [pixels] = pictures((224, 224))
    read: Any = timms.create_transform(**timms.resolve_model_data_config(model) | {"crop_pct": 1.0}, is_training=False)
    with torch.no_grad():
        expected = model.forward_features(read(Image.fromarray(pixels.permute(1, 2, 0).numpy()))[None])
    given, weights = (
        ("timm/tf_efficientnet_lite0", str(folder / "model.safetensors")) if by_name else (str(folder), None)
    )
    node_type = PretrainedImage(model=given, weights=weights)
    [found] = features_of(node_type, [pixels])
    torch.testing.assert_close(found, expected[0].flatten(1).T)
    with torch.no_grad():  # the classifier's own way on from there
        torch.testing.assert_close(model.classifier(found.mean(0)), model.forward_head(expected)[0])


def test_minilm_is_transformers(shared_models: Path) -> None:
    folder = str(shared_models / "minilm")
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    expected = []
    for text in TEXTS:
        with torch.no_grad():
            expected.append(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0])
    for found, whole in zip(features_of(PretrainedText(model=folder), [*TEXTS]), expected, strict=True):
        torch.testing.assert_close(found, whole[1:-1], rtol=1e-4, atol=1e-5)
    kept = features_of(PretrainedText(model=folder, special_tokens="keep"), [*TEXTS])
    for found, whole in zip(kept, expected, strict=True):
        torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)


def test_a_batch_is_its_samples_one_by_one(shared_models: Path) -> None:
    image = PretrainedImage(model=str(shared_models / "efficientnet_lite0"))
    text = PretrainedText(model=str(shared_models / "minilm"))
    for node_type, values in ((image, pictures((224, 224), (50, 300), (301, 77))), (text, TEXTS)):
        for value, found in zip(values, features_of(node_type, [*values]), strict=True):
            [alone] = features_of(node_type, [value])
            torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)
