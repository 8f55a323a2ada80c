import io
import struct
import zlib
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from gnnfuse.nodes import ImagePatches
from gnnfuse.sample import Sample, SignalError, read_image

Order = Literal["<", ">"]
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1


def tiff(
    pixels: np.ndarray, photometric: int = BLACK_IS_ZERO, *, order: Order = "<", ends: tuple[int, int] | None = None
) -> bytes:
    """A grey TIFF file of one strip, with SMinSampleValue and SMaxSampleValue where they are given."""
    height, width = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    sample_format = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    short, long = ("H", 3), ("I", 4)
    entries = [
        *((256, long, width), (257, long, height), (258, short, pixels.dtype.itemsize * 8), (259, short, 1)),
        *((262, short, photometric), (273, long, 0), (277, short, 1), (278, long, height), (279, long, len(data))),
        (339, short, sample_format),
        *(((340, ("i", 9), ends[0]), (341, ("i", 9), ends[1])) if ends else ()),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    for tag, (letter, kind), value in entries:
        packed = struct.pack(order + letter, start if tag == 273 else value)
        out += struct.pack(order + "HHI", tag, kind, 1) + packed + bytes(4 - len(packed))
    return out + bytes(4) + data


def png(bits: int, color: int, row: bytes, transparent: bytes, width: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, 1, bits, color, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"tRNS", transparent) + chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def read(content: object, channels: int = 1) -> list[float]:
    found = read_image(Sample({"x": content}), "x", channels=channels)
    assert found is not None
    for dtype in ("float32", "uint8"):  # what a node type makes of it is the same picture
        nodes = ImagePatches(signal="x", patch=1, channels=channels, dtype=dtype).nodes(Sample({"x": content}))
        assert nodes is not None
        values = nodes.values.float() / (255 if dtype == "uint8" else 1)
        assert float((values[:, 0, 0, 0] - found[0].flatten()).abs().max()) <= (0.5 / 255 + 1e-6) * (dtype == "uint8")
    return found[0].flatten().tolist()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_white_is_zero_is_inverted_once(dtype: type[np.generic], order: Order) -> None:
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max  # type: ignore[type-var]  # of integers
    pixels = np.array([[0, full]], dtype=dtype)
    if (dtype, order) != (np.uint16, ">"):  # which Pillow does not read
        assert read(tiff(pixels, WHITE_IS_ZERO, order=order)) == [1.0, 0.0]
    assert read(tiff(pixels, BLACK_IS_ZERO, order=order)) == [0.0, 1.0]


@pytest.mark.filterwarnings("ignore:.*whose scale is not in the file")
@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 51, 255]], np.uint32), [0.0, 0.2, 1.0]),
        (np.array([[0, 51, 255]], np.int32), [0.0, 0.2, 1.0]),
        (np.array([[0, 13107, 65535]], np.int32), [0.0, 0.2, 1.0]),
        (np.array([[0, 2**31, 2**32 - 1]], np.uint32), [0.0, 0.5, 1.0]),
        (np.array([[0, 2**30, 2**31 - 1]], np.int32), [0.0, 0.5, 1.0]),
        (np.array([[0, 51, 255]], np.int16), [0.0, 0.2, 1.0]),
        (np.array([[0, 16384, 32767]], np.int16), [0.0, 16384 / 32767, 1.0]),
        (np.array([[0, 51, 127]], np.int8), [0.0, 51 / 127, 1.0]),
        (np.array([[0, 13107, 65535]], np.uint16), [0.0, 0.2, 1.0]),
        (np.array([[0, 0.25, 1]], np.float32), [0.0, 0.25, 1.0]),
    ],
    ids=repr,
)
def test_every_width_is_read_on_its_scale(pixels: np.ndarray, expected: list[float]) -> None:
    assert read(tiff(pixels)) == pytest.approx(expected, abs=1e-6)
    if pixels.dtype != np.uint32:  # which Pillow does not read
        assert read(tiff(pixels, order=">")) == pytest.approx(expected, abs=1e-6)


def test_a_scale_that_is_guessed_is_warned_of() -> None:
    with pytest.warns(
        UserWarning, match="signal 'x': found pictures of signed 32-bit integers, .* 255, 65535, 2147483647"
    ):
        read_image(Sample({"x": tiff(np.array([[0, 255]], np.int32))}), "x")
    image = Image.fromarray(np.array([[0, 255]], np.int32))
    with pytest.warns(UserWarning, match="of signed 32-bit integers"):
        found = read_image(Sample({"x": image}), "x", channels=1)
    assert found is not None
    assert found.flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_the_ends_that_a_file_gives_are_its_scale(dtype: type[np.generic], recwarn: pytest.WarningsRecorder) -> None:
    pixels = np.array([[-1000, 0, 3000]], dtype=dtype)
    assert read(tiff(pixels, ends=(-1000, 3000))) == [0.0, 0.25, 1.0]
    if dtype == np.float32:
        assert read(tiff(pixels, WHITE_IS_ZERO, ends=(-1000, 3000))) == [1.0, 0.75, 0.0]
    assert not recwarn.list


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            tiff(np.array([[-30583, 30583]], np.int16)),
            r"signed 16-bit integers in -30583\.\.30583, expected none below 0",
        ),
        (tiff(np.array([[-(2**31), 0]], np.int32)), r"signed 32-bit integers in -2147483648\.\.0"),
        (tiff(np.array([[-128, 127]], np.int8)), r"signed 8-bit integers in -128\.\.127"),
        (tiff(np.array([[0, 255]], np.float32)), r"pixels in 0\.\.255, expected floats in 0\.\.1"),
        (tiff(np.array([[0, 255]], np.float32), WHITE_IS_ZERO), r"pixels in 0\.\.255, expected floats in 0\.\.1"),
        (tiff(np.array([[0, np.nan]], np.float32)), r"pixels in nan\.\.nan"),
        (tiff(np.array([[0, 1]], np.int32), WHITE_IS_ZERO), "a TIFF file of a layout that Pillow does not read"),
        (b"\0\0\0\x20ftypheic" + bytes(600), "a HEIC picture; convert it to PNG or JPEG"),
        (b"\x01\x02\x03\x04" * 99, "it begins with the bytes 01 02 03 04"),
    ],
)
def test_what_has_no_scale_or_no_reader_is_named(content: bytes, found: str) -> None:
    with pytest.raises(SignalError, match=found):
        read_image(Sample({"x": content}), "x")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(16, 0, struct.pack(">3H", 0, 0x1234, 0x1235), b"\x12\x34", 3), [0.0, 1.0, 0x1235 / 65535]),
        (png(8, 0, bytes([0, 5, 51]), b"\0\5", 3), [0.0, 1.0, 0.2]),
        (png(4, 0, bytes([0x05, 0x30]), b"\0\5", 3), [0.0, 1.0, 0.2]),
        (png(2, 0, bytes([0b00011000]), b"\0\1", 3), [0.0, 1.0, 2 / 3]),
        (png(16, 2, struct.pack(">9H", 0, 0, 0, 513, 513, 513, 13107, 13107, 13107), b"\2\1" * 3, 3), [0.0, 1.0, 0.2]),
    ],
    ids=["16 bits", "8 bits", "4 bits", "2 bits", "colours of 16 bits"],
)
def test_a_transparent_value_is_laid_on_white(content: bytes, expected: list[float], channels: int) -> None:
    assert read(content, channels) == pytest.approx(expected, abs=1e-6)


def test_sixteen_bits_in_other_files_have_one_scale(recwarn: pytest.WarningsRecorder) -> None:
    pixels = np.array([[0, 200, 13107]], np.uint16)
    for kind in ("PNG", "PPM", "TIFF", "JPEG2000"):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format=kind)
        assert read(file.getvalue()) == pytest.approx([0.0, 200 / 65535, 0.2], abs=1e-6)
    assert not recwarn.list


def test_channels_that_do_not_fit_name_the_axes() -> None:
    picture = torch.zeros(16, 12, 3)  # [height, width, channels]
    with pytest.raises(
        SignalError, match=r"found 16 channels, expected 3 channels \(tensors are \[channels, height, width\]"
    ):
        read_image(Sample({"x": picture}), "x")
