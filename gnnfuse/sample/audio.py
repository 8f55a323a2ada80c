"""Recordings: from memory or from files, mixed to one channel, at the rate a node type asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.sample.container import refuse_truncated
from gnnfuse.sample.numbers import as_tensor
from gnnfuse.sample.sample import Sample, SignalError

EXPECTED = "a path to a WAV, FLAC, OGG or MP3 file, Audio(samples, sample_rate), or a pair (samples, sample rate)"
SAMPLES = "floats in -1..1, or int8, int16 or int32 of full scale"

LOUDEST = 100.0  # beyond full scale a recording may be loud; this far, its floats are integers
LARGEST_TERM = 1000  # of the ratio of two sample rates; 44,100 to 16,000 Hz is 441 to 160


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class Audio:
    """A recording in memory.

    Args:
        samples: `[frames]` or `[channels, frames]`; floats in -1..1, or int8, int16 or int32 of full scale.
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
        SignalError: the file cannot be read, the recording is empty, or it holds NaN, infinity or numbers far beyond
            full scale.

    Example:
        >>> sample = Sample({"audio": Audio(torch.zeros(800), 8000)})
        >>> read_audio(sample, "audio", sample_rate=16000).shape
        torch.Size([1600])
    """
    value = sample.signals.get(signal)
    if value is None:
        return None
    samples, found_rate = _samples_and_rate(sample, signal, value)
    if (
        samples.ndim not in (1, 2) or 0 < samples.shape[-1] < len(samples) // 4
    ):  # [frames, channels], as soundfile has it
        raise SignalError(sample, signal, f"samples of shape {tuple(samples.shape)}", "[frames] or [channels, frames]")
    if samples.numel() == 0:
        raise SignalError(sample, signal, "an empty recording", "at least one sample")
    if samples.ndim == 2:
        samples = samples.mean(dim=0)
    bad = int((~torch.isfinite(samples)).sum())
    if bad:
        raise SignalError(sample, signal, f"{bad} samples that are NaN or infinite", "finite samples")
    peak = float(samples.abs().max())
    if peak > LOUDEST:
        raise SignalError(sample, signal, f"samples up to {peak:g}", "samples in -1..1 (floats are not rescaled)")
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
    found = as_tensor(sample, signal, "samples", samples, expected=SAMPLES)
    if found.is_floating_point():
        return found.float(), int(rate)
    if found.dtype not in (torch.int8, torch.int16, torch.int32):
        raise SignalError(sample, signal, f"samples of {found.dtype}", SAMPLES)
    return found.float() / -float(torch.iinfo(found.dtype).min), int(rate)


def _from_file(sample: Sample, signal: str, path: Path) -> tuple[Tensor, int]:
    import soundfile

    if not path.is_file():
        raise SignalError(sample, signal, f"no file at {str(path)!r}", EXPECTED)
    try:
        refuse_truncated(path)
        with soundfile.SoundFile(path) as file:
            expected_frames, rate = file.frames, file.samplerate
            frames = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        raise SignalError(sample, signal, f"unreadable recording {str(path)!r} ({error})", EXPECTED) from error
    if len(frames) < expected_frames:
        found = f"truncated recording {str(path)!r} with {len(frames)} of {expected_frames} frames"
        raise SignalError(sample, signal, found, "a whole file")
    return torch.from_numpy(np.ascontiguousarray(frames.T)), rate


@cache
def _resampler(found_rate: int, sample_rate: int) -> nn.Module:
    """The filter's size grows with the terms of the reduced ratio (16,001 to 16,000 Hz would take gigabytes): ratios
    with larger terms are replaced by the nearest with smaller ones, at most a millionth off."""
    from torchaudio.transforms import Resample

    ratio = Fraction(found_rate, sample_rate).limit_denominator(LARGEST_TERM)
    if ratio.numerator == ratio.denominator:
        return nn.Identity()
    resample: nn.Module = Resample(max(1, ratio.numerator), ratio.denominator)
    return resample
