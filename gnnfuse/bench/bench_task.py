"""A benchmark task: data, graphs for it, and one training budget for every model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from gnnfuse.data import Dataset
from gnnfuse.edges import EdgeRule
from gnnfuse.fusion import FusionModel
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import NodeType
from gnnfuse.tasks import Task
from gnnfuse.train import FitConfig
from gnnfuse.workflow.targets.tasks import TASKS

MakeModelTask = Callable[[FusionModel, GraphBuilder, float], Task]
"""(model, builder, dropout) -> task."""

ENCODINGS: Mapping[str, Callable[[Dataset], TargetEncoding]] = {  # by `Dataset.target`
    "classification": lambda dataset: ClassTarget(dataset.classes),
    "multilabel": lambda dataset: MultiLabelTarget(dataset.classes),
    "regression": lambda dataset: NumberTarget.fit(dataset.train, size=_numbers(dataset)),
}


@dataclass(frozen=True, kw_only=True)
class BenchTask:
    """One task, the same for every model.

    Args:
        dataset: samples in splits.
        node_types: how samples become nodes, for all models.
        edge_rules: rules that join the nodes, for graph models.
        config: how every model is trained.
        dim: size of the states and of the fused vector.
        depth: layers, or transformer blocks.
        dropout: rate for the fused vector before the head.
        group: the data set's group to report scores by.
        name: name of the task in results; the data set's name by default.
        target: makes the target encoding; by default chosen by the data set's kind of target.
        make: makes the task of a model; by default chosen by the data set's kind of target.
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
    target: TargetEncoding | None = None
    make: MakeModelTask | None = None

    def builder(self) -> GraphBuilder:
        """The builder of all models' batches, with what it learns from the training split."""
        target = ENCODINGS[self.dataset.target](self.dataset) if self.target is None else self.target
        return GraphBuilder(self.node_types, self.edge_rules, target=target).fit(self.dataset.train)

    def task(self, model: FusionModel, builder: GraphBuilder) -> Task:
        """The task to train and examine for one model."""
        if self.make is not None:
            return self.make(model, builder, self.dropout)
        made: Task = TASKS[self.dataset.target].make(model, builder, dropout=self.dropout)
        return made


def _numbers(dataset: Dataset) -> int:
    """The number of values in a regression target."""
    return int(torch.as_tensor(dataset.train[0].target).numel())


MakeTask = Callable[[Path | None, bool], BenchTask]
"""An entry of the catalogue under "benchmark": (data folder or None, quick) -> task."""
