"""The kernels behind `impl="numba"` of `keep_rows` and `keep_edges`. README.md describes what they compute."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled, inlined

Ints = NDArray[Any]


@inlined
def stays(edge: int, number: int, kept: Ints) -> Any:
    """1 if the node at the other end of an edge has a number and the edge may stay; no mask of edges keeps all."""
    return (number >= 0) & kept[edge] if len(kept) else np.uint8(number >= 0)


@compiled
def keep_rows_kernel(mask: Ints, offsets: Ints, rows: Ints, new_offsets: Ints, emptied: Ints) -> tuple[bool, bool]:
    """Write `rows [rows + 1]` from its start, `new_offsets`, `emptied`; return whether any group lost some, or all."""
    count: Any = 0
    some, every = False, False
    new_offsets[0] = 0
    for group in range(len(offsets) - 1):
        before = count
        for row in range(offsets[group], offsets[group + 1]):
            rows[count] = row
            count += np.int64(mask[row])
        new_offsets[group + 1] = count
        lost = count - before < offsets[group + 1] - offsets[group]
        emptied[group] = lost and count == before
        some |= lost and count > before
        every |= lost and count == before
    return some, every


@compiled
def number_kernel(offsets: Ints, nodes: Ints, number: Ints) -> tuple[int, int]:
    """Write `number [nodes]`, -1 for removed nodes; return how many nodes stay, and how many edges lead into them."""
    num_nodes, num_edges = 0, 0
    for node in range(len(nodes)):
        number[node] = num_nodes if nodes[node] else -1
        if nodes[node]:
            num_nodes += 1
            num_edges += offsets[node + 1] - offsets[node]
    return num_nodes, num_edges


@compiled
def keep_edges_kernel(
    offsets: Ints, src: Ints, relation: Ints, back_offsets: Ints, back_edge: Ints, back_dst: Ints,
    number: Ints, kept: Ints, place: Ints, new_offsets: Ints, new_back_offsets: Ints,
    new_src: Ints, new_relation: Ints, new_edge: Ints, new_dst: Ints,
) -> Any:  # fmt: skip
    """Write both new offsets, the four new lists and the scratch list `place [edges]`; return how many edges stay.

    The input lists are unsigned, so that numba does not check for negative indices.
    """
    count, row = np.uint32(0), 0
    new_offsets[0] = 0
    for node in range(len(number)):
        if number[node] >= 0:
            for edge in range(offsets[node], offsets[node + 1]):
                moved = number[src[edge]]
                new_src[count], new_relation[count] = moved, relation[edge]
                place[edge] = count
                count += np.uint32(stays(edge, moved, kept))
            row += 1
            new_offsets[row] = count
    count, row = np.uint32(0), 0
    new_back_offsets[0] = 0
    for node in range(len(number)):
        if number[node] >= 0:
            for back in range(back_offsets[node], back_offsets[node + 1]):
                edge, moved = back_edge[back], number[back_dst[back]]
                new_edge[count], new_dst[count] = place[edge], moved
                count += np.uint32(stays(edge, moved, kept))
            row += 1
            new_back_offsets[row] = count
    return count
