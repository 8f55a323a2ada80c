"""Frozen networks stay as they are; trained ones are trained; features alone can replace a frozen network."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from gnnfuse.fusion import Concat
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import PretrainedEncoder, PretrainedNodes
from gnnfuse.sample import Sample
from gnnfuse.testing import random_samples
from tests.nodes.pretrained.tiny_models import HALF, torchaudio_audio, torchvision_image, transformers_text

MAKE: dict[str, Callable[..., PretrainedNodes]] = {
    "image": lambda tiny, **arguments: torchvision_image(tiny, "tiny_resnet", **arguments),
    "audio": lambda tiny, **arguments: torchaudio_audio(tiny, "wav2vec2", **arguments),
    "text": lambda tiny, **arguments: transformers_text(tiny, "bert", **arguments),
}


def batch_of(node_type: PretrainedNodes) -> GraphBatch:
    return GraphBuilder([node_type], extra="ignore")(random_samples(torch.Generator().manual_seed(0)), empty=True)


def made(node_type: PretrainedNodes) -> PretrainedEncoder:
    encoder = node_type.encoder(4)
    assert isinstance(encoder, PretrainedEncoder)
    return encoder


@pytest.mark.parametrize("kind", MAKE)
def test_a_frozen_network_is_the_same_after_a_step_of_training(kind: str, tiny: Path) -> None:
    node_type = MAKE[kind](tiny)
    encoder = made(node_type).train()
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, weight_decay=0.1)
    batch = batch_of(node_type)
    encoder(batch.values[kind], batch.layout[kind]).square().sum().backward()
    optimizer.step()
    changed = {key for key, tensor in encoder.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed
    assert {key.split(".")[0] for key in changed} == {"projection"}
    assert not any(part.training for part in encoder.backbone.modules())
    assert encoder.projection.training


@pytest.mark.parametrize("kind", MAKE)
def test_a_frozen_network_keeps_nothing_for_a_backward_pass(kind: str, tiny: Path) -> None:
    node_type = MAKE[kind](tiny)
    encoder, batch = made(node_type), batch_of(node_type)
    encoder.requires_grad_(True)  # as somebody may who sets it on a whole model
    seen = []
    encoder.backbone.register_forward_hook(lambda *found: seen.append(found[2].requires_grad))
    encoder(batch.values[kind], batch.layout[kind])
    assert seen == [False]


@pytest.mark.parametrize("kind", MAKE)
def test_a_trained_network_changes_everywhere_but_in_its_batch_statistics(kind: str, tiny: Path) -> None:
    node_type = MAKE[kind](tiny, frozen=False)
    encoder = made(node_type).train()
    batch = batch_of(node_type)
    statistics = {key: tensor.clone() for key, tensor in encoder.named_buffers()}
    encoder(batch.values[kind], batch.layout[kind]).square().sum().backward()
    without = {key for key, tensor in encoder.named_parameters() if tensor.requires_grad and tensor.grad is None}
    assert not without
    for key, tensor in encoder.named_buffers():
        assert torch.equal(tensor, statistics[key]), key
    modes = {part.training for part in encoder.backbone.modules() if isinstance(part, nn.BatchNorm2d)}
    assert modes <= {False}


def test_poolers_and_mask_tokens_are_not_trained(tiny: Path) -> None:
    encoder = made(MAKE["text"](tiny, frozen=False))
    left = {key for key, tensor in encoder.backbone.named_parameters() if not tensor.requires_grad}
    assert left == {"network.model.pooler.dense.weight", "network.model.pooler.dense.bias"}


@pytest.mark.parametrize("kind", MAKE)
def test_features_and_the_projection_alone_give_the_same_states(kind: str, tiny: Path) -> None:
    node_type = MAKE[kind](tiny)
    encoder, batch = made(node_type), batch_of(node_type)
    expected = encoder(batch.values[kind], batch.layout[kind])
    features = node_type.backbone()(batch.values[kind], batch.layout[kind])
    assert features.shape == (len(batch.values[kind]), node_type.width)
    alone = node_type.projection(4)
    alone.load_state_dict(encoder.projection.state_dict())
    assert torch.equal(alone(features, batch.layout[kind]), expected)


@pytest.mark.parametrize("kind", MAKE)
def test_a_network_over_whole_signals_refuses_parts_of_them(kind: str, tiny: Path) -> None:
    node_type, generator = MAKE[kind](tiny), torch.Generator().manual_seed(0)
    large = Sample({"image": torch.rand(3, 96, 64, generator=generator)})
    samples = [large, *random_samples(generator)]
    encoder, batch = made(node_type), GraphBuilder([node_type], extra="ignore")(samples, empty=True)
    whole = encoder(batch.values[kind], batch.layout[kind])
    first = torch.isin(torch.arange(batch.num_nodes), batch.layout[kind].offsets[:-1])
    part = batch.keep(nodes=~first)
    with pytest.raises(ValueError, match=r"Backbone: found signals without some of their nodes, expected whole ones"):
        encoder(part.values[kind], part.layout[kind])
    some = batch.graph_id != batch.graph_id[-1]  # signals that are there are whole
    rest = batch.keep(nodes=some)
    torch.testing.assert_close(encoder(rest.values[kind], rest.layout[kind]), whole[some])


@pytest.mark.parametrize("kind", MAKE)
def test_the_fingerprint_is_of_weights_and_of_what_changes_features(kind: str, tiny: Path) -> None:
    node_type = MAKE[kind](tiny)
    first = node_type.fingerprint()
    assert first == MAKE[kind](tiny).fingerprint()
    assert first == dataclasses.replace(node_type, name="other").fingerprint(node_type.backbone())  # type: ignore[type-var]
    assert first != dataclasses.replace(node_type, max_nodes=7).fingerprint()  # type: ignore[type-var]
    other = node_type.backbone()
    with torch.no_grad():
        next(other.parameters()).flatten()[0] += 1e-6
    assert first != node_type.fingerprint(other)
    with pytest.raises(ValueError, match="only a frozen backbone"):
        dataclasses.replace(node_type, frozen=False).fingerprint()  # type: ignore[type-var]


def test_the_fingerprint_knows_normalisation_and_tokenizer(tiny: Path) -> None:
    from tests.nodes.pretrained.tiny_models import tiny_tokenizer

    assert MAKE["image"](tiny).fingerprint() != torchvision_image_other(tiny).fingerprint()
    other = transformers_text(tiny, "bert", tokenizer=tiny_tokenizer(specials=False))
    assert MAKE["text"](tiny).fingerprint() != other.fingerprint()


def torchvision_image_other(tiny: Path) -> PretrainedNodes:
    return dataclasses.replace(torchvision_image(tiny, "tiny_resnet"), mean=(0.4, 0.4, 0.4), std=HALF)


def test_a_model_predicts_in_evaluation_mode_and_trains_on_what_a_batch_has(tiny: Path) -> None:
    node_types = [make(tiny, frozen=False) for make in MAKE.values()]
    model = Concat(node_types, dim=8, depth=1)
    builder = GraphBuilder(node_types, extra="ignore")
    model(builder([Sample({}), Sample({})], empty=True)).sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("kind", MAKE)
def test_a_width_is_found_without_reading_weights(
    kind: str, frozen: bool, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = GraphBuilder([MAKE[kind](tiny, frozen=frozen)], extra="ignore")
    wanted = Concat.of(builder, dim=12, depth=1)
    trained = sum(parameter.numel() for parameter in wanted.parameters() if parameter.requires_grad)
    reads: list[object] = []
    network = type(builder.node_types[0].network)  # type: ignore[attr-defined]  # every pretrained type has one
    pretrained = network.pretrained

    def counted(*given: object) -> nn.Module:
        reads.append(given)
        module: nn.Module = pretrained(*given)
        return module

    monkeypatch.setattr(network, "pretrained", counted)
    assert Concat.of(builder, depth=1, parameters=trained).dim == 12
    assert len(reads) == 1
