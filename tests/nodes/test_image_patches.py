import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import ConvPatches, ImagePatches, NodeSet
from gnnfuse.sample import Sample, SignalError, read_image

SIZES = [(1, 1), (1, 9), (3, 2), (4, 4), (5, 4), (7, 11), (8, 12), (13, 5)]


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(0))


def nodes_of(node_type: ImagePatches, pixels: Tensor) -> NodeSet:
    nodes = node_type.nodes(Sample({"image": pixels}, id="seven"))
    assert nodes is not None
    return nodes


def oracle(pixels: Tensor, patch: int, stride: int) -> tuple[list[Tensor], list[tuple[float, float]], tuple[int, int]]:
    """Corners until a patch reaches the border; what lies beyond it repeats the last row and column."""
    height, width = pixels.shape[1:]
    tops = [0]
    while tops[-1] + patch < height:
        tops.append(tops[-1] + stride)
    lefts = [0]
    while lefts[-1] + patch < width:
        lefts.append(lefts[-1] + stride)
    patches, centers = [], []
    for top in tops:
        for left in lefts:
            found = torch.zeros(len(pixels), patch, patch)
            for row in range(patch):
                for column in range(patch):
                    found[:, row, column] = pixels[:, min(top + row, height - 1), min(left + column, width - 1)]
            patches.append(found)
            centers.append(((top + patch / 2) / (tops[-1] + patch), (left + patch / 2) / (lefts[-1] + patch)))
    return patches, centers, (len(tops), len(lefts))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("patch", "stride"), [(4, None), (4, 2), (4, 3), (3, 1), (1, 1), (16, None)])
def test_every_pixel_lands_in_its_patch(size: tuple[int, int], patch: int, stride: int | None) -> None:
    pixels = picture(*size)
    nodes = nodes_of(ImagePatches(patch=patch, stride=stride), pixels)
    patches, centers, shape = oracle(pixels, patch, patch if stride is None else stride)
    assert nodes.shape == shape
    assert torch.equal(nodes.values, torch.stack(patches))
    assert nodes.position is not None
    torch.testing.assert_close(nodes.position, torch.tensor(centers))
    assert nodes.time is None
    assert nodes.dropped == 0


def test_the_picture_can_be_put_together_again() -> None:
    pixels = picture(8, 12)
    nodes = nodes_of(ImagePatches(patch=4), pixels)
    rows, columns = nodes.shape
    again = nodes.values.reshape(rows, columns, 3, 4, 4).permute(2, 0, 3, 1, 4).reshape(3, 8, 12)
    assert torch.equal(again, pixels)


def test_grey_and_many_channels() -> None:
    assert nodes_of(ImagePatches(patch=4, channels=1), picture(4, 4)).values.shape == (1, 1, 4, 4)
    assert nodes_of(ImagePatches(patch=4, channels=6), picture(4, 4, 6)).values.shape == (1, 6, 4, 4)


def test_an_absent_picture_has_no_node_set() -> None:
    assert ImagePatches().nodes(Sample({"photo": picture(4, 4)})) is None


def test_pooling_averages_whole_blocks_of_pixels_until_the_patches_fit() -> None:
    pixels = picture(9, 14)
    nodes = nodes_of(ImagePatches(patch=2, max_nodes=12, overflow="pool"), pixels)  # 5x7=35; halved 3x4=12
    smaller = torch.zeros(3, 5, 7)
    for row in range(5):
        for column in range(7):
            block = pixels[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            smaller[:, row, column] = block.mean(dim=(1, 2))
    patches, centers, shape = oracle(smaller, 2, 2)
    assert (nodes.shape, nodes.dropped) == (shape, 35 - 12)
    torch.testing.assert_close(nodes.values, torch.stack(patches))
    assert nodes.position is not None
    torch.testing.assert_close(nodes.position, torch.tensor(centers))


@pytest.mark.parametrize("size", [*SIZES, (1, 300), (300, 2)])
@pytest.mark.parametrize("max_nodes", [1, 2, 5, 30])
def test_no_picture_has_more_patches_than_allowed(size: tuple[int, int], max_nodes: int) -> None:
    pixels = picture(*size)
    all_of_them = nodes_of(ImagePatches(patch=2, max_nodes=None), pixels).num_nodes
    for overflow in ("pool", "truncate"):
        nodes = nodes_of(ImagePatches(patch=2, max_nodes=max_nodes, overflow=overflow), pixels)
        assert 1 <= nodes.num_nodes <= max_nodes
        assert nodes.num_nodes == math.prod(nodes.shape)
        assert nodes.dropped == all_of_them - nodes.num_nodes


def test_truncating_keeps_whole_rows_from_the_top() -> None:
    pixels = picture(8, 6)
    whole = nodes_of(ImagePatches(patch=2), pixels)  # 4 rows of 3
    assert whole.position is not None
    for max_nodes, shape in ((11, (3, 3)), (3, (1, 3)), (2, (1, 2))):
        nodes = nodes_of(ImagePatches(patch=2, max_nodes=max_nodes, overflow="truncate"), pixels)
        kept = shape[0] * shape[1]
        assert (nodes.shape, nodes.dropped) == (shape, 12 - kept)
        assert torch.equal(nodes.values, whole.values[:kept])
        assert nodes.position is not None
        assert torch.equal(nodes.position, whole.position[:kept])


def test_raising_names_the_sample_and_both_numbers() -> None:
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'image': found 12 nodes, expected at most 11"):
        nodes_of(ImagePatches(patch=2, max_nodes=11, overflow="raise"), picture(8, 6))
    assert nodes_of(ImagePatches(patch=2, max_nodes=12, overflow="raise"), picture(8, 6)).dropped == 0


@pytest.mark.parametrize(
    "arguments", [{"patch": 0}, {"channels": 0}, {"stride": 0}, {"patch": 4, "stride": 5}, {"max_nodes": 0}]
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ImagePatches(**arguments)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dtype must be 'float32' or 'uint8', found 'int8'"):
        ImagePatches(dtype="int8")  # type: ignore[arg-type]


def test_it_provides_a_grid_and_positions_under_the_signals_name() -> None:
    assert ImagePatches().provides == {"grid", "position"}
    assert ImagePatches(signal="photo").name == "photo"
    assert ImagePatches(signal="photo", name="near").name == "near"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 16), (31, 50)])
@pytest.mark.parametrize("options", [{}, {"stride": 3}, {"channels": 1}, {"max_nodes": 4}])
def test_a_picture_from_pillow_gives_what_its_floats_give(
    mode: str, size: tuple[int, int], options: dict[str, Any]
) -> None:
    height, width = size
    colors = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(colors).convert("L").convert(mode) if mode == "I;16" else Image.fromarray(colors)
    sample = Sample({"image": image if mode == "I;16" else image.convert(mode)})
    node_type = ImagePatches(patch=4, **options)
    floats = read_image(sample, "image", channels=node_type.channels)
    assert floats is not None
    found, expected = node_type.nodes(sample), nodes_of(node_type, floats)
    assert found is not None
    assert torch.equal(found.values, expected.values)
    assert torch.equal(as_given(found.position), as_given(expected.position))
    assert (found.shape, found.dropped) == (expected.shape, expected.dropped)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (31, 50)])
@pytest.mark.parametrize("options", [{}, {"stride": 3}, {"encoding": ConvPatches(width=2)}])
def test_bytes_give_the_states_that_floats_give(mode: str, size: tuple[int, int], options: dict[str, Any]) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    samples = [Sample({"image": Image.fromarray(colors).convert(mode)}), Sample({})]
    states = []
    dtypes: list[tuple[Literal["float32", "uint8"], torch.dtype]] = [("float32", torch.float32), ("uint8", torch.uint8)]
    for dtype, expected in dtypes:
        node_type = ImagePatches(patch=4, dtype=dtype, **options)
        batch = GraphBuilder([node_type])(samples, empty=True)
        assert batch.values["image"].dtype == expected
        torch.manual_seed(0)
        states.append(node_type.encoder(8)(batch.values["image"], batch.layout["image"]))
    assert torch.equal(*states)


@pytest.mark.parametrize("options", [{}, {"max_nodes": 4}, {"max_nodes": 4, "overflow": "truncate"}])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_finer_pixels_become_the_nearest_bytes(channels: int, options: dict[str, Any]) -> None:
    pixels = picture(9, 13, channels)
    expected = nodes_of(ImagePatches(patch=4, channels=channels, **options), pixels)
    found = nodes_of(ImagePatches(patch=4, channels=channels, dtype="uint8", **options), pixels)
    assert found.values.dtype == torch.uint8
    assert float((found.values / 255 - expected.values).abs().max()) <= 0.5001 / 255
    assert (found.shape, found.dropped) == (expected.shape, expected.dropped)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_damaged_file_is_refused_as_its_reader_refuses_it(tmp_path: Path, kind: str) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(colors).save(tmp_path / f"a.{kind}")
    whole = (tmp_path / f"a.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(whole[: len(whole) // 2])
    sample = Sample({"image": tmp_path / f"a.{kind}"}, id="seven")
    with pytest.raises(SignalError) as of_reader:
        read_image(sample, "image")
    with pytest.raises(SignalError) as of_nodes:
        ImagePatches(patch=8).nodes(sample)
    assert str(of_nodes.value) == str(of_reader.value)


def as_given(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor
