"""GivenEdges: edges that come with the sample."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from gnnfuse.edges.edge_rule import EdgeRule
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.sample import EdgeList


@dataclass(frozen=True, kw_only=True)
class GivenEdges(EdgeRule):
    """Joins nodes by the sample's own edges: molecules, scene graphs, knowledge graphs.

    Destination nodes list their edges in `NodeSet.extra["edges"]`, by source type and name, as `Features(linked=True)`
    does with `Rows.edges`. Edges at nodes removed by `max_nodes` are left out.

    Args:
        src: name of the type that edges come from.
        dst: name of the type that they go into.
        name: names the rule in relations, and the edges in the sample.
        weighted: the edges carry weights.
        features: number of features of each edge.

    Raises:
        ValueError: a negative number of features.

    Example:
        >>> from gnnfuse.nodes import Features
        >>> from gnnfuse.sample import Rows, Sample
        >>> atom = Features(signal="atom", width=1, linked=True)
        >>> bonds = {("atom", "bond"): torch.tensor([[0, 1], [1, 0]])}
        >>> nodes = atom.nodes(Sample({"atom": Rows(torch.zeros(2, 1), edges=bonds)}))
        >>> GivenEdges(src="atom", dst="atom", name="bond").edges(nodes, nodes).index.tolist()
        [[0, 1], [1, 0]]
    """

    src: str
    dst: str
    name: str
    weighted: bool = False
    features: int = 0
    given: ClassVar[bool] = True
    joins: ClassVar[str] = "the two types it names, where the destination provides 'edges'"

    def __post_init__(self) -> None:
        if self.features < 0:
            raise ValueError(f"edge rule {self.name!r}: features must be at least 0, found {self.features}")

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """The two types, if the destination lists its edges."""
        return (src.name, dst.name) == (self.src, self.dst) and "edges" in dst.provides

    def edges(self, src: NodeSet, dst: NodeSet) -> EdgeList:
        """The edges that the destination lists.

        Raises:
            ValueError: a source that does not exist.
        """
        listed = dst.extra.get("edges")
        found = listed.get((self.src, self.name)) if isinstance(listed, dict) else None
        if found is None or not src.num_nodes:
            return EdgeList(torch.zeros(2, 0, dtype=torch.int64))
        index, *carried = found
        if index.numel() and int(index[0].max()) >= src.num_nodes + src.dropped:
            raise ValueError(
                f"edges {self.src} {self.name} {self.dst}: found source {int(index[0].max())}, expected "
                f"0..{src.num_nodes + src.dropped - 1}"
            )
        kept = (index[0] < src.num_nodes) & (index[1] < dst.num_nodes)
        return EdgeList(index[:, kept], *(None if of_edge is None else of_edge[kept] for of_edge in carried))
