"""What is refused before it is decoded, and media given as bytes."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from gnnfuse.nodes import AudioFrames, ImagePatches
from gnnfuse.sample import (
    Audio,
    Sample,
    SignalError,
    TextFile,
    Unreadable,
    read_audio,
    read_image,
    read_rows,
    read_text,
)
from gnnfuse.sample.audio import _resampler


def png(height: int, width: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float, channels: int = 1, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_bytes_are_read_as_their_file_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(5, 7))
    (tmp_path / "a.wav").write_bytes(wav(0.1, channels=3))
    picture = read_image(Sample({"x": tmp_path / "a.png"}), "x")
    recording = read_audio(Sample({"x": tmp_path / "a.wav"}), "x", sample_rate=8000)
    assert picture is not None
    assert recording is not None
    for name, content in (("a.png", png(5, 7)), ("a.wav", wav(0.1, channels=3))):
        for value in (content, {"bytes": content, "path": "other"}, {"bytes": None, "path": str(tmp_path / name)}):
            sample = Sample({"x": value})
            found = read_image(sample, "x") if name == "a.png" else read_audio(sample, "x", sample_rate=8000)
            assert found is not None
            assert torch.equal(found, picture if name == "a.png" else recording)


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    for value in (png(10, 11), Image.open(io.BytesIO(png(10, 11)))):
        sample = Sample({"image": value})
        assert read_image(sample, "image", max_pixels=110) is not None
        with pytest.raises(SignalError, match=r"a picture of 11 x 10 pixels, expected at most 109 pixels"):
            read_image(sample, "image", max_pixels=109)
    with pytest.raises(SignalError, match="at most 109"):
        ImagePatches(max_pixels=109).nodes(Sample({"image": png(10, 11)}))


def test_a_recording_of_too_many_seconds_is_refused() -> None:
    for value in (wav(2), Audio(torch.zeros(16000), 8000)):
        sample = Sample({"audio": value})
        assert read_audio(sample, "audio", sample_rate=8000, max_seconds=2) is not None
        with pytest.raises(SignalError, match=r"a recording of 2 s .*, expected at most 1\.9 s"):
            read_audio(sample, "audio", sample_rate=8000, max_seconds=1.9)
    with pytest.raises(SignalError, match=r"at most 1\.9 s"):
        AudioFrames(max_seconds=1.9).nodes(Sample({"audio": wav(2)}))


def test_a_recording_that_resampling_would_make_huge_is_refused() -> None:
    with pytest.raises(SignalError, match="frames at either rate"):
        read_audio(Sample({"audio": Audio(torch.zeros(60_000), 100)}), "audio", sample_rate=1_000_000)


@pytest.mark.parametrize(
    ("found_rate", "sample_rate"), [(1_000_000, 16000), (999_999, 16000), (100, 16000), (101, 999)]
)
def test_rates_far_apart_keep_the_pitch_and_need_no_huge_filter(found_rate: int, sample_rate: int) -> None:
    frequency, seconds = min(found_rate, sample_rate) / 20, 2.0
    time = torch.arange(round(seconds * found_rate), dtype=torch.float64) / found_rate
    tone = torch.sin(2 * torch.pi * frequency * time).float()
    found = read_audio(Sample({"audio": Audio(tone, found_rate)}), "audio", sample_rate=sample_rate)
    assert found is not None
    assert abs(len(found) / sample_rate - seconds) < 1e-3 * seconds
    loudest = float(torch.fft.rfft(found).abs().argmax()) * sample_rate / len(found)
    assert abs(loudest - frequency) <= 1e-3 * frequency + sample_rate / len(found)


@pytest.mark.parametrize(
    ("found_rate", "sample_rate"), [(999_983, 16000), (16001, 16000), (101, 15991), (44100, 16000)]
)
def test_a_resampling_filter_stays_small(found_rate: int, sample_rate: int) -> None:
    filters = list(_resampler(found_rate, sample_rate).buffers())
    assert sum(numbers.numel() for numbers in filters) < 10_000_000


def test_a_program_as_a_picture_is_never_run() -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    with pytest.raises(SignalError, match="unreadable picture"):
        read_image(Sample({"image": script}), "image")


def test_pipes_devices_and_folders_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, found in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "device"), (tmp_path, "a directory")):
        for sample in (Sample({"x": path}), Sample({"x": TextFile(path)})):
            with pytest.raises(SignalError, match=found):
                read_text(sample, "x") if isinstance(sample.signals["x"], TextFile) else read_image(sample, "x")
        with pytest.raises(SignalError, match=found):
            read_audio(Sample({"x": path}), "x", sample_rate=8000)


@pytest.mark.skipif(os.name == "nt", reason="backslashes separate folders there")
def test_backslashes_are_named_as_the_cause(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/b.png", "a\\c.png"):
        (tmp_path / name).write_bytes(png(3, 4))
    assert read_image(Sample({"x": tmp_path / "a\\c.png"}), "x") is not None
    for value in (tmp_path / "a\\b.png", TextFile(tmp_path / "a\\b.png")):
        sample = Sample({"x": value})
        with pytest.raises(SignalError, match=r"no file at .* \(its backslashes separate folders on Windows only\)"):
            read_text(sample, "x") if isinstance(value, TextFile) else read_image(sample, "x")


def test_a_text_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content, expected in ((b"caf\xc3\xa9", "café"), (b"\xef\xbb\xbfmark", "mark"), (b"", "")):
        path.write_bytes(content)
        assert read_text(Sample({"text": TextFile(path)}), "text") == expected
    path.write_bytes(b"caf\xe9")
    with pytest.raises(SignalError, match=r"bytes that are not UTF-8 at .*a.txt' .*at byte 3"):
        read_text(Sample({"text": TextFile(path)}), "text")
    with pytest.raises(SignalError, match=r"no file at .*none.txt"):
        read_text(Sample({"text": TextFile(tmp_path / "none.txt")}), "text")


def test_every_reader_says_what_an_unreadable_signal_says() -> None:
    sample = Sample({"x": Unreadable("a hole", "a hill")}, id="seven")
    for read in (read_image, read_text, read_rows, lambda s, name: read_audio(s, name, sample_rate=8000)):
        with pytest.raises(SignalError, match="sample 'seven', signal 'x': found a hole, expected a hill"):
            read(sample, "x")
        assert read(sample, "y") is None
