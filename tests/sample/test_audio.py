import io
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from gnnfuse.sample import Audio, Sample, SignalError, read_audio

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def read(value: object, sample_rate: int = 16000) -> Tensor:
    waveform = read_audio(Sample({"audio": value}, id="seven"), "audio", sample_rate=sample_rate)
    assert waveform is not None
    assert waveform.dtype == torch.float32
    return waveform


def sine(frequency: float, sample_rate: int, seconds: float = 1.0) -> Tensor:
    time = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    return (0.5 * torch.sin(2 * math.pi * frequency * time)).float()


def write(path: Path, samples: np.ndarray, sample_rate: int = 16000) -> Path:
    container, subtype = FORMATS[path.name.partition(".")[2]]
    soundfile.write(path, samples, sample_rate, format=container, subtype=subtype)
    return path


def loudest_frequency(waveform: Tensor, sample_rate: int) -> float:
    spectrum = torch.fft.rfft(waveform * torch.hann_window(len(waveform))).abs()
    return float(spectrum.argmax()) * sample_rate / len(waveform)


def refused(value: object, *, found: str, expected: str = "") -> None:
    with pytest.raises(SignalError, match=rf"sample 'seven', signal 'audio': found .*{found}.*, expected .*{expected}"):
        read(value)


def test_an_absent_recording_is_none() -> None:
    assert read_audio(Sample({"speech": Audio(torch.zeros(5), 8)}), "audio", sample_rate=8) is None


def test_every_way_to_give_the_same_recording_gives_the_same_waveform(tmp_path: Path) -> None:
    wave = sine(440, 16000)
    path = write(tmp_path / "a.float.wav", wave.numpy())
    ways: list[object] = [
        Audio(wave, 16000),
        Audio(wave.numpy(), 16000),
        Audio(wave.unsqueeze(0), 16000),
        (wave, 16000),
        (wave.tolist(), np.int64(16000)),
        (wave.numpy().astype(">f4"), 16000),
        [wave.double(), 16000],
        {"array": wave.numpy(), "sampling_rate": 16000},
        path,
        str(path),
    ]
    for value in ways:
        assert torch.equal(read(value), wave)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_integers_of_full_scale_become_floats_of_full_scale(dtype: type[np.signedinteger]) -> None:
    low = int(np.iinfo(dtype).min)
    found = read((np.array([low, 0, low // -2], dtype=dtype), 16000))
    assert found.tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_file_type_keeps_length_level_and_pitch(tmp_path: Path, kind: str, channels: int) -> None:
    wave = sine(440, 16000)
    path = write(tmp_path / f"a.{kind}", np.stack([wave.numpy()] * channels, axis=1))
    found = read(path)
    assert len(found) == len(wave)
    assert loudest_frequency(found, 16000) == 440
    if kind in ("wav", "float.wav", "flac"):
        assert float((found - wave).abs().max()) <= 2.0**-15
    else:  # lossy: the same power within a decibel
        assert abs(10 * math.log10(float(found.square().mean() / wave.square().mean()))) < 1


@pytest.mark.parametrize("found_rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_resampling_keeps_a_sine_and_its_length(found_rate: int, sample_rate: int) -> None:
    found = read((sine(440, found_rate), found_rate), sample_rate)
    expected = sine(440, sample_rate)
    assert len(found) == math.ceil(found_rate * sample_rate / found_rate)
    inner = slice(sample_rate // 10, -sample_rate // 10)  # the filter sees silence beyond both ends
    assert float((found - expected)[inner].abs().max()) < 1e-2
    assert loudest_frequency(found, sample_rate) == 440


@pytest.mark.parametrize("frames", [1, 2, 7, 100, 12345])
def test_a_resampled_recording_spans_the_same_time(frames: int) -> None:
    assert len(read((torch.zeros(frames), 44100), 16000)) == math.ceil(frames * 16000 / 44100)


def test_resampling_lets_no_frequency_fold_over() -> None:
    found = read((sine(7000, 16000), 16000), 8000)
    assert float(found[800:-800].abs().max()) < 1e-2


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = sine(440, 16000), sine(1000, 16000)
    expected = (left + right) / 2
    stereo = torch.stack([left, right])
    path = write(tmp_path / "a.float.wav", stereo.T.numpy())
    for value in (Audio(stereo, 16000), (stereo.numpy(), 16000), path):
        torch.testing.assert_close(read(value), expected, rtol=0, atol=1e-7)


def test_frames_before_channels_are_refused_rather_than_averaged_away() -> None:
    stereo = torch.stack([sine(440, 16000)] * 2, dim=1)
    refused((stereo, 16000), found=r"samples of shape \(16000, 2\)", expected=r"\[channels, frames\]")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48000)
    path = write(tmp_path / f"a.{kind}", noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, found=r"(unreadable|truncated|an empty file)", expected="file")


def test_an_ogg_file_without_its_last_page_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", np.random.default_rng(0).uniform(-0.5, 0.5, 160000))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    refused(path, found="truncated", expected="file")


WRITERS = {  # sizes that writers to a pipe leave: of the whole after 8 bytes, and of the samples
    "ffmpeg": (0xFFFFFFFF, 0xFFFFFFFF),
    "ffmpeg, sized": (0xFFFFFFFF, 32000),
    "sox": (0x7FFFF024, 0x7FFFF000),
    "arecord": (0x80000024, 0x80000000),
    "largest signed": (0x7FFFFFFF, 0x7FFFFFDB),
    "largest signed samples": (0x80000023, 0x7FFFFFFF),
    "unsigned": (0xFFFFFFFF, 0xFFFFFFDB),
    "whole frames": (0x7FFFEFF4, 0x7FFFEFD0),
}


def wav(whole: int, samples: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sine(440, 16000).numpy(), 16000, format="WAV", subtype="PCM_16")
    content = bytearray(file.getvalue())
    content[4:8], content[40:44] = struct.pack("<I", whole), struct.pack("<I", samples)
    return bytes(content)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_wav_file_written_to_a_pipe_has_no_size_and_is_read_to_its_end(writer: str) -> None:
    assert torch.equal(read(wav(*WRITERS[writer])), read(wav(32036, 32000)))


@pytest.mark.parametrize("size", [32038, 64036, 0x10000024, 0x7EFF0000, 0x7FFF0000, 0x80010024, 0xFFFF0000])
def test_a_wav_file_that_is_shorter_than_an_ordinary_size_is_refused(size: int) -> None:
    refused(wav(size, size - 36), found=rf"truncated: 32044 of {size + 8} bytes")


@pytest.mark.parametrize("size", [0, 36])
def test_a_wav_file_whose_header_was_never_finished_is_named(size: int) -> None:
    refused(wav(size, 0), found="unfinished: its header announces no samples, though 32000 bytes follow; rewrite it")
    refused(wav(36, 0)[:44], found="an empty recording")


CONTAINERS = {  # with where the size stands, and what a writer to a pipe leaves there
    "AIFF": (4, struct.pack(">I", 0x7F00002E)),
    "AU": (8, struct.pack(">I", 0xFFFFFFFF)),
    "W64": (16, struct.pack("<Q", 2**64 - 1)),
    "RF64": (20, struct.pack("<Q", 2**63 - 1)),
    "NIST": (0, b""),
    "SVX": (4, bytes(4)),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_other_containers_are_whole_or_of_unknown_size(kind: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, sine(440, 16000).numpy(), 16000, format=kind, subtype="PCM_16")
    content, (place, size) = file.getvalue(), CONTAINERS[kind]
    assert torch.equal(read(content), read(wav(32036, 32000)))
    refused(content[:-5000], found=r"truncated: \d+ of \d+ bytes")
    unknown = content[:place] + size + content[place + len(size) :]
    assert torch.equal(read(unknown), read(wav(32036, 32000)))


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\0\0\0\x20ftypM4A ", "an M4A recording; convert it, as by `ffmpeg -i FILE new.wav`"),
        (b"\0\0\0\x20ftypisom", r"an MPEG-4 file \(MP4, MOV\)"),
        (b"\xff\xf1\x50\x80", "an AAC recording"),
        (b"\x1a\x45\xdf\xa3", "a WebM or Matroska file"),
        (b"\n<!doctype html>", "an HTML page, perhaps from a failed download"),
        (b"\x01\x02\x03\x04", "it begins with the bytes 01 02 03 04"),
    ],
)
def test_files_of_other_kinds_are_named(head: bytes, found: str) -> None:
    refused(
        head + bytes(4096), found=rf"unreadable recording embedded bytes \({found}", expected="WAV, FLAC, OGG or MP3"
    )


@pytest.mark.parametrize("way", ["Audio", "PCM_16", "FLOAT"])
def test_channels_that_cancel_out_are_warned_of(way: str, recwarn: pytest.WarningsRecorder) -> None:
    tone, other = sine(440, 16000), sine(1000, 16000)

    def warned(*channels: Tensor) -> list[str]:
        samples, file = torch.stack(channels), io.BytesIO()
        soundfile.write(file, samples.T.numpy(), 16000, format="WAV", subtype="FLOAT" if way == "Audio" else way)
        read(Audio(samples, 16000) if way == "Audio" else file.getvalue())
        messages = [str(recwarn.pop().message) for _ in range(len(recwarn))]
        assert all(f"signal 'audio': found recordings of {len(channels)} channels whose mean" in m for m in messages)
        return messages

    none = torch.zeros_like(tone)
    assert len(warned(tone, -tone)) == 1
    assert len(warned(none, none, tone, none, none, none)) == 1  # a film's voice in the centre
    for fine in ((tone,), (none, none), (tone, tone), (tone, other), (tone, none), (tone, other, none, none)):
        assert warned(*fine) == []


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("not a recording")
    refused(tmp_path / "a.wav", found="unreadable recording .*a.wav", expected="WAV, FLAC, OGG or MP3")
    refused(tmp_path / "b.wav", found="no file at .*b.wav", expected="WAV, FLAC, OGG or MP3")
    refused(tmp_path, found="no file at")
    refused(b"RIFF", found="unreadable recording embedded bytes")
    for value in (3, torch.zeros(5), (16000, torch.zeros(5)), (torch.zeros(5), 16000, 1), {"array": [0.0]}):
        refused(value, found=f"a {type(value).__name__}", expected="a pair")


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_file_of_its_kind_is_refused(tmp_path: Path, kind: str) -> None:
    refused(write(tmp_path / f"a.{kind}", np.zeros(0)), found="(an empty recording|an empty file|unreadable)")


@pytest.mark.parametrize("shape", [(0,), (1, 0), (2, 0), (0, 5)])
def test_an_empty_recording_is_refused(shape: tuple[int, ...]) -> None:
    refused((torch.zeros(shape), 16000), found="an empty recording", expected="at least one sample")


@pytest.mark.parametrize("shape", [(), (1, 1, 5)])
def test_another_number_of_axes_is_refused(shape: tuple[int, ...]) -> None:
    refused((torch.zeros(shape), 16000), found="samples of shape", expected=r"\[frames\] or \[channels, frames\]")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_counted_and_refused(tmp_path: Path, bad: float) -> None:
    samples = torch.zeros(100)
    samples[[3, 4]] = bad
    path = write(tmp_path / "a.float.wav", samples.numpy())
    for value in (Audio(samples, 16000), path):
        refused(value, found="2 samples that are NaN or infinite", expected="finite")


@pytest.mark.parametrize("rate", [0, -1, 16000.0, "16000", True, None, 10**9])
def test_a_rate_that_is_none_is_refused(rate: object) -> None:
    refused({"array": torch.zeros(5), "sampling_rate": rate}, found=f"sample rate {rate!r}", expected="hertz")


@pytest.mark.parametrize(
    "samples",
    [
        "abc",
        None,
        ["a"],
        [[0.0], [0.0, 1.0]],
        np.array([None]),
        np.zeros(5, dtype=np.uint8),
        [0, 1000, -1000],
        np.zeros(5, dtype=bool),
        np.zeros(5, dtype=complex),
    ],
    ids=repr,
)
def test_samples_without_a_known_scale_are_refused(samples: object) -> None:
    refused({"array": samples, "sampling_rate": 16000}, found="samples (as|of)", expected=r"floats in -1\.\.1")


def test_reading_changes_nothing_and_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    samples = np.zeros(800, dtype=np.float32)
    samples.flags.writeable = False
    read(Audio(samples, 8000))
    read(Audio(samples, 16000))
    assert not samples.any()
    assert not [str(warning.message) for warning in recwarn]


def test_nearly_equal_rates_resample_like_their_neighbours() -> None:
    """The exact ratio 16,001 to 16,000 would need a filter of gigabytes."""
    tone = torch.sin(torch.arange(16001) * 0.05)
    near = read_audio(Sample({"audio": Audio(tone, 16001)}), "audio", sample_rate=16000)
    assert near is not None
    assert torch.equal(near, tone)
    odd = read_audio(Sample({"audio": Audio(tone, 22051)}), "audio", sample_rate=16000)
    even = read_audio(Sample({"audio": Audio(tone, 22050)}), "audio", sample_rate=16000)
    assert odd is not None
    assert even is not None
    assert (odd[: len(even) - 100] - even[: len(odd)][: len(even) - 100]).abs().max() < 0.05


@pytest.mark.parametrize("kind", ["wav", "aiff", "flac"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_integers_in_files_become_the_floats_that_libsndfile_makes(
    tmp_path: Path, kind: str, subtype: str, channels: int
) -> None:
    every = np.arange(-(2**15), 2**15, dtype=np.int16)
    samples = np.stack([np.roll(every, 7 * channel) for channel in range(channels)], axis=1).repeat(3, axis=0)
    soundfile.write(tmp_path / f"a.{kind}", samples, 16000, subtype=subtype)  # longer than one block
    floats, _ = soundfile.read(tmp_path / f"a.{kind}", dtype="float32", always_2d=True)
    expected = torch.from_numpy(floats[:, 0]) if channels == 1 else torch.from_numpy(floats.T).mean(dim=0)
    assert torch.equal(read(tmp_path / f"a.{kind}"), expected)


def encoded(kind: str, samples: int, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sine(440, 16000).numpy()[:samples], 16000, format=kind, subtype=subtype)
    return file.getvalue()


def test_chained_ogg_streams_are_read_one_after_the_other() -> None:
    first, second = encoded("OGG", 9000), encoded("OGG", 4000, "OPUS")
    assert torch.equal(read(first + second + first), torch.cat([read(first), read(second), read(first)]))
    refused(first + second[:-20], found="truncated: no last Ogg page")
    page, next_page = b"OggS\0\2" + bytes(21), b"OggS\0\4" + bytes(21)
    refused((page + next_page) * 1001, found="joined from more than 1,000 files")


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC", "OGG"])
def test_a_file_of_any_kind_may_stand_behind_an_id3_tag(kind: str) -> None:
    content, tag = encoded(kind, 9000), b"ID3\4\0\0\0\0\0\5" + bytes(5)
    assert torch.equal(read(tag + content), read(content))
    if kind != "FLAC":  # whose frames libsndfile counts itself
        refused((tag + content)[:-1000], found="truncated: ")


def test_an_unreadable_file_has_the_same_message_in_every_process() -> None:
    refused(b"RIFF", found=r"unreadable recording embedded bytes \(Format not recognised\.\)")
