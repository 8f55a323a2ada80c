"""Edge weights and features in layers: weights gate messages, features bias scores or are added to messages."""

from collections.abc import Sequence
from typing import cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.ops import segment_reduce


class EdgeTerms(nn.Module):
    """A linear map of the edge features of each relation that has some, without bias.

    Args:
        relations: the layer's relations.
        out: size of the results: heads for biases on scores, dim for terms of messages.

    Example:
        >>> terms = EdgeTerms([Relation("atom", "bond", "atom", features=3)], 4)
        >>> [tuple(weight.shape) for weight in terms.parameters()]
        [(4, 3)]
    """

    def __init__(self, relations: Sequence[Relation], out: int) -> None:
        super().__init__()
        self.relations = tuple(relations)
        self.out = out
        self.maps = nn.ModuleDict(
            {
                str(number): nn.Linear(relation.features, out, bias=False)
                for number, relation in enumerate(relations)
                if relation.features
            }
        )

    def biases(self, batch: GraphBatch) -> Float[Tensor, "edges out"] | None:
        """Each edge's mapped features, 0 for edges without; None if no relation has any."""
        total = None
        for own, linear, features in self._carrying(batch):
            mapped = _at_edges(own, linear(features))
            total = mapped if total is None else total + mapped
        return total

    def sums(self, batch: GraphBatch, share: Float[Tensor, "edges"]) -> Float[Tensor, "nodes out"] | None:
        """For each node, the mapped sum of its incoming edges' features times their shares; None if no edge has any."""
        total = None
        for own, linear, features in self._carrying(batch):
            shared = _at_edges(own, features) * share[:, None].to(features.dtype)
            mapped = linear(segment_reduce(shared, offsets=batch.edges.offsets, reduce="sum"))
            total = mapped if total is None else total + mapped
        return total

    def _carrying(self, batch: GraphBatch) -> list[tuple[Tensor, nn.Linear, Tensor]]:
        """For each relation of the batch with features: the mask of its edges, its map, and the edges' features."""
        if not self.maps:
            return []
        numbers = {relation: str(number) for number, relation in enumerate(self.relations)}
        found = []
        for place, relation in enumerate(batch.relations):
            if relation.features:
                linear = cast(nn.Linear, self.maps[numbers[relation]])
                features = batch.edge_features[relation].to(linear.weight.dtype)
                found.append((batch.edges.relation == place, linear, features))
        return found


def _at_edges(own: Bool[Tensor, "edges"], rows: Float[Tensor, "own width"]) -> Float[Tensor, "edges width"]:
    """The rows at the edges of the mask, in order; 0 at the others."""
    zeros = rows.new_zeros(len(own), rows.shape[1])
    return zeros.masked_scatter(own[:, None].expand_as(zeros), rows)


def edge_gate(batch: GraphBatch, heads: int) -> Float[Tensor, "edges heads"] | None:
    """The edges' weights for each head; None if the batch has none."""
    weight = batch.edge_weight
    return None if weight is None else weight[:, None].repeat(1, heads)
