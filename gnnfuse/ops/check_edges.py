"""Checks that `Edges` are valid before a kernel reads along them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from gnnfuse.ops.edges import Edges

CHECK_ON_DEVICE: ContextVar[bool] = ContextVar("gnnfuse_check_on_device", default=False)


@contextmanager
def checked_indices() -> Iterator[None]:
    """In this context, indices on an accelerator are checked before every kernel, as those on the CPU always are.

    On any device, the transpose is also checked against its edges. The checks synchronise with the device: use them for
    debugging, not for training. Captured CUDA graphs cannot contain them.

    Example:
        >>> with checked_indices():
        ...     pass  # graph_attention(...) raises ValueError for an index out of range
    """
    token = CHECK_ON_DEVICE.set(True)
    try:
        yield
    finally:
        CHECK_ON_DEVICE.reset(token)


def check_edges(edges: Edges, *, nodes: int, rows: int, device: torch.device) -> None:
    """Raise ValueError unless the lists have the right dtypes, lengths and device; reads no index."""
    if nodes < 0 or rows < 0:
        raise ValueError("offsets must have one entry more than there are nodes or rows, found none")
    num_edges = edges.src.shape[0] if edges.src.dim() else 0
    lists = {
        "offsets": (edges.offsets, torch.int64, nodes + 1, "one more than the nodes"),
        "src": (edges.src, torch.int32, num_edges, "one per edge"),
        "relation": (edges.relation, torch.int32, num_edges, "one per edge"),
        "transpose.offsets": (edges.transpose.offsets, torch.int64, rows + 1, "one more than the rows"),
        "transpose.edge": (edges.transpose.edge, torch.int32, num_edges, "one per edge"),
        "transpose.dst": (edges.transpose.dst, torch.int32, num_edges, "one per edge"),
    }
    for name, (tensor, dtype, length, meaning) in lists.items():
        if tensor.dtype != dtype or tensor.shape != (length,):
            expected = f"{str(dtype).removeprefix('torch.')} [{length}], {meaning}"
            raise ValueError(f"edges.{name} must be {expected}; found {tensor.dtype} {tuple(tensor.shape)}")
        check_tensor(f"edges.{name}", tensor, device)


def check_tensor(name: str, tensor: Tensor, device: torch.device) -> None:
    """Raise ValueError for a tensor on another device, or one that was expanded (stride 0)."""
    if tensor.device != device:
        raise ValueError(f"{name} must be on {device} as the first tensor, found {tensor.device}")
    if 0 in tensor.stride() and any(
        size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    ):
        found = f"shape {tuple(tensor.shape)} with strides {tensor.stride()}"
        raise ValueError(f"{name} must not be expanded (stride 0), found {found}; pass {name}.contiguous()")


def check_indices(edges: Edges, *, nodes: int, rows: int, relations: int | None = None) -> None:
    """Raise ValueError before a kernel would read or write out of bounds.

    Always on the CPU; elsewhere only within `checked_indices()`.

    Args:
        edges: the edges to check.
        nodes: number of destination nodes.
        rows: number of key and value rows.
        relations: rows of the relation tables; None where no table is read.
    """
    if edges.src.device.type != "cpu" and not CHECK_ON_DEVICE.get():
        return
    limits = {
        "src": (edges.src, rows),
        "transpose.edge": (edges.transpose.edge, edges.num_edges),
        "transpose.dst": (edges.transpose.dst, nodes),
    }
    if relations is not None:
        limits["relation"] = (edges.relation, relations)
    for name, (indices, limit) in limits.items():
        check_range(f"edges.{name}", indices, limit)
    check_offsets("edges.offsets", edges.offsets, edges.num_edges)
    check_offsets("edges.transpose.offsets", edges.transpose.offsets, edges.num_edges)
    if CHECK_ON_DEVICE.get():
        check_transpose(edges)


def check_transpose(edges: Edges) -> None:
    """Raise ValueError unless the transpose lists the same edges, each once."""
    offsets, edge, dst = edges.transpose
    rows = torch.repeat_interleave(offsets.diff(), output_size=edges.num_edges)
    once = torch.bincount(edge, minlength=edges.num_edges) == 1
    if not once.all() or (edges.src[edge] != rows).any() or (edges.dst()[edge] != dst).any():
        raise ValueError(
            "edges.transpose must list the edges of edges.src by source row; found other ones: make both again with "
            "edges_from_index when src or offsets change"
        )


def check_range(name: str, indices: Tensor, limit: int) -> None:
    """Raise ValueError for an index outside 0..limit-1."""
    if not indices.numel() or (indices.device.type == "cpu" and highest_unsigned(indices) < limit):
        return
    low, high = (int(end) for end in indices.aminmax())
    if low < 0 or high >= limit:
        raise ValueError(f"{name} must lie in 0..{limit - 1}, found {low}..{high}")


def highest_unsigned(indices: Tensor) -> int:
    """The largest index if read as unsigned, so that negative ones exceed all others: one pass instead of two."""
    numbers = indices.detach().numpy()
    return int(numbers.view(f"u{numbers.itemsize}").max())


def check_offsets(name: str, offsets: Tensor, length: int) -> None:
    """Raise ValueError for offsets that do not rise from 0 to the length of the list."""
    numbers = offsets.detach().cpu().numpy()
    if numbers[0] != 0 or numbers[-1] != length or (numbers[1:] < numbers[:-1]).any():
        raise ValueError(f"{name} must rise from 0 to {length}, the length of the list they divide")
