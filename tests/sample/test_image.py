from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gnnfuse.sample import Sample, SignalError, read_image

EIGHT_BIT = 1 / 255
FORMATS = ("png", "jpeg", "webp")


def read(value: object, channels: int = 3) -> Tensor:
    pixels = read_image(Sample({"image": value}, id="seven"), "image", channels=channels)
    assert pixels is not None
    assert pixels.dtype == torch.float32
    return pixels


def colors(height: int = 5, width: int = 7, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def as_tensor(pixels: np.ndarray) -> Tensor:
    """The oracle: channels first, 255 is 1."""
    height, width, channels = pixels.shape
    found = torch.zeros(channels, height, width)
    for row in range(height):
        for column in range(width):
            for channel in range(channels):
                found[channel, row, column] = int(pixels[row, column, channel]) / 255
    return found


def refused(value: object, *, found: str, expected: str = "", channels: int = 3) -> None:
    with pytest.raises(SignalError, match=rf"sample 'seven', signal 'image': found .*{found}.*, expected .*{expected}"):
        read(value, channels)


def test_an_absent_picture_is_none() -> None:
    assert read_image(Sample({"photo": colors()}), "image") is None


def test_every_way_to_give_the_same_picture_gives_the_same_pixels(tmp_path: Path) -> None:
    pixels = colors()
    expected = as_tensor(pixels)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=True)
    ways: list[object] = [
        pixels,
        np.asfortranarray(pixels),
        pixels[:, ::-1][:, ::-1],
        pixels.astype(np.int64),
        pixels.astype(np.uint16) * 257,
        (pixels / 255).astype(np.float64),
        (pixels / 255).astype(">f8"),
        torch.from_numpy(pixels).permute(2, 0, 1),
        torch.from_numpy(pixels).permute(2, 0, 1) / 255,
        Image.fromarray(pixels),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        tmp_path / "a.webp",
    ]
    for value in ways:
        torch.testing.assert_close(read(value), expected, rtol=0, atol=1e-7)


def test_16_bits_are_read_alike_from_arrays_and_pillow() -> None:
    pixels = np.array([[0, 1000], [40_000, 65_535]], dtype=np.uint16)
    torch.testing.assert_close(read(pixels), read(Image.fromarray(pixels)), rtol=0, atol=0)
    torch.testing.assert_close(read(torch.from_numpy(pixels)), read(pixels), rtol=0, atol=0)
    with pytest.warns(UserWarning, match="found uint16 pixels of at most 255, .* convert 8-bit pictures to uint8"):
        assert float(read(np.full((2, 2), 255, dtype=np.uint16)).max()) == pytest.approx(255 / 65_535)


def test_a_jpeg_holds_the_pixels_that_pillow_decodes(tmp_path: Path) -> None:
    Image.fromarray(colors(32, 48)).save(tmp_path / "a.jpg", quality=70)
    torch.testing.assert_close(read(tmp_path / "a.jpg"), as_tensor(np.array(Image.open(tmp_path / "a.jpg"))))


def test_grey_becomes_three_equal_channels() -> None:
    grey = colors(channels=1)
    for value in (grey, grey[:, :, 0], Image.fromarray(grey[:, :, 0]), torch.from_numpy(grey[:, :, 0])):
        assert torch.equal(read(value), as_tensor(grey).expand(3, -1, -1))
        assert torch.equal(read(value, channels=1), as_tensor(grey))


def test_colors_become_grey_as_pillow_converts_them() -> None:
    pixels = colors()
    expected = np.array(Image.fromarray(pixels).convert("L"))[:, :, None]
    for value in (pixels, Image.fromarray(pixels)):
        assert float((read(value, channels=1) - as_tensor(expected)).abs().max()) <= EIGHT_BIT


def test_transparent_pixels_are_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 0], pixels[0, :, 3] = 200, (255, 0, 51)  # red: opaque, gone, a fifth
    Image.fromarray(pixels).save(tmp_path / "a.png")
    one_fifth = [0.2 * 200 / 255 + 0.8, 0.8, 0.8]
    expected = torch.tensor([[200 / 255, 0, 0], [1, 1, 1], one_fifth]).T.unsqueeze(1)
    for value in (pixels, Image.fromarray(pixels), tmp_path / "a.png"):
        torch.testing.assert_close(read(value), expected, rtol=0, atol=1e-6)
        luma = torch.einsum("chw,c->hw", expected, torch.tensor([0.299, 0.587, 0.114]))
        torch.testing.assert_close(read(value, channels=1)[0], luma, rtol=0, atol=1e-6)
        torch.testing.assert_close(read(value, channels=4), as_tensor(pixels), rtol=0, atol=1e-6)
    grey = Image.fromarray(pixels).convert("LA")
    level = np.array(grey)[0, 0, 0] / 255
    expected_grey = torch.tensor([[level, 1.0, 0.2 * level + 0.8]])
    torch.testing.assert_close(read(grey, channels=1)[0], expected_grey.float(), rtol=0, atol=1e-6)
    torch.testing.assert_close(read(grey)[1], expected_grey.float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_one_color_declared_transparent_is_white(tmp_path: Path, mode: str) -> None:
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0, 0] = (255, 0, 0)
    image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / "a.png", transparency=image.getpixel((0, 0)))
    found = read(tmp_path / "a.png")
    assert torch.equal(found[:, 0, 0], torch.ones(3))
    assert torch.equal(found[:, 1, 1], torch.zeros(3))


def test_palettes_bits_and_other_color_spaces_are_resolved() -> None:
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[:2], pixels[2:] = (255, 255, 255), (0, 0, 0)
    for mode in ("P", "PA", "1", "CMYK", "YCbCr", "HSV", "RGBX", "RGBA RGBa", "LA La"):
        image = Image.fromarray(pixels)
        for step in mode.split():
            image = image.convert(step)
        assert float((read(image) - as_tensor(pixels)).abs().max()) <= EIGHT_BIT, mode


def test_sixteen_bits_keep_their_depth(tmp_path: Path) -> None:
    deep = np.array([[0, 1, 300], [32768, 65534, 65535]], dtype=np.uint16)
    expected = torch.from_numpy(deep.astype(np.float64) / 65535).float()
    Image.fromarray(deep).save(tmp_path / "a.png")
    for value in (Image.fromarray(deep), tmp_path / "a.png", Image.fromarray(deep.astype(np.int32))):
        torch.testing.assert_close(read(value, channels=1)[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_file_is_turned_upright_as_its_exif_tag_says(tmp_path: Path, orientation: int) -> None:
    stored = colors(height=2, width=3)
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: a.transpose(1, 0, 2)[::-1],
    }[orientation](stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert torch.equal(read(tmp_path / "a.png"), as_tensor(upright))


def test_a_picture_that_the_caller_opened_is_taken_as_it_stands(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colors()).save(tmp_path / "a.png", exif=exif)
    assert torch.equal(read(Image.open(tmp_path / "a.png")), as_tensor(colors()))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(colors(60, 80)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, found=f"(unreadable picture|an empty file at) .*a.{kind}")


def test_a_cut_file_opened_by_the_caller_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(colors(60, 80)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    refused(Image.open(path), found="unreadable picture")


def test_what_is_no_picture_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    refused(tmp_path / "a.png", found="unreadable picture .*a.png", expected="PNG, JPEG or WebP")
    refused(tmp_path / "b.png", found="no file at .*b.png", expected="PNG, JPEG or WebP")
    refused(tmp_path, found="no file at")
    refused("", found="no file at")


@pytest.mark.parametrize(
    "value",
    [3, b"png", [[0.0]], np.array([["a"]]), np.array([[None]]), np.zeros((2, 2), dtype=complex), {"bytes": b""}],
    ids=str,
)
def test_what_is_no_picture_is_refused(value: object) -> None:
    refused(value, found="", expected="a PIL image")


def test_a_complex_tensor_is_refused() -> None:
    refused(torch.zeros(3, 2, 2, dtype=torch.complex64), found="complex64")


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0), (4, 4, 0)])
def test_a_picture_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    refused(np.zeros(shape), found="a picture of shape", expected="above 0")
    refused(Image.new("RGB", (0, 5)), found="a picture of shape", expected="above 0")
    refused(Image.new("P", (5, 0)), found="a picture of shape", expected="above 0")


@pytest.mark.parametrize("shape", [(4,), (1, 4, 4, 3), ()])
def test_another_number_of_axes_is_refused(shape: tuple[int, ...]) -> None:
    refused(np.zeros(shape), found="pixels of shape")
    refused(torch.zeros(shape), found="pixels of shape")


def test_pixels_out_of_range_are_refused() -> None:
    refused(np.full((2, 2), 255.0), found=r"255\.\.255", expected=r"floats in 0\.\.1")
    refused(np.full((2, 2), -0.1), found=r"-0.1\.\.-0.1", expected=r"floats in 0\.\.1")
    refused(np.full((2, 2), 256), found=r"256\.\.256", expected=r"integers in 0\.\.255")
    refused(np.full((2, 2), -1), found=r"-1\.\.-1", expected=r"integers in 0\.\.255")
    for bad in (np.nan, np.inf, -np.inf):
        pixels = np.zeros((2, 2))
        pixels[0, 0] = bad
        refused(pixels, found=r"pixels in", expected=r"floats in 0\.\.1")


def test_true_is_white_and_false_is_black() -> None:
    mask = np.array([[True, False]])
    assert torch.equal(read(mask, channels=1), torch.tensor([[[1.0, 0.0]]]))


def test_channels_that_do_not_fit_are_refused() -> None:
    refused(np.zeros((2, 2, 5)), found="5 channels", expected="3 channels")
    refused(np.zeros((2, 2, 3)), found="3 channels", expected="6 channels", channels=6)
    assert read(np.zeros((2, 2, 6)), channels=6).shape == (6, 2, 2)


def test_reading_changes_nothing_and_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    pixels = colors()
    before = pixels.copy()
    pixels.flags.writeable = False
    read(pixels)
    read(pixels, channels=1)
    assert np.array_equal(pixels, before)
    assert not [str(warning.message) for warning in recwarn]
