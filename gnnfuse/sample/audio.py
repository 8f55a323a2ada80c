"""Recordings from memory or files, mixed to one channel, at the rate that a node type needs."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from gnnfuse.sample.container import recordings_in
from gnnfuse.sample.files import media_source
from gnnfuse.sample.numbers import as_tensor
from gnnfuse.sample.sample import Sample, SignalError
from gnnfuse.sample.unreadable import signal_of

if TYPE_CHECKING:
    from soundfile import SoundFile

EXPECTED = (
    "a path to a WAV, FLAC, OGG or MP3 file or its bytes, Audio(samples, sample_rate), or a pair (samples, sample rate)"
)
SAMPLES = "floats in -1..1, or int8, int16 or int32 of full scale"

LOUDEST = 100.0  # floats may exceed full scale (1.0); beyond this they must be unscaled integers
LARGEST_TERM = 1000  # terms of the ratio of two sample rates; 44,100 to 16,000 Hz is 441 to 160
RATES = (100, 1_000_000)  # Hz; from slow sensors played as sound to ultrasound
MAX_SECONDS = 1800.0  # half an hour of one channel at 48 kHz is 350 MB of floats
MAX_FRAMES = 1 << 28  # a gigabyte of floats, whatever the rate
Room = Callable[[int], Tensor]
LOOK = 7  # every seventh sample is examined
LOST = 0.1  # share of the loudest channel's power; the mean of n uncorrelated channels keeps 1/n of it
BLOCK = 1 << 17  # frames read at once: memory holds all channels of one block, but only the mean of the recording


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class Audio:
    """A recording in memory.

    Args:
        samples: `[frames]` or `[channels, frames]`; floats in -1..1, or full-scale int8, int16 or int32.
        sample_rate: samples per second.

    Example:
        >>> Audio(torch.zeros(16000), 16000).sample_rate
        16000
    """

    samples: Tensor | np.ndarray
    sample_rate: int


def read_audio(
    sample: Sample, signal: str, *, sample_rate: int, max_seconds: float = MAX_SECONDS
) -> Float[Tensor, "frames"] | None:
    """Read a signal of a sample as a mono waveform.

    Accepts a path or a file's bytes (WAV, FLAC, OGG, MP3), `Audio`, a pair `(samples, sample rate)`, or a mapping with
    `bytes` and `path` or with `array` and `sampling_rate` (as Hugging Face datasets stores and decodes them). Channels
    are averaged, with a warning if that loses nine tenths of the loudest one's power. MP3 files or Ogg streams joined
    in one file are read one after the other. Rates are 100 Hz to 1 MHz.

    Args:
        sample: the sample.
        signal: name of the signal.
        sample_rate: rate of the result in Hz; others are resampled (windowed sinc, torchaudio).
        max_seconds: longer recordings are refused before decoding, as are those of more than 2^28 frames.

    Returns:
        float32 in -1..1, or None where the sample lacks the signal.

    Raises:
        SignalError: no ordinary file, an unreadable or truncated one, a rate out of range, or a recording that is
            empty, too long, or holds NaN, infinity or numbers far beyond full scale.

    Example:
        >>> sample = Sample({"audio": Audio(torch.zeros(800), 8000)})
        >>> read_audio(sample, "audio", sample_rate=16000).shape
        torch.Size([1600])
    """
    return read_audio_into(_new_memory, sample, signal, sample_rate=sample_rate, max_seconds=max_seconds)


def read_audio_into(
    room: Room, sample: Sample, signal: str, *, sample_rate: int, max_seconds: float = MAX_SECONDS
) -> Float[Tensor, "frames"] | None:
    """Like `read_audio`, but decodes a file that has the requested rate into the memory that `room` returns.

    Args:
        room: called at most once, with the number of frames that the file announces.
        sample: the sample.
        signal: name of the signal.
        sample_rate: as for `read_audio`.
        max_seconds: as for `read_audio`.

    Raises:
        SignalError: as `read_audio`.
    """
    value = signal_of(sample, signal)
    if value is None:
        return None
    source = media_source(sample, signal, value, expected=EXPECTED)
    if source is not None:
        samples, found_rate, whole = _decode(
            sample, signal, *source, room=room, sample_rate=sample_rate, max_seconds=max_seconds
        )
    else:
        (samples, found_rate), whole = _samples_and_rate(sample, signal, value), False
    if samples.ndim not in (1, 2) or 0 < samples.shape[-1] < len(samples) // 4:  # [frames, channels], as in soundfile
        raise SignalError(sample, signal, f"samples of shape {tuple(samples.shape)}", "[frames] or [channels, frames]")
    if samples.numel() == 0:
        raise SignalError(sample, signal, "an empty recording", "at least one sample")
    _refuse_long(sample, signal, samples.shape[-1], found_rate, sample_rate, max_seconds)
    if samples.ndim == 2:
        some = samples[:, ::LOOK].double()
        samples = samples.mean(dim=0)
        _warn_of_losses(signal, some.square().sum(dim=1).tolist(), float(some.mean(dim=0).square().sum()))
    if not whole:
        _refuse_numbers(sample, signal, samples)
    if found_rate == sample_rate:
        return samples
    resampled: Tensor = _resampler(found_rate, sample_rate)(samples)
    return resampled


def _refuse_numbers(sample: Sample, signal: str, samples: Tensor) -> None:
    low, high = (float(end) for end in torch.aminmax(samples))  # NaN if any sample is
    peak = max(-low, high)
    if not math.isfinite(peak):
        bad = int((~torch.isfinite(samples)).sum())
        raise SignalError(sample, signal, f"{bad} samples that are NaN or infinite", "finite samples")
    if peak > LOUDEST:
        raise SignalError(sample, signal, f"samples up to {peak:g}", "samples in -1..1 (floats are not rescaled)")


def _samples_and_rate(sample: Sample, signal: str, value: object) -> tuple[Tensor, int]:
    match value:
        case Audio(samples=samples, sample_rate=rate) | (samples, int() | np.integer() as rate):
            pass
        case Mapping() if "array" in value and "sampling_rate" in value:
            samples, rate = value["array"], value["sampling_rate"]
        case _:
            raise SignalError(sample, signal, f"a {type(value).__name__}", EXPECTED)
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer):
        raise SignalError(sample, signal, f"sample rate {rate!r}", "a whole number of hertz")
    _check_rate(sample, signal, int(rate))
    found = as_tensor(sample, signal, "samples", samples, expected=SAMPLES)
    if found.is_floating_point():
        return found.float(), int(rate)
    if found.dtype not in (torch.int8, torch.int16, torch.int32):
        raise SignalError(sample, signal, f"samples of {found.dtype}", SAMPLES)
    return found.float() / -float(torch.iinfo(found.dtype).min), int(rate)


def _check_rate(sample: Sample, signal: str, rate: int) -> None:
    lowest, highest = RATES
    if not lowest <= rate <= highest:
        raise SignalError(sample, signal, f"sample rate {rate!r}", f"{lowest:,} to {highest:,} hertz")


def _refuse_long(
    sample: Sample, signal: str, frames: int, found_rate: int, sample_rate: int, max_seconds: float
) -> None:
    """Also refuse a recording that resampling would make far longer."""
    longest = max(frames, frames * sample_rate // found_rate)
    if frames > max_seconds * found_rate or longest > MAX_FRAMES:
        found = f"a recording of {frames / found_rate:.0f} s ({frames:,} frames at {found_rate} Hz)"
        raise SignalError(
            sample, signal, found, f"at most {max_seconds:g} s (max_seconds) and {MAX_FRAMES:,} frames at either rate"
        )


def _decode(
    sample: Sample, signal: str, name: str, source: Path | BytesIO, *, room: Room, sample_rate: int, max_seconds: float
) -> tuple[Tensor, int, bool]:
    """Samples, rate, and whether the file holds integers, which are within full scale."""
    import soundfile

    try:
        with ExitStack() as stack:
            found = recordings_in(source, max_seconds=max_seconds)
            files = [stack.enter_context(soundfile.SoundFile(each.file)) for each in found]
            rate = _rate_of(files)
            _check_rate(sample, signal, rate)
            lengths = [each.frames or int(file.frames) for each, file in zip(found, files, strict=True)]
            _refuse_long(sample, signal, sum(lengths), rate, rate, max_seconds)
            whole = all(str(file.subtype).startswith("PCM_") for file in files)
            mono = (room if rate == sample_rate else _new_memory)(sum(lengths))
            count, rest = 0, mono.numpy()
            for file, length in zip(files, lengths, strict=True):
                count += _mono(file, rest[:length], signal)
                rest = rest[length:]
    except SignalError:
        raise
    except Exception as error:  # decoders may raise anything on a damaged file
        reason = getattr(error, "error_string", error)  # libsndfile's message without the file, which `name` gives
        raise SignalError(sample, signal, f"unreadable recording {name} ({reason})", EXPECTED) from error
    if count < len(mono):
        what = f"truncated recording {name} with {count} of {len(mono)} frames"
        raise SignalError(sample, signal, what, "a whole file")
    return mono, rate, whole


def _rate_of(files: "Sequence[SoundFile]") -> int:
    rates = sorted({int(file.samplerate) for file in files})
    if len(rates) > 1:
        raise ValueError(f"joined recordings of different sample rates: {', '.join(map(str, rates))} Hz")
    return rates[0]


def _new_memory(frames: int) -> Float[Tensor, "frames"]:
    return torch.from_numpy(np.empty(frames, np.float32))  # pages are allocated only when written


def _mono(file: "SoundFile", out: NDArray[np.float32], signal: str) -> int:
    """Fill `out` with the mean of a file's channels, block by block; return the number of samples, fewer only if the
    file ends early.

    16-bit samples are read as integers: libsndfile needs three times as long to convert them to the same floats.
    FLAC is decoded to either.
    """
    found, power, mean_power = 0, np.zeros(file.channels), 0.0
    short = file.subtype == "PCM_16" and file.format != "FLAC"
    while found < len(out):
        part = out[found : found + BLOCK]
        if file.channels == 1 and not short:
            count = len(file.read(out=part))
        else:
            block = file.read(len(part), dtype="int16" if short else "float32", always_2d=True)
            count = len(block)
            _average(block, part[:count])
            if file.channels > 1:
                some = block[::LOOK].astype(np.float64) * (2.0**-15 if short else 1.0)
                power += np.einsum("fc,fc->c", some, some)
                mean_power += float(np.square(part[:count:LOOK], dtype=np.float64).sum())
        if not count:
            break
        found += count
    _warn_of_losses(signal, power.tolist(), mean_power)
    return found


def _average(block: NDArray[Any], out: NDArray[Any]) -> None:
    """Write the mean of a block's channels `[frames, channels]`, full scale as 1."""
    if block.dtype == np.int16:
        scale = np.float32(2**-15)
        if block.shape[1] == 1:
            np.multiply(block[:, 0], scale, out=out)
            return
        block = block * scale
    out[:] = torch.from_numpy(block.T).mean(dim=0).numpy()


def _warn_of_losses(signal: str, power: list[float], mean_power: float) -> None:
    """Warn if the mean of the channels is far quieter than one of them; never for silence, one channel or NaN."""
    if len(power) > 1 and mean_power < LOST * max(power):
        warnings.warn(
            f"signal {signal!r}: found recordings of {len(power)} channels whose mean has less than a tenth of the "
            "power of the loudest channel (opposite phase, or sound in few of many channels), expected channels "
            "whose mean keeps the sound; to mix them differently, pass recordings of one channel",
            stacklevel=2,
        )


@cache
def _resampler(found_rate: int, sample_rate: int) -> nn.Module:
    """The filter's size grows with the product of the terms of the reduced ratio (16,001 to 16,000 Hz would take
    gigabytes). Ratios with larger terms are replaced by the nearest whose product is at most a million: an error of a
    millionth for neighbouring rates, of at most a ten-thousandth for rates a hundred times apart."""
    from torchaudio.transforms import Resample

    apart = max(found_rate, sample_rate) // min(found_rate, sample_rate)
    low_term = max(1, LARGEST_TERM // max(1, isqrt(apart)))
    ratio = Fraction(max(found_rate, sample_rate), min(found_rate, sample_rate)).limit_denominator(low_term)
    if ratio == 1:
        return nn.Identity()
    high, low = ratio.numerator, ratio.denominator
    resample: nn.Module = Resample(high, low) if found_rate > sample_rate else Resample(low, high)
    return resample
