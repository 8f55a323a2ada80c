"""GivenEdges: edges that come with the sample."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.edges.edge_rule import EdgeRule
from gnnfuse.nodes import NodeSet, NodeType


@dataclass(frozen=True, kw_only=True)
class GivenEdges(EdgeRule):
    """Joins nodes by the sample's own edges: molecules, scene graphs, knowledge graphs.

    Destination nodes list their edges in `NodeSet.extra["edges"]`, by source type and name, as `Features(linked=True)`
    does with `Rows.edges`. Edges at nodes removed by `max_nodes` are left out.

    Args:
        src: name of the type that edges come from.
        dst: name of the type that they go into.
        name: names the rule in relations, and the edges in the sample.

    Example:
        >>> from gnnfuse.nodes import Features
        >>> from gnnfuse.sample import Rows, Sample
        >>> atom = Features(signal="atom", width=1, linked=True)
        >>> bonds = {("atom", "bond"): torch.tensor([[0, 1], [1, 0]])}
        >>> nodes = atom.nodes(Sample({"atom": Rows(torch.zeros(2, 1), edges=bonds)}))
        >>> GivenEdges(src="atom", dst="atom", name="bond").edges(nodes, nodes).tolist()
        [[0, 1], [1, 0]]
    """

    src: str
    dst: str
    name: str
    joins: ClassVar[str] = "the two types it names, where the destination provides 'edges'"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """The two types, if the destination lists its edges."""
        return (src.name, dst.name) == (self.src, self.dst) and "edges" in dst.provides

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        """The edges that the destination lists.

        Raises:
            ValueError: a source that does not exist.
        """
        listed = dst.extra.get("edges")
        found = listed.get((self.src, self.name)) if isinstance(listed, dict) else None
        if found is None or not src.num_nodes:
            return torch.zeros(2, 0, dtype=torch.int64)
        if found.numel() and int(found[0].max()) >= src.num_nodes + src.dropped:
            raise ValueError(
                f"edges {self.src} {self.name} {self.dst}: found source {int(found[0].max())}, expected "
                f"0..{src.num_nodes + src.dropped - 1}"
            )
        kept = (found[0] < src.num_nodes) & (found[1] < dst.num_nodes)
        inside: Tensor = found[:, kept]
        return inside
