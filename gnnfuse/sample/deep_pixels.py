"""Scales grey pictures of more than 8 bits, or of signed numbers, to 0..1; their range is not always in the file."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

BITS, PHOTOMETRIC, SAMPLE_FORMAT, LEAST, MOST = 258, 262, 339, 340, 341  # tags of TIFF 6.0
WHITE_IS_ZERO = 0
SIGNED, FLOATS = 2, 3  # sample formats


def is_deep(image: "Image") -> bool:
    """Whether Pillow keeps a picture's numbers in a form that `deep_pixels` reads."""
    return image.mode.startswith(("I", "F")) or (image.mode == "L" and _format(image) == SIGNED)


def deep_pixels(image: "Image", signal: str) -> NDArray[np.float32]:
    """A grey picture `[height, width]`, or `[2, height, width]` if one value is transparent.

    Unsigned 16 bits are divided by 65,535 (12 bits in TIFF by 4,095); floats are kept. TIFF files in which white is 0
    are inverted, which Pillow does only up to 8 bits. Signed and 32-bit integers have no natural scale: a TIFF file may
    give it as SMinSampleValue and SMaxSampleValue. Otherwise white is the first of 255, 65,535 and the type's largest
    number that no pixel exceeds, with a warning.

    Raises:
        ValueError: there are negative integers without SMinSampleValue.
    """
    found = np.asarray(image)
    numbers = _stored(image, found)
    low, high = _scale(image, numbers, signal)
    pixels: NDArray[Any] = (
        numbers.astype(np.float32) if high < 1 << 24 and not low else numbers.astype(np.float64) - low
    )
    pixels = (pixels / pixels.dtype.type(high - low)).astype(np.float32)
    if _tags(image).get(PHOTOMETRIC) == WHITE_IS_ZERO and image.mode != "L" and not _beyond(pixels, 0, 1):
        pixels = 1 - pixels
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        pixels = np.stack([pixels, (found != transparent).astype(np.float32)])
    return pixels


def _tags(image: "Image") -> Any:
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}


def _first(image: "Image", tag: int, otherwise: float) -> float:
    value = _tags(image).get(tag, otherwise)
    return float(value[0] if isinstance(value, tuple) else value)


def _format(image: "Image") -> int:
    return int(_first(image, SAMPLE_FORMAT, FLOATS if image.mode == "F" else SIGNED if image.mode == "I" else 1))


def _stored(image: "Image", found: NDArray[Any]) -> NDArray[Any]:
    """The numbers of the file: Pillow keeps unsigned 32 bits as signed ones, and signed 8 bits as unsigned ones."""
    if image.mode == "L":
        return found.view(np.int8)
    return found.view(np.uint32) if image.mode == "I" and _format(image) == 1 else found


def _scale(image: "Image", numbers: NDArray[Any], signal: str) -> tuple[float, float]:
    """The numbers that stand for black and white."""
    kind, size = numbers.dtype.kind, numbers.dtype.itemsize
    if kind == "u" and size == 2:
        return 0.0, 2 ** _first(image, BITS, 16) - 1
    if numbers.size == 0 or (kind == "f" and not _beyond(numbers, 0, 1)):
        return 0.0, 1.0
    low, high = _first(image, LEAST, 0), _first(image, MOST, 0)
    if low < high and LEAST in _tags(image) and not _beyond(numbers, low, high):
        return low, high
    if kind == "f":
        return 0.0, 1.0
    if image.mode == "I" and image.format not in ("TIFF", None):
        return 0.0, 65535.0  # PPM, and PNG in earlier Pillow versions
    what = f"{'unsigned' if kind == 'u' else 'signed'} {int(_first(image, BITS, 32))}-bit integers"
    if numbers.min() < 0:
        raise ValueError(
            f"{what} in {numbers.min()}..{numbers.max()}, expected none below 0, or a TIFF file whose SMinSampleValue "
            "and SMaxSampleValue give black and white"
        )
    full = 2 ** (int(_first(image, BITS, 32)) - (kind == "i")) - 1
    whites = [white for white in (255, 65535) if white < full] + [full]
    warnings.warn(
        f"signal {signal!r}: found pictures of {what}, whose scale is not in the file; white is the first of "
        f"{', '.join(map(str, whites))} that no pixel exceeds. Save 8 or 16 unsigned bits, or SMinSampleValue and "
        "SMaxSampleValue, to fix the scale",
        stacklevel=2,
    )
    return 0.0, float(next(white for white in whites if numbers.max() <= white))


def _beyond(numbers: NDArray[Any], low: float, high: float) -> bool:
    return not (numbers.min() >= low and numbers.max() <= high)  # also true for NaN
