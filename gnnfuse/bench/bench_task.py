"""What a benchmark task is: data, graphs for it, and one training budget for every model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gnnfuse.data import Dataset
from gnnfuse.edges import EdgeRule
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import NodeType
from gnnfuse.train import FitConfig


@dataclass(frozen=True, kw_only=True)
class BenchTask:
    """One task, the same for every model.

    Args:
        dataset: samples in splits; classification.
        node_types: how samples become nodes, for all models.
        edge_rules: what joins them, for graph models.
        config: how every model is trained.
        dim: size of the states and of the fused vector.
        depth: layers, or transformer blocks.
        dropout: of the fused vector before the head.
        group: the data set's group to report accuracy by.
        name: names the task in results; the data set's name by default.
    """

    dataset: Dataset
    node_types: tuple[NodeType, ...]
    edge_rules: tuple[EdgeRule, ...]
    config: FitConfig
    dim: int = 64
    depth: int = 2
    dropout: float = 0.0
    group: str | None = None
    name: str = ""

    def builder(self) -> GraphBuilder:
        """The builder of all models' batches, with what it learns from the training split.

        Raises:
            ValueError: the data set is not for classification.
        """
        if self.dataset.target != "classification":
            raise ValueError(f"benchmark {self.dataset.name!r}: found {self.dataset.target}, expected classification")
        builder = GraphBuilder(self.node_types, self.edge_rules, target=ClassTarget(self.dataset.classes))
        return builder.fit(self.dataset.train)


MakeTask = Callable[[Path | None, bool], BenchTask]
"""What the catalogue lists under "benchmark": (data folder or None, quick) -> task."""
