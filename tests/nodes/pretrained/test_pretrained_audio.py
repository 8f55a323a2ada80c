import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import torchaudio
from transformers import AutoFeatureExtractor, AutoModel, Wav2Vec2Config

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import AudioArchitecture, NodeSet, PretrainedAudio, TransformersSpeechNetwork
from gnnfuse.nodes.pretrained.audio_architecture import audio_architecture, receptive_field
from gnnfuse.sample import Audio, Sample, SignalError
from tests.nodes.pretrained.tiny_models import AUDIO, HOP, PIPELINES, RATE, torchaudio_audio, transformers_audio

SPEECH_KINDS = ("wav2vec2", "hubert", "wavlm")


def recording(samples: int, rate: int = RATE) -> Audio:
    return Audio(torch.rand(samples, generator=torch.Generator().manual_seed(samples)) * 2 - 1, rate)


def nodes_of(node_type: PretrainedAudio, samples: int) -> NodeSet:
    nodes = node_type.nodes(Sample({"audio": recording(samples, node_type.sample_rate)}, id="seven"))
    assert nodes is not None
    return nodes


def features_of(node_type: PretrainedAudio, *samples: int) -> torch.Tensor:
    recordings = [Sample({"audio": recording(count, node_type.sample_rate)}) for count in samples]
    batch = GraphBuilder([node_type])(recordings)
    features: torch.Tensor = node_type.backbone()(batch.values["audio"], batch.layout["audio"])
    return features


@pytest.mark.parametrize(
    "pipeline", ["WAV2VEC2_BASE", "WAV2VEC2_LARGE_LV60K", "HUBERT_BASE", "HUBERT_ASR_XLARGE", "WAVLM_BASE_PLUS"]
)
def test_the_published_pipelines_have_one_state_per_320_samples(pipeline: str) -> None:
    found = audio_architecture(f"torchaudio/{pipeline}", None)
    assert (found.sample_rate, found.hop, found.margin) == (16000, 320, 80)


def test_receptive_field_counted_by_hand() -> None:
    assert receptive_field([3, 2], [2, 2]) == (5, 4)  # two windows of 3, one step of 2 apart


@pytest.mark.parametrize("samples", [1, 80, 319, 320, 321, 399, 400, 640, 16000, 16001])
def test_wav2vec2s_own_convolutions_give_one_node_per_320_samples(samples: int) -> None:
    config = Wav2Vec2Config(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, conv_dim=[4] * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    described = {key: value for key, value in config.to_dict().items() if key not in ("id2label", "label2id", "dtype")}
    network = TransformersSpeechNetwork(config=described, width=8, samples=400)
    architecture = AudioArchitecture(network=network, sample_rate=16000, hop=320, margin=80)
    node_type = PretrainedAudio(model="none", architecture=architecture)
    expected = -(-samples // 320)
    nodes = nodes_of(node_type, samples)
    assert nodes.num_nodes == expected
    with torch.no_grad():
        backbone = node_type.around(network.module().eval())
        batch = GraphBuilder([node_type])(Sample({"audio": recording(samples, 16000)}))
        assert backbone(batch.values["audio"], batch.layout["audio"]).shape == (expected, 8)
    assert nodes.time is not None
    assert nodes.time[0].tolist() == [0.0, pytest.approx(0.02)]
    assert nodes.time[-1].tolist() == [pytest.approx((expected - 1) * 0.02), pytest.approx(expected * 0.02)]
    assert torch.equal(nodes.time[1:, 0], nodes.time[:-1, 1])


def test_a_state_sees_its_frame_and_half_the_margin_on_either_side(tiny: Path) -> None:
    """Changing one sample changes the convolutions' output of the frames whose receptive field holds it, no other."""
    node_type = torchaudio_audio(tiny, "hubert")  # normalised over channels, not over time
    backbone = node_type.backbone()
    convolutions: Any = backbone.get_submodule("network.network.feature_extractor")
    plain = torch.zeros(1, 10 * HOP + node_type.architecture.margin)  # type: ignore[union-attr]
    margin = plain.shape[1] - 10 * HOP
    for sample in (0, HOP - 1, 5 * HOP, 5 * HOP + HOP // 2, 10 * HOP - 1):
        changed = plain.clone()
        changed[0, margin // 2 + sample] = 1.0
        with torch.no_grad():
            difference = (convolutions(changed, None)[0] - convolutions(plain, None)[0])[0].abs().sum(dim=1)
        touched = difference.nonzero().flatten().tolist()
        first, last = (margin // 2 + sample - (HOP + margin) + HOP) // HOP, (margin // 2 + sample) // HOP
        assert sample // HOP in touched
        assert set(touched) <= set(range(max(0, first), last + 1))


def test_the_last_frame_is_filled_with_silence_and_no_sample_is_lost(tiny: Path) -> None:
    nodes = nodes_of(torchaudio_audio(tiny, "wav2vec2"), 3 * HOP + 7)
    samples = recording(3 * HOP + 7).samples
    assert nodes.shape == (4,)
    assert torch.equal(nodes.values.flatten()[: 3 * HOP + 7], torch.as_tensor(samples))
    assert not bool(nodes.values.flatten()[3 * HOP + 7 :].any())


@pytest.mark.parametrize("kind", PIPELINES)
def test_the_features_are_those_of_torchaudios_own_network(kind: str, tiny: Path) -> None:
    node_type = torchaudio_audio(tiny, kind)
    pipeline: Any = getattr(torchaudio.pipelines, f"TINY_{kind.upper()}")
    make = torchaudio.models.wavlm_model if kind == "wavlm" else torchaudio.models.wav2vec2_model
    model = make(**{**pipeline._params, "aux_num_out": None}).eval()
    state = torch.load(tiny / f"{kind}.pth", weights_only=True)
    model.load_state_dict({key: value for key, value in state.items() if not key.startswith("aux.")})
    waveform = torch.as_tensor(recording(6 * HOP).samples).unsqueeze(0)
    if kind == "hubert":  # as torchaudio does for pipelines that say so
        waveform = torch.nn.functional.layer_norm(waveform, waveform.shape)
    margin = node_type.architecture.margin  # type: ignore[union-attr]
    with torch.no_grad():
        expected = model(torch.nn.functional.pad(waveform, (margin // 2, margin - margin // 2)))[0][0]
    torch.testing.assert_close(features_of(node_type, 6 * HOP), expected)


@pytest.mark.parametrize("kind", SPEECH_KINDS)
def test_the_features_are_those_of_transformers_own_model(kind: str, tiny: Path) -> None:
    node_type = transformers_audio(tiny, kind)
    model = AutoModel.from_pretrained(node_type.model)
    read: Any = AutoFeatureExtractor.from_pretrained
    extractor = read(node_type.model)
    samples = torch.as_tensor(recording(6 * HOP).samples).numpy()
    values = extractor(samples, sampling_rate=RATE, return_tensors="pt")["input_values"]
    margin = node_type.architecture.margin  # type: ignore[union-attr]
    with torch.no_grad():
        states = model(torch.nn.functional.pad(values, (margin // 2, margin - margin // 2))).last_hidden_state[0]
    torch.testing.assert_close(features_of(node_type, 6 * HOP), states)


@pytest.mark.parametrize(("kind", "window"), [("ast", 11), ("whisper", 20)])
def test_spectrogram_models_take_windows_and_give_one_state_per_hop(kind: str, window: int, tiny: Path) -> None:
    node_type = transformers_audio(tiny, kind)
    made = node_type.architecture
    assert made is not None
    assert made.window == window
    hop = made.hop
    long = features_of(node_type, 2 * window * hop + hop // 2)
    assert len(long) == 2 * window + 1
    whole = recording(2 * window * hop + hop // 2, made.sample_rate)
    batch = GraphBuilder([node_type])(
        Sample({"audio": Audio(torch.as_tensor(whole.samples)[window * hop :], made.sample_rate)})
    )
    rest = node_type.backbone()(batch.values["audio"], batch.layout["audio"])
    torch.testing.assert_close(long[window:], rest)


@pytest.mark.parametrize("kind", ["ast", "whisper"])
def test_spectrograms_are_the_extractors_own(kind: str, tiny: Path) -> None:
    node_type = transformers_audio(tiny, kind)
    made = node_type.architecture
    assert made is not None
    assert made.window is not None
    samples = torch.as_tensor(recording(made.window * made.hop, made.sample_rate).samples)
    model = AutoModel.from_pretrained(node_type.model)
    read: Any = AutoFeatureExtractor.from_pretrained
    extractor = read(node_type.model)
    features = extractor(samples.numpy(), sampling_rate=made.sample_rate, return_tensors="pt")
    features = features[extractor.model_input_names[0]]
    with torch.no_grad():
        if kind == "whisper":
            expected = model.get_encoder()(features).last_hidden_state[0]
        else:
            states = model(features).last_hidden_state[0, 2:]
            expected = states.reshape(5, 11, 8).mean(dim=0)  # (16 - 4) // 3 + 1 bands of frequency
    torch.testing.assert_close(features_of(node_type, len(samples)), expected)


def test_too_many_frames(tiny: Path) -> None:
    cut = nodes_of(transformers_audio(tiny, "wav2vec2", max_nodes=3), 5 * HOP)
    assert (cut.shape, cut.dropped) == ((3,), 2)
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'audio': found 5 nodes, expected at most 4"):
        nodes_of(transformers_audio(tiny, "wav2vec2", max_nodes=4, overflow="raise"), 5 * HOP)
    with pytest.raises(SignalError, match=r"found 7 nodes, expected at most 6"):
        nodes_of(transformers_audio(tiny, "wav2vec2", max_nodes=3, overflow="pool", max_pool=2), 7 * HOP)


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_a_pooled_node_has_the_mean_state_of_its_frames(kind: str, tiny: Path) -> None:
    node_type = transformers_audio(tiny, kind)
    assert node_type.architecture is not None
    hop = node_type.architecture.hop
    pooled = dataclasses.replace(node_type, max_nodes=3, overflow="pool", max_pool=4)
    counts, runs = [7, 2, 4, 3], [3, 1, 2, 1]
    plain = torch.split(features_of(node_type, *(count * hop for count in counts)), counts)
    expected = [
        of_one[first : first + run].mean(dim=0)
        for of_one, run in zip(plain, runs, strict=True)
        for first in range(0, len(of_one), run)
    ]
    torch.testing.assert_close(features_of(pooled, *(count * hop for count in counts)), torch.stack(expected))
    nodes = nodes_of(pooled, 7 * hop)
    assert nodes.time is not None
    edges = torch.tensor([0, 3, 6, 7]) * hop / RATE
    torch.testing.assert_close(nodes.time, torch.stack([edges[:-1], edges[1:]], dim=1))


@pytest.mark.parametrize("kind", AUDIO)
def test_training_works_on_recordings_of_any_length(kind: str, tiny: Path) -> None:
    node_type = transformers_audio(tiny, kind, frozen=False)
    encoder = node_type.encoder(4).train()
    batch = GraphBuilder([node_type])([Sample({"audio": recording(n, node_type.sample_rate)}) for n in (1, 30, 200)])
    encoder(batch.values["audio"], batch.layout["audio"]).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no pipeline 'torchaudio/WAV2VEC'; known: torchaudio/HUBERT_ASR_LARGE"):
        PretrainedAudio(model="torchaudio/WAV2VEC")
