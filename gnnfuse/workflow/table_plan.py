"""The steps from a table to a task that is ready to be trained."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from gnnfuse import fit_defaults
from gnnfuse.data.rejects import Reject
from gnnfuse.fusion import FusionModel
from gnnfuse.graph import GraphBuilder, TargetEncoding
from gnnfuse.nodes import CachedNodes, NodeType
from gnnfuse.reading import Survey, UsableSamples, UsableStream, survey
from gnnfuse.saving import uncached
from gnnfuse.tables import Columns, Table, target_kind
from gnnfuse.tasks import EachModality, Objective, TargetObjective, Task
from gnnfuse.train import FitConfig, Samples, prepare
from gnnfuse.train.graphs import graph_bytes
from gnnfuse.train.plan import part_size
from gnnfuse.workflow.cached_nodes import cached_nodes
from gnnfuse.workflow.early_checks import check_classes, check_model, class_counts
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.models import make_model, model_named
from gnnfuse.workflow.observer import Observer
from gnnfuse.workflow.table_model import graph_options
from gnnfuse.workflow.table_nodes import table_nodes, table_rules
from gnnfuse.workflow.table_splits import TableSplits, table_splits
from gnnfuse.workflow.targets import TASKS

GIB = 2**30
IN_MEMORY = 2 * GIB  # of a machine's memory, for graphs that are not changed
SIGNAL_DROPOUT, DROPOUT, ALONE = 0.5, 0.2, 1.0
UNEVEN = 1.5  # how many times the smallest class the largest must be for classes to be weighted


class TablePlan:
    """A table's target, splits and samples, and the task that is made of them.

    Args:
        table: the table.
        columns: what its columns are.
        options: what is fitted.
        config: how it is trained.
        observer: is told what was chosen.

    Attributes:
        target: how targets are read.
        splits: how the rows were split, in words and by which shares.
        sizes: usable samples by split.
        survey: what can be read of the rows.
        rejects: what was left out, rows of unknown classes included.
        task: the task, untrained.

    Raises:
        ValueError: as `gnnfuse.workflow.fit`.
    """

    def __init__(
        self, table: Table, columns: Columns, options: FitOptions, config: FitConfig, observer: Observer
    ) -> None:
        self.table, self.columns, self.options, self.config, self.observer = table, columns, options, config, observer
        if table.streaming:  # said now rather than after the table was read
            part_size(config.batch_size, config.processes * config.accumulate, training=True)
        self.target = target_kind(table, columns, kind=options.kind, separator=options.separator)
        self.kind = TASKS[self.target.kind]
        if options.class_weights and not self.target.named:
            raise ValueError(f"table {table.name}: found class_weights for a {self.target.kind}, which has no classes")
        where = " in its first rows" if table.streaming and options.kind is None else ""
        observer.says(f"{self.target.kind}: {self.target.reason}{where}")
        self.rows = self._split()
        self.splits = self.rows.splits
        sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in self.splits.named.items())
        observer.says(f"rows: {sizes}; {self.splits.rule}")
        if not len(self.splits.valid):
            raise ValueError(
                f"table {table.name}: found no validation rows ({self.splits.rule}), expected at least one: the epoch "
                "that is kept is chosen on them"
            )
        if not table.streaming and self.target.named:
            check_classes(table.name, self.target, class_counts(table, self.target, self.splits.train.tolist()))
        self.survey = self._survey()
        if self.survey.without_labels:
            why = "" if self.target.labels else f": an empty cell of column {columns.target[0]!r} means none"
            observer.says(f"{self.survey.without_labels:,} rows have no labels{why}")
        for label in self.target.labels:
            if label not in self.survey.classes["train"]:
                observer.says(f"label {label!r}: no training row has it, so that it cannot be learnt")
        self.rejects = self._rejects()
        left_out = _rows_of(self.rejects)
        self.sizes = {name: len(self.rows.rows_of(name, left_out)) for name in self.splits.named}
        self.usable = {name: self.rows.of(name, left_out, self.survey.usable.dropped) for name in self.splits.named}
        self.task = self._task()
        if self.cached:
            observer.says(self._what_changes())

    def of(self, split: str) -> UsableSamples | UsableStream:
        """The usable samples of a split."""
        return self.usable[split]

    def ready(self) -> tuple[Samples, Samples]:
        """Training and validation samples; as graphs where they need not be read anew in each epoch."""
        train, valid = self.of("train"), self.of("valid")
        if not self.sizes["valid"]:
            raise ValueError(f"table {self.table.name}: found no usable validation rows, expected at least one")
        if self.cached or isinstance(train, UsableStream) or isinstance(valid, UsableStream):
            return train, valid
        once = {"valid": valid} if self.augments else {"valid": valid, "train": train}
        kept = self._kept(once)
        with self.observer.counting("building graphs", sum(map(len, kept.values()))) as advance:
            graphs = {split: prepare(self.task.builder, samples, advance=advance) for split, samples in kept.items()}
        return graphs.get("train", train), graphs.get("valid", valid)

    def _kept(self, samples: Mapping[str, UsableSamples]) -> dict[str, UsableSamples]:
        """Of samples that need not be read anew, by split, those whose graphs the memory is for."""
        left, kept = IN_MEMORY / self.config.devices, {}
        for split, found in samples.items():
            size = graph_bytes(self.task.builder, found)
            if size <= left:
                left, kept[split] = left - size, found
            else:
                self.observer.says(
                    f"{split} rows are read in every epoch: their graphs would take about {size / GIB:,.1f} GiB of "
                    f"memory, and {left / GIB:,.1f} GiB of each process is for them"
                )
        return kept

    @property
    def small(self) -> bool:
        """Whether a model would learn the training rows by heart unless it is kept from it."""
        return self.sizes["train"] < fit_defaults.SMALL

    @property
    def augments(self) -> bool:
        """Whether training samples are changed at random; cached features never are."""
        wanted = self.small if self.options.augment is None else self.options.augment
        return wanted and (self.task.builder.signal_dropout > 0 or bool(self._changing))

    @property
    def cached(self) -> tuple[str, ...]:
        """The signals whose features are read from a cache."""
        return tuple(node_type.signal for node_type in self._nodes if isinstance(node_type, CachedNodes))

    @property
    def _changing(self) -> tuple[str, ...]:
        """The signals that node types know how to change at random."""
        changing = (node_type for node_type in self._nodes if type(node_type).augment is not NodeType.augment)
        return tuple(node_type.signal for node_type in changing if node_type.signal is not None)

    def whole(self) -> Task:
        """The task as it is saved: it reads signals themselves, also where it was trained on cached features."""
        return uncached(self.task) if self.cached else self.task

    def training(self, folder: Path, *, resume: bool) -> FitConfig:
        """How the task is trained, with checkpoints in a folder."""
        return replace(self.config, out=folder, augment=self.augments, resume=resume or self.config.resume)

    def _what_changes(self) -> str:
        """What augmentation does where it cannot act on cached features."""
        if not self.augments:
            return f"cached features ({', '.join(self.cached)}) are not changed at random, nor is anything else"
        acts = ["leaves out whole signals"] if self.task.builder.signal_dropout else []
        acts += [f"changes {', '.join(self._changing)}"] if self._changing else []
        return f"augmentation {' and '.join(acts)}; it cannot change cached features ({', '.join(self.cached)})"

    def _split(self) -> TableSplits:
        with self.observer.counting("splitting rows", None) as advance:
            return table_splits(
                self.table, self.columns, self.target, fractions=self.options.fractions, seed=self.config.seed,
                leave_out=self.options.on_error != "stop", advance=advance,
            )  # fmt: skip

    def _survey(self) -> Survey[UsableSamples] | Survey[UsableStream]:
        samples, rows, on_error = self.rows.samples, self.rows.num_rows, self.options.on_error
        some = self.rows.of("train", _rows_of(()), {})
        nodes = table_nodes(self.columns, some, self.options.encoders)
        check_model(self.options, self.columns, some)
        if self.options.encoders.cache is not None:
            nodes = cached_nodes(
                nodes, samples, self.options.encoders, rows=rows, on_error=on_error, config=self.config,
                observer=self.observer,
            )  # fmt: skip
        self._nodes, self._rules = nodes, table_rules(nodes)
        with self.observer.counting("reading rows", rows) as advance:
            return survey(
                GraphBuilder(nodes),
                samples,
                on_error=on_error,
                splits=self.splits.named,
                target_column=", ".join(self.columns.target),
                workers=self.config.workers,
                advance=advance,
            )

    def _rejects(self) -> tuple[Reject, ...]:
        """What the survey left out, and rows of classes that training does not know."""
        found = list(self.survey.rejects)
        if self.target.named:
            left_out, known = _rows_of(found), {*self.survey.classes["train"], *self.target.labels}
            for split in ("valid", "test"):
                if set(self.survey.classes[split]) - known:
                    found += self._unknown(split, known, left_out)
        return tuple(sorted(found, key=lambda reject: reject.row))

    def _unknown(self, split: str, known: set[str], left_out: Int64[np.ndarray, "rows"]) -> Iterator[Reject]:
        column = ", ".join(self.columns.target)
        rows = self.rows.rows_of(split, left_out).tolist()
        for row, sample in zip(rows, self.rows.of(split, left_out, {}), strict=True):
            strange = [name for name in _names(sample.target) if name not in known]
            if strange:
                reason = f"found class {strange[0]!r} in the {split} split, expected one that training rows have"
                if self.options.on_error == "stop":
                    raise ValueError(f"row {row + 1}, {str(sample.id)!r}, column {column!r}: {reason}")
                yield Reject(row + 1, str(sample.id), column, reason, True)

    def _encoding(self) -> TargetEncoding:
        counts = self.survey.classes["train"]
        check_classes(self.table.name, self.target, counts)
        return self.kind.encoding(self.target, self.of("train"), counts)

    def _task(self) -> Task:
        several = len(self.columns.signals) > 1
        builder = GraphBuilder(
            self._nodes, self._rules, target=self._encoding(), signal_dropout=SIGNAL_DROPOUT if several else 0.0
        )
        with self.observer.counting("fitting scales", None):
            builder = builder.fit(self.of("train"))
        name = model_named(self.options.model, builder.node_types)
        dim, depth, seed = self.options.dim, self.options.depth, self.config.seed
        options = partial(self._graph, builder) if name.model == "graph" else dict
        model = make_model(name, builder, dim=dim, depth=depth, seed=seed, options=options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            objective = self.kind.objective(self._weights(getattr(builder.target, "classes", ())))
            task: Task = self.kind.make(model, builder, dropout=DROPOUT, objectives=self._objectives(objective, model))
            return task

    def _objectives(self, objective: TargetObjective, model: FusionModel) -> list[Objective]:
        """The loss of a sample's answer and, of a graph model that reads modalities one by one, of each alone."""
        several = len(self.columns.signals) > 1
        alone = several and model.family == "graph" and "parts" in model.gives
        return [objective, *([EachModality(objective, weight=ALONE)] if alone else [])]

    def _graph(self, builder: GraphBuilder) -> dict[str, object]:
        """Arguments of the graph model for a table of this size."""
        readout = self.options.readout or ("additive" if self.small else "typed")
        return graph_options(builder, dim=self.options.dim, readout=readout, small=self.small)

    def _weights(self, classes: tuple[str, ...]) -> tuple[float, ...] | None:
        if not classes:
            return None
        counts = Counter({name: self.survey.classes["train"].get(name, 0) for name in classes})
        uneven = max(counts.values()) > UNEVEN * min(counts.values())
        if not (uneven if self.options.class_weights is None else self.options.class_weights):
            return None
        largest, smallest = counts.most_common()[0], counts.most_common()[-1]
        self.observer.says(
            f"classes are weighted: {largest[1]:,} training rows of {largest[0]!r}, {smallest[1]:,} of {smallest[0]!r}"
        )
        return self.kind.weights(counts, classes, self.sizes["train"])


def _names(target: object) -> tuple[str, ...]:
    return target if isinstance(target, tuple) else (str(target),)


def _rows_of(rejects: Iterable[Reject]) -> Int64[np.ndarray, "rows"]:
    """The rows, from 0 and ascending, that are left out."""
    return np.unique(np.array([reject.row - 1 for reject in rejects if reject.left_out], dtype=np.int64))
