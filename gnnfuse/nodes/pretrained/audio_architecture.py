"""The input of an audio network and the samples that its states stand for, read from the library that owns it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gnnfuse.nodes.pretrained.network import Network
from gnnfuse.nodes.pretrained.spectrogram_network import SpectrogramNetwork
from gnnfuse.nodes.pretrained.torchaudio_network import PREFIX, TorchaudioNetwork, find_pipeline
from gnnfuse.nodes.pretrained.transformers_library import make_config, read_config, read_processor
from gnnfuse.nodes.pretrained.transformers_network import TransformersSpeechNetwork

TORCHAUDIO_EPSILON, TRANSFORMERS_EPSILON = 1e-5, 1e-7  # each library's own value for normalising waveforms
KALDI_SHIFT = 0.01  # seconds from one frame of AST's spectrogram to the next


@dataclass(frozen=True, kw_only=True)
class AudioArchitecture:
    """A network for recordings.

    Args:
        network: describes how to make it.
        sample_rate: Hz.
        hop: samples from one state to the next.
        margin: samples of silence added around a recording, half on each side, so that every `hop` samples get exactly
            one state: the receptive field minus the hop.
        window: fixed number of states per input of the network; None for any number.
        epsilon: added to the variance when waveforms are normalised to mean 0 and variance 1; None for no
            normalisation.
    """

    network: Network
    sample_rate: int
    hop: int
    margin: int = 0
    window: int | None = None
    epsilon: float | None = None


def audio_architecture(model: str, weights: str | None) -> AudioArchitecture:
    """The architecture of a torchaudio or transformers model.

    Args:
        model: "torchaudio/" and the name of a pipeline, else a name on the hub or a folder.
        weights: which of its weights.

    Raises:
        FileNotFoundError: the model's settings are not available locally and cannot be fetched.
        ValueError: the model is unknown, or of an unsupported kind.
    """
    if model.startswith(PREFIX):
        return _of_torchaudio(model)
    config = read_config(model, weights)
    extractor = read_processor("AutoFeatureExtractor", model, weights)
    match config:
        case {"model_type": "audio-spectrogram-transformer"}:
            return _ast(model, config, extractor)
        case {"model_type": "whisper"}:
            return _whisper(model, config, extractor)
        case {"conv_kernel": kernels, "conv_stride": strides}:
            return _speech(config, extractor, kernels, strides)
    raise ValueError(
        f"{model}: found a model of type {config['model_type']!r}, expected one on waveforms (wav2vec 2.0, HuBERT, "
        "WavLM and their kind), an Audio Spectrogram Transformer or Whisper"
    )


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Samples that one state of a stack of convolutions sees, and samples from one state to the next.

    Example:
        >>> receptive_field([10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2])  # wav2vec 2.0
        (400, 320)
    """
    field, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    return field, hop


def _of_torchaudio(model: str) -> AudioArchitecture:
    pipeline = find_pipeline(model)
    parameters: Mapping[str, Any] = dict(pipeline._params)
    layers = parameters["extractor_conv_layer_config"]
    field, hop = receptive_field([kernel for _, kernel, _ in layers], [stride for _, _, stride in layers])
    network = TorchaudioNetwork(
        kind=pipeline._model_type, parameters=parameters, width=parameters["encoder_embed_dim"], samples=field
    )
    return AudioArchitecture(
        network=network,
        sample_rate=int(pipeline.sample_rate),
        hop=hop,
        margin=field - hop,
        epsilon=TORCHAUDIO_EPSILON if pipeline._normalize_waveform else None,
    )


def _speech(
    config: Mapping[str, Any], extractor: Mapping[str, Any], kernels: Sequence[int], strides: Sequence[int]
) -> AudioArchitecture:
    field, hop = receptive_field(kernels, strides)
    width = make_config(config).hidden_size
    return AudioArchitecture(
        network=TransformersSpeechNetwork(config=config, width=width, samples=field),
        sample_rate=extractor["sampling_rate"],
        hop=hop,
        margin=field - hop,
        epsilon=TRANSFORMERS_EPSILON if extractor["do_normalize"] else None,
    )


def _ast(model: str, config: Mapping[str, Any], extractor: Mapping[str, Any]) -> AudioArchitecture:
    found = extractor["max_length"], extractor["num_mel_bins"]
    expected = config["max_length"], config["num_mel_bins"]
    _check_extractor(model, found, expected)
    rate, patch = extractor["sampling_rate"], config["patch_size"]
    hop = round(KALDI_SHIFT * rate) * config["time_stride"]
    window = (config["max_length"] - patch) // config["time_stride"] + 1
    network = SpectrogramNetwork(
        config=config,
        extractor=extractor,
        width=config["hidden_size"],
        samples=window * hop,
        prefix=2,
        bands=(config["num_mel_bins"] - patch) // config["frequency_stride"] + 1,
    )
    return AudioArchitecture(network=network, sample_rate=rate, hop=hop, window=window)


def _whisper(model: str, config: Mapping[str, Any], extractor: Mapping[str, Any]) -> AudioArchitecture:
    hop, window = 2 * extractor["hop_length"], config["max_source_positions"]
    found = extractor["chunk_length"] * extractor["sampling_rate"], extractor["feature_size"]
    _check_extractor(model, found, (hop * window, config["num_mel_bins"]))
    network = SpectrogramNetwork(
        config=config, extractor=extractor, width=config["d_model"], samples=hop * window, prefix=0, bands=1
    )
    return AudioArchitecture(network=network, sample_rate=extractor["sampling_rate"], hop=hop, window=window)


def _check_extractor(model: str, found: tuple[int, int], expected: tuple[int, int]) -> None:
    if not all(map(math.isclose, found, expected)):
        raise ValueError(
            f"{model}: its feature extractor outputs (length, bands) {found}, expected {expected} as its network takes"
        )
