"""Cuts graphs into pieces whose matrices of all pairs are small."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DensePiece:
    """Some nodes of one graph times all of its rows; both are numbered graph by graph, as in `Pieces`.

    Args:
        nodes: which nodes.
        rows: which rows.
        edge: `[edges]`, the edges between them.
        pair: `[edges]`, each edge's own position in the flattened matrix `[nodes, rows * copies]`.
        copies: columns per row in the matrix: the largest number of edges that join one node and one row.
    """

    nodes: slice
    rows: slice
    edge: Tensor
    pair: Tensor
    copies: int

    @property
    def shape(self) -> tuple[int, int]:
        """Nodes, and rows times copies."""
        return self.nodes.stop - self.nodes.start, (self.rows.stop - self.rows.start) * self.copies

    def place(self, edges: Tensor, fill: float) -> Tensor:
        """`[edges of the batch, heads]` as `[heads, nodes, rows * copies]`."""
        nodes, rows = self.shape
        numbers = edges.index_select(0, self.edge).T
        placed = numbers.new_full((len(numbers), nodes * rows), fill).index_copy_(1, self.pair, numbers)
        return placed.view(-1, nodes, rows)

    def take(self, pairs: Tensor) -> Tensor:
        """`[heads, nodes, rows * copies]` as `[edges, heads]`."""
        return pairs.flatten(1).index_select(1, self.pair).T

    def copied(self, rows: Tensor) -> Tensor:
        """`[heads, rows of the batch, dim]` as `[heads, rows * copies, dim]`."""
        rows = rows[:, self.rows]
        return rows if self.copies == 1 else rows.repeat_interleave(self.copies, 1)

    def added_up(self, copied: Tensor) -> Tensor:
        """`[heads, rows * copies, dim]` as `[heads, rows, dim]`: the gradient of `copied`."""
        return copied if self.copies == 1 else copied.view(len(copied), -1, self.copies, copied.shape[2]).sum(2)


class Pieces:
    """The pieces of a batch; can be iterated over repeatedly.

    Args:
        graph_id: `[nodes]`; None if all nodes belong to one graph.
        num_graphs: number of graphs.
        edges: offsets, src, relation, transpose.offsets and transpose.dst.
        numbers: most pairs in a piece, unless it has a single node.

    Attributes:
        nodes: `[nodes]`, the nodes graph by graph.
        rows: `[rows]`, the rows likewise; a row belongs to the graph whose nodes it feeds.

    Raises:
        ValueError: a graph_id is out of range.
    """

    def __init__(self, graph_id: Tensor | None, num_graphs: int, edges: Sequence[Tensor], numbers: int) -> None:
        self.offsets, self.src, _, row_offsets, row_dst = edges
        self.numbers = numbers
        graph_id = self.offsets.new_zeros(len(self.offsets) - 1) if graph_id is None else graph_id
        low, high = (int(end) for end in graph_id.aminmax()) if len(graph_id) else (0, -1)
        if low < 0 or high >= num_graphs:
            raise ValueError(f"graph_id must lie in 0..{num_graphs - 1}, found {low}..{high}")
        self.row_graph = graph_id.new_full((len(row_offsets) - 1,), num_graphs)  # the value for rows without edges
        feeding = row_offsets.diff() > 0
        self.row_graph[feeding] = graph_id[row_dst[row_offsets[:-1][feeding]]]
        self.nodes, self.node_bounds = sort(graph_id, num_graphs)
        self.rows, self.row_bounds = sort(self.row_graph, num_graphs)
        self.place_of_row = torch.argsort(self.rows)

    def __iter__(self) -> Iterator[DensePiece]:
        """Every piece that has edges.

        Raises:
            ValueError: an edge joins two graphs.
        """
        for graph, (start, stop) in enumerate(self.node_bounds):
            rows = slice(*self.row_bounds[graph])
            step = max(1, self.numbers // max(1, rows.stop - rows.start))
            for first in range(start, stop, step):
                piece = self.piece(graph, slice(first, min(first + step, stop)), rows)
                if len(piece.edge):
                    yield piece

    def piece(self, graph: int, nodes: slice, rows: slice) -> DensePiece:
        """Some nodes of a graph, and their edges."""
        chosen, width = self.nodes[nodes], rows.stop - rows.start
        begin, degree = self.offsets[chosen], self.offsets[chosen + 1] - self.offsets[chosen]
        count = int(degree.sum())
        shift = torch.stack([begin - degree.cumsum(0) + degree, torch.arange(len(chosen), device=begin.device) * width])
        first_edge, first_pair = torch.repeat_interleave(shift, degree, 1, output_size=count)
        edge = first_edge + torch.arange(count, device=begin.device)
        src = self.src.index_select(0, edge)
        if bool((foreign := self.row_graph.index_select(0, src) != graph).any()):
            self.refuse(int(edge[foreign][0]), graph)
        pair = first_pair + self.place_of_row.index_select(0, src) - rows.start
        joined = pair.new_zeros(len(chosen) * width, dtype=torch.bool).index_fill_(0, pair, True)
        if int(joined.sum()) == count:
            return DensePiece(nodes, rows, edge, pair, 1)
        rank = rank_within(pair)
        copies = int(rank.max()) + 1
        return DensePiece(nodes, rows, edge, pair * copies + rank, copies)

    def refuse(self, edge: int, graph: int) -> None:
        """Raise ValueError for an edge whose row also feeds another graph."""
        dst = int(torch.searchsorted(self.offsets, edge, right=True)) - 1
        raise ValueError(
            f"graph_id must put every edge within one graph; edge {edge} into node {dst} of graph {graph} "
            "reads a row that another graph reads too"
        )


def sort(graph: Tensor, num_graphs: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """The items graph by graph, and where those of each graph begin and end."""
    ends = torch.bincount(graph, minlength=num_graphs)[:num_graphs].cumsum(0).tolist()
    return torch.argsort(graph, stable=True), list(zip([0, *ends], ends, strict=False))


def rank_within(group: Tensor) -> Tensor:
    """Each item's position among the items of its group."""
    order = torch.argsort(group, stable=True)
    sorted_group = group[order]
    rank = torch.arange(len(group), device=group.device) - torch.searchsorted(sorted_group, sorted_group)
    return torch.empty_like(rank).index_copy_(0, order, rank)
