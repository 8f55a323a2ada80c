"""The kernels behind `neighbor_sum(impl="numba")`. The derivation is in README.md.

Each works on the chunks `first_chunk` to `last_chunk` of a `Work`; chunks write to disjoint memory, so any number of
threads gives the same bits. Indices are unsigned, so that numba does not check for negative ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled, threaded

Ints = NDArray[Any]
Floats = NDArray[Any]


@threaded
def neighbor_sum_forward_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints, value: Floats,
    weight: Floats, has_weight: bool, share: Floats, out: Floats,
) -> None:  # fmt: skip
    """Out `[pieces, dim]`: the weighted sum over each piece's edges, times the share `[nodes]` of its row."""
    one = np.uint64(1)
    dim = np.uint64(value.shape[1])
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        out_row, factor = out[piece], share[row[piece]]
        out_row[:] = 0
        for edge in range(bounds[piece], bounds[piece + one]):
            value_row, edge_factor = value[src[edge]], factor
            if has_weight:
                edge_factor *= weight[edge]
            for d in range(dim):
                out_row[d] += edge_factor * value_row[d]


@threaded
def neighbor_max_forward_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, src: Ints, value: Floats,
    weight: Floats, has_weight: bool, out: Floats, highest: NDArray[np.int32],
) -> None:  # fmt: skip
    """Out `[pieces, dim]` and the edge it came from; without edges 0 and -1. NaN exceeds every number."""
    one = np.uint64(1)
    dim = np.uint64(value.shape[1])
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        out_row, highest_row = out[piece], highest[piece]
        out_row[:] = 0
        highest_row[:] = -1
        for edge in range(bounds[piece], bounds[piece + one]):
            value_row, factor = value[src[edge]], value.dtype.type(1)
            if has_weight:
                factor = weight[edge]
            number = np.int32(edge)
            if edge == bounds[piece]:
                for d in range(dim):
                    out_row[d] = factor * value_row[d]
                highest_row[:] = number
            else:
                for d in range(dim):
                    new, old = factor * value_row[d], out_row[d]
                    better = (new > old) | ((new != new) & (old == old))
                    out_row[d] = new if better else old
                    highest_row[d] = number if better else highest_row[d]


@compiled
def neighbor_max_join_kernel(
    first_piece: Ints, pieces: Floats, piece_highest: Ints, out: Floats, highest: Ints
) -> None:
    """Merge the maxima of pieces to those of rows; `first_piece` is `[rows + 1]`."""
    for row in range(len(out)):
        start = first_piece[row]
        out[row] = pieces[start]
        highest[row] = piece_highest[start]
        for piece in range(start + 1, first_piece[row + 1]):
            for d in range(out.shape[1]):
                new, old = pieces[piece, d], out[row, d]
                if new > old or (new != new and old == old):
                    out[row, d] = new
                    highest[row, d] = piece_highest[piece, d]


@threaded
def neighbor_sum_backward_value_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, edge_of: Ints, dst: Ints, grad_out: Floats,
    weight: Floats, has_weight: bool, share: Floats, highest: NDArray[np.int32], has_highest: bool,
    grad_value: Floats,
) -> None:  # fmt: skip
    """Gradient of the value `[pieces, dim]`, along the transpose; a maximum's goes to the edge in `highest`."""
    one = np.uint64(1)
    dim = np.uint64(grad_out.shape[1])
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        grad_row = grad_value[piece]
        grad_row[:] = 0
        for place in range(bounds[piece], bounds[piece + one]):
            edge, node = edge_of[place], dst[place]
            out_row, factor = grad_out[node], share[node]
            if has_weight:
                factor *= weight[edge]
            if has_highest:
                highest_row, number = highest[node], np.int32(edge)
                for d in range(dim):
                    grad_row[d] += factor * out_row[d] if highest_row[d] == number else 0
            else:
                for d in range(dim):
                    grad_row[d] += factor * out_row[d]


@threaded
def neighbor_sum_backward_weight_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints, value: Floats,
    grad_out: Floats, share: Floats, highest: NDArray[np.int32], has_highest: bool, grad_weight: Floats,
) -> None:  # fmt: skip
    """Gradient of the weight `[edges]`: of each edge's value times the gradient of its node."""
    one = np.uint64(1)
    dim = np.uint64(value.shape[1])
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        node = row[piece]
        out_row = grad_out[node]
        for edge in range(bounds[piece], bounds[piece + one]):
            value_row = value[src[edge]]
            dot = value.dtype.type(0)
            if has_highest:
                highest_row, number = highest[node], np.int32(edge)
                for d in range(dim):
                    dot += out_row[d] * value_row[d] if highest_row[d] == number else 0
            else:
                for d in range(dim):
                    dot += out_row[d] * value_row[d]
            grad_weight[edge] = dot * share[node]
