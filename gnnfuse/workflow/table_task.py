"""The third step from a table to a task: graphs, model and objectives."""

from collections import Counter
from functools import partial
from typing import Any

import torch

from gnnfuse import fit_defaults
from gnnfuse.fusion import FusionModel
from gnnfuse.graph import GraphBuilder
from gnnfuse.tasks import EachModality, Objective, TargetObjective, Task
from gnnfuse.workflow.early_checks import check_classes
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.models import ModelName, each_named, make_model, model_class, model_named
from gnnfuse.workflow.split_table import SplitTable
from gnnfuse.workflow.table_model import graph_options
from gnnfuse.workflow.table_nodes import table_rules
from gnnfuse.workflow.targets import TargetTask
from gnnfuse.workflow.targets.tasks import TASKS
from gnnfuse.workflow.usable_rows import UsableRows

SIGNAL_DROPOUT, DROPOUT, ALONE = 0.5, 0.2, 1.0
UNEVEN = 1.5  # classes are weighted if the largest has more than this many times the rows of the smallest


def table_task(request: FitRequest, split: SplitTable, rows: UsableRows) -> Task:
    """The untrained task for a table, over the first of its models that sees edges; weights are drawn from the seed.

    Its builder makes the graphs of all members, and a task over a model that sees no edges makes none.

    Args:
        request: the arguments of `fit`.
        split: the table's target and splits.
        rows: its usable rows.

    Raises:
        ValueError: too few classes, or sizes that the model cannot have.
    """
    builder = _builder(request, split, rows, TASKS[split.target.kind])
    named = each_named(request.options.neural or [fit_defaults.MODEL], builder.node_types)
    joining = [name for name in named if model_class(ModelName.of(name).model).sees_edges]  # others need no edges
    return task_over(request, split, rows, builder, (*joining, *named)[0], seed=request.config.seed)


def task_over(
    request: FitRequest, split: SplitTable, rows: UsableRows, builder: GraphBuilder, name: str, *, seed: int
) -> Task:
    """An untrained task over a fitted builder.

    Args:
        request: the arguments of `fit`.
        split: the table's target and splits.
        rows: its usable rows.
        builder: makes the graphs.
        name: of the fusion model, as in `FitOptions.model`.
        seed: of the weights.

    Raises:
        ValueError: sizes that the model cannot have.
    """
    kind = TASKS[split.target.kind]
    model = _model(request, rows, builder, name, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective = kind.objective(_weights(request, rows, kind, getattr(builder.target, "classes", ())))
        objectives = _objectives(objective, model, request)
        task: Task = kind.make(model, builder, dropout=DROPOUT, objectives=objectives, **request.options.of_task)
        return task


def is_small(rows: UsableRows) -> bool:
    """Whether a model would overfit the training rows without countermeasures."""
    return rows.sizes["train"] < fit_defaults.SMALL


def _builder(request: FitRequest, split: SplitTable, rows: UsableRows, kind: TargetTask[Any]) -> GraphBuilder:
    """The builder, with what it learns from training rows."""
    counts, train = rows.survey.classes["train"], rows.samples["train"]
    check_classes(request.table.name, split.target, counts)
    builder = GraphBuilder(
        rows.nodes,
        table_rules(rows.nodes),
        target=kind.encoding(split.target, train, counts),
        signal_dropout=SIGNAL_DROPOUT if len(request.columns.signals) > 1 else 0.0,
    )
    for note in kind.notes(builder.target, split.target.columns):
        request.observer.says(note)
    with request.observer.begins("fitting scales", None):
        return builder.fit(train)


def _model(request: FitRequest, rows: UsableRows, builder: GraphBuilder, name: str, seed: int) -> FusionModel:
    """The model of this name; for the graph model, with options for a table of this size."""
    options, small = request.options, is_small(rows)
    found = model_named(name, builder.node_types)
    readout = options.readout or ("additive" if small else "typed")
    graph = partial(graph_options, builder, dim=options.dim, readout=readout, small=small)
    more = graph if found.model == "graph" else dict
    return make_model(found, builder, dim=options.dim, depth=options.depth, seed=seed, options=more)


def _objectives(objective: TargetObjective, model: FusionModel, request: FitRequest) -> list[Objective]:
    """The loss of a sample's prediction and, for a graph model with parts, of each modality alone."""
    several = len(request.columns.signals) > 1
    alone = several and model.family == "graph" and "parts" in model.gives
    return [objective, *([EachModality(objective, weight=ALONE)] if alone else [])]


def _weights(
    request: FitRequest, rows: UsableRows, kind: TargetTask[Any], classes: tuple[str, ...]
) -> tuple[float, ...] | None:
    """Class weights, if they are wanted or needed."""
    if not classes:
        return None
    counts = Counter({name: rows.survey.classes["train"].get(name, 0) for name in classes})
    uneven = max(counts.values()) > UNEVEN * min(counts.values())
    single = request.options.alone or request.table.streaming or request.config.processes > 1
    wanted = uneven and single if request.options.class_weights is None else request.options.class_weights
    if not wanted:
        return None
    largest, smallest = counts.most_common()[0], counts.most_common()[-1]
    request.observer.says(
        f"classes are weighted: {largest[1]:,} training rows of {largest[0]!r}, {smallest[1]:,} of {smallest[0]!r}"
    )
    return kind.weights(counts, classes, rows.sizes["train"])
