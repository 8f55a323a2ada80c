"""The kernel behind `merge_edges(impl="numba")`. README.md describes what it computes.

Numbers of one node type are shifted alike, and types are ranges of numbers. Comparing with the ends of the ranges needs
no table look-up, so that the compiler processes eight or sixteen numbers at a time.
"""

from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]  # numba has no list of its names
from numba.extending import intrinsic
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled

Ints = NDArray[Any]

STEPS = 4  # type boundaries compared with in one pass


def int32_pointer(context: Any, address: Any) -> Any:
    """The address, a uint64, as a pointer to int32: numba would unpack each array of a list."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int32)(address), generate  # type: ignore[no-untyped-call]


pointer: Any = intrinsic(int32_pointer)


@compiled
def merge_edges_kernel(addresses: Ints, num_types: int, offsets: Ints, lists: Ints) -> None:
    """Write offsets `[2, nodes + 1]` and lists `[4, edges]`; `addresses [graphs]` are those of the graphs' numbers."""
    # Counts of nodes, edges in and edges out per (type, graph), then where each block begins.
    begin = np.empty((3, num_types, len(addresses)), np.int64)
    for graph in range(len(addresses)):
        bounds, ends, _ = parts(addresses[graph], num_types)
        for kind in range(num_types):
            first, last = bounds[kind], bounds[kind + 1]
            begin[0, kind, graph] = last - first
            for way in range(2):
                begin[1 + way, kind, graph] = ends[way, last] - ends[way, first]
    for item in range(3):
        exclusive_sum(begin[item].reshape(-1))
    for graph in range(len(addresses)):
        place_graph(addresses[graph], begin[:, :, graph], offsets, lists)
    offsets[:, -1] = lists.shape[1]


@compiled
def place_graph(address: int, begin: Ints, offsets: Ints, lists: Ints) -> None:
    """Write one graph's blocks; `begin [3, types]` holds where those of nodes, edges in and edges out begin."""
    num_types = begin.shape[1]
    bounds, ends, own = parts(address, num_types)
    first_edges = np.empty(num_types, np.int32)
    for kind in range(num_types):
        first_edges[kind] = ends[0, bounds[kind]]
    of_nodes = steps(bounds[:num_types], begin[0])
    of_edges = steps(first_edges, begin[1])
    for kind in range(num_types):
        first, last, place = bounds[kind], bounds[kind + 1], begin[0, kind]
        for way in range(2):
            here, there = ends[way, first], begin[1 + way, kind]
            here_end, there_end = ends[way, last], there + ends[way, last] - here
            raise_by(offsets[way, place : place + last - first], ends[way, first:last], there - here)
            if way == 0:
                shift(lists[0, there:there_end], own[0, here:here_end], of_nodes)
                copy(lists[1, there:there_end], own[1, here:here_end])
            else:
                shift(lists[2, there:there_end], own[2, here:here_end], of_edges)
                shift(lists[3, there:there_end], own[3, here:here_end], of_nodes)


@compiled
def parts(address: int, num_types: int) -> tuple[Ints, Ints, Ints]:
    """Bounds `[types + 1]`, both offsets `[2, nodes + 1]`, and the lists `[4, edges]` of one graph's numbers."""
    start = pointer(np.uint64(address))
    bounds = carray(start, num_types + 1)
    ends = bounds[num_types] + 1
    head = num_types + 1 + 2 * ends
    offsets = carray(start, head)[num_types + 1 :].reshape(2, ends)
    num_edges = offsets[0, ends - 1]
    return bounds, offsets, carray(start, head + 4 * num_edges)[head:].reshape(4, num_edges)


@compiled
def steps(first: Ints, begin: Ints) -> Ints:
    """Thresholds `[0]`, and by how much more numbers from each on are shifted `[1]`; `first` ascends.

    The first column has no threshold: every number is shifted by it. Padded to whole passes by unreachable thresholds.
    """
    num_steps = len(first) - 1
    found = np.zeros((2, 1 + max(1, -(-num_steps // STEPS)) * STEPS), np.int32)
    found[0, 1:] = np.iinfo(np.int32).max
    found[1, 0] = begin[0] - first[0]
    for kind in range(1, len(first)):
        found[0, kind] = first[kind]
        found[1, kind] = (begin[kind] - first[kind]) - (begin[kind - 1] - first[kind - 1])
    return found


@compiled
def shift(out: Ints, part: Ints, moves: Ints) -> None:
    """Write the numbers of `part` to `out`, shifted as `steps` describes."""
    at, by = moves[0], moves[1]
    base, at1, by1, at2, by2, at3, by3, at4, by4 = by[0], at[1], by[1], at[2], by[2], at[3], by[3], at[4], by[4]
    zero = np.int32(0)
    for i in range(len(part)):
        v = part[i]
        out[i] = (
            v + base
            + (by1 if v >= at1 else zero) + (by2 if v >= at2 else zero)
            + (by3 if v >= at3 else zero) + (by4 if v >= at4 else zero)
        )  # fmt: skip
    for step in range(1 + STEPS, len(at), STEPS):
        at1, by1, at2, by2 = at[step], by[step], at[step + 1], by[step + 1]
        at3, by3, at4, by4 = at[step + 2], by[step + 2], at[step + 3], by[step + 3]
        for i in range(len(part)):
            v = part[i]
            out[i] += (
                (by1 if v >= at1 else zero) + (by2 if v >= at2 else zero)
                + (by3 if v >= at3 else zero) + (by4 if v >= at4 else zero)
            )  # fmt: skip


@compiled
def raise_by(out: Ints, part: Ints, more: int) -> None:
    """Write the numbers of `part` plus `more` to `out`."""
    for i in range(len(part)):
        out[i] = part[i] + more


@compiled
def copy(out: Ints, part: Ints) -> None:
    """Write the numbers of `part` to `out`."""
    for i in range(len(part)):
        out[i] = part[i]


@compiled
def exclusive_sum(counts: Ints) -> None:
    """Replace each count by the sum of those before it."""
    total = 0
    for i in range(len(counts)):
        counts[i], total = total, total + counts[i]
