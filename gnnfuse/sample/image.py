"""Pictures: from memory or from files, as floats with the number of channels a node type asks for."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.sample.numbers import as_tensor
from gnnfuse.sample.sample import Sample, SignalError

if TYPE_CHECKING:
    from PIL.Image import Image

EXPECTED = (
    "a path to a PNG, JPEG or WebP file, a PIL image, an array [height, width, channels] "
    "or a tensor [channels, height, width]"
)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow converts


def read_image(sample: Sample, signal: str, *, channels: int = 3) -> Float[Tensor, "channels height width"] | None:
    """Read a signal of a sample as a picture.

    Takes a path (PNG, JPEG, WebP; turned upright as its EXIF tag says), a PIL image as it stands, a NumPy array
    `[height, width]` or `[height, width, channels]`, or a tensor `[height, width]` or `[channels, height, width]`.
    Integers are 0..255, floats 0..1. Transparent pixels are laid on white.

    Args:
        sample: the sample.
        signal: name of the signal.
        channels: 1 (grey) or 3 (RGB) convert what is found; any other number must be found as it is.

    Returns:
        float32 in 0..1, or None where the sample lacks the signal.

    Raises:
        SignalError: unreadable or truncated file, zero size, values out of range, channels that do not fit.

    Example:
        >>> sample = Sample({"image": np.zeros((8, 6), dtype=np.uint8)})
        >>> read_image(sample, "image", channels=3).shape
        torch.Size([3, 8, 6])
    """
    value = sample.signals.get(signal)
    if value is None:
        return None
    if isinstance(value, str | Path):
        value = _open(sample, signal, Path(value))
    pixels = _channels_first(sample, signal, value)
    if 0 in pixels.shape:
        raise SignalError(sample, signal, f"a picture of shape {tuple(pixels.shape)}", "a width and a height above 0")
    return _with_channels(sample, signal, _to_unit(sample, signal, pixels), channels)


def _open(sample: Sample, signal: str, path: Path) -> Tensor:
    from PIL import Image, ImageOps

    if not path.is_file():
        raise SignalError(sample, signal, f"no file at {str(path)!r}", EXPECTED)
    try:
        with Image.open(path) as image:
            return _from_pil(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SignalError(sample, signal, f"unreadable picture {str(path)!r} ({error})", EXPECTED) from error


def _channels_first(sample: Sample, signal: str, value: object) -> Tensor:
    if isinstance(value, Tensor | np.ndarray):
        pixels = as_tensor(sample, signal, "pixels", value, expected=EXPECTED)
        pixels = pixels.permute(2, 0, 1) if pixels.ndim == 3 and isinstance(value, np.ndarray) else pixels
    else:
        from PIL import Image

        if not isinstance(value, Image.Image):
            raise SignalError(sample, signal, f"a {type(value).__name__}", EXPECTED)
        try:
            pixels = _from_pil(value)
        except (OSError, SyntaxError, ValueError) as error:  # decoding may begin only here
            raise SignalError(sample, signal, f"unreadable picture {value!r} ({error})", EXPECTED) from error
    if pixels.ndim not in (2, 3):
        raise SignalError(sample, signal, f"pixels of shape {tuple(pixels.shape)}", EXPECTED)
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels


def _from_pil(image: "Image") -> Tensor:
    if image.mode.startswith(("I", "F")):
        pixels = np.asarray(image, dtype=np.float32)
        return torch.from_numpy(pixels / (65535.0 if image.mode != "F" else 1.0))
    if "transparency" in image.info or image.mode in ("PA", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode not in ("L", "RGB", "RGBA", "LA"):
        image = image.convert("RGB")
    pixels = np.array(image)
    return torch.from_numpy(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0).copy())


def _to_unit(sample: Sample, signal: str, pixels: Tensor) -> Tensor:
    if pixels.dtype == torch.bool:
        return pixels.float()
    scale = 1.0 if pixels.is_floating_point() else 255.0
    pixels = pixels.float() / scale
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):  # also true for NaN
        expected = "floats in 0..1" if scale == 1.0 else "integers in 0..255"
        raise SignalError(sample, signal, f"pixels in {low * scale:g}..{high * scale:g}", expected)
    return pixels


def _with_channels(sample: Sample, signal: str, pixels: Tensor, channels: int) -> Tensor:
    found = len(pixels)
    if found == channels:
        return pixels
    if found in (2, 4) and channels in (1, 3):
        color, alpha = pixels[:-1], pixels[-1:]
        pixels = color * alpha + (1 - alpha)
        found = len(pixels)
    if found == 1 and channels == 3:
        return pixels.expand(3, -1, -1)
    if found == 3 and channels == 1:
        return torch.einsum("chw,c->hw", pixels, pixels.new_tensor(LUMA)).unsqueeze(0)
    if found == channels:
        return pixels
    raise SignalError(sample, signal, f"{found} channels", f"{channels} channels")
