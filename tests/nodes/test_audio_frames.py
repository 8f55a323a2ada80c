import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from gnnfuse.edges import Aligned
from gnnfuse.nodes import AudioFrames, LogMelFrames, NodeSet, WaveformFrames
from gnnfuse.sample import Audio, Sample, SignalError, read_audio


def wave(samples: int) -> Tensor:
    return torch.rand(samples, generator=torch.Generator().manual_seed(0)) - 0.5


def nodes_of(node_type: AudioFrames, waveform: Tensor) -> NodeSet:
    nodes = node_type.nodes(Sample({"audio": Audio(waveform, node_type.sample_rate)}, id="seven"))
    assert nodes is not None
    assert nodes.time is not None
    return nodes


def oracle(waveform: Tensor, hop: int, window: int) -> list[list[float]]:
    frames, start = [], 0
    samples = waveform.tolist()
    while True:
        frames.append([samples[i] if i < len(samples) else 0.0 for i in range(start, start + window)])
        if start + window >= len(samples):
            return frames
        start += hop


@pytest.mark.parametrize("samples", [1, 2, 9, 10, 11, 19, 20, 21, 100, 137])
@pytest.mark.parametrize(("hop", "window"), [(10, None), (10, 10), (10, 15), (7, 20), (1, 1)])
def test_no_sample_is_lost_and_times_are_right_to_the_sample(samples: int, hop: int, window: int | None) -> None:
    rate = 1000
    frames = AudioFrames(
        sample_rate=rate,
        hop=hop / rate,
        window=None if window is None else window / rate,
        encoding=WaveformFrames(),
    )
    nodes = nodes_of(frames, wave(samples))
    expected = oracle(wave(samples), hop, window or hop)
    assert nodes.shape == (len(expected),)
    assert torch.equal(nodes.values, torch.tensor(expected))
    spans = [[Fraction(i * hop, rate), Fraction(i * hop + (window or hop), rate)] for i in range(len(expected))]
    assert nodes.time is not None
    assert torch.equal(nodes.time, torch.tensor([[float(start), float(end)] for start, end in spans]))
    assert nodes.position is None


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
@pytest.mark.parametrize("hop", [0.01, 0.02, 1 / 30, 0.05])
def test_a_frame_ends_exactly_where_the_next_begins(rate: int, hop: float) -> None:
    frames = AudioFrames(sample_rate=rate, hop=hop, encoding=WaveformFrames())
    nodes = nodes_of(frames, torch.zeros(20 * rate))
    assert nodes.time is not None
    assert torch.equal(nodes.time[:-1, 1], nodes.time[1:, 0])
    edges = Aligned().edges(nodes, NodeSet(nodes.values, nodes.shape, time=nodes.time))
    assert torch.equal(edges[0], edges[1])  # spans that only touch do not overlap


def test_recordings_of_other_rates_span_the_same_time() -> None:
    frames = AudioFrames(sample_rate=16000, hop=0.05)
    sample = Sample({"audio": Audio(torch.zeros(44100), 44100)})
    nodes = frames.nodes(sample)
    assert nodes is not None
    assert nodes.num_nodes == 20


def test_an_absent_recording_has_no_node_set() -> None:
    assert AudioFrames().nodes(Sample({"speech": Audio(torch.zeros(5), 8000)})) is None


def test_truncating_keeps_the_first_frames() -> None:
    whole = nodes_of(AudioFrames(sample_rate=1000, hop=0.01), wave(95))
    nodes = nodes_of(AudioFrames(sample_rate=1000, hop=0.01, max_nodes=4, overflow="truncate"), wave(95))
    assert (nodes.shape, nodes.dropped) == ((4,), 6)
    assert torch.equal(nodes.values, whole.values[:4])
    assert whole.time is not None
    assert nodes.time is not None
    assert torch.equal(nodes.time, whole.time[:4])


def test_pooling_averages_neighbours_and_joins_their_spans() -> None:
    whole = nodes_of(AudioFrames(sample_rate=1000, hop=0.01), wave(95))
    nodes = nodes_of(AudioFrames(sample_rate=1000, hop=0.01, max_nodes=4, overflow="pool"), wave(95))
    assert (nodes.shape, nodes.dropped) == ((4,), 6)  # 3 + 3 + 3 + 1
    assert whole.time is not None
    assert nodes.time is not None
    for i in range(4):
        run = slice(3 * i, 3 * i + 3)
        torch.testing.assert_close(nodes.values[i], whole.values[run].mean(dim=0))
        assert nodes.time[i].tolist() == [float(whole.time[run, 0].min()), float(whole.time[run, 1].max())]


def test_raising_names_the_sample_and_both_numbers() -> None:
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'audio': found 10 nodes, expected at most 9"):
        nodes_of(AudioFrames(sample_rate=1000, hop=0.01, max_nodes=9, overflow="raise"), wave(95))


@pytest.mark.parametrize(
    "arguments",
    [{"hop": 0.0}, {"hop": -1.0}, {"hop": 0.05, "window": 0.04}, {"sample_rate": 0}, {"max_nodes": 0}],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        AudioFrames(**arguments)


def test_raw_slices_cannot_be_averaged() -> None:
    with pytest.raises(ValueError, match=r"overflow='pool' cannot average the values of WaveformFrames"):
        AudioFrames(encoding=WaveformFrames(), overflow="pool")


def test_silence_has_finite_spectra() -> None:
    for samples in (1, 16000):
        nodes = nodes_of(AudioFrames(encoding=LogMelFrames()), torch.zeros(samples))
        assert bool(torch.isfinite(nodes.values).all())
        assert math.isclose(float(nodes.values.std(correction=0)), 0.0, abs_tol=1e-6)


def test_it_provides_order_and_times() -> None:
    assert AudioFrames().provides == {"order", "time"}


@pytest.mark.parametrize("frames", [1, 99, 100, 101, 250, 300])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["PCM_16", "PCM_U8", "FLOAT", "flac"])
@pytest.mark.parametrize("options", [{}, {"window": 0.15}, {"sample_rate": 500}, {"max_nodes": 2}])
def test_a_file_gives_what_its_waveform_gives(
    tmp_path: Path, frames: int, channels: int, kind: str, options: dict[str, Any]
) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (frames, channels)).astype(np.float32)
    path = tmp_path / ("a.flac" if kind == "flac" else "a.wav")
    soundfile.write(path, samples, 1000, subtype=None if kind == "flac" else kind)
    for encoding in (WaveformFrames(), LogMelFrames(mels=4)):
        node_type = AudioFrames(**{"sample_rate": 1000, "hop": 0.1, "encoding": encoding, **options})
        sample = Sample({"audio": path})
        waveform = read_audio(sample, "audio", sample_rate=node_type.sample_rate)
        assert waveform is not None
        found, expected = node_type.nodes(sample), nodes_of(node_type, waveform)
        assert found is not None
        assert found.time is not None
        assert expected.time is not None
        assert torch.equal(found.values, expected.values)
        assert torch.equal(found.time, expected.time)
        assert (found.shape, found.dropped) == (expected.shape, expected.dropped)
