"""The rows of a table as linear models and trees read them: a summary of each modality, once for all fits."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gnnfuse.catalog import unknown
from gnnfuse.fusion import PooledStates
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.nodes import NodeType
from gnnfuse.tasks import Classification, MultiLabel, Regression, Task
from gnnfuse.workflow.members.folds import held_out_rows
from gnnfuse.workflow.members.solve import Fold, Loss

Found = TypeVar("Found")

BATCH = 64
INNER_FOLDS, ONE_SPLIT = 4, 5_000  # rows from which one split chooses as well as several folds
TASKS: dict[str, type[Classification | MultiLabel | Regression]] = {
    "class": Classification,
    "labels": MultiLabel,
    "numbers": Regression,
}
LOSSES: dict[str, Loss] = {"class": "softmax", "labels": "sigmoid", "numbers": "squared"}


@dataclass(frozen=True, eq=False, kw_only=True)
class PooledRows:
    """The summaries of all rows side by side, with their targets.

    Args:
        builder: makes the graphs, and encodes the targets.
        node_types: those that are summarised.
        columns: `[rows, columns]`, as `PooledStates` takes them.
        present: `[rows, modalities]`, whether a row has each modality.
        targets: `[rows, ...]`, encoded.
        numbers: `[rows]`, their places among all rows.
        groups: the group of each row, which no fold divides; None without groups.
    """

    builder: GraphBuilder
    node_types: tuple[NodeType, ...]
    columns: Float[Tensor, "rows columns"]
    present: Bool[Tensor, "rows modalities"]
    targets: Tensor
    numbers: Int[Tensor, "rows"]
    groups: Sequence[str] | None = None
    _shared: dict[tuple[object, ...], Any] = field(default_factory=dict, repr=False)  # by all parts of these rows

    @classmethod
    @torch.no_grad()
    def of(
        cls, builder: GraphBuilder, graphs: Sequence[SampleGraph], *, groups: Sequence[str] | None = None
    ) -> "PooledRows":
        """The summaries of some rows' graphs.

        Args:
            builder: made the graphs, with their targets.
            graphs: the rows' graphs.
            groups: the group of each row.

        Raises:
            ValueError: no node type has a summary, or the target is neither classes, labels nor numbers.
        """
        kind = getattr(builder.target, "kind", None)
        if kind not in TASKS:
            raise ValueError(f"found a target of kind {kind!r}, expected one of {', '.join(map(repr, TASKS))}")
        model = PooledStates.of(builder, standardised=False)
        columns, targets = [], []
        for start in range(0, len(graphs), BATCH):
            batch = builder.collate(list(graphs[start : start + BATCH]))
            columns.append(model(batch))
            assert isinstance(batch.target, Tensor)
            targets.append(batch.target)
        found = torch.cat(columns)
        width = sum(model.widths)
        return cls(
            builder=builder,
            node_types=model.node_types,
            columns=found[:, :width],
            present=found[:, width:] == 0,
            targets=torch.cat(targets),
            numbers=torch.arange(len(graphs)),
            groups=groups,
        )

    def alone(self, modality: str) -> "PooledRows":
        """The same rows with one modality.

        Raises:
            ValueError: no such modality has a summary.
        """
        if modality not in (known := [each.name for each in self.node_types]):
            raise ValueError(unknown("modality", modality, known))
        return self.only([modality])

    def only(self, modalities: Collection[str]) -> "PooledRows":
        """The same rows with some of the modalities."""
        model = PooledStates(self.node_types, standardised=False)
        kept = [name in modalities for name in model.modalities]
        parts = torch.split(self.columns, list(model.widths), dim=1)
        return replace(
            self,
            node_types=tuple(compress(model.node_types, kept)),
            columns=torch.cat(list(compress(parts, kept)), dim=1),
            present=self.present[:, torch.tensor(kept)],
        )

    def at(self, rows: Sequence[int]) -> "PooledRows":
        """Those of the rows, by number, that have any of the modalities.

        Raises:
            ValueError: none of them has.
        """
        chosen = torch.as_tensor(list(rows), dtype=torch.int64)
        chosen = chosen[self.present[chosen].any(dim=1)]
        if not len(chosen):
            names = " or ".join(node_type.name for node_type in self.node_types)
            raise ValueError(f"found no row with {names}, expected some to learn from")
        groups = None if self.groups is None else [self.groups[row] for row in chosen.tolist()]
        return replace(
            self,
            columns=self.columns[chosen],
            present=self.present[chosen],
            targets=self.targets[chosen],
            numbers=self.numbers[chosen],
            groups=groups,
        )

    def once(self, what: str, find: Callable[[], Found]) -> Found:
        """What is found from these rows and modalities, kept for the other members that need it."""
        names = tuple(node_type.name for node_type in self.node_types)
        key = (what, names, self.numbers.numpy().tobytes())
        if key not in self._shared:
            self._shared[key] = find()
        found: Found = self._shared[key]
        return found

    def model(self) -> PooledStates:
        """A new model, whose scales are those of these rows."""
        model = PooledStates(self.node_types)
        model.fit(self.columns, self.present)
        return model

    def task(self, model: PooledStates, head: torch.nn.Module) -> Task:
        """A new task over a model of these rows, in evaluation mode."""
        return TASKS[self._kind](model, self.builder, head=head).eval()

    @property
    def loss(self) -> Loss:
        """The loss for this kind of target."""
        return LOSSES[self._kind]

    @property
    def answers(self) -> Float[np.ndarray, "rows outputs"]:
        """The targets as outputs: 1 at the class, 0 or 1 per label, or numbers."""
        if self._kind != "class":
            return np.asarray(self.targets.reshape(len(self.targets), -1), dtype=np.float64)
        classes = len(getattr(self.builder.target, "classes", ()))
        found: Float[np.ndarray, "rows outputs"] = np.eye(classes)[self.targets.numpy()]
        return found

    def folds(self) -> list[Fold]:
        """Folds within these rows, on which settings are chosen: no more than groups, one of many rows."""
        rows, whole = len(self.targets), np.arange(len(self.targets))
        classes = self.targets.tolist() if self._kind == "class" else None
        groups = self.groups if self.groups is not None and len(set(self.groups)) > 1 else None
        count = min(INNER_FOLDS, INNER_FOLDS if groups is None else len(set(groups)))
        try:
            held_out, _ = held_out_rows(count, rows=rows, classes=classes, groups=groups, seed=0)
        except ValueError:
            return []
        parts = [np.array(part) for part in held_out]
        return [(np.setdiff1d(whole, part), part) for part in (parts[:1] if rows >= ONE_SPLIT else parts)]

    @property
    def _kind(self) -> str:
        return str(getattr(self.builder.target, "kind", None))
