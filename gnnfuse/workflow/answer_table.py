"""From a model and a table to answers: one per row, in row order."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from gnnfuse.busy_cores import yielding_cores
from gnnfuse.catalog import listed
from gnnfuse.data.overwriting import ELSEWHERE, files_in, refuse_overwriting, refuse_unwritable
from gnnfuse.data.rejects import OnError, Reject, check_on_error, is_rejects, rows_left_out, write_rejects
from gnnfuse.devices import device_of
from gnnfuse.graph import GraphBatch
from gnnfuse.observer import Observer
from gnnfuse.or_default import or_default
from gnnfuse.reading.read_in_order import read_in_order
from gnnfuse.sample.whole_file import remove_unfinished
from gnnfuse.saving import from_pretrained
from gnnfuse.saving.config import CONFIG
from gnnfuse.saving.folder import WEIGHTS
from gnnfuse.saving.hub import local_folder
from gnnfuse.saving.texts import FOLDER as TEXTS
from gnnfuse.tables import OpenOptions, Table, TableSamples, TableStream, blank_notes, open_table
from gnnfuse.tables.open_table import refuse_overwriting_table
from gnnfuse.tasks import Task
from gnnfuse.workflow.read_graphs import GraphReader
from gnnfuse.workflow.row_ids import id_type, ids_of
from gnnfuse.workflow.table_note import FILE as NOTE
from gnnfuse.workflow.table_note import TableNote

if TYPE_CHECKING:
    import pyarrow as pa

MODEL = (CONFIG, WEIGHTS, NOTE)
Answer = TypeVar("Answer")
FEW_ROWS = 8  # plain PyTorch computes them faster than numba's kernels load


@dataclass(frozen=True, eq=False, kw_only=True)
class Answering:
    """A fitted model together with the table that it answers for.

    Args:
        task: the model, on its device.
        note: how it was fitted on a table.
        table: the table.
        samples: its rows as samples.
        id_column: the column of ids; None numbers the rows.
    """

    task: Task
    note: TableNote
    table: Table
    samples: TableSamples | TableStream
    id_column: str | None

    @property
    def name(self) -> str:
        """The name of the id column in answers."""
        return "row" if self.id_column is None else self.id_column

    @property
    def id_type(self) -> "pa.DataType":
        """The type of that column."""
        return id_type(self.table, self.id_column)

    @property
    def num_rows(self) -> int | None:
        """The number of rows; None for a stream, which would have to be read to count them."""
        return None if self.table.streaming else len(self.table)

    @property
    def is_small(self) -> bool:
        """Whether the rows are so few that loading kernels would take longer than it saves."""
        return self.num_rows is not None and self.num_rows <= FEW_ROWS

    def each(
        self,
        answer: Callable[[Task, GraphBatch], Sequence[Answer]],
        *,
        on_error: OnError,
        batch_size: int,
        workers: int,
        advance: Callable[[], object],
        rejects: list[Reject],
    ) -> Iterator[tuple[object, Answer]]:
        """The id of each row that can be answered for (`ids_of`), with the answer, in order.

        Args:
            answer: one answer per graph of a batch.
            on_error: policy for values that cannot be read.
            batch_size: rows per batch.
            workers: loader processes.
            advance: called after each row.
            rejects: receives what was left out.
        """
        device = self.task.device
        reader = GraphReader(self.task.builder, on_error)
        reads = read_in_order(reader.read, self.samples, workers=workers, chunk=batch_size)
        ids = ids_of(self.table, self.id_column)
        read = answered = 0
        with torch.no_grad(), yielding_cores():
            while batch := list(islice(reads, batch_size)):
                rejects += [reject for found in batch for reject in found.rejects]
                named = zip(batch, ids, strict=False)  # ids may be an endless count
                kept = [(name, found.graph) for found, name in named if found.graph is not None]
                graphs = [graph for _, graph in kept]
                answers = answer(self.task, self.task.builder.collate(graphs).to(device)) if graphs else ()
                for (name, _), each in zip(kept, answers, strict=True):
                    yield name, each
                read, answered = read + len(batch), answered + len(kept)
                for _ in batch:
                    advance()
        left_out = rows_left_out(rejects)
        assert answered + left_out == read, (answered, left_out, read)
        assert self.num_rows in (None, read), (self.num_rows, read)


def answering(
    model: str | os.PathLike[str] | Task,
    table: object,
    out: Path,
    *,
    note: TableNote | None,
    classes: Sequence[type],
    opening: OpenOptions | None,
    id: str | None,
    device: str,
    observer: Observer,
) -> Answering:
    """Open a model's folder and a table; the observer receives the model's columns that the table lacks.

    Raises:
        FileNotFoundError: the folder holds no model, or none that `fit` wrote.
        ValueError: the table cannot be read, or has none of the model's columns.
    """
    if isinstance(model, Task):
        if note is None:
            raise ValueError("found a task without note=, expected how its table's columns are read (`TableNote`)")
        task = model
    else:
        folder = local_folder(model, beside=() if note is not None else (NOTE,))
        refuse_overwriting(
            {"a file of the model": [*(folder / name for name in MODEL), *files_in(folder / TEXTS)]}, written_with(out)
        )
        note = TableNote.read(folder) if note is None else note
        loaded = from_pretrained(folder, classes=classes)
        if not isinstance(loaded, Task):
            raise ValueError(f"{model}: found a {type(loaded).__name__}, expected a task that `gnnfuse fit` wrote")
        task = loaded
    given = vars(or_default("opening", opening, OpenOptions))
    opened = open_table(table, **given | {"blanks": note.blanks if given["blanks"] is None else given["blanks"]})
    for line in opened.notes:
        observer.says(line)
    opened, columns, missing = note.signals_in(opened.writing(written_with(out)))
    if missing:
        observer.says(f"missing columns, treated as empty: {listed(missing)}")
    for line in blank_notes(opened, columns):
        observer.says(line)
    if id is not None:
        opened.check([id])
    named = id if id is not None else note.columns.id if note.columns.id in opened.columns else None
    read = TableStream if opened.streaming else TableSamples
    samples = read(opened, columns.with_id(named))
    task = task.to(device_of(device)).eval()
    return Answering(task=task, note=note, table=opened, samples=samples, id_column=named)


def check_place(path: Path, table: object) -> None:
    """Refuse an output path before anything is opened; remove unfinished files of an earlier, killed run there.

    Raises:
        ValueError: the path, or that of the list of rejects, is the table's, a folder's, or another file's.
    """
    beside = _beside(path)
    for place in (path, beside):
        if place.is_dir():
            raise ValueError(f"{place}: found a folder, expected a file to write, or nothing yet")
    refuse_overwriting_table(table, written_with(path))
    if beside.is_file() and not is_rejects(beside):
        raise ValueError(f"{beside}: found a file that is no list of rejects, which would be replaced; {ELSEWHERE}")
    refuse_unwritable(path.parent)
    remove_unfinished(path.parent)


def written_with(path: Path) -> list[Path]:
    """The files that answers are written into."""
    return [path, _beside(path), ids_beside(path)]


def ids_beside(path: Path) -> Path:
    """The path of the ids that belong to an array of vectors."""
    return path.with_name(f"{path.name}.ids.csv")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.rejects.csv")


def write_beside(path: Path, rejects: Sequence[Reject], on_error: OnError) -> str:
    """Write the rejects to a file beside the answers; with "stop" there are none, and an earlier list is removed.

    Returns the number of rows left out and the path of the list.
    """
    beside = _beside(path)
    if on_error == "stop":
        beside.unlink(missing_ok=True)
    else:
        write_rejects(beside, rejects)
    where = f" ({beside} lists what could not be read)" if rejects else ""
    return f"{rows_left_out(rejects):,} left out{where}"


def vectors_of(task: Task, batch: GraphBatch) -> list[np.ndarray]:
    """The vector of each graph, float32 `[size]`, as `FusionModel.vectors` gives it."""
    return list(task.model.vectors(batch).float().cpu().numpy())


def checked(on_error: OnError, batch_size: int) -> None:
    """Refuse options before anything is read.

    Raises:
        ValueError: an unknown policy, or a batch size below 1.
    """
    check_on_error(on_error)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, found {batch_size}")
