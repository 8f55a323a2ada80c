"""One graph's edges as a single tensor, so that merging reads one address per graph."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.ops.check_edges import check_edges, check_indices
from gnnfuse.ops.edges import Edges, Transpose


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class PackedEdges:
    """One graph's edges, with nodes numbered type by type; `pack_edges` makes it.

    The numbers are those of `Edges`, end to end: `bounds [types + 1]` (each type's first node), `offsets [nodes + 1]`,
    `transpose.offsets [nodes + 1]`, `src [edges]`, `relation [edges]`, `transpose.edge [edges]`,
    `transpose.dst [edges]`. They are checked here, once per graph, and trusted afterwards: do not write into them.

    Args:
        nodes: nodes of each type.
        numbers: `[types + 1 + 2 * (nodes + 1) + 4 * edges]`, int32, on the CPU.

    Raises:
        ValueError: no types, or the numbers have another dtype, device or length, or are inconsistent.
    """

    nodes: tuple[int, ...]
    numbers: Int[Tensor, "numbers"]
    num_nodes: int = field(init=False)
    num_edges: int = field(init=False)

    def __post_init__(self) -> None:
        if not self.nodes or min(self.nodes) < 0:
            raise ValueError(f"nodes must be a count for each of one type at least, found {self.nodes}")
        bounds = [0, *accumulate(self.nodes)]
        numbers, fixed = self.numbers, len(bounds) + 2 * (bounds[-1] + 1)
        num_edges = (numbers.numel() - fixed) // 4
        if (
            numbers.dtype != torch.int32
            or numbers.shape != (fixed + 4 * max(0, num_edges),)
            or numbers.device.type != "cpu"
        ):
            found = f"{numbers.dtype} {tuple(numbers.shape)} on {numbers.device}"
            raise ValueError(f"numbers must be int32 [{fixed} + 4 * edges] on the CPU, found {found}")
        if not numbers.is_contiguous():
            raise ValueError(f"numbers must be contiguous, found strides {numbers.stride()}")
        if numbers[: len(bounds)].tolist() != bounds:
            found = str(numbers[: len(bounds)].tolist())
            raise ValueError(f"numbers must begin with the types' bounds {bounds}, found {found}")
        object.__setattr__(self, "num_nodes", bounds[-1])
        object.__setattr__(self, "num_edges", num_edges)
        edges = self.unpack()
        check_edges(edges, nodes=bounds[-1], rows=bounds[-1], device=torch.device("cpu"))
        check_indices(edges, nodes=bounds[-1], rows=bounds[-1])

    def unpack(self) -> Edges:
        """The graph's own edges."""
        nodes, edges = self.num_nodes + 1, self.num_edges
        sizes = [len(self.nodes) + 1, nodes, nodes, edges, edges, edges, edges]
        _, offsets, back, src, relation, edge, dst = self.numbers.split_with_sizes(sizes)
        return Edges(offsets.long(), src, relation, Transpose(back.long(), edge, dst))


def pack_edges(edges: Edges, nodes: Sequence[int]) -> PackedEdges:
    """Lay one graph's edges end to end.

    Args:
        edges: of one graph on the CPU, whose keys and values have one row per node.
        nodes: nodes of each type, in the order of their numbers.

    Raises:
        ValueError: the edges have another number of nodes, or an index is out of range.

    Example:
        >>> from gnnfuse.ops import edges_from_index
        >>> packed = pack_edges(edges_from_index(torch.tensor([2]), torch.tensor([0]), num_nodes=3), [1, 2])
        >>> packed.num_nodes, packed.num_edges, packed.unpack().src.tolist()
        (3, 1, [2])
    """
    if edges.num_nodes != sum(nodes):
        raise ValueError(f"nodes must add up to the nodes of edges, {edges.num_nodes}; found {sum(nodes)}")
    bounds = torch.tensor([0, *accumulate(nodes)], dtype=torch.int32)
    transpose = edges.transpose
    lists = (bounds, edges.offsets.int(), transpose.offsets.int(), edges.src, edges.relation, *transpose[1:])
    return PackedEdges(tuple(nodes), torch.cat(lists))
