"""Edge weights and features in layers: weights gate messages, features bias scores or are added to messages."""

from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
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
            mapped = linear(features)
            into = mapped.new_zeros(len(own), self.out) if total is None else total
            total = into.masked_scatter(own[:, None].expand(-1, self.out), mapped)
        return total

    def sums(self, batch: GraphBatch, share: Float[Tensor, "edges"]) -> Float[Tensor, "nodes out"] | None:
        """For each node, the mapped sum of its incoming edges' features times their shares; None if no edge has any."""
        total = None
        for own, linear, features in self._carrying(batch):
            spread = features.new_zeros(len(own), features.shape[1])
            spread = spread.masked_scatter(own[:, None].expand_as(spread), features)
            summed = segment_reduce(spread * share[:, None].to(spread.dtype), offsets=batch.edges.offsets, reduce="sum")
            total = linear(summed) if total is None else total + linear(summed)
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


def edge_gate(batch: GraphBatch, heads: int) -> Float[Tensor, "edges heads"] | None:
    """The edges' weights for each head; None if the batch has none."""
    weight = batch.edge_weight
    return None if weight is None else weight[:, None].repeat(1, heads)
