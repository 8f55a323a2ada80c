"""The command that fits a model on a table."""

from pathlib import Path
from typing import Annotated

import typer

from gnnfuse import fit_defaults
from gnnfuse.cli.fit_option_groups import ModelOptions, RunOptions, TrainingOptions
from gnnfuse.cli.shared_options import COLUMNS, Device, OnErrorOption, TableArgument, Threads, Workers
from gnnfuse.cli.with_options import same_named, with_options
from gnnfuse.encoders import Encoders
from gnnfuse.observer import Observer
from gnnfuse.table_options import ColumnOptions, OpenOptions
from gnnfuse.terminal import Terminal
from gnnfuse.threads import prepare_threads

MODEL, TRAINING, SAVING = "Model", "Training", "Several devices and interruptions"
FRACTIONS = ",".join(f"{share:g}" for share in fit_defaults.FRACTIONS)


@with_options
def fit(
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="Folder to write the model, results and report into.")],
    columns: Annotated[ColumnOptions, COLUMNS],
    opening: OpenOptions,
    chosen: Annotated[ModelOptions, MODEL],
    encoders: Annotated[Encoders, MODEL],
    training: Annotated[TrainingOptions, TRAINING],
    run: Annotated[RunOptions, SAVING],
    fractions: Annotated[
        str,
        typer.Option(
            help="Shares of train, valid and test rows, if no column gives the split. If that column names no valid "
            "rows, train rows are divided into train and valid in the ratio of their shares.",
            rich_help_panel=COLUMNS,
        ),
    ] = FRACTIONS,
    on_error: OnErrorOption = "stop",
    device: Device = "auto",
    workers: Workers = 0,
    threads: Threads = None,
) -> None:
    """Fit a model on a table with pictures, recordings, texts and numbers, some missing, and save it.

    Columns that are not named are guessed and shown before use. Prints validation metrics per epoch and those of the
    test rows, which are opened once. Writes the model, results.json, report.md with plots, and rejects.csv.

    With --streaming, columns and the kind of target are guessed from the first rows, and generated splits are drawn row
    by row, without stratification.

    Example: gnnfuse fit pets.csv --image photo --audio clip --text caption --target species --out pets-model
    """
    prepare_threads(threads, processes=run.devices)
    from gnnfuse.nodes.pretrained.transformers_library import quiet_loading
    from gnnfuse.train import FitConfig
    from gnnfuse.train.checkpoint_files import has_earlier_run
    from gnnfuse.workflow import FitOptions
    from gnnfuse.workflow import fit as call
    from gnnfuse.workflow.fit_folder import CHECKPOINTS
    from gnnfuse.workflow.fit_table import is_first_process

    options = FitOptions(
        **same_named(FitOptions, chosen, training)
        | {"members": None if chosen.members is None else [name.strip() for name in chosen.members.split(",")]},
        encoders=encoders,
        fractions=_fractions(fractions),
        on_error=on_error,
    )
    config = FitConfig(
        **same_named(FitConfig, training, run)
        | {
            "patience": training.patience or None,
            "seconds": None if training.minutes is None else 60 * training.minutes,
            "every_seconds": run.every_seconds or None,
            "logs": tuple(run.log or ()),
            "augment": False,  # `fit` sets it, by the options
        },
        out=out,
        device=device,
        workers=workers,
        progress=False,
    )
    observer = Terminal() if is_first_process() else Observer()
    if encoders.named:
        quiet_loading()
    try:
        fitted = call(
            table, out=out, columns=columns, opening=opening, options=options, config=config, resume=run.resume,
            observer=observer,
        )  # fmt: skip
    except (KeyboardInterrupt, SystemExit, OSError):  # Ctrl-C, a termination signal, a full disk
        if has_earlier_run(out / CHECKPOINTS):
            observer.says(
                f"interrupted; {out / CHECKPOINTS} holds a checkpoint: the same command with --resume continues"
            )
        raise
    observer.says(f"wrote {fitted.folder}: the model, report.md, results.json")


def _fractions(written: str) -> tuple[float, float, float]:
    """The fractions of training, validation and test rows, parsed from a command line.

    Raises:
        ValueError: the text is not three numbers; their values are checked where they are used.

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
