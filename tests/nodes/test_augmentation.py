import numpy as np
import pytest
import torch
from torch import Tensor

from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.nodes import (
    AudioFrames,
    AudioGain,
    AudioNoise,
    AudioShift,
    Features,
    ImageFlip,
    ImagePatches,
    ImageShift,
    InTurn,
    NodeType,
    TextTokens,
)
from gnnfuse.sample import Audio, Sample

TYPES: tuple[NodeType, ...] = (
    ImagePatches(patch=4, augmentation=InTurn((ImageShift(2), ImageFlip()))),
    AudioFrames(sample_rate=1000, augmentation=InTurn((AudioShift(50), AudioGain(6.0), AudioNoise(0.1)))),
    TextTokens(word_dropout=0.5),
    Features(signal="sensor", width=3, noise=1.0),
)
SAMPLE = Sample(
    {
        "image": torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(0)),
        "audio": Audio(torch.rand(500, generator=torch.Generator().manual_seed(1)) - 0.5, 1000),
        "text": "the quick brown fox jumps over the lazy dog",
        "sensor": torch.rand(5, 3, generator=torch.Generator().manual_seed(2)),
    }
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def values(graph: SampleGraph, name: str) -> Tensor:
    nodes = graph.nodes[name]
    assert nodes is not None
    return nodes.values


@pytest.mark.parametrize("node_type", TYPES, ids=lambda node_type: str(node_type.name))
def test_the_same_seed_epoch_and_index_give_the_same_change_and_others_give_others(node_type: NodeType) -> None:
    builder = GraphBuilder([node_type], extra="ignore")
    draws = [values(builder.graph(SAMPLE, augment=key), node_type.name) for key in ((0, 0, 0), (0, 0, 0))]
    assert torch.equal(*draws)
    plain = values(builder.graph(SAMPLE), node_type.name)
    for axis in range(3):  # some of the next few seeds, epochs or indices must differ
        keys = [tuple(step if place == axis else 0 for place in range(3)) for step in range(1, 6)]
        changed = [values(builder.graph(SAMPLE, augment=key), node_type.name) for key in keys]  # type: ignore[arg-type]
        assert any(found.shape != draws[0].shape or not torch.equal(found, draws[0]) for found in changed)
        assert any(found.shape != plain.shape or not torch.equal(found, plain) for found in changed)


def test_a_change_does_not_depend_on_the_samples_before_it() -> None:
    builder = GraphBuilder(TYPES)
    alone = builder.graph(SAMPLE, augment=(1, 2, 3))
    builder.graph(SAMPLE, augment=(1, 2, 2))
    after = builder.graph(SAMPLE, augment=(1, 2, 3))
    for node_type in TYPES:
        assert torch.equal(values(alone, node_type.name), values(after, node_type.name))


def test_global_random_states_and_the_sample_stay_untouched() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002  # the state under test
    before = {name: values(GraphBuilder(TYPES).graph(SAMPLE), name).clone() for name in SAMPLE.signals}
    GraphBuilder(TYPES).graph(SAMPLE, augment=(0, 0, 0))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_state)  # noqa: NPY002
    for name, expected in before.items():
        assert torch.equal(values(GraphBuilder(TYPES).graph(SAMPLE), name), expected)


@pytest.mark.parametrize("node_type", TYPES, ids=lambda node_type: str(node_type.name))
def test_an_absent_signal_stays_absent(node_type: NodeType) -> None:
    assert not node_type.augment(Sample({}), generator(0)).signals


def test_without_an_augmentation_the_sample_itself_comes_back() -> None:
    plain: tuple[NodeType, ...] = (ImagePatches(), AudioFrames(), TextTokens(), Features(signal="sensor", width=3))
    for node_type in plain:
        assert node_type.augment(SAMPLE, generator(0)) is SAMPLE


@pytest.mark.parametrize("seed", range(10))
def test_a_shifted_picture_repeats_its_border(seed: int) -> None:
    pixels = torch.rand(3, 5, 6)
    found = ImageShift(2)(pixels, generator(seed))
    moves = [
        torch.stack(
            [
                torch.stack([pixels[:, min(max(r + down, 0), 4), min(max(c + right, 0), 5)] for c in range(6)], dim=1)
                for r in range(5)
            ],
            dim=1,
        )
        for down in range(-2, 3)
        for right in range(-2, 3)
    ]
    assert any(torch.equal(found, moved) for moved in moves)


def test_a_picture_is_mirrored_about_half_of_the_time() -> None:
    pixels = torch.rand(3, 5, 6)
    found = [ImageFlip()(pixels, generator(seed)) for seed in range(200)]
    mirrored = [torch.equal(one, pixels.flip(2)) for one in found]
    assert all(torch.equal(one, pixels) for one, flipped in zip(found, mirrored, strict=True) if not flipped)
    assert 60 < sum(mirrored) < 140


@pytest.mark.parametrize("seed", range(10))
def test_a_shifted_recording_is_filled_with_silence(seed: int) -> None:
    waveform = torch.arange(1.0, 9.0)
    found = AudioShift(3)(waveform, generator(seed)).tolist()
    silence = [0.0, 0.0, 0.0]
    padded = [*silence, *waveform.tolist(), *silence]
    assert found in [padded[start : start + 8] for start in range(7)]


def test_gain_stays_within_its_decibels_and_noise_within_its_amplitude() -> None:
    waveform = torch.rand(1000) - 0.5
    for seed in range(20):
        gain = AudioGain(6.0)(waveform, generator(seed)) / waveform
        assert 10 ** (-6 / 20) - 1e-5 <= float(gain.min()) <= float(gain.max()) <= 10 ** (6 / 20) + 1e-5
        assert float((AudioNoise(0.1)(waveform, generator(seed)) - waveform).std()) <= 0.11


def test_letters_are_left_out_in_order_and_never_all() -> None:
    for seed in range(50):
        kept = TextTokens(word_dropout=0.9).augment(Sample({"text": "abcdef"}), generator(seed)).signals["text"]
        assert isinstance(kept, str)
        assert kept
        assert list(kept) == sorted(set(kept))
