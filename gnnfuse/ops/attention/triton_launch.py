"""Shared by all launches of `graph_attention(impl="triton")`: how work is divided, and the kernels' arguments.

Every launch follows from shapes alone: nothing waits for the device, and a CUDA graph can capture it.
"""

from math import gcd
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gnnfuse.ops.attention.dropout import threshold
from gnnfuse.ops.attention.inputs import AttentionInputs

EDGES_PER_PIECE = 256
MERGED_AT_ONCE = 4


class Tiles(NamedTuple):
    """The sizes of a kernel's tiles: see triton_tiles.py, and README.md, "Launches".

    Args:
        warps: warps per program.
        numbers: most numbers of a row per program, unless one head has more.
        block_e: edges of each row at once.
    """

    warps: int = 4
    numbers: int = 256
    block_e: int = 2


class LaunchPlan(NamedTuple):
    """How the work is divided, and the kernels' arguments.

    Args:
        arguments: by name: sizes, tensors with their strides, and numbers.
        tiles: the sizes of the tiles.
    """

    arguments: dict[str, Any]
    tiles: Tiles

    @property
    def groups(self) -> int:
        """Programs per row, each for some of the heads."""
        return int(-(-self.arguments["HEADS"] // self.arguments["HEADS_BLOCK"]))

    def rows(self, kernel: Any, rows: int, **more: Any) -> None:
        """Run a kernel over all rows except hubs, and groups of heads."""
        self._launch(kernel, rows, more | {"rows": rows, "halvings": rows.bit_length(), "IN_PIECES": False})

    def pieces(self, kernel: Any, rows: int, slots: Tensor, **more: Any) -> None:
        """Run a kernel over the pieces of hubs; it fills the slots with their rows."""
        more |= {"rows": rows, "halvings": rows.bit_length(), "IN_PIECES": True, "pieces_ptr": slots}
        self._launch(kernel, len(slots), more)

    def merge(self, kernel: Any, slots: Tensor, **more: Any) -> None:
        """Run a kernel over the hubs."""
        self._launch(kernel, len(slots), more | {"slots": len(slots), "pieces_ptr": slots, "BLOCK_E": MERGED_AT_ONCE})

    def _launch(self, kernel: Any, rows: int, more: dict[str, Any]) -> None:
        if rows and self.groups:
            grid = (-(-rows // self.arguments["ROWS"]), self.groups)
            call(kernel, grid, self.tiles.warps, self.arguments | more)


def call(kernel: Any, grid: tuple[int, ...], warps: int, arguments: dict[str, Any]) -> None:
    """Launch a kernel with those of the arguments that it names."""
    kernel[grid](**{name: arguments[name] for name in kernel.arg_names if name in arguments}, num_warps=warps)


def plan(inputs: AttentionInputs, grad_out: Tensor | None = None, tiles: Tiles | None = None) -> LaunchPlan:
    """The plan in which each row of a tile occupies as few lanes as one load per lane allows."""
    tiles = tiles or Tiles()
    heads, head_dim, value_dim = *inputs.query.shape[1:], inputs.value.shape[2]
    pad = power_of_two(max(head_dim, value_dim))
    heads_block = min(power_of_two(heads), max(tiles.numbers // pad, 1))
    states = states_of(inputs, grad_out)
    lanes = max(heads_block * pad // numbers_per_load(inputs, states), 1)
    sizes = {
        "HEADS": heads,
        "HEAD_DIM": head_dim,
        "VALUE_DIM": value_dim,
        "HEADS_BLOCK": heads_block,
        "HEAD_PAD": power_of_two(head_dim),
        "VALUE_PAD": power_of_two(value_dim),
        "ROWS": max(32 * tiles.warps // lanes, 1),
        "BLOCK_E": tiles.block_e,
        "PIECE": EDGES_PER_PIECE,
    }
    numbers = {
        "scale": inputs.scale,
        "negative_slope": inputs.negative_slope,
        "threshold": threshold(inputs.dropout),
        "kept_scale": 1 / (1 - inputs.dropout),
        "num_edges": inputs.edges.num_edges,
        "pieces_ptr": None,
    }
    arguments = sizes | numbers | tables_of(inputs) | states
    return LaunchPlan(arguments, tiles)


def states_of(inputs: AttentionInputs, grad_out: Tensor | None) -> dict[str, Any]:
    """Query, key, value and the output's gradient with their strides.

    Strides are compile-time constants: a layout whose strides grow with the number of rows is copied, as is one with
    gaps in the last dim.
    """
    states = {"query": inputs.query, "key": inputs.key, "value": inputs.value}
    if grad_out is not None:
        states["grad_out"] = grad_out
    arguments: dict[str, Any] = {}
    for name, given in states.items():
        tensor = given if rows_are_outermost(given) else given.contiguous()
        arguments |= {
            f"{name}_ptr": tensor,
            f"{name.upper()}_STRIDE": tensor.stride(0),
            f"{name.upper()}_HEAD_STRIDE": tensor.stride(1),
        }
    return arguments


def numbers_per_load(inputs: AttentionInputs, states: dict[str, Any]) -> int:
    """How many numbers of a row a lane loads at once: 16 bytes, or as many as the strides and dims allow."""
    strides = [stride for name, stride in states.items() if name.endswith("STRIDE")]
    return gcd(16 // inputs.query.itemsize, inputs.query.shape[2], inputs.value.shape[2], *strides)


def rows_are_outermost(tensor: Tensor) -> bool:
    """Whether rows follow one another, each with its heads within it, each head without gaps."""
    _, heads, dim = tensor.shape
    row_stride, head_stride, stride = tensor.stride()
    return (stride == 1 or dim == 1) and head_stride >= dim and row_stride >= head_stride * (heads - 1) + dim


def tables_of(inputs: AttentionInputs) -> dict[str, Tensor | None]:
    """The tensors per edge and per relation, contiguous; None if not passed."""
    tables = {
        "score_weight_ptr": inputs.score_weight,
        "edge_bias_ptr": inputs.edge_bias,
        "relation_bias_ptr": inputs.relation_bias,
        "gate_ptr": inputs.relation_gate,
        "edge_gate_ptr": inputs.edge_gate,
        "seed_ptr": inputs.seed,
        "offsets_ptr": inputs.edges.offsets,
        "src_ptr": inputs.edges.src,
        "relation_ptr": inputs.edges.relation,
        "edge_ptr": inputs.edges.transpose.edge,
        "dst_ptr": inputs.edges.transpose.dst,
    }
    return {name: table if table is None else table.contiguous() for name, table in tables.items()}


def slots_for(inputs: AttentionInputs) -> Tensor | None:
    """Memory for each slot's hub `[slots]`; None if no row can be a hub."""
    pieces = -(-inputs.edges.num_edges // EDGES_PER_PIECE)
    if pieces <= 1:
        return None
    return torch.empty(2 * pieces, dtype=torch.int32, device=inputs.query.device)


def power_of_two(size: int) -> int:
    """The smallest power of two that is not below `size`, at least 1."""
    return 1 << max(size - 1, 0).bit_length()


def float32(like: Tensor, *shape: int) -> Tensor:
    """New memory on the device of `like`."""
    return like.new_empty(shape, dtype=torch.float32)
