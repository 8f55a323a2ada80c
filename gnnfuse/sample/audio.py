"""Recordings: from memory or from files, mixed to one channel, at the rate a node type asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.sample.sample import Sample, SignalError

EXPECTED = "a path to a WAV, FLAC, OGG or MP3 file, Audio(samples, sample_rate), or a pair (samples, sample rate)"


@dataclass(frozen=True)
class Audio:
    """A recording in memory.

    Args:
        samples: `[frames]` or `[channels, frames]`; floats in -1..1, or signed integers of full scale.
        sample_rate: samples per second.

    Example:
        >>> Audio(torch.zeros(16000), 16000).sample_rate
        16000
    """

    samples: Tensor | np.ndarray
    sample_rate: int


def read_audio(sample: Sample, signal: str, *, sample_rate: int) -> Float[Tensor, "frames"] | None:
    """Read a signal of a sample as a mono waveform.

    Takes a path (WAV, FLAC, OGG, MP3), `Audio`, a pair `(samples, sample rate)`, or a mapping with `array` and
    `sampling_rate` (as Hugging Face datasets decodes them). Channels are averaged.

    Args:
        sample: the sample.
        signal: name of the signal.
        sample_rate: rate of the result in Hz; others are resampled (windowed sinc, torchaudio).

    Returns:
        float32 in -1..1, or None where the sample lacks the signal.

    Raises:
        SignalError: the file cannot be read, the recording is empty, or it holds NaN or infinity.

    Example:
        >>> sample = Sample({"audio": Audio(torch.zeros(800), 8000)})
        >>> read_audio(sample, "audio", sample_rate=16000).shape
        torch.Size([1600])
    """
    value = sample.signals.get(signal)
    if value is None:
        return None
    samples, found_rate = _samples_and_rate(sample, signal, value)
    if samples.ndim == 2:
        samples = samples.mean(dim=0)
    if samples.ndim != 1:
        raise SignalError(sample, signal, f"samples of shape {tuple(samples.shape)}", "[frames] or [channels, frames]")
    if samples.numel() == 0:
        raise SignalError(sample, signal, "an empty recording", "at least one sample")
    bad = int((~torch.isfinite(samples)).sum())
    if bad:
        raise SignalError(sample, signal, f"{bad} samples that are NaN or infinite", "finite samples")
    if found_rate == sample_rate:
        return samples
    resampled: Tensor = _resampler(found_rate, sample_rate)(samples)
    return resampled


def _samples_and_rate(sample: Sample, signal: str, value: object) -> tuple[Tensor, int]:
    match value:
        case str() | Path():
            return _from_file(sample, signal, Path(value))
        case Audio(samples=samples, sample_rate=rate) | (samples, int() | np.integer() as rate):
            pass
        case Mapping() if "array" in value and "sampling_rate" in value:
            samples, rate = value["array"], value["sampling_rate"]
        case _:
            raise SignalError(sample, signal, f"a {type(value).__name__}", EXPECTED)
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not 0 < rate <= 10_000_000:
        raise SignalError(sample, signal, f"sample rate {rate!r}", "a whole number of hertz above 0")
    if not isinstance(samples, Tensor | np.ndarray | list | tuple):
        raise SignalError(sample, signal, f"samples as {type(samples).__name__}", "a tensor or an array")
    return _to_float(torch.as_tensor(samples)), int(rate)


def _to_float(samples: Tensor) -> Tensor:
    if samples.dtype in (torch.int8, torch.int16, torch.int32):
        return samples.float() / -float(torch.iinfo(samples.dtype).min)
    return samples.float()


def _from_file(sample: Sample, signal: str, path: Path) -> tuple[Tensor, int]:
    import soundfile

    if not path.is_file():
        raise SignalError(sample, signal, f"no file at {str(path)!r}", EXPECTED)
    try:
        with soundfile.SoundFile(path) as file:
            expected_frames, rate = file.frames, file.samplerate
            frames = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise SignalError(sample, signal, f"unreadable recording {str(path)!r} ({error})", EXPECTED) from error
    if len(frames) < expected_frames:
        found = f"truncated recording {str(path)!r} with {len(frames)} of {expected_frames} frames"
        raise SignalError(sample, signal, found, "a whole file")
    _refuse_short_wav(sample, signal, path)
    return torch.from_numpy(np.ascontiguousarray(frames.T)), rate


def _refuse_short_wav(sample: Sample, signal: str, path: Path) -> None:
    """libsndfile reads what is left of a truncated WAV in silence: compare the header's size with the file's."""
    with path.open("rb") as file:
        header = file.read(12)
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return
    announced, found = int.from_bytes(header[4:8], "little") + 8, path.stat().st_size
    if found + 1 < announced < 0xFFFFFF00:  # writers to a pipe leave the largest number
        raise SignalError(
            sample,
            signal,
            f"truncated recording {str(path)!r} with {found} of {announced} bytes",
            "a whole file",
        )


@cache
def _resampler(found_rate: int, sample_rate: int) -> nn.Module:
    from torchaudio.transforms import Resample

    resample: nn.Module = Resample(found_rate, sample_rate)
    return resample
