"""The command that runs frozen encoders once over a table."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gnnfuse.cli.shared_options import COLUMNS, Device, OnErrorName, TableArgument, Threads, Workers
from gnnfuse.cli.with_options import with_options
from gnnfuse.encoders import Encoders
from gnnfuse.table_options import ColumnOptions, OpenOptions
from gnnfuse.terminal import Terminal
from gnnfuse.threads import prepare_threads

KINDS = ("image", "audio", "text")
WEIGHTS = tuple(f"{kind}_weights" for kind in KINDS)


@with_options
def cache(
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="Folder to keep features in; may hold those of other encoders and tables.")],
    opening: OpenOptions,
    encoders: Annotated[Encoders, "Encoders", (*KINDS, *WEIGHTS, "tune_last")],
    columns: Annotated[ColumnOptions, COLUMNS, (*KINDS, "ignore")],
    dtype: Annotated[
        Literal["float32", "float16"],
        typer.Option(help="float32 keeps every bit, float16 halves the space; training needs the same choice."),
    ] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per encoder call.")] = 32,
    workers: Workers = 2,
    on_error: Annotated[
        OnErrorName,
        typer.Option(
            help="Policy for signals that cannot be read: stop ends the command at the first; missing and skip list "
            "them in rejects.csv and continue. Training applies its own policy to them."
        ),
    ] = "stop",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Run frozen encoders once over a table and keep their features, for training to read at disk speed.

    Features are keyed by the content of a cell and the encoder's weights, arguments and versions: stale ones are never
    used.

    A second run (after a kill, with more rows, after damage to the folder) computes only what is missing.

    At least one encoder must be given. Columns that are not named are guessed from their content.

    Example: gnnfuse cache birds.csv --image-encoder torchvision/resnet50 --text-encoder roberta-base --out features
    """
    prepare_threads(threads)
    from gnnfuse.nodes.pretrained.transformers_library import quiet_loading
    from gnnfuse.reading import cache as run

    quiet_loading()
    run(
        table, out, encoders=encoders, columns=columns, opening=opening, dtype=dtype, batch_size=batch_size,
        workers=workers, device=device, on_error=on_error, observer=Terminal(),
    )  # fmt: skip
