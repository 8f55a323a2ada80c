"""The command that runs frozen encoders once over a table."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gnnfuse.cli.shared_options import (
    COLUMNS,
    Device,
    Ignored,
    OnErrorName,
    OpenOptions,
    TableArgument,
    Threads,
    Workers,
    given,
)
from gnnfuse.cli.with_options import with_options
from gnnfuse.threads import prepare_threads

ENCODERS = "Encoders"


@with_options
def cache(
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="Folder to keep features in; may hold those of other encoders and tables.")],
    opening: OpenOptions,
    image_encoder: Annotated[
        str | None,
        typer.Option(
            help="torchvision/NAME, or a vision model of transformers: its name on the hub or its folder.",
            rich_help_panel=ENCODERS,
        ),
    ] = None,
    audio_encoder: Annotated[
        str | None,
        typer.Option(
            help="torchaudio/PIPELINE, or an audio model of transformers: its name on the hub or its folder.",
            rich_help_panel=ENCODERS,
        ),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(help="A text model of transformers: its name on the hub or its folder.", rich_help_panel=ENCODERS),
    ] = None,
    image_weights: Annotated[
        str | None,
        typer.Option(
            help="Listed weights of torchvision, a file of them, or a revision on the hub.", rich_help_panel=ENCODERS
        ),
    ] = None,
    audio_weights: Annotated[
        str | None,
        typer.Option(help="File of weights for torchaudio, or a revision on the hub.", rich_help_panel=ENCODERS),
    ] = None,
    text_weights: Annotated[str | None, typer.Option(help="Revision on the hub.", rich_help_panel=ENCODERS)] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of pictures, may be given again; guessed from content by default.", rich_help_panel=COLUMNS
        ),
    ] = None,
    audio: Annotated[
        list[str] | None, typer.Option(help="Column of recordings, likewise.", rich_help_panel=COLUMNS)
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of texts, likewise.", rich_help_panel=COLUMNS)] = None,
    ignore: Ignored = None,
    dtype: Annotated[
        Literal["float32", "float16"],
        typer.Option(help="float32 keeps every bit, float16 takes half the space; training must name the same."),
    ] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Samples in a call of an encoder.")] = 32,
    workers: Workers = 2,
    on_error: Annotated[
        OnErrorName,
        OpenOptions,
        typer.Option(
            help="What to do about a signal that cannot be read: stop there, or go on and list it in rejects.csv; "
            "training meets it again."
        ),
    ] = "stop",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Run frozen encoders once over a table and keep their features, for training to read at disk speed.

    Features are keyed by the content of a cell and the encoder's weights, arguments and versions: stale ones are never
    used.

    A second run (after a kill, with more rows, after damage to the folder) makes only what is missing.

    At least one encoder must be given.

    Example: gnnfuse cache birds.csv --image-encoder torchvision/resnet50 --text-encoder roberta-base --out features
    """
    prepare_threads(threads)
    from gnnfuse.cli.cache_progress import CacheProgress
    from gnnfuse.reading import cache as run

    with CacheProgress(out) as progress:
        reports = run(
            table,
            out,
            image_encoder=image_encoder,
            audio_encoder=audio_encoder,
            text_encoder=text_encoder,
            image_weights=image_weights,
            audio_weights=audio_weights,
            text_weights=text_weights,
            image=image,
            audio=audio,
            text=text,
            ignore=ignore,
            media=opening.media,
            allow_outside=opening.allow_outside,
            blanks=given(opening.blanks),
            streaming=opening.streaming,
            dtype=dtype,
            batch_size=batch_size,
            workers=workers,
            device=device,
            on_error=on_error,
            begin=progress.begin,
            advance=progress.advance,
        )
    progress.conclude(reports)
