"""Predictions for the rows of a table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.data.rejects import OnError, Reject
from gnnfuse.graph import GraphBatch, NumberTarget
from gnnfuse.observer import Observer, or_silent
from gnnfuse.ops.choose import plain_pytorch
from gnnfuse.sample import Sample
from gnnfuse.tables import OpenOptions
from gnnfuse.tasks import Prediction, Task
from gnnfuse.workflow.answer_table import Answering, answering, check_place, checked, write_beside
from gnnfuse.workflow.row_writers import WRITERS, check_ending, writing
from gnnfuse.workflow.table_note import TableNote

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """The results of predicting for a table.

    Args:
        rows: rows that were written.
        rejects: what was left out and why.
        path: the file.
    """

    rows: int
    rejects: tuple[Reject, ...]
    path: Path


def predict(
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
    """Predict for every row of a table and write one row for each, in the same order.

    A row has the id, `prediction`, and for classes `probability_<class>` of each; if training weighted the classes, the
    most probable one need not be the prediction (`Classification`, `MultiLabel`). Several numbers are
    `prediction_<column>` each. Numbers with intervals also have `prediction_low` and `prediction_high`
    (`prediction_<column>_low` and so on), classes and labels with sets a `label_set`, a list of names (JSON in CSV).
    Missing values and columns are tolerated; only a table with none of the model's columns
    is refused. With `on_error` other than "stop", unreadable values are listed in a file beside `out` whose name ends
    in `.rejects.csv`.

    Up to 8 rows, not streamed, are computed on the CPU by plain PyTorch, because loading compiled kernels would take
    longer; numbers differ by rounding.

    Args:
        model: a folder that `fit` wrote, the hub id of a repository with such a folder's files (including table.json),
            or a task (then with `note`).
        table: anything that `open_table` opens; targets are not read.
        out: the file to write: .csv, .jsonl, .ndjson or .parquet.
        id: the column of ids; that of training by default, numbers from 1 without it. Ids are written unchanged, and
            may be empty or repeated.
        opening: how the table is opened; words that mean an empty cell are those of training by default.
        on_error: "stop", "missing" (an unreadable signal is treated as absent), "skip" (the row is left out).
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
    check_ending(path, WRITERS)
    check_place(path, table)
    asked = answering(
        model, table, path, note=note, classes=classes, opening=opening, id=id, device=device, observer=observer
    )
    names, rows = _number_names(asked), 0
    rejects: list[Reject] = []
    with (
        plain_pytorch(asked.is_small),
        writing(path, _schema(asked)) as writer,
        observer.begins("predicting", asked.num_rows) as advance,
    ):
        for id_of_row, prediction in asked.each(
            described, on_error=on_error, batch_size=batch_size, workers=workers, advance=advance, rejects=rejects
        ):
            writer.write({asked.name: id_of_row, **row_of(prediction, names)})
            rows += 1
    left_out = write_beside(path, rejects, on_error)
    if writer.formula is not None:
        observer.says(
            f"{path}: texts such as {writer.formula!r} are written unchanged, and a spreadsheet program would run "
            "them as formulas: import the column as text, or write .jsonl or .parquet"
        )
    observer.says(f"wrote {rows:,} rows into {path}; {left_out}")
    return Predicted(rows=rows, rejects=tuple(rejects), path=path)


def described(task: Task, batch: GraphBatch) -> Sequence[Prediction]:
    """The predictions for a batch."""
    return task.describe(batch, task(batch))


def row_of(prediction: Prediction, names: Sequence[str]) -> Mapping[str, object]:
    """A prediction as columns.

    Example:
        >>> row_of(Prediction("a", "cat", {"cat": 0.75, "dog": 0.25}, label_set=("cat",)), ())
        {'prediction': 'cat', 'label_set': ['cat'], 'probability_cat': 0.75, 'probability_dog': 0.25}
        >>> row_of(Prediction("a", 1.0, interval=(0.5, 2.0)), ())
        {'prediction': 1.0, 'prediction_low': 0.5, 'prediction_high': 2.0}
        >>> row_of(Prediction("a", (1.0, 2.0)), ("x", "y"))
        {'prediction_x': 1.0, 'prediction_y': 2.0}
    """
    if names:
        assert isinstance(prediction.label, tuple)
        return _number_columns([f"prediction_{name}" for name in names], prediction.label, prediction.interval)
    if prediction.interval is not None:
        return _number_columns(["prediction"], (prediction.label,), (prediction.interval,))
    sets = {} if prediction.label_set is None else {"label_set": list(prediction.label_set)}
    scores = {f"probability_{name}": score for name, score in prediction.scores.items()}
    return {"prediction": prediction.label, **sets, **scores}


def _number_columns(
    names: Sequence[str], numbers: Sequence[object], intervals: Sequence[Any] | None
) -> dict[str, object]:
    """Numbers and the ends of their intervals as columns, whose names end in "_" where another has the name already.

    Example:
        >>> _number_columns(["a", "a_low"], (1.0, 2.0), ((0.5, 1.5), (0.0, 9.0)))
        {'a': 1.0, 'a_low': 2.0, 'a_low_': 0.5, 'a_high': 1.5, 'a_low_low': 0.0, 'a_low_high': 9.0}
    """
    row = dict(zip(names, numbers, strict=True))
    for name, ends in zip(names, intervals or (), strict=intervals is not None):
        for which, end in zip(("low", "high"), ends, strict=True):
            column = f"{name}_{which}"
            while column in row:
                column += "_"
            row[column] = end
    return row


def _schema(asked: Answering) -> "pa.Schema":
    """The columns of answers and their types, taken from the task's prediction for a row without any signal."""
    import pyarrow as pa

    [prediction] = asked.task.predict(Sample({}), empty=True)
    row = row_of(prediction, _number_names(asked))
    if asked.name in row:
        raise ValueError(
            f"the id column {asked.name!r} has the name of a column of predictions; choose another (id=, --id)"
        )
    labels = pa.list_(pa.string() if prediction.scores else pa.float64())
    types = {str: pa.string(), float: pa.float64(), tuple: labels, list: labels}
    return pa.schema([(asked.name, asked.id_type), *((name, types[type(value)]) for name, value in row.items())])


def _number_names(asked: Answering) -> tuple[str, ...]:
    target = asked.task.builder.target
    if not isinstance(target, NumberTarget) or target.size == 1:
        return ()
    columns = asked.note.columns.target
    return columns if len(columns) == target.size else tuple(str(number + 1) for number in range(target.size))
