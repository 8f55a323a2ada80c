"""Fused vectors of the rows of a table, for search and clustering."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gnnfuse.data.rejects import OnError, Reject
from gnnfuse.observer import Observer, or_silent
from gnnfuse.ops.choose import plain_pytorch
from gnnfuse.sample.whole_file import replacing
from gnnfuse.tables import OpenOptions
from gnnfuse.tasks import Task
from gnnfuse.workflow.answer_table import (
    Answering,
    answering,
    check_place,
    checked,
    ids_beside,
    vectors_of,
    write_beside,
)
from gnnfuse.workflow.array_file import writing_array
from gnnfuse.workflow.predict_table import Predicted
from gnnfuse.workflow.row_writers import check_ending, writing
from gnnfuse.workflow.table_note import TableNote

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = {".parquet": "rows", ".npy": "array"}


def embed(
    model: str | os.PathLike[str] | Task,
    table: object,
    *,
    out: str | os.PathLike[str],
    id: str | None = None,
    opening: OpenOptions | None = None,
    on_error: OnError = "stop",
    batch_size: int = 64,
    workers: int = 0,
    device: str = "auto",
    note: TableNote | None = None,
    classes: Sequence[type] = (),
    observer: Observer | None = None,
) -> Predicted:
    """Write the fused vector of every row of a table, in row order.

    To `.parquet` (the id and `embedding`, a list of float32) or `.npy` (float32 `[rows, dim]`, with the ids beside it
    in a file whose name ends in `.ids.csv`). Otherwise as `predict`.

    Args:
        model: a folder that `fit` wrote, a hub id, or a task (then with `note`).
        table: anything that `open_table` opens.
        out: the file to write: .parquet or .npy.
        id: the column of ids; that of training by default, numbers from 1 without it. Ids are written unchanged, and
            may be empty or repeated.
        opening: how the table is opened; words that mean an empty cell are those of training by default.
        on_error: "stop", "missing", "skip", as in `predict`.
        batch_size: rows per batch.
        workers: loader processes.
        device: as `FitConfig.device`.
        note: how columns are read, where `model` is a task.
        classes: own node types, layers and the like that a saved model may name, as `from_pretrained` takes them.
        observer: receives progress; none by default.

    Raises:
        FileNotFoundError: no model there.
        ValueError: a table that cannot be read or has none of the model's columns, an unknown ending, or `out` (or a
            file written beside it) is an input.
    """
    checked(on_error, batch_size)
    path, observer = Path(out), or_silent(observer)
    check_ending(path, ENDINGS)
    check_place(path, table)
    asked = answering(
        model, table, path, note=note, classes=classes, opening=opening, id=id, device=device, observer=observer
    )
    rejects: list[Reject] = []
    with plain_pytorch(asked.is_small), observer.begins("embedding", asked.num_rows) as advance:
        vectors = asked.each(
            vectors_of, on_error=on_error, batch_size=batch_size, workers=workers, advance=advance, rejects=rejects
        )
        if path.suffix.lower() == ".parquet":
            rows = 0
            with writing(path, _schema(asked)) as writer:
                for id_of_row, vector in vectors:
                    writer.write({asked.name: id_of_row, "embedding": vector})
                    rows += 1
        else:
            rows = _write_array(path, asked.name, vectors, asked.task.model.vector_size)
    left_out = write_beside(path, rejects, on_error)
    observer.says(f"wrote {rows:,} vectors of {asked.task.model.vector_size} numbers into {path}; {left_out}")
    return Predicted(rows=rows, rejects=tuple(rejects), path=path)


def _schema(asked: Answering) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(asked.name, asked.id_type), ("embedding", pa.list_(pa.float32()))])


def _write_array(path: Path, name: str, found: Iterator[tuple[object, np.ndarray]], dim: int) -> int:
    """Write vectors and, beside them, their ids; returns their number."""
    ids, rows = ids_beside(path), 0
    with (
        replacing(ids) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
        writing_array(path, dim) as add,
    ):
        writer = csv.writer(file)
        writer.writerow((name,))
        for id_of_row, vector in found:
            writer.writerow((id_of_row,))
            add(vector)
            rows += 1
    return rows
