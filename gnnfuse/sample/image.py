"""Pictures from memory or files, as floats with the number of channels that a node type needs."""

import warnings
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gnnfuse.sample.deep_pixels import deep_pixels, is_deep
from gnnfuse.sample.files import media_source
from gnnfuse.sample.foreign import foreign
from gnnfuse.sample.numbers import as_tensor
from gnnfuse.sample.sample import Sample, SignalError
from gnnfuse.sample.unreadable import signal_of

if TYPE_CHECKING:
    from PIL.Image import Image

EXPECTED = (
    "a path to a PNG, JPEG or WebP file or its bytes, a PIL image, an array [height, width, channels] "
    "or a tensor [channels, height, width]"
)
# Pillow knows others; some run programs (EPS), some have no magic bytes, so damaged files may pass.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
MAX_PIXELS = 89_478_485  # from here on Pillow warns of decompression bombs; a gigabyte as RGB floats
# Red, green, blue and an unused byte; read-only.
Packed = UInt8[np.ndarray, "height width 4"]
HEAD = 512  # bytes that identify a file's kind
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow converts


def read_image(
    sample: Sample, signal: str, *, channels: int = 3, max_pixels: int = MAX_PIXELS
) -> Float[Tensor, "channels height width"] | None:
    """Read a signal of a sample as a picture.

    Accepts a path or a file's bytes (PNG, JPEG, WebP and the other formats in `FORMATS`; the first of several pictures;
    turned upright by its EXIF tag), a mapping with `bytes` and `path` (as Hugging Face datasets stores them), a PIL
    image (its EXIF tag is ignored), a NumPy array `[height, width]` or `[height, width, channels]`, or a tensor
    `[height, width]` or `[channels, height, width]`. Integers are 0..255 (uint16 0..65,535), floats 0..1; for files
    with more than 8 bits, see `deep_pixels`. Transparent pixels are blended with white.

    Args:
        sample: the sample.
        signal: name of the signal.
        channels: 1 (grey) or 3 (RGB) converts the picture; any other number must match it.
        max_pixels: files and PIL images with more pixels are refused before decoding. Pillow itself refuses those with
            more than twice its own `MAX_IMAGE_PIXELS`.

    Returns:
        float32 in 0..1, or None where the sample lacks the signal.

    Raises:
        SignalError: no ordinary file, an unreadable, truncated or too large picture, zero size, values out of range,
            or channels that do not fit.

    Example:
        >>> sample = Sample({"image": np.zeros((8, 6), dtype=np.uint8)})
        >>> read_image(sample, "image", channels=3).shape
        torch.Size([3, 8, 6])
    """
    found = read_pixels(sample, signal, channels=channels, max_pixels=max_pixels)
    return unpacked(found) if isinstance(found, np.ndarray) else found


def read_pixels(
    sample: Sample, signal: str, *, channels: int = 3, max_pixels: int = MAX_PIXELS
) -> Float[Tensor, "channels height width"] | Packed | None:
    """Like `read_image`, but returns a picture that Pillow decodes to RGB as `Packed` if three channels are requested.

    A caller that converts the picture further saves a pass over its floats.

    Raises:
        SignalError: as `read_image`.
    """
    value = signal_of(sample, signal)
    if value is None:
        return None
    source = media_source(sample, signal, value, expected=EXPECTED)
    if source is not None:
        value = _decode(sample, signal, *source, max_pixels=max_pixels)
    elif not isinstance(value, Tensor | np.ndarray):
        value = _in_memory(sample, signal, value, max_pixels)
    if isinstance(value, _Colors):
        if channels == 3 and 0 not in value.packed.shape:
            return value.packed
        value = _planes(value.packed)
    pixels = _channels_first(sample, signal, value)
    if 0 in pixels.shape:
        raise SignalError(sample, signal, f"a picture of shape {tuple(pixels.shape)}", "a width and a height above 0")
    return _with_channels(sample, signal, _to_unit(sample, signal, pixels), channels)


def unpacked(pixels: Packed) -> Float[Tensor, "3 height width"]:
    """Packed pixels as `read_image` returns them."""
    return _planes(pixels).float().div_(255.0)


@dataclass(frozen=True)
class _Colors:
    """A picture of three colours, distinct from an array that a sample holds."""

    packed: Packed


def _decode(sample: Sample, signal: str, name: str, source: Path | BytesIO, *, max_pixels: int) -> Tensor | _Colors:
    from PIL import Image, ImageOps, UnidentifiedImageError

    known = [known for known in FORMATS if known in _formats()]
    try:
        with Image.open(source, formats=known) as image:
            _refuse_large(sample, signal, image, max_pixels)
            _scale_transparency(image)
            ImageOps.exif_transpose(image, in_place=True)  # would copy an upright picture
            return _from_pil(image, signal)
    except SignalError:
        raise
    except Exception as error:  # decoders may raise anything on a damaged file
        reason = _unknown(source) if isinstance(error, UnidentifiedImageError) else _reason(error)
        raise SignalError(sample, signal, f"unreadable picture {name} ({reason})", EXPECTED) from error


def _unknown(source: Path | BytesIO) -> str:
    """Why Pillow does not recognise a file."""
    if isinstance(source, BytesIO):
        head = source.getvalue()[:HEAD]
    else:
        with source.open("rb") as file:
            head = file.read(HEAD)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF file of a layout that Pillow does not read; save it with 8 or 16 unsigned bits, black as 0"
    return foreign(head) or f"it begins with the bytes {head[:4].hex(' ')}"


@cache
def _formats() -> frozenset[str]:
    """The formats that the installed Pillow was built with."""
    from PIL import Image

    Image.init()
    return frozenset(Image.OPEN)


def _refuse_large(sample: Sample, signal: str, image: "Image", max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        found = f"a picture of {image.width} x {image.height} pixels"
        raise SignalError(sample, signal, found, f"at most {max_pixels:,} pixels (max_pixels)")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _in_memory(sample: Sample, signal: str, value: object, max_pixels: int) -> Tensor | _Colors:
    from PIL import Image

    if not isinstance(value, Image.Image):
        raise SignalError(sample, signal, f"a {type(value).__name__}", EXPECTED)
    _refuse_large(sample, signal, value, max_pixels)
    try:
        _scale_transparency(value)
        return _from_pil(value, signal)
    except Exception as error:  # decoding may start only here
        raise SignalError(
            sample, signal, f"unreadable picture of mode {value.mode} ({_reason(error)})", EXPECTED
        ) from error


def _channels_first(sample: Sample, signal: str, value: Tensor | np.ndarray) -> Tensor:
    pixels = as_tensor(sample, signal, "pixels", value, expected=EXPECTED)
    pixels = pixels.permute(2, 0, 1) if pixels.ndim == 3 and isinstance(value, np.ndarray) else pixels
    if pixels.ndim not in (2, 3):
        raise SignalError(sample, signal, f"pixels of shape {tuple(pixels.shape)}", EXPECTED)
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels


def _from_pil(image: "Image", signal: str) -> Tensor | _Colors:
    if is_deep(image):
        return torch.from_numpy(deep_pixels(image, signal))
    if "transparency" in image.info or image.mode in ("PA", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode not in ("L", "RGB", "RGBA", "LA"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        lines = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint8)  # as in Pillow's memory
        return _Colors(lines.reshape(image.height, image.width, 4))
    pixels = np.array(image)
    return torch.from_numpy(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0).copy())


def _scale_transparency(image: "Image") -> None:
    """Pillow scales 2- and 4-bit grey and 16-bit colour PNG to 8 bits, but not the transparent colour."""
    transparent, tiles = image.info.get("transparency"), getattr(image, "tile", None)
    packing = tiles[0].args if tiles else None
    if isinstance(transparent, int) and packing in ("L;2", "L;4"):
        image.info["transparency"] = transparent * (85 if packing == "L;2" else 17)
    elif isinstance(transparent, tuple) and packing == "RGB;16B":
        image.info["transparency"] = tuple(level >> 8 for level in transparent)


def _planes(pixels: Packed) -> UInt8[Tensor, "3 height width"]:
    return torch.from_numpy(pixels[:, :, :3].transpose(2, 0, 1).copy())


def _to_unit(sample: Sample, signal: str, pixels: Tensor) -> Tensor:
    if pixels.dtype == torch.bool:
        return pixels.float()
    if pixels.dtype == torch.uint8:
        return pixels.float().div_(255.0)  # cannot be out of range
    if pixels.dtype == torch.uint16:
        wide = pixels.float()
        if 1 < float(wide.max()) < 256:
            warnings.warn(
                f"signal {signal!r}: found uint16 pixels of at most 255, read as fractions of 65,535; convert 8-bit "
                "pictures to uint8",
                stacklevel=2,
            )
        return wide.div_(65535.0)
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
    expected = f"{channels} channels (tensors are [channels, height, width], arrays [height, width, channels])"
    raise SignalError(sample, signal, f"{found} channels", expected)
