"""`keep_rows` and `keep_edges` in one walk over rows or edges; numba is imported when they run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.one_block import empty_in_one_block
from gnnfuse.ops.edges import Edges, Transpose


def keep_rows_numba(
    masks: Sequence[Bool[Tensor, "_"]], offsets: Sequence[Int[Tensor, "_"]]
) -> list[tuple[Tensor, Tensor, bool, Tensor | None]]:
    """The fields of `KeptRows`, as for `keep_rows`."""
    from gnnfuse.ops.keep.numba_kernels import keep_rows_kernel

    found = []
    for mask, groups in zip(masks, offsets, strict=True):
        rows, after = np.empty(len(mask) + 1, dtype=np.int64), np.empty(len(groups), dtype=np.int64)
        emptied = np.empty(len(groups) - 1, dtype=np.bool_)
        some, every = keep_rows_kernel(_bytes(mask), groups.contiguous().numpy(), rows, after, emptied)
        numbers = torch.from_numpy(rows[: after[-1]]), torch.from_numpy(after)
        found.append((*numbers, bool(some), torch.from_numpy(emptied) if every else None))
    return found


def keep_edges_numba(edges: Edges, nodes: Bool[Tensor, "nodes"], kept: Bool[Tensor, "edges"] | None) -> Edges:
    """As `keep_edges`."""
    from gnnfuse.ops.keep.numba_kernels import keep_edges_kernel, number_kernel

    number = np.empty(len(nodes), dtype=np.int32)
    num_nodes, most = number_kernel(edges.offsets.contiguous().numpy(), _bytes(nodes), number)
    wanted = [((num_nodes + 1,), torch.int64)] * 2
    # One more than needed: each edge is written at the place of the next one that stays.
    wanted += [((most + 1,), torch.int32)] * 4
    made = [part.numpy() for part in empty_in_one_block(wanted)]
    place = new_memory(edges.src, edges.num_edges).numpy()
    mask = _bytes(nodes[:0] if kept is None else kept)
    given = [*map(_unsigned, (*edges[:3], *edges.transpose)), number, mask, place, *made]
    num_edges = keep_edges_kernel(*given)
    # Through numpy, each list has a storage of its own length, so pickling one carries nothing more.
    forward, backward, *rest = made
    src, relation, edge, dst = (torch.from_numpy(part[:num_edges]) for part in rest)
    transpose = Transpose(torch.from_numpy(backward), edge, dst)
    return Edges(torch.from_numpy(forward), src, relation, transpose)


def _bytes(mask: Tensor) -> NDArray[np.uint8]:
    return mask.contiguous().numpy().view(np.uint8)


def _unsigned(numbers: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = numbers.contiguous().numpy()
    return found.view(f"u{found.itemsize}")
