"""Tables with a row per relation, in the order in which a batch numbers its relations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gnnfuse.graph import GraphBatch, Relation


def in_batch_order(table: Tensor, relations: Sequence[Relation], batch: GraphBatch) -> Tensor:
    """The rows `[relations, ...]` of a layer's table for a batch's relations, in the batch's order.

    A batch may order its relations differently from the layer, and lack some of them.

    Args:
        table: one row per relation of the layer.
        relations: the layer's relations, in the table's order.
        batch: defines the order.

    Raises:
        ValueError: the batch has a relation unknown to the layer.

    Example:
        >>> from gnnfuse.edges import Window
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.sample import Sample
        >>> batch = GraphBuilder([TextTokens()], [Window()])([Sample({"text": "a cat"})])
        >>> known = [Relation("text", "aligned", "text"), Relation("text", "window", "text")]
        >>> in_batch_order(torch.tensor([1.0, 2.0]), known, batch)
        tensor([2.])
    """
    if tuple(batch.relations) == tuple(relations):
        return table
    places = {relation: place for place, relation in enumerate(relations)}
    unknown = [relation for relation in batch.relations if relation not in places]
    if unknown:
        raise ValueError(
            f"the batch has relation {unknown[0]}, the layer knows {', '.join(map(str, relations)) or 'none'}"
        )
    return table[torch.tensor([places[relation] for relation in batch.relations], dtype=torch.int64)]
