"""Typed edges as two compressed lists: by destination for the forward pass, by source for the backward.

Offsets are int64; indices per edge are int32, which halves the memory traffic of kernels.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

MAX_COUNT = 2**31 - 1


class Transpose(NamedTuple):
    """The same edges sorted by (source row, relation), for a backward pass without atomics.

    Args:
        offsets: `[rows + 1]`, int64; the edges out of source row r are `offsets[r]:offsets[r + 1]`.
        edge: `[edges]`, int32; each edge's position in the forward order.
        dst: `[edges]`, int32; the node that each edge goes into.
    """

    offsets: Int[Tensor, "rows_plus_one"]
    edge: Int[Tensor, "edges"]
    dst: Int[Tensor, "edges"]


class Edges(NamedTuple):
    """The incoming edges of every node, all relations together, in compressed sparse row form.

    Within a node the edges are sorted by (relation, source), so equal edge sets are equal tensors. New offsets or src
    require a new transpose: gradients follow it (`checked_indices()` detects a mismatch).

    Args:
        offsets: `[nodes + 1]`, int64; the edges into node i are `offsets[i]:offsets[i + 1]`.
        src: `[edges]`, int32; the row of keys and values that each edge reads.
        relation: `[edges]`, int32; the number of each edge's relation.
        transpose: the same edges sorted by (source row, relation).
    """

    offsets: Int[Tensor, "nodes_plus_one"]
    src: Int[Tensor, "edges"]
    relation: Int[Tensor, "edges"]
    transpose: Transpose

    @property
    def num_nodes(self) -> int:
        """Number of destination nodes."""
        return self.offsets.numel() - 1

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return self.src.numel()

    def dst(self) -> Int[Tensor, "edges"]:
        """The node that each edge goes into, in the forward order; int64."""
        return torch.repeat_interleave(self.offsets.diff(), output_size=self.num_edges)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Edges":
        """The same edges on another device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        transpose = Transpose(*map(move, self.transpose))
        return Edges(move(self.offsets), move(self.src), move(self.relation), transpose)


def edges_from_index(
    src: Int[Tensor, "edges"],
    dst: Int[Tensor, "edges"],
    relation: Int[Tensor, "edges"] | None = None,
    *,
    num_nodes: int,
    num_rows: int | None = None,
) -> Edges:
    """Sort a list of edges into `Edges`.

    Args:
        src: `[edges]`, row of the keys and values.
        dst: `[edges]`, node.
        relation: `[edges]`; None means one relation, 0.
        num_nodes: number of destination nodes.
        num_rows: number of key and value rows; `num_nodes` by default.

    Raises:
        ValueError: lengths, shapes or dtypes are wrong, an index is out of range, or there are more edges than int32
            can count or 63 bits can sort.

    Example:
        >>> edges = edges_from_index(torch.tensor([1, 0]), torch.tensor([0, 2]), num_nodes=3)
        >>> edges.offsets.tolist(), edges.src.tolist(), edges.transpose.dst.tolist()
        ([0, 1, 1, 2], [1, 0], [2, 0])
    """
    num_rows = num_nodes if num_rows is None else num_rows
    relation = torch.zeros_like(src) if relation is None else relation
    for name, index in (("src", src), ("dst", dst), ("relation", relation)):
        if index.dim() != 1 or index.dtype not in (torch.int32, torch.int64):
            raise ValueError(f"{name} must be int32 or int64 [edges], found {index.dtype} {tuple(index.shape)}")
    if min(num_nodes, num_rows) < 0:
        raise ValueError(f"num_nodes and num_rows must be 0 or more, found {num_nodes} and {num_rows}")
    if not src.shape == dst.shape == relation.shape:
        raise ValueError(f"src, dst and relation need one length, found {len(src)}, {len(dst)}, {len(relation)}")
    for name, index, limit in (("src", src, num_rows), ("dst", dst, num_nodes)):
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < limit:
            raise ValueError(f"{name} must lie in 0..{limit - 1}, found {int(index.min())}..{int(index.max())}")
    if relation.numel() and not 0 <= int(relation.min()) <= int(relation.max()) < MAX_COUNT:
        raise ValueError(f"relation must lie in 0..{MAX_COUNT - 1}, found {int(relation.min())}..{int(relation.max())}")
    if max(len(src), num_nodes, num_rows) > MAX_COUNT:
        raise ValueError(f"edges, nodes and rows are numbered in int32, up to {MAX_COUNT}; found {len(src)} edges")
    src, dst, relation = src.long(), dst.long(), relation.long()
    most_relations = int(relation.max()) if relation.numel() else 0
    bits = num_rows.bit_length(), most_relations.bit_length()
    dst, relation, src = _unpack(_ascending(_pack(dst, relation, src, bits)), bits)
    place_bits = len(src).bit_length(), bits[1]
    place = torch.arange(len(src), device=src.device)
    _, _, back = _unpack(_ascending(_pack(src, relation, place, place_bits)), place_bits)
    transpose = Transpose(count_offsets(src, num_rows), back.int(), dst[back].int())
    return Edges(count_offsets(dst, num_nodes), src.int(), relation.int(), transpose)


def _pack(high: Tensor, middle: Tensor, low: Tensor, bits: tuple[int, int]) -> Tensor:
    """Three indices as one number that sorts as they do; `bits` are those of low and middle."""
    if len(high) and sum(bits) + int(high.max()).bit_length() > 63:
        raise ValueError("nodes, rows, edges and relations are too many to be sorted by 63 bits")
    return (((high << bits[1]) | middle) << bits[0]) | low


def _unpack(packed: Tensor, bits: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    rest = packed >> bits[0]
    return rest >> bits[1], rest & ((1 << bits[1]) - 1), packed & ((1 << bits[0]) - 1)


def _ascending(numbers: Tensor) -> Tensor:
    """Sorted. On the CPU by numpy, which sorts plain numbers with vector instructions, many times as fast."""
    if numbers.device.type == "cpu":
        return torch.from_numpy(np.sort(numbers.numpy()))
    return numbers.sort().values


def count_offsets(index: Int[Tensor, "edges"], size: int) -> Int[Tensor, "size_plus_one"]:
    """Where each of `size` groups begins in a list sorted by `index`; the last entry is its length."""
    return offsets_of(torch.bincount(index, minlength=size))


def offsets_of(counts: Int[Tensor, "groups"]) -> Int[Tensor, "groups_plus_one"]:
    """Where each group begins in a list of groups laid end to end; the last entry is its length."""
    offsets = torch.zeros(len(counts) + 1, dtype=torch.int64, device=counts.device)
    torch.cumsum(counts, 0, out=offsets[1:])
    return offsets
