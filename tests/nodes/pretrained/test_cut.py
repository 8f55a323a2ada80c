"""A network cut before its tuned blocks: the head once and the tail from its states give what the whole gives."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import Backbone, Layout, PretrainedImage, PretrainedNodes, PretrainedText
from gnnfuse.nodes.pretrained.cut import Cut, Hollow
from gnnfuse.sample import Sample
from tests.nodes.pretrained.test_families import FAMILIES, interleaved
from tests.nodes.pretrained.test_tuned import LAST

WINDOWS = ("transformers audio ast", "transformers audio whisper")
SHARING = ("torchaudio wavlm", "transformers audio wavlm")  # relative positions in the first block, for all
KEPT = [family for family in LAST if family not in (*WINDOWS, *SHARING)]


def parts(node_type: PretrainedNodes, samples: list[Sample]) -> tuple[Tensor, Layout, Backbone, Tensor, Backbone, Cut]:
    """Values and layout of a batch, the whole backbone, the states that its head gives, and the tail with its cut."""
    batch = GraphBuilder([node_type], extra="ignore")(samples)
    values, layout = batch.values[node_type.name], batch.layout[node_type.name]
    whole = node_type.backbone()
    with torch.no_grad():
        states = whole.states(values, layout, node_type.cut(whole))
    return values, layout, whole, states, *node_type.tail()


def check_same(node_type: PretrainedNodes, samples: list[Sample]) -> None:
    """Features and the gradients of every tuned parameter are the same with the whole and with the tail."""
    values, layout, whole, states, tail, cut = parts(node_type, samples)
    assert states.shape == (len(values), node_type.kept_width)
    expected, found = whole(values, layout), tail.features(states, layout, cut)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0))
    named = {name: each for name, each in whole.named_parameters() if each.requires_grad}
    own = {name: each for name, each in tail.named_parameters() if each.requires_grad}
    assert list(own) == list(named)
    first = torch.autograd.grad((expected * weights).sum(), list(named.values()))
    second = torch.autograd.grad((found * weights).sum(), list(own.values()))
    largest = max(float(each.abs().max()) for each in first)
    for name, one, other in zip(named, first, second, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5 * largest, msg=name)


@pytest.mark.parametrize("family", KEPT)
def test_head_and_tail_are_the_whole(family: str, tiny: Path) -> None:
    check_same(FAMILIES[family](tiny, tuned=1), interleaved())


@pytest.mark.parametrize("family", ["timm test_mambaout", "torchvision tiny_swin", "transformers text t5"])
def test_so_they_are_at_earlier_blocks(family: str, tiny: Path) -> None:
    check_same(FAMILIES[family](tiny, tuned=2), interleaved())


def test_so_they_are_where_nodes_are_averaged_cells(tiny: Path) -> None:
    node_type = FAMILIES["timm test_vit"](tiny, tuned=1, cells=3)
    check_same(node_type, interleaved())
    assert node_type.kept_width == -(-17 * 64 // 9)  # 16 patches and a class token, 3 x 3 cells


def test_so_they_are_with_real_weights(shared_models: Path) -> None:
    pixels = torch.randint(0, 256, (2, 3, 60, 80), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    image = PretrainedImage(model=str(shared_models / "efficientnet_lite0"), tuned=2)
    check_same(image, [Sample({"image": each}) for each in pixels])
    assert image.kept_width == 192  # 7 x 7 cells at its stride of 32


def test_so_they_are_with_real_texts(shared_models: Path) -> None:
    text = PretrainedText(model=str(shared_models / "minilm"), tuned=2)
    check_same(text, [Sample({"text": each}) for each in ("No.", "a picture of a cat", "two dogs run")])


@pytest.mark.parametrize("family", ["transformers text bert", "torchvision tiny_vit", "timm test_resnet"])
def test_a_tail_has_no_weights_of_the_head(family: str, tiny: Path) -> None:
    node_type = FAMILIES[family](tiny, tuned=1)
    tail, _ = node_type.tail()
    whole = node_type.backbone()
    assert set(tail.state_dict()) < set(whole.state_dict())  # names fit, so that weights do
    frozen = sum(each.numel() for each in tail.parameters() if not each.requires_grad)
    assert frozen < 0.2 * sum(each.numel() for each in whole.parameters() if not each.requires_grad)


@pytest.mark.parametrize("family", SHARING)
def test_blocks_that_read_more_than_the_state_are_refused(family: str, tiny: Path) -> None:
    with pytest.raises(ValueError, match="read more than the state before them, which is all that a cache keeps"):
        FAMILIES[family](tiny, tuned=1).tail()


def test_nodes_that_are_not_single_slices_are_refused(tiny: Path) -> None:
    for family in WINDOWS:
        with pytest.raises(ValueError, match="reads windows of fixed length, so a cache cannot keep the states"):
            FAMILIES[family](tiny, tuned=1).tail()
    with pytest.raises(ValueError, match="found overflow='pool' and tuned blocks"):
        FAMILIES["transformers text bert"](tiny, tuned=1, overflow="pool").tail()


def test_a_hollow_module_gives_zeros_of_the_same_shapes() -> None:
    module = torch.nn.Conv2d(3, 5, 3, stride=2)
    expected = module(torch.rand(2, 3, 9, 8))
    hollow = Hollow(module)
    assert torch.equal(hollow(torch.rand(2, 3, 9, 8)), torch.zeros_like(expected))
    assert not hollow.state_dict()
    assert hollow.stride == (2, 2)


def test_states_that_are_larger_than_expected_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found a state of \[3, 4\] before block, expected at most 5 numbers"):
        Cut("block", 5).pack(torch.zeros(1, 3, 4), 2)
