"""What the launches of `graph_attention(impl="triton")` have in common: how work is cut, and the kernels' arguments.

Every launch follows from shapes alone: nothing waits for the device, and a CUDA graph can capture it.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gnnfuse.ops.attention.dropout import threshold
from gnnfuse.ops.attention.inputs import AttentionInputs

EDGES_PER_PIECE = 512
EDGES_PER_PROGRAM = 512
TABLE_NUMBERS = 2**24
MIN_PROGRAMS = 32
ROW_NUMBERS = 256
TILE_NUMBERS = 1024
TILE_EDGES = 16


class Plan(NamedTuple):
    """How the work is cut: the rule is in README.md, "Launches".

    Args:
        arguments: what kernels take, by name: sizes, tensors with their strides, and numbers.
        warps: of one program.
        groups: programs per row, each for some of the heads.
    """

    arguments: dict[str, Any]
    warps: int
    groups: int

    def launch(self, kernel: Any, rows: int, **more: Any) -> None:
        """Run a kernel over rows and groups of heads with those of the arguments that it names."""
        if rows and self.groups:
            call(kernel, (rows, self.groups), self.warps, self.arguments | more)


def call(kernel: Any, grid: tuple[int, int], warps: int, arguments: dict[str, Any]) -> None:
    """Launch a kernel with those of the arguments that it names."""
    kernel[grid](**{name: arguments[name] for name in kernel.arg_names if name in arguments}, num_warps=warps)


def plan(inputs: AttentionInputs, grad_out: Tensor | None = None) -> Plan:
    """One warp holds 256 numbers of each row, and as many rows at once as its registers do."""
    heads, head_dim, value_dim = *inputs.query.shape[1:], inputs.value.shape[2]
    pad = power_of_two(max(head_dim, value_dim))
    heads_block = min(power_of_two(heads), max(ROW_NUMBERS // pad, 1))
    row = heads_block * pad
    tile = max(TILE_NUMBERS, row)
    sizes = {
        "HEADS": heads,
        "HEAD_DIM": head_dim,
        "VALUE_DIM": value_dim,
        "HEADS_BLOCK": heads_block,
        "HEAD_PAD": power_of_two(head_dim),
        "VALUE_PAD": power_of_two(value_dim),
        "BLOCK_E": min(tile // row, TILE_EDGES),
        "PIECE": EDGES_PER_PIECE,
    }
    numbers = {
        "scale": inputs.scale,
        "negative_slope": inputs.negative_slope,
        "threshold": threshold(inputs.dropout),
        "kept_scale": 1 / (1 - inputs.dropout),
    }
    arguments = sizes | numbers | tables_of(inputs) | states_of(inputs, grad_out)
    return Plan(arguments, max(row // ROW_NUMBERS, 1), -(-heads // heads_block))


def states_of(inputs: AttentionInputs, grad_out: Tensor | None) -> dict[str, Any]:
    """Query, key, value and the output's gradient with their strides; copied only where the last dim has gaps."""
    states = {"query": inputs.query, "key": inputs.key, "value": inputs.value}
    if grad_out is not None:
        states["grad_out"] = grad_out
    arguments: dict[str, Any] = {}
    for name, given in states.items():
        tensor = given if given.stride(-1) == 1 or given.shape[-1] == 1 else given.contiguous()
        arguments |= {
            f"{name}_ptr": tensor,
            f"{name}_stride": tensor.stride(0),
            f"{name}_head_stride": tensor.stride(1),
        }
    return arguments


def tables_of(inputs: AttentionInputs) -> dict[str, Tensor | None]:
    """What stands per edge or per relation, contiguous; None for what was not given."""
    tables = {
        "score_weight_ptr": inputs.score_weight,
        "edge_bias_ptr": inputs.edge_bias,
        "relation_bias_ptr": inputs.relation_bias,
        "gate_ptr": inputs.relation_gate,
        "seed_ptr": inputs.seed,
        "offsets_ptr": inputs.edges.offsets,
        "src_ptr": inputs.edges.src,
        "relation_ptr": inputs.edges.relation,
        "edge_ptr": inputs.edges.transpose.edge,
        "dst_ptr": inputs.edges.transpose.dst,
    }
    return {name: table if table is None else table.contiguous() for name, table in tables.items()}


def slots_for(inputs: AttentionInputs) -> Tensor | None:
    """Room for the hubs' rows `[slots]`, -1 for none; None where no row can have so many edges."""
    pieces = -(-inputs.edges.num_edges // EDGES_PER_PIECE)
    if pieces <= 1:
        return None
    return torch.full((2 * pieces,), -1, dtype=torch.int32, device=inputs.query.device)


def power_of_two(size: int) -> int:
    """The smallest power of two that is not below `size`, 1 at least."""
    return 1 << max(size - 1, 0).bit_length()


def float32(like: Tensor, *shape: int) -> Tensor:
    """New memory on the device of `like`."""
    return like.new_empty(shape, dtype=torch.float32)
