"""The kernel behind `pixel_patches(impl="numba")`. What it computes is in README.md."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.numba_compile import compiled

Numbers = NDArray[Any]

# How far red, green and blue lie from the lowest bits of a pixel.
RED, GREEN, BLUE = map(np.uint32, (0, 8, 16) if sys.byteorder == "little" else (24, 16, 8))


@compiled
def pixel_patches_kernel(pixels: Numbers, width: int, out: Numbers, patch: int, stride: int) -> None:
    """Writes the patches of a picture so wide as floats; `pixels` of four bytes and `out` one after the other.

    Unsigned places: of others the compiler asks at every number whether they count from the end.
    """
    rows = (len(pixels) // width - patch) // stride + 1
    columns = (width - patch) // stride + 1
    highest, byte = np.float32(255), np.uint32(255)
    side, plane, place = np.uint64(patch), np.uint64(patch * patch), np.uint64(0)
    for row in range(rows):
        for column in range(columns):
            for line in range(patch):
                first = np.uint64((row * stride + line) * width + column * stride)
                for i in range(side):
                    pixel = pixels[first + i]
                    out[place + i] = np.float32(np.int32((pixel >> RED) & byte)) / highest
                    out[place + plane + i] = np.float32(np.int32((pixel >> GREEN) & byte)) / highest
                    out[place + plane + plane + i] = np.float32(np.int32((pixel >> BLUE) & byte)) / highest
                place += side
            place += plane + plane


@compiled
def byte_patches_kernel(pixels: Numbers, width: int, out: Numbers, patch: int, stride: int) -> None:
    """As `pixel_patches_kernel`, the bytes as they are."""
    rows = (len(pixels) // width - patch) // stride + 1
    columns = (width - patch) // stride + 1
    side, plane, place = np.uint64(patch), np.uint64(patch * patch), np.uint64(0)
    for row in range(rows):
        for column in range(columns):
            for line in range(patch):
                first = np.uint64((row * stride + line) * width + column * stride)
                for i in range(side):
                    pixel = pixels[first + i]
                    out[place + i] = np.uint8(pixel >> RED)
                    out[place + plane + i] = np.uint8(pixel >> GREEN)
                    out[place + plane + plane + i] = np.uint8(pixel >> BLUE)
                place += side
            place += plane + plane
