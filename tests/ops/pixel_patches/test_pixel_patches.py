from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnfuse.ops import pixel_patches

Impl = Literal["reference", "numba"]
IMPLS: list[Impl] = ["reference", "numba"]


def picture(height: int, width: int) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels.flags.writeable = False  # as a decoder's bytes are
    return pixels


def oracle(pixels: np.ndarray, patch: int, stride: int) -> Tensor:
    height, width = pixels.shape[:2]
    found = []
    for top in range(0, height - patch + 1, stride):
        for left in range(0, width - patch + 1, stride):
            cut = pixels[top : top + patch, left : left + patch, :3].transpose(2, 0, 1)
            found.append([[[int(byte) / 255 for byte in line] for line in plane] for plane in cut])
    return torch.tensor(found, dtype=torch.float64).float()


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize(
    ("size", "patch", "stride"),
    [
        ((1, 1), 1, 1),
        ((3, 5), 1, 1),
        ((4, 8), 4, 4),
        ((7, 10), 4, 3),
        ((5, 6), 4, 1),
        ((14, 21), 7, 7),
        ((33, 66), 33, 33),
        ((32, 48), 16, 16),
        ((40, 40), 40, 40),
    ],
)
def test_every_byte_is_a_255th_in_its_patch(impl: Impl, size: tuple[int, int], patch: int, stride: int) -> None:
    pixels = picture(*size)
    assert torch.equal(pixel_patches(pixels, patch=patch, stride=stride, impl=impl), oracle(pixels, patch, stride))


@pytest.mark.parametrize("impl", IMPLS)
def test_every_byte_as_torch_divides_it(impl: Impl) -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(4).reshape(16, 16, 4)
    found = pixel_patches(pixels, patch=16, stride=16, impl=impl)
    assert torch.equal(found[0], (torch.arange(256).float() / 255.0).reshape(16, 16).expand(3, 16, 16))


@pytest.mark.parametrize("impl", IMPLS)
def test_results_go_where_they_are_wanted_and_nowhere_else(impl: Impl) -> None:
    memory = torch.full((6, 3, 4, 4), torch.nan)
    pixels = picture(8, 8)
    assert pixel_patches(pixels, patch=4, stride=4, out=memory[1:5], impl=impl).data_ptr() == memory[1:].data_ptr()
    assert torch.equal(memory[1:5], oracle(pixels, 4, 4))
    assert bool(memory[[0, 5]].isnan().all())


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize(
    ("size", "patch", "stride"), [((1, 1), 1, 1), ((7, 10), 4, 3), ((33, 66), 33, 33), ((8, 12), 4, 4)]
)
def test_bytes_stay_bytes_where_they_are_wanted(impl: Impl, size: tuple[int, int], patch: int, stride: int) -> None:
    pixels = picture(*size)
    expected = oracle(pixels, patch, stride)
    memory = torch.full((len(expected) + 2, *expected.shape[1:]), 77, dtype=torch.uint8)
    found = pixel_patches(pixels, patch=patch, stride=stride, out=memory[1:-1], impl=impl)
    assert torch.equal(found / 255, expected)
    assert bool((memory[[0, -1]] == 77).all())


@pytest.mark.parametrize("impl", IMPLS)
def test_pixels_may_lie_anyhow(impl: Impl) -> None:
    pixels = picture(9, 11)[::-1, 1:9][1:]
    assert torch.equal(pixel_patches(pixels, patch=4, stride=4, impl=impl), oracle(pixels, 4, 4))


def test_threads_do_not_disturb_each_other() -> None:
    pixels = [picture(32, 16 * n) for n in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: pixel_patches(each, patch=16, stride=16), pixels * 20))
    alone = [pixel_patches(each, patch=16, stride=16, impl="reference") for each in pixels]
    assert all(torch.equal(one, other) for one, other in zip(found, alone * 20, strict=True))


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (picture(8, 8)[:, :, :3], {}, r"uint8 \[height, width, 4\], found uint8 \[8, 8, 3\]"),
        (picture(8, 8).astype(np.int32), {}, "found int32"),
        (picture(8, 9), {}, r"do not fill a picture of \[8, 9\]"),
        (picture(2, 8), {}, r"do not fill a picture of \[2, 8\]"),
        (picture(8, 8), {"stride": 5}, "stride=5 and patch=4"),
        (picture(8, 8), {"stride": 0}, "stride=0 and patch=4"),
        (picture(8, 8), {"out": torch.zeros(3, 3, 4, 4)}, r"out must be float32 or uint8 \[4, 3, 4, 4\]"),
        (picture(8, 8), {"out": torch.zeros(4, 3, 4, 8)[..., ::2]}, "without gaps"),
        (picture(8, 8), {"out": torch.zeros(4, 3, 4, 4, dtype=torch.float64)}, "found torch.float64"),
        (picture(8, 8), {"impl": "magic"}, "impl must be one of"),
    ],
)
def test_what_cannot_be_cut_is_refused(pixels: np.ndarray, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pixel_patches(pixels, **{"patch": 4, "stride": 4, **options})  # type: ignore[arg-type]
