"""The commands that take a table: fit, predict, embed."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gnnfuse import fit_defaults
from gnnfuse.threads import prepare_threads

OnErrorName = Literal["stop", "missing", "skip"]
FRACTIONS = ",".join(f"{share:g}" for share in fit_defaults.FRACTIONS)
COLUMNS, TRAINING, MODEL, SAVING = "Columns", "Training", "Model", "Several devices and interruptions"

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
Media = Annotated[Path | None, typer.Option(help="Folder that paths in cells start from; the table's own by default.")]
Outside = Annotated[
    bool,
    typer.Option(
        "--allow-outside",
        help="Let paths in cells lead out of that folder, and a folder's own lists of files out of it.",
    ),
]
OnErrorOption = Annotated[
    OnErrorName,
    typer.Option(
        help="What happens to what cannot be read: stop names the first row and why; missing takes the cell for empty; "
        "skip leaves the row out. The last two list everything in a rejects file."
    ),
]
Streaming = Annotated[
    bool,
    typer.Option(
        "--streaming",
        help="Read rows one after another: a table of any length, neither held in memory nor converted first.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processor threads of each process that computes; by default the cores that it may use (affinity, quota), "
        "shared out among --devices.",
    ),
]
Workers = Annotated[int, typer.Option(min=0, help="Processes that read; 0 reads in this one.")]
Device = Annotated[str, typer.Option(help="auto (CUDA where there is one), cpu, cuda, cuda:1 or mps.")]
Ignored = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="Column that is not used. Several by repeating the option.", rich_help_panel=COLUMNS),
]
BlankWords = Annotated[
    list[str] | None,
    typer.Option(
        "--blank",
        help="Word that stands for an empty cell in all columns. Several by repeating the option; '' for none. By "
        "default the usual ones (NA, null, ...) in columns of numbers and targets; after fit, those of training.",
    ),
]
IdColumn = Annotated[str | None, typer.Option("--id", help="Column that names the rows.", rich_help_panel=COLUMNS)]


def _columns(what: str) -> object:
    return typer.Option(help=f"{what} Several by repeating the option; '' for none.", rich_help_panel=COLUMNS)


def given(names: list[str] | None) -> list[str] | None:
    """Names of columns, or words, as the call takes them: None for its own choice, an empty list for none."""
    return None if names is None else [name for name in names if name]


def _fractions(written: str) -> tuple[float, float, float]:
    """Shares of training, validation and test rows as they are written on a command line.

    Raises:
        ValueError: something else stands there; what the shares must be is checked where they are used.

    Example:
        >>> _fractions("0.8, 0.1, 0.1")
        (0.8, 0.1, 0.1)
    """
    try:
        train, valid, test = (float(part) for part in written.split(","))
    except ValueError as error:
        raise ValueError(
            f"found --fractions {written!r}, expected three numbers between commas, the shares of train, valid and "
            f"test rows, such as {FRACTIONS}"
        ) from error
    return train, valid, test


def fit(
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="Folder to write the model, results and report into.")],
    image: Annotated[list[str] | None, _columns("Column of pictures: paths or bytes.")] = None,
    audio: Annotated[list[str] | None, _columns("Column of recordings: paths or bytes.")] = None,
    text: Annotated[list[str] | None, _columns("Column of texts.")] = None,
    text_file: Annotated[list[str] | None, _columns("Column of paths of files that hold a text.")] = None,
    rows: Annotated[list[str] | None, _columns("Column of lists of numbers.")] = None,
    features: Annotated[list[str] | None, _columns("Column of numbers.")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Column that the model should say. Several numbers by repeating the option.", rich_help_panel=COLUMNS
        ),
    ] = None,
    id: IdColumn = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Column that says train, valid or test; otherwise rows are split by rule.", rich_help_panel=COLUMNS
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Column of what must stay together in one split: a person, a session.", rich_help_panel=COLUMNS
        ),
    ] = None,
    ignore: Ignored = None,
    fractions: Annotated[
        str,
        typer.Option(
            help="Shares of train, valid and test rows, where no column says which are which (or names no valid rows: "
            "then of train and valid rows together).",
            rich_help_panel=COLUMNS,
        ),
    ] = FRACTIONS,
    media: Media = None,
    allow_outside: Outside = False,
    blanks: BlankWords = None,
    streaming: Streaming = False,
    on_error: OnErrorOption = "stop",
    kind: Annotated[
        fit_defaults.Kind | None,
        typer.Option(help="What the target asks for; chosen from its column by default.", rich_help_panel=MODEL),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(help="Between several labels in a cell; found if it is certain.", rich_help_panel=MODEL),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Fusion model: gnnfuse names model lists them.", rich_help_panel=MODEL)
    ] = fit_defaults.MODEL,
    dim: Annotated[int, typer.Option(min=1, help="Size of the states.", rich_help_panel=MODEL)] = fit_defaults.DIM,
    depth: Annotated[int, typer.Option(min=1, help="Layers.", rich_help_panel=MODEL)] = fit_defaults.DEPTH,
    readout: Annotated[
        Literal["additive", "typed"] | None,
        typer.Option(
            help="Of the graph model: each modality answers for itself, or a network over all of them. By default the "
            f"first below {fit_defaults.SMALL:,} training rows.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    image_encoder: Annotated[
        str | None,
        typer.Option(
            help="Pretrained: torchvision/resnet50, or a model of the hub or its folder.", rich_help_panel=MODEL
        ),
    ] = None,
    audio_encoder: Annotated[
        str | None,
        typer.Option(
            help="Pretrained: torchaudio/WAV2VEC2_BASE, or a model of the hub or its folder.", rich_help_panel=MODEL
        ),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(
            help="Pretrained: a model of the hub (FacebookAI/roberta-base) or its folder.", rich_help_panel=MODEL
        ),
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Train pretrained encoders too.", rich_help_panel=MODEL)
    ] = False,
    image_weights: Annotated[
        str | None,
        typer.Option(
            help="Listed weights of torchvision, a file of them, or a revision on the hub.", rich_help_panel=MODEL
        ),
    ] = None,
    audio_weights: Annotated[
        str | None,
        typer.Option(help="File of weights for torchaudio, or a revision on the hub.", rich_help_panel=MODEL),
    ] = None,
    text_weights: Annotated[
        str | None,
        typer.Option(help="Revision on the hub.", rich_help_panel=MODEL),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps what frozen pretrained encoders give, as gnnfuse cache does: what it lacks is made "
            "first, and training reads it. Augmentation cannot act on it. The saved model does not need it.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    cache_dtype: Annotated[
        Literal["float32", "float16"],
        typer.Option(help="How features are kept in it: every bit, or half the space.", rich_help_panel=MODEL),
    ] = "float32",
    epochs: Annotated[
        int, typer.Option(min=1, help="Most passes over the training rows.", rich_help_panel=TRAINING)
    ] = fit_defaults.EPOCHS,
    select: Annotated[
        Literal["metric", "loss"],
        typer.Option(help="What says on the validation rows which epoch is kept.", rich_help_panel=TRAINING),
    ] = fit_defaults.SELECT,
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Epochs without a better one until it ends; 0 for no such end.",
            rich_help_panel=TRAINING,
        ),
    ] = fit_defaults.PATIENCE,
    minutes: Annotated[float | None, typer.Option(help="Most minutes of training.", rich_help_panel=TRAINING)] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Rows per step, over all devices.", rich_help_panel=TRAINING)
    ] = fit_defaults.BATCH_SIZE,
    learning_rate: Annotated[
        float, typer.Option(help="Of AdamW, at its highest.", rich_help_panel=TRAINING)
    ] = fit_defaults.LEARNING_RATE,
    weight_decay: Annotated[
        float, typer.Option(help="Of AdamW.", rich_help_panel=TRAINING)
    ] = fit_defaults.WEIGHT_DECAY,
    warmup: Annotated[
        float, typer.Option(help="Share of the run in which the learning rate rises.", rich_help_panel=TRAINING)
    ] = fit_defaults.WARMUP,
    clip: Annotated[float, typer.Option(help="Largest gradient norm.", rich_help_panel=TRAINING)] = fit_defaults.CLIP,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Change training rows at random; below 20,000 rows by default.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    class_weights: Annotated[
        bool | None,
        typer.Option(
            "--class-weights/--no-class-weights",
            help="Let rows of small classes count more; where classes are of unequal size by default.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of splits, weights and order.", rich_help_panel=TRAINING)] = 0,
    device: Device = "auto",
    workers: Workers = 0,
    threads: Threads = None,
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"],
        typer.Option(help="As Lightning names it.", rich_help_panel=SAVING),
    ] = "32-true",
    devices: Annotated[int, typer.Option(min=1, help="Devices of each machine.", rich_help_panel=SAVING)] = 1,
    num_nodes: Annotated[int, typer.Option(min=1, help="Machines.", rich_help_panel=SAVING)] = 1,
    strategy: Annotated[
        Literal["auto", "ddp"], typer.Option(help="As Lightning names it.", rich_help_panel=SAVING)
    ] = "auto",
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts that a step is computed in, to need less memory.", rich_help_panel=SAVING)
    ] = 1,
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.", rich_help_panel=SAVING)] = False,
    shuffle_buffer: Annotated[
        int,
        typer.Option(
            min=1,
            help="With --streaming: rows that each process holds to draw the next one from.",
            rich_help_panel=TRAINING,
        ),
    ] = fit_defaults.SHUFFLE_BUFFER,
    every_seconds: Annotated[
        float,
        typer.Option(
            min=0, help="Time between checkpoints within an epoch; 0 for ends of epochs only.", rich_help_panel=SAVING
        ),
    ] = fit_defaults.EVERY_SECONDS,
    log: Annotated[
        list[str] | None,
        typer.Option(
            help="Write logs into OUT/checkpoints/logs: csv or tensorboard; both by repeating.", rich_help_panel=SAVING
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the newest checkpoint in OUT, to the same end; begins where there is none.",
            rich_help_panel=SAVING,
        ),
    ] = False,
) -> None:
    """Fit a model on a table with pictures, recordings, texts and numbers, some missing, and save it.

    Columns that are not named are guessed and shown before use. Prints validation metrics per epoch and those of the
    test rows, which are opened once. Writes the model, results.json, report.md with plots, and rejects.csv.

    With --streaming columns and the kind of target are told from the first rows, and made splits are drawn row by row,
    without stratifying.

    Example: gnnfuse fit pets.csv --image photo --audio clip --text caption --target species --out pets-model
    """
    prepare_threads(threads, processes=devices)
    from gnnfuse.nodes.pretrained.transformers_library import quiet_loading
    from gnnfuse.train import FitConfig
    from gnnfuse.train.checkpoint_files import numbered
    from gnnfuse.workflow import Encoders, FitOptions, Observer, Terminal
    from gnnfuse.workflow import fit as run
    from gnnfuse.workflow.fit_folder import CHECKPOINTS
    from gnnfuse.workflow.fit_table import is_first_process

    options = FitOptions(
        model=model,
        dim=dim,
        depth=depth,
        readout=readout,
        encoders=Encoders(
            image=image_encoder,
            audio=audio_encoder,
            text=text_encoder,
            fine_tune=fine_tune,
            image_weights=image_weights,
            audio_weights=audio_weights,
            text_weights=text_weights,
            cache=cache,
            cache_dtype=cache_dtype,
        ),
        kind=kind,
        separator=separator,
        fractions=_fractions(fractions),
        on_error=on_error,
        augment=augment,
        class_weights=class_weights,
    )
    config = FitConfig(
        epochs=epochs,
        select=select,
        patience=patience or None,
        seconds=None if minutes is None else 60 * minutes,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        warmup=warmup,
        clip=clip,
        seed=seed,
        device=device,
        workers=workers,
        precision=precision,
        devices=devices,
        num_nodes=num_nodes,
        strategy=strategy,
        accumulate=accumulate,
        compile=compile,
        progress=False,
        shuffle_buffer=shuffle_buffer,
        every_seconds=every_seconds or None,
        out=out,
        logs=tuple(log or ()),  # type: ignore[arg-type]  # FitConfig checks them
    )
    observer = Terminal() if is_first_process() else Observer()
    if options.encoders.named:
        quiet_loading()
    try:
        fitted = run(
            table, out=out, image=given(image), audio=given(audio), text=given(text), text_file=given(text_file),
            rows=given(rows), features=given(features), target=target, id=id, split=split, group=group,
            ignore=ignore, media=media, allow_outside=allow_outside, blanks=given(blanks), streaming=streaming,
            options=options, config=config, resume=resume, observer=observer,
        )  # fmt: skip
    except (KeyboardInterrupt, SystemExit, OSError):  # Ctrl-C, what asks a process to end, a full disk
        if numbered(out / CHECKPOINTS):
            observer.says(
                f"interrupted; {out / CHECKPOINTS} holds a checkpoint: the same command with --resume goes on"
            )
        raise
    observer.says(f"wrote {fitted.folder}: the model, report.md, results.json")


def predict(
    model: ModelArgument,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="File to write: .csv, .jsonl or .parquet.")],
    id: IdColumn = None,
    media: Media = None,
    allow_outside: Outside = False,
    blanks: BlankWords = None,
    streaming: Streaming = False,
    on_error: OnErrorOption = "stop",
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per batch.")] = 64,
    workers: Workers = 0,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Predict for every row of a table: one row out for every row in, in the same order.

    A row out has the id as it stands in the table, the prediction, and a probability per class. Any of the modalities
    may be missing, in a row or as a whole column.
    """
    prepare_threads(threads)
    from gnnfuse.workflow import Terminal
    from gnnfuse.workflow import predict as run

    run(
        model, table, out=out, id=id, media=media, allow_outside=allow_outside, blanks=given(blanks),
        streaming=streaming, on_error=on_error, batch_size=batch_size, workers=workers, device=device,
        observer=Terminal(),
    )  # fmt: skip


def embed(
    model: ModelArgument,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="File to write: .parquet, or .npy with the ids beside it.")],
    id: IdColumn = None,
    media: Media = None,
    allow_outside: Outside = False,
    blanks: BlankWords = None,
    streaming: Streaming = False,
    on_error: OnErrorOption = "stop",
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per batch.")] = 64,
    workers: Workers = 0,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write the fused vector of every row of a table, for search and clustering."""
    prepare_threads(threads)
    from gnnfuse.workflow import Terminal
    from gnnfuse.workflow import embed as run

    run(
        model, table, out=out, id=id, media=media, allow_outside=allow_outside, blanks=given(blanks),
        streaming=streaming, on_error=on_error, batch_size=batch_size, workers=workers, device=device,
        observer=Terminal(),
    )  # fmt: skip
