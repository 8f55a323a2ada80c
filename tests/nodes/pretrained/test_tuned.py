"""The last blocks of a frozen network are trained, and nothing before them."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from gnnfuse.fusion import Concat
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import PretrainedEncoder, PretrainedNodes
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.testing import check_node_type, random_samples
from gnnfuse.train.parameter_groups import parameter_groups
from tests.nodes.pretrained.test_families import FAMILIES, interleaved

# Family -> what the names of the parameters of its last block, and of what follows it, begin with.
LAST = {
    "torchvision tiny_resnet": r"network.layer4.0",
    "torchvision tiny_convnext": r"network.features.3.0",
    "torchvision tiny_vit": r"network.encoder.(layers.encoder_layer_1|ln)",
    "torchvision tiny_swin": r"network.(features.3.1|norm)",
    "timm test_resnet": r"model.layer4.0",
    "timm test_vit": r"model.(blocks.5|norm)",
    "timm test_mambaout": r"model.stages.3.blocks.0",
    "transformers image vit": r"model.(layers.1|layernorm)",
    "transformers image dinov2": r"model.(encoder.layer.1|layernorm)",
    "transformers image resnet": r"model.encoder.stages.1",
    "transformers image swin": r"model.(encoder.layers.1|layernorm)",
    "transformers image clip": r"model.encoder.layers.1",
    "torchaudio wav2vec2": r"network.encoder.transformer.layers.1",
    "torchaudio hubert": r"network.encoder.transformer.(layers.1|layer_norm)",
    "torchaudio wavlm": r"network.encoder.transformer.layers.1",
    "transformers audio wav2vec2": r"model.encoder.layers.1",
    "transformers audio hubert": r"model.encoder.layers.1",
    "transformers audio wavlm": r"model.encoder.layers.1",
    "transformers audio ast": r"columns.model.(layers.1|layernorm)",
    "transformers audio whisper": r"columns.model.(layers.1|layer_norm)",
    "transformers text bert": r"model.encoder.layer.1",
    "transformers text roberta": r"model.encoder.layer.1",
    "transformers text gpt2": r"model.(h.1|ln_f)",
    "transformers text distilbert": r"model.transformer.layer.1",
    "transformers text electra": r"model.encoder.layer.1",
    "transformers text t5": r"model.(block.1|final_layer_norm)",
}
WITHOUT_BLOCKS = {"torchvision tiny_vgg": "torchvision/tiny_vgg", "transformers text albert": "AlbertModel"}


def stepped(node_type: PretrainedNodes) -> tuple[PretrainedEncoder, dict[str, torch.Tensor]]:
    """An encoder after a step of training, and its state before."""
    encoder = node_type.encoder(4)
    assert isinstance(encoder, PretrainedEncoder)
    before = {name: tensor.clone() for name, tensor in encoder.train().state_dict().items()}
    batch = GraphBuilder([node_type], extra="ignore")(interleaved())
    states = encoder(batch.values[node_type.name], batch.layout[node_type.name])
    (states * torch.randn(states.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    torch.optim.SGD(encoder.parameters(), lr=0.1).step()
    return encoder, before


@pytest.mark.parametrize("family", LAST)
def test_the_last_block_is_trained_and_nothing_before_it(family: str, tiny: Path) -> None:
    encoder, before = stepped(FAMILIES[family](tiny, tuned=1))
    trained = {name for name, each in encoder.named_parameters() if each.requires_grad and name.startswith("backbone.")}
    assert trained
    assert not [name for name in trained if not re.match(rf"backbone\.network\.{LAST[family]}\.", name)]
    changed = {name for name, tensor in encoder.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name for name in changed if name.startswith("backbone.")} <= trained  # no statistics of batches either
    assert len(changed & trained) > len(trained) / 2  # a key's bias has no gradient


@pytest.mark.parametrize("family", LAST)
def test_all_that_follows_the_last_block_is_trained(family: str, tiny: Path) -> None:
    everything, tuned = FAMILIES[family](tiny, frozen=False).encoder(4), FAMILIES[family](tiny, tuned=1).encoder(4)
    wanted = [name for name, each in everything.named_parameters() if each.requires_grad]
    found = {name for name, each in tuned.named_parameters() if each.requires_grad}
    last = [name for name in wanted if re.match(rf"projection|backbone\.network\.{LAST[family]}\.", name)]
    assert found == set(last)


@pytest.mark.parametrize("family", LAST)
def test_what_is_not_trained_stays_in_evaluation_mode(family: str, tiny: Path) -> None:
    encoder = FAMILIES[family](tiny, tuned=1).encoder(4).train()
    for name, part in encoder.named_modules():
        frozen = any(not each.requires_grad for each in part.parameters())
        if name.startswith("backbone") and (frozen or isinstance(part, nn.BatchNorm2d)):
            assert not part.training, name
    assert any(part.training for name, part in encoder.named_modules() if name.startswith("backbone"))
    assert not any(part.training for part in encoder.eval().modules())


@pytest.mark.parametrize("family", WITHOUT_BLOCKS)
def test_a_network_without_blocks_of_its_own_is_refused(family: str, tiny: Path) -> None:
    with pytest.raises(ValueError, match=f"{WITHOUT_BLOCKS[family]}: found no blocks that run one after another"):
        FAMILIES[family](tiny, tuned=1).backbone()


@pytest.mark.parametrize("family", ["torchvision tiny_resnet", "timm test_vit", "torchaudio wavlm"])
def test_it_is_a_node_type_like_others(family: str, tiny: Path) -> None:
    check_node_type(FAMILIES[family](tiny, tuned=1), random_samples(torch.Generator().manual_seed(0)))


def test_numbers_of_blocks_that_cannot_be_are_refused(tiny: Path) -> None:
    make = FAMILIES["transformers text bert"]
    with pytest.raises(ValueError, match="found 3 last blocks to tune, expected at most the 2 that it has"):
        make(tiny, tuned=3)
    for arguments in ({"tuned": -1}, {"tuned": 1, "frozen": False}):
        with pytest.raises(ValueError, match="expected a number of last blocks of a frozen network"):
            make(tiny, **arguments)


def test_all_blocks_leave_the_embeddings_frozen(tiny: Path) -> None:
    encoder = FAMILIES["transformers text bert"](tiny, tuned=2).encoder(4)
    frozen = {name.split(".")[3] for name, each in encoder.named_parameters() if not each.requires_grad}
    assert frozen == {"embeddings", "pooler"}


def test_tuned_blocks_learn_at_a_tenth_of_the_rate_with_the_same_decay(tiny: Path) -> None:
    tuned, frozen = (FAMILIES["transformers text bert"](tiny, tuned=blocks).encoder(4) for blocks in (1, 0))
    assert [group["lr"] for group in parameter_groups(frozen, 0.1, 0.01)] == [0.1, 0.1]
    groups = parameter_groups(tuned, 0.1, 0.01)
    names = {id(each): name for name, each in tuned.named_parameters()}
    assert [(round(group["lr"], 9), group["weight_decay"]) for group in groups] == [
        *((0.1, 0.01), (0.1, 0.0)),
        *((0.01, 0.01), (0.01, 0.0)),
    ]
    for place, group in enumerate(groups):
        assert {names[id(each)].split(".")[0] for each in group["params"]} == {("projection", "backbone")[place > 1]}
    together = [id(each) for group in groups for each in group["params"]]
    assert sorted(together) == sorted(id(each) for each in tuned.parameters() if each.requires_grad)


def test_a_saved_model_has_the_tuned_weights(tiny: Path, tmp_path: Path) -> None:
    node_type = FAMILIES["torchvision tiny_resnet"](tiny, tuned=1)
    model = Concat([node_type], dim=4, depth=1)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(0.01 if each.requires_grad else 0.0)
    save_pretrained(model, tmp_path)
    loaded = from_pretrained(tmp_path)
    assert isinstance(loaded, Concat)
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert {name for name, each in loaded.named_parameters() if each.requires_grad} == trained
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
