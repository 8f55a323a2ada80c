"""Pictures encoded by a pretrained network whose feature-map cells or patches are nodes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.augmentation import augment_image
from gnnfuse.nodes.features import RowEncoder
from gnnfuse.nodes.image_patches import limit_patches
from gnnfuse.nodes.node_type import NodeEncoder, NodeSet, Overflow
from gnnfuse.nodes.pretrained.cell_grid import CellGrid
from gnnfuse.nodes.pretrained.cut import state_before
from gnnfuse.nodes.pretrained.image_architecture import ImageArchitecture
from gnnfuse.nodes.pretrained.image_backbone import ImageBackbone
from gnnfuse.nodes.pretrained.image_libraries import image_architecture
from gnnfuse.nodes.pretrained.last_blocks import without_memory
from gnnfuse.nodes.pretrained.pretrained_nodes import PretrainedNodes
from gnnfuse.sample import Sample, media_digest, read_image
from gnnfuse.sample.image import EXPECTED, MAX_PIXELS


@dataclass(frozen=True, kw_only=True)
class PretrainedImage(PretrainedNodes):
    """A picture as the states of a pretrained network.

    A node is a square with the network's `stride` as side: a cell of a convolutional network's last feature map (32
    pixels for a ResNet), or a patch of a transformer. A picture is padded at its right and lower border, by repeating
    its last pixels, until squares cover it. Transformers with learned positions and all networks of timm get pictures
    stretched to the size they were trained on, so that nothing is cut off; other networks take pictures at their own
    size unless `size` is given. With `cells`, a node is the mean over a cell of the map instead: fewer nodes, for
    models of tables in which fine detail does not matter.

    Args:
        model: "torchvision/" and the name of a classification network ("torchvision/resnet50"), "timm/" and a name with
            or without a tag ("timm/resnet50.a1_in1k"), else a model of timm or a vision model of transformers: its name
            on the hub or its folder.
        signal: the signal it reads (see `gnnfuse.sample.read_image` for accepted values).
        name: the type's name; the signal's by default.
        weights: for torchvision, the name of listed weights ("IMAGENET1K_V1") or the path of a state dict
            (.safetensors, .pth), by default the recommended ones; for "timm/", the path of a state dict; else a
            revision on the hub.
        frozen: train only a projection to the size of the states; otherwise everything is trained.
        tuned: of a frozen network, train this many of its last blocks too, at a tenth of the learning rate.
        gradient_checkpointing: recompute inner states in the backward pass (timm and transformers, if the model
            supports it).
        size: one number is the length of the shorter side, the other in proportion; two numbers are height and width.
        cells: average the map within at most this many rows and as many columns of equal cells, which are then the
            nodes; for pictures of one size. None keeps the map.
        mean: per channel, subtracted from pixels in 0..1; by default the value used in pretraining.
        std: per channel, the divisor after that; by default the value used in pretraining.
        components: whiten features to this many components before the projection (`Whitening`), learnt on training
            samples before the first step (`fit_task`); None projects the features themselves.
        max_nodes: most nodes per picture; None for no limit.
        overflow: "pool" downsamples the picture by the smallest whole factor that fits, "truncate" keeps the first
            rows of squares, "raise" refuses.
        augmentation: changes the pixels `[channels, height, width]` at random in training, given a generator.
        max_pixels: larger pictures are refused before decoding (see `gnnfuse.sample.read_image`).
        architecture: describes the network; read from the library by default, and kept in saved models.

    Raises:
        FileNotFoundError: the model is not available locally and cannot be fetched; the message has the command for it.
        ValueError: an unknown model, a size that it does not accept, or more nodes per picture than `max_nodes`.
    """

    modality: ClassVar[str] = "image"
    readers: ClassVar[tuple[str, ...]] = ("pillow",)
    model: str
    signal: str = "image"
    name: str = ""
    weights: str | None = None
    frozen: bool = True
    tuned: int = 0
    gradient_checkpointing: bool = False
    components: int | None = None
    size: int | tuple[int, int] | None = None
    cells: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    max_nodes: int | None = 2048
    overflow: Overflow = "pool"
    augmentation: Callable[[Tensor, torch.Generator], Tensor] | None = None
    max_pixels: int = MAX_PIXELS
    architecture: ImageArchitecture | None = field(default=None, repr=False)
    provides: frozenset[str] = field(default=frozenset({"grid", "position"}), init=False)

    def __post_init__(self) -> None:
        both = None if self.mean is None or self.std is None else (self.mean, self.std)
        pair = (self.size, self.size) if isinstance(self.size, int) else self.size
        self._prepare(lambda: image_architecture(self.model, self.weights, pair, both))
        if (self.mean is None) != (self.std is None):
            raise ValueError(f"node type {self.name!r}: mean and std belong together, found mean={self.mean}")
        self._check_size()
        self._check_cells()

    def _check_size(self) -> None:
        made, wanted = self._made, self._target
        if wanted is None:
            return
        if min(wanted) < 1 or (made.size is not None and not made.resizes and wanted != made.size):
            raise ValueError(f"node type {self.name!r}: {self.model} takes size={made.size}, found size={self.size}")
        rows, columns = (-(-side // made.stride) for side in wanted)
        if not isinstance(self.size, int) and self.max_nodes is not None and rows * columns > self.max_nodes:
            raise ValueError(
                f"node type {self.name!r}: {self.model} gives {rows * columns} nodes for every picture, more than "
                f"max_nodes={self.max_nodes}; raise it or give a smaller size="
            )

    def _check_cells(self) -> None:
        if self.cells is None:
            return
        if self.cells < 1:
            raise ValueError(f"node type {self.name!r}: cells must be at least 1, found {self.cells}")
        if self.one_size is None:
            raise ValueError(
                f"node type {self.name!r}: found cells={self.cells} for pictures of any size, expected "
                "size=(height, width) too"
            )

    @property
    def _made(self) -> ImageArchitecture:
        assert self.architecture is not None
        return self.architecture

    @property
    def _target(self) -> tuple[int, int] | None:
        """Height and width of every picture; for an integer size, of a square one."""
        if isinstance(self.size, int):
            return self.size, self.size
        return self._made.size if self.size is None else self.size

    @property
    def one_size(self) -> tuple[int, int] | None:
        """Height and width of every picture; None if pictures differ in size."""
        return None if isinstance(self.size, int) and self._made.resizes else self._target

    @property
    def _grid(self) -> CellGrid | None:
        fixed, stride = self.one_size, self._made.stride
        if self.cells is None or fixed is None:
            return None
        rows, columns = (min(self.cells, -(-side // stride)) for side in fixed)
        return CellGrid(rows, columns, height=fixed[0], width=fixed[1])

    def empty(self) -> NodeSet:
        """No squares, or cells."""
        made, grid = self._made, self._grid
        sides = (made.stride, made.stride) if grid is None else grid.sides
        return NodeSet(torch.zeros(0, made.channels, *sides), (0, 0), torch.zeros(0, 2))

    def nodes(self, sample: Sample) -> NodeSet | None:
        """The picture's squares (or cells) row by row: `[nodes, channels, stride, stride]`, pixels in 0..1."""
        made, grid = self._made, self._grid
        pixels = self._read(sample)
        if pixels is None:
            return None
        pixels = self._resized(pixels)
        if grid is not None:
            return NodeSet(grid.cut(pixels), (grid.rows, grid.columns), grid.centres())
        return limit_patches(
            pixels, made.stride, made.stride, self.max_nodes, self.overflow, sample=sample, signal=self.signal
        )

    def in_cells(self, count: int) -> "PretrainedImage":
        """The same with its map averaged within `count` x `count` cells; itself if pictures differ in size."""
        return self if self.one_size is None else replace(self, cells=count)

    def content(self, sample: Sample) -> bytes | None:
        """SHA-256 of the picture's file, or of its pixels if it is in memory."""
        return media_digest(sample, self.signal, self._read, expected=EXPECTED)

    def around(self, module: nn.Module) -> ImageBackbone:
        """The backbone that reassembles pictures and applies the network to them."""
        made = self._made
        mean, std = (made.mean, made.std) if self.mean is None or self.std is None else (self.mean, self.std)
        return ImageBackbone(
            module, self.width, margin=made.margin, mean=mean, std=std, stride=made.stride, grid=self._grid
        )

    def _state_width(self) -> int:
        made, module = self._made, without_memory(self.network)
        sides = self.one_size or (made.stride, made.stride)  # of a square as the smallest picture: others need less
        squares = [-(-side // made.stride) for side in sides]
        pixels = [count * made.stride + made.margin for count in squares]
        black = torch.zeros(1, made.channels, *pixels, device="meta")
        state = state_before(module, self.network.blocks(module)[-self.tuned], (black,))
        nodes = math.prod(squares) if self._grid is None else self._grid.rows * self._grid.columns
        return -(-state.numel() // nodes)

    def projection(self, dim: int) -> NodeEncoder:
        """A linear map of features or their whitened components, plus the place in the picture."""
        return RowEncoder(self.width, dim, coordinates=2, components=self.components)

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with its picture changed at random."""
        return augment_image(sample, self.signal, self._read, self.augmentation, generator)

    def _read(self, sample: Sample) -> Tensor | None:
        return read_image(sample, self.signal, channels=self._made.channels, max_pixels=self.max_pixels)

    def _resized(self, pixels: Tensor) -> Tensor:
        target = self._made.size if self.size is None else self.size
        if target is None:
            return pixels
        height, width = pixels.shape[1:]
        if isinstance(target, int) and self._made.resizes:
            short = min(height, width)
            target = (round(height * target / short), round(width * target / short))
        wanted = (target, target) if isinstance(target, int) else target
        if wanted == (height, width):
            return pixels
        mode = self._made.interpolation
        smooth = {} if mode == "nearest" else {"antialias": True, "align_corners": False}
        resized = F.interpolate(pixels.unsqueeze(0), wanted, mode=mode, **smooth)
        return resized[0].clamp(0, 1)
