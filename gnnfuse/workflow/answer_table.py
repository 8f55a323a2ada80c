"""From a model and a table to answers: one per row, in the rows' order."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gnnfuse.data.rejects import OnError, Reject, check_on_error
from gnnfuse.data.tables import Table, TableSamples, open_table
from gnnfuse.graph import GraphBatch
from gnnfuse.saving import from_pretrained
from gnnfuse.tasks import Task
from gnnfuse.train import device_of
from gnnfuse.workflow.observer import Observer
from gnnfuse.workflow.read_graphs import read_in_batches
from gnnfuse.workflow.table_note import TableNote


@dataclass(frozen=True, eq=False, kw_only=True)
class Answering:
    """A fitted model beside a table that it is asked about.

    Args:
        task: the model, on its device.
        note: how it was fitted on a table.
        table: the table.
        samples: its rows as samples.
        id_column: the column that names the rows; None numbers them.
    """

    task: Task
    note: TableNote
    table: Table
    samples: TableSamples
    id_column: str | None

    @property
    def ids(self) -> tuple[object, ...]:
        """What stands in the id column; numbers from 1 without one."""
        if self.id_column is None:
            return tuple(range(1, len(self.samples) + 1))
        return tuple(self.samples.ids())

    def each(
        self,
        answer: Callable[[Task, GraphBatch], Sequence[object]],
        *,
        on_error: OnError,
        batch_size: int,
        workers: int,
        advance: Callable[[], object],
        reject: Callable[[Reject], object],
    ) -> Iterator[tuple[int, object]]:
        """The place of each row that can be answered for, with the answer, in order.

        Args:
            answer: one answer per graph of a batch.
            on_error: what happens to what cannot be read.
            batch_size: rows per batch.
            workers: processes that read.
            advance: called after each row.
            reject: called with what was left out.
        """
        device = next(self.task.parameters()).device
        reads = read_in_batches(
            self.task.builder, self.samples, on_error=on_error, batch_size=batch_size, workers=workers
        )
        with torch.no_grad():
            for batch in reads:
                for found in batch:
                    for what in found.rejects:
                        reject(what)
                kept = [found for found in batch if found.graph is not None]
                graphs = [found.graph for found in kept if found.graph is not None]
                answers = answer(self.task, self.task.builder.collate(graphs).to(device)) if graphs else ()
                for found, each in zip(kept, answers, strict=True):
                    yield found.number, each
                for _ in batch:
                    advance()


def answering(
    model: str | os.PathLike[str] | Task,
    table: object,
    *,
    note: TableNote | None,
    media: str | Path | None,
    allow_outside: bool,
    id: str | None,
    device: str,
    observer: Observer,
) -> Answering:
    """Open a model's folder and a table; says which of the model's columns the table lacks.

    Raises:
        FileNotFoundError: the folder holds no model, or none that `fit` wrote.
        ValueError: the table cannot be read, or has none of the model's columns.
    """
    if isinstance(model, Task):
        if note is None:
            raise ValueError("found a task without note=, expected how its table's columns are read (`TableNote`)")
        task = model
    else:
        note = TableNote.read(Path(model)) if note is None else note
        loaded = from_pretrained(model)
        if not isinstance(loaded, Task):
            raise ValueError(f"{model}: found a {type(loaded).__name__}, expected a task that `gnnfuse fit` wrote")
        task = loaded
    opened = open_table(table, media=media, allow_outside=allow_outside)
    for line in opened.notes:
        observer.says(line)
    columns, missing = note.columns_in(opened)
    if missing:
        observer.says(f"missing columns, taken for empty: {', '.join(missing)}")
    if id is not None:
        opened.check([id])
    named = id if id is not None else note.columns.id if note.columns.id in opened.columns else None
    samples = TableSamples(opened, columns.with_id(named))
    task = task.to(device_of(device)).eval()
    return Answering(task=task, note=note, table=opened, samples=samples, id_column=named)


def check_rows(answers: int, rejects: Sequence[Reject], rows: int) -> None:
    """Rows in are rows out and rows left out."""
    left_out = len({reject.row for reject in rejects if reject.left_out})
    assert answers + left_out == rows, (answers, left_out, rows)


def vectors_of(task: Task, batch: GraphBatch) -> list[np.ndarray]:
    """The fused vector of each graph, float32 `[dim]`."""
    fused: Tensor = task.model(batch)
    return list(fused.float().cpu().numpy())


def checked(on_error: OnError, batch_size: int) -> None:
    """Refuse options before anything is read.

    Raises:
        ValueError: an unknown policy, or batches of nothing.
    """
    check_on_error(on_error)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, found {batch_size}")
