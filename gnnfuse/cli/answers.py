"""The commands that apply a model to a table: predict, embed."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gnnfuse.cli.shared_options import AnswerOptions, IdColumn, ModelArgument, TableArgument
from gnnfuse.cli.with_options import with_options
from gnnfuse.table_options import OpenOptions
from gnnfuse.terminal import Terminal
from gnnfuse.threads import prepare_threads


@with_options
def predict(
    model: ModelArgument,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="File to write: .csv, .jsonl or .parquet.")],
    opening: OpenOptions,
    answering: AnswerOptions,
    id: IdColumn = None,
) -> None:
    """Predict for every row of a table: one row out for every row in, in the same order.

    Each output row has the unchanged id, the prediction, and a probability per class. Any modality may be missing, in a
    row or as a whole column.
    """
    prepare_threads(answering.threads)
    from gnnfuse.workflow import predict as call

    _answer(call, model, table, out, id, opening, answering)


@with_options
def embed(
    model: ModelArgument,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="File to write: .parquet, or .npy with the ids beside it.")],
    opening: OpenOptions,
    answering: AnswerOptions,
    id: IdColumn = None,
) -> None:
    """Write the fused vector of every row of a table, for search and clustering."""
    prepare_threads(answering.threads)
    from gnnfuse.workflow import embed as call

    _answer(call, model, table, out, id, opening, answering)


def _answer(
    call: Callable[..., object],
    model: str,
    table: str,
    out: Path,
    id: str | None,
    opening: OpenOptions,
    answering: AnswerOptions,
) -> None:
    call(
        model, table, out=out, id=id, opening=opening, on_error=answering.on_error, batch_size=answering.batch_size,
        workers=answering.workers, device=answering.device, observer=Terminal(),
    )  # fmt: skip
