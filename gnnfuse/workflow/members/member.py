"""A member: one way to fit a task on some rows of a table."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnfuse.busy_cores import yielding_cores
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.tasks import Task
from gnnfuse.workflow.outcome import OUT_OF_FOLD

BATCH = 256


class Member(ABC):
    """Fits a new task on some of a table's rows, once per fold and once on all rows.

    Attributes:
        name: names it in reports and options: "graph", "linear:caption".
        reads: makes the graphs that its tasks read, and those of all rows; None for those of `MemberRows`.
    """

    name: str
    reads: "OwnGraphs | None" = None

    @abstractmethod
    def fit(self, rows: Sequence[int], run: str) -> Task:
        """A new task, fitted on these rows of `MemberRows`, in evaluation mode.

        Args:
            rows: their numbers.
            run: names this fit among those of the member, such as "fold 1"; a resumed run finds it by this name.

        Raises:
            ValueError: the rows do not suit the member; the others go on without it.
        """


@dataclass(frozen=True, eq=False)
class OwnGraphs:
    """Graphs of a builder of a member's own.

    Args:
        builder: makes them.
        graphs: of all rows, in the order of `MemberRows`.
    """

    builder: GraphBuilder
    graphs: Sequence[SampleGraph]


@dataclass(frozen=True, eq=False, kw_only=True)
class MemberRows:
    """The rows that all members learn from, in one order.

    Args:
        graphs: the rows' graphs, each with its encoded target.
        targets: `[rows, ...]`, these targets.
        held_out: the numbers of the rows that each fold holds out.
        refit: members are fitted again on all rows in the end; otherwise the fit of the only fold is kept.
        rule: how the folds were made, in words.
        groups: the group of each row, which no fold divides; None without groups.
    """

    graphs: Sequence[SampleGraph]
    targets: Tensor
    held_out: tuple[tuple[int, ...], ...]
    refit: bool
    rule: str
    groups: Sequence[str] | None = None

    @property
    def split(self) -> str:
        """The name of the rows on which members are judged, in results."""
        return OUT_OF_FOLD if self.refit else "valid"

    @property
    def all(self) -> range:
        """The numbers of all rows."""
        return range(len(self.graphs))

    def learnt_in(self, fold: int) -> list[int]:
        """The numbers of the rows that a fold learns from."""
        gone = set(self.held_out[fold])
        return [row for row in self.all if row not in gone]

    @property
    def judged(self) -> list[int]:
        """The numbers of the rows that some fold holds out, fold by fold."""
        return [row for rows in self.held_out for row in rows]


def targets_of(graphs: Sequence[SampleGraph]) -> Tensor:
    """The encoded targets of graphs, `[graphs, ...]`."""
    targets = [graph.target for graph in graphs if graph.target is not None]
    assert len(targets) == len(graphs), "only rows with targets are learnt from and measured on"
    return torch.stack(targets)


@torch.no_grad()
@yielding_cores()
def answers_of(task: Task, graphs: Sequence[SampleGraph]) -> Tensor:
    """A task's answers for some graphs, as `Task.blendable` gives them: `[graphs, outputs]`, on the CPU."""
    found = []
    for start in range(0, len(graphs), BATCH):
        batch = task.builder.collate(list(graphs[start : start + BATCH])).to(task.device)
        found.append(task.blendable(task(batch)).float().cpu())
    return torch.cat(found)
