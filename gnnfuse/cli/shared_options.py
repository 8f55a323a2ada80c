"""Options that several commands share."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

OnErrorName = Literal["stop", "missing", "skip"]
COLUMNS = "Columns"

TableArgument = Annotated[
    str,
    typer.Argument(
        help="CSV, TSV, JSON Lines, Parquet or Arrow file, a folder (class folders, or what the datasets library "
        "reads), or a data set's name on the Hugging Face hub."
    ),
]
ModelArgument = Annotated[
    str,
    typer.Argument(help="Folder that gnnfuse fit wrote, or the name on the Hugging Face hub that it was uploaded to."),
]
OnErrorOption = Annotated[
    OnErrorName,
    typer.Option(
        help="Policy for cells that cannot be read: stop ends the command and names the first row and the reason; "
        "missing treats the cell as empty; skip leaves the row out. The last two list all such cells in a rejects file."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Threads of each process that computes; by default as many as it may use cores (affinity, quota), divided "
        "among --devices.",
    ),
]
Workers = Annotated[int, typer.Option(min=0, help="Processes that read samples; 0 reads in the main process.")]
Device = Annotated[str, typer.Option(help="auto (CUDA where there is one), cpu, cuda, cuda:1 or mps.")]
IdColumn = Annotated[str | None, typer.Option("--id", help="Column that names the rows.", rich_help_panel=COLUMNS)]


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """How a model answers for the rows of a table."""

    on_error: OnErrorOption = "stop"
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per batch.")] = 64
    workers: Workers = 0
    device: Device = "auto"
    threads: Threads = None
