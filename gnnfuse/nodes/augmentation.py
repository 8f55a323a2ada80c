"""Random changes of pictures and recordings for training; every draw comes from the generator that is passed in."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.sample import Audio, Sample, read_text

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
Reader = Callable[[Sample], Tensor | None]


@dataclass(frozen=True)
class InTurn:
    """Several augmentations, one after the other.

    Example:
        >>> change = InTurn((ImageShift(2), ImageFlip()))
        >>> change(torch.rand(3, 8, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([3, 8, 8])
    """

    steps: tuple[Augmentation, ...]

    def __call__(self, signal: Tensor, generator: torch.Generator) -> Tensor:
        """Apply each step."""
        for step in self.steps:
            signal = step(signal, generator)
        return signal


@dataclass(frozen=True)
class ImageShift:
    """Shift a picture by up to `pixels` in both directions; the border is repeated."""

    pixels: int

    def __call__(
        self, pixels: Float[Tensor, "channels height width"], generator: torch.Generator
    ) -> Float[Tensor, "channels height width"]:
        """The picture, shifted."""
        row, column = torch.randint(0, 2 * self.pixels + 1, (2,), generator=generator).tolist()
        height, width = pixels.shape[1:]
        padded = F.pad(pixels.unsqueeze(0), (self.pixels,) * 4, mode="replicate")[0]
        return padded[:, row : row + height, column : column + width]


@dataclass(frozen=True)
class ImageCrop:
    """Crop a rectangle with the picture's proportions and at least `least` of its area, and enlarge it to full size.

    Example:
        >>> ImageCrop(0.5)(torch.rand(3, 8, 6), torch.Generator().manual_seed(0)).shape
        torch.Size([3, 8, 6])
    """

    least: float

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ValueError(f"least must be above 0 and at most 1, found {self.least}")

    def __call__(
        self, pixels: Float[Tensor, "channels height width"], generator: torch.Generator
    ) -> Float[Tensor, "channels height width"]:
        """The crop at the picture's size."""
        size = pixels.shape[1:]
        area, down, right = torch.rand(3, generator=generator).tolist()
        side = (self.least + (1 - self.least) * area) ** 0.5
        height, width = (max(1, round(length * side)) for length in size)
        row, column = (
            int(place * (whole - part + 1))
            for place, whole, part in zip((down, right), size, (height, width), strict=True)
        )
        part = pixels[:, row : row + height, column : column + width]
        return F.interpolate(part.unsqueeze(0), tuple(size), mode="bilinear", antialias=True)[0]


@dataclass(frozen=True)
class ImageFlip:
    """Mirror a picture left to right with probability one half; not for digits and letters."""

    def __call__(
        self, pixels: Float[Tensor, "channels height width"], generator: torch.Generator
    ) -> Float[Tensor, "channels height width"]:
        """The picture, or its mirror image."""
        return pixels.flip(2) if bool(torch.rand((), generator=generator) < 0.5) else pixels


@dataclass(frozen=True)
class AudioShift:
    """Shift a recording by up to `samples` later or earlier, filling with silence."""

    samples: int

    def __call__(self, waveform: Float[Tensor, "frames"], generator: torch.Generator) -> Float[Tensor, "frames"]:
        """The recording, shifted; the same length."""
        start = int(torch.randint(0, 2 * self.samples + 1, (), generator=generator))
        return F.pad(waveform, (self.samples, self.samples))[start : start + len(waveform)]


@dataclass(frozen=True)
class AudioGain:
    """Make a recording louder or quieter by up to `decibels`."""

    decibels: float

    def __call__(self, waveform: Float[Tensor, "frames"], generator: torch.Generator) -> Float[Tensor, "frames"]:
        """The recording, scaled."""
        level = (float(torch.rand((), generator=generator)) * 2 - 1) * self.decibels
        return waveform * 10 ** (level / 20)


@dataclass(frozen=True)
class AudioNoise:
    """Add white noise, at a level drawn between silence and `amplitude`."""

    amplitude: float

    def __call__(self, waveform: Float[Tensor, "frames"], generator: torch.Generator) -> Float[Tensor, "frames"]:
        """The recording with noise."""
        level = float(torch.rand((), generator=generator)) * self.amplitude
        return waveform + level * torch.randn(waveform.shape, generator=generator)


def augment_image(
    sample: Sample, signal: str, read: Reader, augmentation: Augmentation | None, generator: torch.Generator
) -> Sample:
    """The sample with its picture, as `read` returns it, changed at random."""
    if augmentation is None or signal not in sample.signals:
        return sample
    pixels = read(sample)
    assert pixels is not None
    changed = augmentation(pixels, generator).clamp(0, 1)
    return replace(sample, signals={**sample.signals, signal: changed})


def augment_audio(
    sample: Sample,
    signal: str,
    sample_rate: int,
    read: Reader,
    augmentation: Augmentation | None,
    generator: torch.Generator,
) -> Sample:
    """The sample with its recording, as `read` returns it at a sample rate, changed at random."""
    if augmentation is None or signal not in sample.signals:
        return sample
    waveform = read(sample)
    assert waveform is not None
    changed = Audio(augmentation(waveform, generator), sample_rate)
    return replace(sample, signals={**sample.signals, signal: changed})


def leave_letters_out(sample: Sample, signal: str, probability: float, generator: torch.Generator) -> Sample:
    """The sample with characters of its text left out at random, never all of them."""
    text = read_text(sample, signal)
    if not probability or not text:
        return sample
    keep = (torch.rand(len(text), generator=generator) >= probability).tolist()
    left = "".join(letter for letter, kept in zip(text, keep, strict=True) if kept)
    return replace(sample, signals={**sample.signals, signal: left or text})
