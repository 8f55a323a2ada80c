"""The steps from a table to a task that is ready to be trained."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from gnnfuse.data.rejects import Reject
from gnnfuse.data.tables import Columns, Table, TableSamples, split_rows, target_kind
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, SampleGraph, TargetEncoding
from gnnfuse.nodes import CachedNodes, NodeType
from gnnfuse.sample import Sample
from gnnfuse.saving import uncached
from gnnfuse.tasks import Classification, MultiLabel, Regression, Task, balanced_weights, positive_weights
from gnnfuse.train import FitConfig, Survey, UsableSamples, prepare, survey
from gnnfuse.workflow.cached_nodes import cached_nodes
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.models import expand, make_model
from gnnfuse.workflow.observer import Observer
from gnnfuse.workflow.table_nodes import table_nodes, table_rules

SMALL = 20_000  # training rows below which samples are changed at random
IN_MEMORY = 50_000  # rows below which graphs that are not changed are kept
SIGNAL_DROPOUT, DROPOUT, SMOOTHING = 0.2, 0.2, 0.1
WEIGHT_POWER = 0.5  # halfway between the accuracy of samples and that of classes
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
        splits: row numbers by split.
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
        self.target = target_kind(table, columns, kind=options.kind, separator=options.separator)
        observer.says(f"{self.target.kind}: {self.target.reason}")
        self.splits = split_rows(
            table, columns, self.target, fractions=options.fractions, seed=config.seed,
            leave_out=options.on_error != "stop",
        )  # fmt: skip
        sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in self.splits.named.items())
        observer.says(f"rows: {sizes}; {self.splits.rule}")
        if not len(self.splits.valid):
            raise ValueError(
                f"table {table.name}: found no validation rows ({self.splits.rule}), expected at least one: the epoch "
                "that is kept is chosen on them"
            )
        self.samples = TableSamples(table, columns, self.target)
        self.survey = self._survey()
        if self.survey.without_labels:
            observer.says(
                f"{self.survey.without_labels:,} rows have no labels: an empty cell of column "
                f"{columns.target[0]!r} means none"
            )
        self.usable, unknown = self._usable()
        self.rejects = tuple(sorted((*self.survey.rejects, *unknown), key=lambda reject: reject.row))
        self.task = self._task()
        if self.cached:
            observer.says(self._what_changes())

    def of(self, split: str) -> UsableSamples:
        """The usable samples of a split."""
        return self.usable[split]

    def ready(self) -> tuple[Sequence[Sample] | list[SampleGraph], Sequence[Sample] | list[SampleGraph]]:
        """Training and validation samples; as graphs where they need not be read anew in each epoch."""
        train, valid = self.of("train"), self.of("valid")
        if not len(valid):
            raise ValueError(f"table {self.table.name}: found no usable validation rows, expected at least one")
        keep_train = not self.augments and not self.cached and len(train) <= IN_MEMORY
        keep_valid = not self.cached and len(valid) <= IN_MEMORY
        total = len(train) * keep_train + len(valid) * keep_valid
        with self.observer.counting("building graphs", total) as advance:
            builder = self.task.builder
            ready_train = prepare(builder, train, advance=advance) if keep_train else train
            ready_valid = prepare(builder, valid, advance=advance) if keep_valid else valid
        return ready_train, ready_valid

    @property
    def augments(self) -> bool:
        """Whether training samples are changed at random; cached features never are."""
        wanted = len(self.splits.train) < SMALL if self.options.augment is None else self.options.augment
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

    def _survey(self) -> Survey[UsableSamples]:
        some = (self.samples[row] for row in self.splits.train.tolist())
        nodes = table_nodes(self.columns, some, self.options.encoders)
        if self.options.encoders.cache is not None:
            nodes = cached_nodes(
                nodes, self.samples, self.options.encoders, rows=len(self.samples), on_error=self.options.on_error,
                config=self.config, observer=self.observer,
            )  # fmt: skip
        self._nodes, self._rules = nodes, table_rules(nodes)
        with self.observer.counting("reading rows", len(self.samples)) as advance:
            return survey(
                GraphBuilder(nodes),
                self.samples,
                on_error=self.options.on_error,
                splits=self.splits.named,
                target_column=", ".join(self.columns.target),
                workers=self.config.workers,
                advance=advance,
            )

    def _usable(self) -> tuple[dict[str, UsableSamples], list[Reject]]:
        """Usable samples by split, without those of classes that training does not know."""
        found = {name: self.survey.usable.among(rows.tolist()) for name, rows in self.splits.named.items()}
        if self.target.kind == "regression":
            return found, []
        known = set(self.survey.classes["train"])
        unknown: list[Reject] = []
        for split in ("valid", "test"):
            places = []
            for place in found[split].places.tolist():
                sample = self.samples[place]
                strange = [name for name in _names(sample.target) if name not in known]
                places += [] if strange else [place]
                if strange:
                    reason = f"found class {strange[0]!r} in the {split} split, expected one that training rows have"
                    unknown.append(Reject(place + 1, str(sample.id), ", ".join(self.columns.target), reason, True))
            found[split] = replace(found[split], places=np.array(places, dtype=np.int64))
        if unknown and self.options.on_error == "stop":
            first = unknown[0]
            raise ValueError(f"row {first.row}, {first.id!r}, column {first.column!r}: {first.reason}")
        return found, unknown

    def _encoding(self) -> TargetEncoding:
        train = self.of("train")
        if self.target.kind == "regression":
            first = train[0].target
            return NumberTarget.fit(train, size=len(first) if isinstance(first, tuple) else 1)
        classes = tuple(sorted(self.survey.classes["train"]))
        return ClassTarget(classes) if self.target.kind == "classification" else MultiLabelTarget(classes)

    def _task(self) -> Task:
        several = len(self.columns.signals) > 1
        builder = GraphBuilder(
            self._nodes, self._rules, target=self._encoding(), signal_dropout=SIGNAL_DROPOUT if several else 0.0
        )
        with self.observer.counting("fitting scales", None):
            builder = builder.fit(self.of("train"))
        names = expand([self.options.model], builder.modalities)
        if len(names) > 1:
            raise ValueError(f"model {self.options.model!r} means {len(names)} models, expected one: {names[0]}, ...")
        model = make_model(names[0], builder, dim=self.options.dim, depth=self.options.depth, seed=self.config.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            if isinstance(builder.target, NumberTarget):
                return Regression(model, builder, dropout=DROPOUT)
            weights = self._weights()
            if isinstance(builder.target, MultiLabelTarget):
                return MultiLabel(model, builder, dropout=DROPOUT, class_weights=weights)
            return Classification(model, builder, dropout=DROPOUT, label_smoothing=SMOOTHING, class_weights=weights)

    def _weights(self) -> tuple[float, ...] | None:
        counts = Counter(self.survey.classes["train"])
        classes = sorted(counts)
        uneven = max(counts.values()) > UNEVEN * min(counts.values())
        if not (uneven if self.options.class_weights is None else self.options.class_weights):
            return None
        largest, smallest = counts.most_common()[0], counts.most_common()[-1]
        self.observer.says(
            f"classes are weighted: {largest[1]:,} training rows of {largest[0]!r}, {smallest[1]:,} of {smallest[0]!r}"
        )
        if self.target.kind == "multilabel":
            return positive_weights(counts, classes, len(self.of("train")))
        return balanced_weights(counts, classes, power=WEIGHT_POWER)


def _names(target: object) -> tuple[str, ...]:
    return target if isinstance(target, tuple) else (str(target),)
