"""One class per node."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, NodeTarget, Ragged
from gnnfuse.graph.node_target import UNKNOWN
from gnnfuse.readout.fused import Fused
from gnnfuse.sample import Sample
from gnnfuse.tasks.linear_head import LinearHead
from gnnfuse.tasks.objectives import NodeCrossEntropy, Objective
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class NodeLabel(NamedTuple):
    """The class of one node.

    Args:
        label: the class's name.
        position: the node's position in its type's units; None if the type has no positions.
        time: its start and end in seconds; None if the type has no times.
    """

    label: str
    position: tuple[float, ...] | None
    time: tuple[float, ...] | None


class NodeClassification(Task):
    """Chooses one class for each node of a type, such as the patches of a picture.

    A prediction's label is a tuple with a `NodeLabel` for each node, in the order of the nodes. Models are selected by
    mean intersection over union: the mean over classes of (nodes that have the class and are predicted to have it) /
    (nodes that have it or are predicted to).

    Args:
        model: outputs the states of the nodes (`FusionModel.gives`).
        builder: with a `NodeTarget`.
        dropout: of the nodes' states before the head.
        objectives: the terms that training minimises; `NodeCrossEntropy()` by default.

    Raises:
        ValueError: the builder's target is not a `NodeTarget` of a node type that the model encodes, or objectives that
            do not fit (`Task`).

    Example:
        >>> from gnnfuse.fusion import Unimodal
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.sample import Sample
        >>> builder = GraphBuilder([TextTokens()], target=NodeTarget("text", ("letter", "space")))
        >>> task = NodeClassification(Unimodal.of(builder, dim=16, depth=1), builder)
        >>> [prediction] = task.predict(Sample({"text": "a b"}))
        >>> len(prediction.label)
        3
    """

    monitor = "mean_iou"
    nan_means = "no node of known class"
    of: str

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        dropout: float = 0.0,
        objectives: Sequence[Objective] | None = None,
    ) -> None:
        target = builder.target
        if not isinstance(target, NodeTarget) or not target.classes:
            raise ValueError(f"NodeClassification needs a builder with target=NodeTarget(of, classes), found {target}")
        encoded = [node_type.name for node_type in model.node_types]
        if target.of not in encoded:
            raise ValueError(f"the target is of node type {target.of!r}, the model encodes {', '.join(encoded)}")
        super().__init__(
            model,
            builder,
            head=LinearHead(model.dim, len(target.classes), dropout),
            outputs=len(target.classes),
            objectives=[NodeCrossEntropy()] if objectives is None else objectives,
            judge=NodeCrossEntropy(),
        )
        self.dropout = dropout
        self.of = target.of
        self.classes = target.classes

    def outputs_of(self, fused: Fused, batch: GraphBatch) -> Float[Tensor, "nodes classes"]:
        """The head's outputs for the nodes of the type."""
        assert fused.nodes is not None  # its objectives need nodes
        outputs: Tensor = self.head(fused.nodes[batch.slices[self.of]])
        return outputs

    def target_of(self, batch: GraphBatch) -> Ragged:
        """The batch's encoded targets.

        Raises:
            ValueError: the batch has none, or a sample has another number of nodes than of classes.
        """
        target = super().target_of(batch)
        assert isinstance(target, Ragged)  # a `NodeTarget` returns nothing else
        nodes, given = batch.layout[self.of].offsets.diff(), target.offsets.diff()
        if bool((nodes != given).any()):
            place = int((nodes != given).nonzero()[0])
            raise ValueError(
                f"sample {batch.ids[place]!r}: found {int(given[place])} classes in its target, expected "
                f"{int(nodes[place])}, one for each node of {self.of!r}"
            )
        return target

    def metrics(self) -> "MetricCollection":
        """The mean intersection over union, and the share of correctly classified nodes."""
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

        count = max(2, len(self.classes))
        return MetricCollection(
            {
                "mean_iou": MulticlassJaccardIndex(count, average="macro", ignore_index=UNKNOWN),
                "accuracy": MulticlassAccuracy(count, average="micro", ignore_index=UNKNOWN),
            }
        )

    def measured(self, outputs: Tensor, target: Tensor | Ragged) -> tuple[Tensor, Tensor]:
        """The outputs and classes of all nodes; -1 if unknown."""
        assert isinstance(target, Ragged)
        return outputs, target.values

    def score(self, prediction: Prediction, sample: Sample) -> float:
        """The share of correctly classified nodes among the sample's nodes of known class; 1 if there are none."""
        assert isinstance(self.builder.target, NodeTarget)
        expected = self.builder.target.encode(sample)
        assert isinstance(prediction.label, tuple)
        found = torch.tensor([self.classes.index(node.label) for node in prediction.label], dtype=torch.int64)
        known = expected != UNKNOWN
        return float((found == expected)[known].double().mean()) if bool(known.any()) else 1.0

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "nodes classes"]) -> list[Prediction]:
        """The most probable class of each node, with its position."""
        layout = batch.layout[self.of]
        ends = layout.offsets.tolist()
        numbers = outputs.argmax(dim=1).tolist()
        positions = _rows(layout.position, len(numbers))
        times = _rows(layout.time, len(numbers))
        labels = [
            NodeLabel(self.classes[number], position, time)
            for number, position, time in zip(numbers, positions, times, strict=True)
        ]
        return [Prediction(name, tuple(labels[ends[g] : ends[g + 1]])) for g, name in enumerate(batch.ids)]


def _rows(numbers: Tensor | None, count: int) -> list[tuple[float, ...] | None]:
    return [None] * count if numbers is None else [tuple(row) for row in numbers.tolist()]
