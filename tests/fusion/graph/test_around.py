"""A way around the layers: a readout of encoded states, added to the layers' own."""

from pathlib import Path

import pytest
import torch

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import GraphBuilder
from gnnfuse.readout import AdditiveReadout, MeanReadout, Readout, TypedReadout
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.testing import check_fusion_model, example_builder, random_samples

SAMPLES = random_samples(torch.Generator().manual_seed(0))


def made(builder: GraphBuilder) -> GraphFusion:
    readout, around = (AdditiveReadout(16, builder.modalities) for _ in range(2))
    return GraphFusion(builder.node_types, builder.relations, dim=16, depth=1, readout=readout, around=around)


def test_it_is_a_fusion_model_like_others() -> None:
    def typed(builder: GraphBuilder) -> GraphFusion:
        names = [node_type.name for node_type in builder.node_types]
        readout, around = (TypedReadout(8, names, expansion=1) for _ in range(2))
        return GraphFusion(builder.node_types, builder.relations, dim=8, depth=1, readout=readout, around=around)

    check_fusion_model(typed, example_builder(), SAMPLES)


@torch.no_grad()
def test_vectors_and_parts_are_those_of_encoded_states_added_to_those_of_the_layers() -> None:
    builder = example_builder()
    model = made(builder).eval()
    batch = builder(SAMPLES, empty=True)
    whole, around = model.embed(batch), model.around
    assert isinstance(around, Readout)
    encoded = around.read(torch.cat(list(model.encoders(batch).values())), batch)
    model.around = None
    layers = model.embed(batch)
    assert whole.parts is not None
    assert layers.parts is not None
    assert encoded.parts is not None
    torch.testing.assert_close(whole.vector, layers.vector + encoded.vector)
    torch.testing.assert_close(whole.parts, layers.parts + encoded.parts)
    assert encoded.vector.abs().sum() > 0
    assert torch.equal(whole.nodes if whole.nodes is not None else encoded.vector, layers.nodes)  # type: ignore[arg-type]


def test_it_is_saved_with_the_model(tmp_path: Path) -> None:
    builder = example_builder()
    model = made(builder).eval()
    save_pretrained(model, tmp_path)
    loaded = from_pretrained(tmp_path)
    batch = builder(SAMPLES, empty=True)
    assert torch.equal(loaded(batch), model(batch))


def test_one_that_does_not_fit_is_refused() -> None:
    builder = example_builder()
    names = [node_type.name for node_type in builder.node_types]
    additive = AdditiveReadout(16, builder.modalities)
    for around, message in (
        (MeanReadout(), r"found around=MeanReadout\(...\), which gives no parts, expected some, as AdditiveReadout"),
        (TypedReadout(8, names), "found TypedReadout for states of size 8, expected 16, the model's dim"),
    ):
        with pytest.raises(ValueError, match=message):
            GraphFusion(
                builder.node_types,
                builder.relations,
                dim=16,
                readout=additive,
                around=around,  # type: ignore[arg-type]
            )
