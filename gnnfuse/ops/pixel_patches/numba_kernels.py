"""The kernel behind `pixel_patches(impl="numba")`. README.md describes what it computes."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled

Numbers = NDArray[Any]

# How far red, green and blue lie from the lowest bits of a pixel.
RED, GREEN, BLUE = map(np.uint32, (0, 8, 16) if sys.byteorder == "little" else (24, 16, 8))


@compiled
def pixel_patches_kernel(
    pixels: Numbers, width: int, out: Numbers, patch: int, stride: int, highest: np.float32 | None
) -> None:
    """Write the patches of a picture of this width; `pixels` (of four bytes) and `out` are flat.

    Bytes are divided by `highest`, or copied if that is None, which the compiler knows beforehand. Positions are
    unsigned, so that numba does not check for negative indices.
    """
    rows = (len(pixels) // width - patch) // stride + 1
    columns = (width - patch) // stride + 1
    byte = np.uint32(255)
    side, plane, place = np.uint64(patch), np.uint64(patch * patch), np.uint64(0)
    for row in range(rows):
        for column in range(columns):
            for line in range(patch):
                first = np.uint64((row * stride + line) * width + column * stride)
                for i in range(side):
                    pixel = pixels[first + i]
                    red, green, blue = (pixel >> RED) & byte, (pixel >> GREEN) & byte, (pixel >> BLUE) & byte
                    if highest is None:
                        out[place + i] = np.uint8(red)
                        out[place + plane + i] = np.uint8(green)
                        out[place + plane + plane + i] = np.uint8(blue)
                    else:
                        out[place + i] = np.float32(np.int32(red)) / highest
                        out[place + plane + i] = np.float32(np.int32(green)) / highest
                        out[place + plane + plane + i] = np.float32(np.int32(blue)) / highest
                place += side
            place += plane + plane
