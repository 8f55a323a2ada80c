"""Image patches: squares of a picture, each a node with its place on the grid."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.augmentation import augment_image
from gnnfuse.nodes.limit import check_limit, refuse_overflow
from gnnfuse.nodes.node_type import Layout, NewValues, NodeEncoder, NodeSet, NodeType, Overflow, new_values
from gnnfuse.nodes.patch_encoders import LinearPatches, PatchEncoding
from gnnfuse.nodes.picture_summary import PictureSummary
from gnnfuse.ops import pixel_patches
from gnnfuse.sample import Sample, read_image
from gnnfuse.sample.image import MAX_PIXELS, Packed, read_pixels, unpacked

PixelType = Literal["float32", "uint8"]


@dataclass(frozen=True, kw_only=True)
class ImagePatches(NodeType):
    """A picture as a grid of square patches.

    A picture of any size is padded at its right and lower border (by repeating its last pixels) until patches cover it,
    so no pixel is lost. Positions are the patches' centres as fractions of the picture (row, column).

    Args:
        signal: the signal it reads (see `gnnfuse.sample.read_image` for accepted values).
        name: the type's name; the signal's by default.
        patch: side of a patch in pixels.
        stride: pixels from one patch to the next; `patch` by default; a smaller stride makes patches overlap.
        channels: 3 (RGB), 1 (grey), or the number that the pictures have.
        encoding: how a patch becomes a vector: `LinearPatches()`, `ConvPatches()`.
        max_nodes: most patches per picture; None for no limit.
        overflow: "pool" downsamples the picture by the smallest whole factor that fits, "truncate" keeps the first
            patches row by row (whole rows), "raise" refuses.
        augmentation: changes the pixels `[channels, height, width]` at random in training, given a generator.
        max_pixels: larger pictures are refused before decoding (see `gnnfuse.sample.read_image`).
        dtype: of stored pixels: "float32", 0..1, or "uint8", 0..255, which the encoder converts to the same floats on
            its own device. Bytes take a quarter of the memory and of the time to write and move. Finer values (16-bit
            or float pictures, augmented or downsampled ones, colours made grey or blended with white) are rounded to
            the nearest byte.

    Raises:
        ValueError: a size below 1, a stride above the patch (pixels would be lost), or another dtype.

    Example:
        >>> patches = ImagePatches(patch=16)
        >>> patches.nodes(Sample({"image": torch.rand(3, 40, 64)})).shape
        (3, 4)
    """

    signal: str = "image"
    name: str = ""
    patch: int = 16
    stride: int | None = None
    channels: int = 3
    encoding: PatchEncoding = field(default_factory=LinearPatches)
    max_nodes: int | None = 1024
    overflow: Overflow = "pool"
    augmentation: Callable[[Tensor, torch.Generator], Tensor] | None = None
    max_pixels: int = MAX_PIXELS
    dtype: PixelType = "float32"
    provides: frozenset[str] = field(default=frozenset({"grid", "position"}), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.signal)
        check_limit(self.max_nodes, self.overflow)
        if min(self.patch, self.channels) < 1 or not 1 <= self._stride <= self.patch:
            raise ValueError(
                f"node type {self.name!r}: patch, channels and stride must be at least 1 and stride at most patch, "
                f"found patch={self.patch}, channels={self.channels}, stride={self.stride}"
            )
        if self.dtype not in get_args(PixelType):
            known = " or ".join(map(repr, get_args(PixelType)))
            raise ValueError(f"node type {self.name!r}: dtype must be {known}, found {self.dtype!r}")

    @property
    def _dtype(self) -> torch.dtype:
        return {"float32": torch.float32, "uint8": torch.uint8}[self.dtype]

    @property
    def _stride(self) -> int:
        return self.patch if self.stride is None else self.stride

    def _read(self, sample: Sample) -> Tensor | None:
        return read_image(sample, self.signal, channels=self.channels, max_pixels=self.max_pixels)

    def empty(self) -> NodeSet:
        """No patches."""
        values = torch.zeros(0, self.channels, self.patch, self.patch, dtype=self._dtype)
        return NodeSet(values, (0, 0), torch.zeros(0, 2))

    def nodes(self, sample: Sample, *, new: NewValues = new_values) -> NodeSet | None:
        """The picture's patches row by row: `[nodes, channels, patch, patch]`."""
        pixels = read_pixels(sample, self.signal, channels=self.channels, max_pixels=self.max_pixels)
        if pixels is None:
            return None
        if isinstance(pixels, np.ndarray):
            height, width = pixels.shape[:2]
            found = _patches(height, self.patch, self._stride) * _patches(width, self.patch, self._stride)
            if self.max_nodes is None or found <= self.max_nodes:
                return packed_patches(pixels, self.patch, self._stride, self._dtype, new)
            pixels = unpacked(pixels)
        bytes_wanted = self.dtype == "uint8"
        nodes = limit_patches(
            pixels,
            self.patch,
            self._stride,
            self.max_nodes,
            self.overflow,
            sample=sample,
            signal=self.signal,
            new=new_values if bytes_wanted else new,
        )
        if not bytes_wanted:
            return nodes
        values = new(tuple(nodes.values.shape), torch.uint8)
        return replace(nodes, values=values.copy_(nodes.values.mul(255).round_()))

    def encoder(self, dim: int) -> NodeEncoder:
        """The encoding's module."""
        module = self.encoding.module(self.channels, self.patch, dim)
        if self.dtype == "uint8":
            module.register_forward_pre_hook(_floats_of_bytes)
        return module

    def summary(self) -> PictureSummary:
        """Histograms of colours and of the directions of edges."""
        return PictureSummary(self.channels, self.patch, self._stride)

    @property
    def augments(self) -> bool:
        """Whether signals are changed at random in training."""
        return self.augmentation is not None

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with its picture changed at random."""
        return augment_image(sample, self.signal, self._read, self.augmentation, generator)


def _floats_of_bytes(module: nn.Module, given: tuple[Tensor, Layout]) -> tuple[Tensor, Layout]:
    """The input of an encoding with its bytes converted to floats in 0..1."""
    values, layout = given
    weight = next(module.parameters(), None)
    return values.to(torch.float32 if weight is None else weight.dtype) / 255, layout


def square_patches(
    pixels: Float[Tensor, "channels height width"], patch: int, stride: int, new: NewValues = new_values
) -> NodeSet:
    """The patches of a picture row by row; its last pixels are repeated until patches cover it."""
    channels, height, width = pixels.shape
    rows, columns = _patches(height, patch, stride), _patches(width, patch, stride)
    full_height, full_width = ((n - 1) * stride + patch for n in (rows, columns))
    if (full_height, full_width) != (height, width):
        border = (0, full_width - width, 0, full_height - height)
        pixels = F.pad(pixels.unsqueeze(0), border, mode="replicate")[0]
    slices = pixels.unfold(1, patch, stride).unfold(2, patch, stride)
    values = new((rows * columns, channels, patch, patch), pixels.dtype)
    values.view(rows, columns, channels, patch, patch).copy_(slices.permute(1, 2, 0, 3, 4))
    return NodeSet(values, (rows, columns), _centres(rows, columns, patch, stride).clone())


def packed_patches(pixels: Packed, patch: int, stride: int, dtype: torch.dtype, new: NewValues) -> NodeSet:
    """As `square_patches` on the unpacked pixels or on the bytes themselves, in one pass."""
    height, width = pixels.shape[:2]
    rows, columns = _patches(height, patch, stride), _patches(width, patch, stride)
    below, right = (rows - 1) * stride + patch - height, (columns - 1) * stride + patch - width
    if below or right:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
    values = new((rows * columns, 3, patch, patch), dtype)
    pixel_patches(pixels, patch=patch, stride=stride, out=values)
    return NodeSet(values, (rows, columns), _centres(rows, columns, patch, stride).clone())


@lru_cache(maxsize=256)
def _centres(rows: int, columns: int, patch: int, stride: int) -> Float[Tensor, "patches 2"]:
    """The patches' centres as fractions of the picture, shared by pictures of equal size."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    corner = torch.stack([row, column], dim=-1).reshape(-1, 2) * float(stride)
    return (corner + patch / 2) / torch.tensor([(n - 1) * stride + patch for n in (rows, columns)])


def limit_patches(
    pixels: Float[Tensor, "channels height width"],
    patch: int,
    stride: int,
    max_nodes: int | None,
    overflow: Overflow,
    *,
    sample: Sample,
    signal: str,
    new: NewValues = new_values,
) -> NodeSet:
    """The patches of a picture, within `max_nodes`.

    Raises:
        SignalError: too many patches and overflow is "raise".
    """
    height, width = pixels.shape[1:]
    found = _patches(height, patch, stride) * _patches(width, patch, stride)
    if max_nodes is None or found <= max_nodes:
        return square_patches(pixels, patch, stride, new)
    if overflow == "raise":
        raise refuse_overflow(sample, signal, found, max_nodes)
    if overflow == "pool":
        pooled = square_patches(_shrink(pixels, patch, stride, max_nodes), patch, stride, new)
        return replace(pooled, dropped=found - pooled.num_nodes)
    return _first_rows(square_patches(pixels, patch, stride), max_nodes)


def _shrink(pixels: Tensor, patch: int, stride: int, limit: int) -> Tensor:
    factor = 2
    while True:
        smaller = F.avg_pool2d(pixels, factor, ceil_mode=True, count_include_pad=False)
        rows, columns = (_patches(size, patch, stride) for size in smaller.shape[1:])
        if rows * columns <= limit:
            return smaller
        factor += 1


def _patches(size: int, patch: int, stride: int) -> int:
    return max(0, -(-(size - patch) // stride)) + 1


def _first_rows(nodes: NodeSet, limit: int) -> NodeSet:
    rows, columns = nodes.shape
    kept_rows, kept_columns = (limit // columns, columns) if limit >= columns else (1, limit)
    kept = kept_rows * kept_columns
    assert nodes.position is not None
    return NodeSet(nodes.values[:kept], (kept_rows, kept_columns), nodes.position[:kept], dropped=rows * columns - kept)
