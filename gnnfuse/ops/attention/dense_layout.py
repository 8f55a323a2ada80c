"""Where the nodes, rows and edges of several graphs lie in matrices of one shape per block of graphs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

MAX_NUMBERS = 2**30  # of one matrix of all pairs and heads: 4 GiB in float32
SMALLEST_BLOCK = 4  # graphs of up to 2^4 nodes are padded to one size
GRAPH_BITS = 32  # the place of a pair takes fewer

Shape = tuple[int, int, int]


class DenseLayout(NamedTuple):
    """Graphs of similar size stand in one block, padded to its longest: above 16 nodes less than four times the pairs.

    Nodes, rows and pairs are numbered block by block, within a block graph by graph; a graph without edges is in no
    block, and what is in no block has the number after the last.

    Args:
        shapes: (graphs, nodes, rows) of each block.
        node_slot: `[nodes]`, each node's number.
        row_slot: `[rows]`, each row's number.
        pair: `[edges]`, the number of the (node, row) pair that each edge joins.
    """

    shapes: tuple[Shape, ...]
    node_slot: Tensor
    row_slot: Tensor
    pair: Tensor

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Number of places for nodes, for rows and for pairs, over all blocks."""
        return sizes_of(self.shapes)

    def joins_a_pair_twice(self) -> bool:
        """Whether several edges join one node and one row."""
        joined = self.pair.new_zeros(self.sizes[2], dtype=torch.bool).index_fill_(0, self.pair, True)
        return int(joined.sum()) < len(self.pair)

    def pad_nodes(self, states: Tensor) -> list[Tensor]:
        """`[nodes, heads, dim]` as `[heads, graphs, nodes, dim]` for each block, zeros where no node is."""
        return cut(pad(states, self.node_slot, self.sizes[0]), [shape[:2] for shape in self.shapes])

    def pad_rows(self, states: Tensor) -> list[Tensor]:
        """`[rows, heads, dim]` as `[heads, graphs, rows, dim]` for each block, zeros where no row is."""
        return cut(pad(states, self.row_slot, self.sizes[1]), [shape[::2] for shape in self.shapes])

    def place_pairs(self, numbers: Tensor, place: Tensor, fill: float) -> Tensor:
        """`[pairs, heads]` as `[heads, places]`, `fill` where no pair is."""
        return numbers.new_full((numbers.shape[1], self.sizes[2]), fill).index_copy(1, place, numbers.T)

    def cut_pairs(self, placed: Tensor) -> list[Tensor]:
        """`[heads, places]` as `[heads, graphs, nodes, rows]` for each block."""
        return cut(placed, self.shapes)

    def take_nodes(self, parts: Sequence[Tensor]) -> Tensor:
        """From the blocks back to `[nodes, heads, dim]`, zeros for nodes in no block."""
        return take(parts, self.node_slot)

    def take_rows(self, parts: Sequence[Tensor]) -> Tensor:
        """From the blocks back to `[rows, heads, dim]`, zeros for rows in no block."""
        return take(parts, self.row_slot)


def cut(padded: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """`[heads, places, ...]` as `[heads, *shape, ...]` for each block."""
    parts = torch.split(padded, [math.prod(shape) for shape in shapes], 1)
    return [part.reshape(len(part), *shape, *part.shape[2:]) for part, shape in zip(parts, shapes, strict=True)]


def pad(states: Tensor, slot: Tensor, size: int) -> Tensor:
    """`[items, heads, dim]` as `[heads, size, dim]`, each item at its slot; what has slot `size` is left out."""
    _, heads, dim = states.shape
    padded = states.new_zeros(size + 1, heads, dim).index_copy_(0, slot, states)
    return padded[:size].transpose(0, 1).contiguous()


def take(parts: Sequence[Tensor], slot: Tensor) -> Tensor:
    """The opposite of `pad`, from `[heads, graphs, items, dim]` of each block."""
    heads, *_, dim = parts[0].shape
    flat = [part.flatten(1, 2).transpose(0, 1) for part in parts]
    return torch.cat([*flat, parts[0].new_zeros(1, heads, dim)]).index_select(0, slot)


def lay_out(graph_id: Tensor | None, num_graphs: int, edges: Sequence[Tensor], heads: int) -> DenseLayout:
    """Find the blocks and everything's place in them; waits for the device once.

    Args:
        graph_id: `[nodes]`; None where all nodes are of one graph.
        num_graphs: number of graphs.
        edges: offsets, src, relation, transpose.offsets and transpose.dst.
        heads: of the attention, for the limit.

    Raises:
        ValueError: a graph_id is out of range, an edge joins two graphs, or the matrices would be too large.
    """
    offsets, src, _, row_offsets, row_dst = edges
    if graph_id is None:
        graph_id = offsets.new_zeros(len(offsets) - 1)
    low, high = (int(end) for end in graph_id.aminmax()) if len(graph_id) else (0, -1)
    if low < 0 or high >= num_graphs:
        raise ValueError(f"graph_id must lie in 0..{num_graphs - 1}, found {low}..{high}")
    row_graph = graphs_of_rows(graph_id, num_graphs, row_offsets, row_dst)
    counts = [torch.bincount(index, minlength=num_graphs)[:num_graphs] for index in (graph_id, row_graph)]
    shapes, bases = blocks_of(torch.stack(counts).cpu(), heads)
    node_base, row_base, pair_base, width = bases.to(graph_id.device)
    num_nodes, num_rows, num_pairs = sizes_of(shapes)

    node_rank, row_rank = rank_within(graph_id), rank_within(row_graph)
    # An edge's two keys add up to its pair if both name one graph, and far beside every pair if not.
    node_key = pair_base[graph_id] + node_rank * width[graph_id] + (graph_id << GRAPH_BITS)
    row_key = row_rank - (row_graph << GRAPH_BITS)
    pair = torch.repeat_interleave(node_key, offsets.diff(), output_size=len(src)) + row_key.index_select(0, src)
    check_pairs(pair, num_pairs, graph_id, offsets)
    node_slot = torch.where(width[graph_id] > 0, node_base[graph_id] + node_rank, num_nodes)
    row_slot = torch.where(width[row_graph] > 0, row_base[row_graph] + row_rank, num_rows)
    return DenseLayout(shapes, node_slot, row_slot, pair)


def sizes_of(shapes: Sequence[Shape]) -> tuple[int, int, int]:
    """Number of places for nodes, for rows and for pairs."""
    return (
        sum(graphs * nodes for graphs, nodes, _ in shapes),
        sum(graphs * rows for graphs, _, rows in shapes),
        sum(graphs * nodes * rows for graphs, nodes, rows in shapes),
    )


def graphs_of_rows(graph_id: Tensor, num_graphs: int, row_offsets: Tensor, row_dst: Tensor) -> Tensor:
    """`[rows]`: the graph that each row's first edge leads into, `num_graphs` for a row without edges."""
    if len(row_dst) == 0:
        return graph_id.new_full((len(row_offsets) - 1,), num_graphs)
    first_dst = row_dst[row_offsets[:-1].clamp(max=len(row_dst) - 1)]
    return torch.where(row_offsets.diff() > 0, graph_id[first_dst], num_graphs)


def blocks_of(counts: Tensor, heads: int) -> tuple[tuple[Shape, ...], Tensor]:
    """The blocks' shapes, and for each graph its first node, row and pair and its rows: `[4, graphs + 1]`.

    Graphs share a block whose numbers of nodes, and of rows, round up to one power of two. The last column, and the
    columns of graphs without edges, are zeros.

    Raises:
        ValueError: the matrices would be too large.
    """
    nodes, rows = counts
    node_power, row_power = torch.frexp((counts - 1).clamp(min=0).double()).exponent.clamp(min=SMALLEST_BLOCK)
    kind = torch.where((nodes > 0) & (rows > 0), node_power * 64 + row_power, 0)
    bases = torch.zeros(4, len(nodes) + 1, dtype=torch.int64)
    shapes: list[Shape] = []
    for number in torch.unique(kind[kind > 0]).tolist():
        members = (kind == number).nonzero().squeeze(1)
        shape = len(members), int(nodes[members].max()), int(rows[members].max())
        strides = torch.tensor([shape[1], shape[2], shape[1] * shape[2]])
        bases[:3, members] = torch.tensor(sizes_of(shapes))[:, None] + strides[:, None] * torch.arange(shape[0])
        bases[3, members] = shape[2]
        shapes.append(shape)
    numbers = heads * sizes_of(shapes)[2]
    if numbers > MAX_NUMBERS:
        raise ValueError(
            f"impl='dense' needs a number for every pair of one graph's nodes and rows, at most {MAX_NUMBERS}; found "
            f"{numbers} for the padded graphs of this batch and {heads} heads; use another impl or a smaller batch"
        )
    return tuple(shapes), bases


def rank_within(group: Tensor) -> Tensor:
    """Each item's number among the items of its group, in their order."""
    order = torch.argsort(group, stable=True)
    place = torch.arange(len(group), device=group.device)
    sorted_group = group[order]
    starts = torch.searchsorted(sorted_group, sorted_group)
    return torch.empty_like(place).index_copy(0, order, place - starts)


def check_pairs(pair: Tensor, num_pairs: int, graph_id: Tensor, offsets: Tensor) -> None:
    """Raise ValueError where an edge's row also feeds another graph."""
    low, high = (int(end) for end in pair.aminmax()) if len(pair) else (0, -1)
    if low >= 0 and high < num_pairs:
        return
    edge = int(((pair < 0) | (pair >= num_pairs)).nonzero()[0])
    dst = int(torch.searchsorted(offsets, edge, right=True)) - 1
    raise ValueError(
        f"graph_id must put every edge within one graph; edge {edge} into node {dst} of graph {int(graph_id[dst])} "
        "reads a row that another graph reads too"
    )
