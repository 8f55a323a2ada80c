"""What every encoder keeps, whatever its node type."""

from dataclasses import replace

import pytest
import torch

from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import (
    AudioFrames,
    ConvPatches,
    Features,
    Hub,
    ImagePatches,
    LogMelFrames,
    NodeEncoder,
    NodeType,
    TextTokens,
    WaveformFrames,
)
from gnnfuse.sample import Audio, Rows, Sample

DIM = 12
TYPES: dict[str, NodeType] = {
    "linear patches": ImagePatches(patch=4),
    "grey overlapping patches": ImagePatches(patch=5, stride=3, channels=1),
    "convolved patches": ImagePatches(patch=5, encoding=ConvPatches(width=4)),
    "log-mel frames": AudioFrames(sample_rate=1000, encoding=LogMelFrames(mels=6, columns=3, width=4)),
    "one mel band": AudioFrames(sample_rate=1000, encoding=LogMelFrames(mels=1, columns=1, width=2)),
    "waveform frames": AudioFrames(sample_rate=1000, encoding=WaveformFrames(filters=4, length=16)),
    "short waveform frames": AudioFrames(sample_rate=100, hop=0.01, encoding=WaveformFrames(filters=4)),
    "bytes": TextTokens(),
    "pooled bytes": TextTokens(max_nodes=4, overflow="pool", max_pool=8),
    "rows": Features(signal="rows", width=3),
    "ordered rows": Features(signal="rows", width=3, ordered=True),
    "timed and placed rows": Features(signal="placed", width=3, ordered=True, timed=True, coordinates=2),
    "hub": Hub(count=3, of="text"),
}


def sample(seed: int) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(4 + seed, 3, generator=generator)
    return Sample(
        {
            "image": torch.rand(3, 7 + seed, 9, generator=generator),
            "audio": Audio(torch.rand(300 + 70 * seed, generator=generator) - 0.5, 1000),
            "text": "a cat sat on a mat"[: 8 + seed],
            "rows": rows,
            "placed": Rows(rows, time=torch.arange(len(rows)).float(), position=rows[:, :2]),
        }
    )


def made(node_type: NodeType) -> NodeEncoder:
    torch.manual_seed(0)
    return node_type.encoder(DIM)


def encode(encoder: NodeEncoder, batch: GraphBatch) -> torch.Tensor:
    (name,) = batch.node_types
    states: torch.Tensor = encoder(batch.values[name], batch.layout[name])
    return states


pytestmark = pytest.mark.filterwarnings("ignore:node type .* more nodes than max_nodes")  # the pooled bytes
every_type = pytest.mark.parametrize("node_type", TYPES.values(), ids=TYPES.keys())


@every_type
def test_no_nodes_give_no_states_that_still_depend_on_every_parameter(node_type: NodeType) -> None:
    encoder = made(node_type)
    states = encode(encoder, GraphBuilder([node_type])([Sample({}), Sample({})], empty=True))
    assert states.shape == (0, DIM)
    torch.autograd.backward(states.sum())
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@every_type
def test_every_parameter_gets_a_gradient_and_states_are_finite(node_type: NodeType) -> None:
    encoder = made(node_type)
    states = encode(encoder, GraphBuilder([node_type], extra="ignore")([sample(0), sample(1), sample(2)], empty=True))
    assert states.dtype == torch.float32
    assert bool(torch.isfinite(states).all())
    direction = torch.rand(states.shape, generator=torch.Generator().manual_seed(0))
    torch.autograd.backward((states * direction).sum())  # a plain sum has no gradient through a layer norm
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name
        assert bool(torch.isfinite(parameter.grad).all()), name


@every_type
def test_a_node_is_encoded_as_in_its_sample_alone(node_type: NodeType) -> None:
    encoder = made(node_type).double()
    builder = GraphBuilder([node_type], extra="ignore")
    samples = [sample(0), Sample({}), sample(1), sample(2)]
    batch = builder(samples, empty=True)
    together = encode(encoder, _double(batch))
    for place, one in enumerate(samples):
        alone = encode(encoder, _double(builder([one], empty=True)))
        torch.testing.assert_close(together[batch.graph_id == place], alone)


def _double(batch: GraphBatch) -> GraphBatch:
    values = {name: found.double() if found.is_floating_point() else found for name, found in batch.values.items()}
    return replace(batch, values=values)


@every_type
def test_the_place_of_a_node_is_part_of_its_state(node_type: NodeType) -> None:
    if not node_type.provides & {"position", "time", "order"}:
        return
    encoder = made(node_type)
    batch = GraphBuilder([node_type], extra="ignore")([sample(0)], empty=True)
    (name,) = batch.node_types
    values = batch.values[name]
    same = values[:1].expand(values.shape).contiguous()
    states = encoder(same, batch.layout[name])
    assert len(states) > 1
    assert not torch.allclose(states[0], states[1])


@every_type
def test_two_encoders_share_nothing(node_type: NodeType) -> None:
    one, other = (list(node_type.encoder(DIM).parameters()) for _ in range(2))
    assert not {id(parameter) for parameter in one} & {id(parameter) for parameter in other}
