"""The options of `gnnfuse fit`, in the groups that its help shows."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from gnnfuse import fit_defaults
from gnnfuse.cli.shared_options import COLUMNS, IdColumn, Ignored

MODEL, TRAINING, SAVING = "Model", "Training", "Several devices and interruptions"
FRACTIONS = ",".join(f"{share:g}" for share in fit_defaults.FRACTIONS)


_column, _model, _training, _run = (
    partial(typer.Option, rich_help_panel=panel) for panel in (COLUMNS, MODEL, TRAINING, SAVING)
)


def _columns(what: str) -> object:
    return _column(help=f"{what} Several by repeating the option; '' for none.")


@dataclass(frozen=True, kw_only=True)
class ColumnOptions:
    """The roles of columns, and how rows are split."""

    image: Annotated[list[str] | None, _columns("Column of pictures: paths or bytes.")] = None
    audio: Annotated[list[str] | None, _columns("Column of recordings: paths or bytes.")] = None
    text: Annotated[list[str] | None, _columns("Column of texts.")] = None
    text_file: Annotated[list[str] | None, _columns("Column of paths of files that hold a text.")] = None
    rows: Annotated[list[str] | None, _columns("Column of lists of numbers.")] = None
    features: Annotated[list[str] | None, _columns("Column of numbers.")] = None
    target: Annotated[
        list[str] | None, _column(help="Column that the model should say. Several numbers by repeating the option.")
    ] = None
    id: IdColumn = None
    split: Annotated[
        str | None, _column(help="Column that says train, valid or test; otherwise rows are split by rule.")
    ] = None
    group: Annotated[
        str | None, _column(help="Column of what must stay together in one split: a person, a session.")
    ] = None
    ignore: Ignored = None
    fractions: Annotated[
        str,
        _column(
            help="Shares of train, valid and test rows, where no column says which are which (or names no valid rows: "
            "then of train and valid rows together)."
        ),
    ] = FRACTIONS


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What is fitted."""

    kind: Annotated[
        fit_defaults.Kind | None, _model(help="What the target asks for; chosen from its column by default.")
    ] = None
    separator: Annotated[str | None, _model(help="Between several labels in a cell; found if it is certain.")] = None
    model: Annotated[str, _model(help="Fusion model: gnnfuse names model lists them.")] = fit_defaults.MODEL
    dim: Annotated[int, _model(min=1, help="Size of the states.")] = fit_defaults.DIM
    depth: Annotated[int, _model(min=1, help="Layers.")] = fit_defaults.DEPTH
    readout: Annotated[
        Literal["additive", "typed"] | None,
        _model(
            help="Of the graph model: each modality answers for itself, or a network over all of them. By default the "
            f"first below {fit_defaults.SMALL:,} training rows."
        ),
    ] = None
    image_encoder: Annotated[
        str | None, _model(help="Pretrained: torchvision/resnet50, or a model of the hub or its folder.")
    ] = None
    audio_encoder: Annotated[
        str | None, _model(help="Pretrained: torchaudio/WAV2VEC2_BASE, or a model of the hub or its folder.")
    ] = None
    text_encoder: Annotated[
        str | None, _model(help="Pretrained: a model of the hub (FacebookAI/roberta-base) or its folder.")
    ] = None
    fine_tune: Annotated[bool, _model("--fine-tune", help="Train pretrained encoders too.")] = False
    image_weights: Annotated[
        str | None, _model(help="Listed weights of torchvision, a file of them, or a revision on the hub.")
    ] = None
    audio_weights: Annotated[str | None, _model(help="File of weights for torchaudio, or a revision on the hub.")] = (
        None
    )
    text_weights: Annotated[str | None, _model(help="Revision on the hub.")] = None
    cache: Annotated[
        Path | None,
        _model(
            help="Folder that keeps what frozen pretrained encoders give, as gnnfuse cache does: what it lacks is made "
            "first, and training reads it. Augmentation cannot act on it. The saved model does not need it."
        ),
    ] = None
    cache_dtype: Annotated[
        Literal["float32", "float16"], _model(help="How features are kept in it: every bit, or half the space.")
    ] = "float32"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How it is trained."""

    epochs: Annotated[int, _training(min=1, help="Most passes over the training rows.")] = fit_defaults.EPOCHS
    select: Annotated[
        Literal["metric", "loss"], _training(help="What says on the validation rows which epoch is kept.")
    ] = fit_defaults.SELECT
    patience: Annotated[int, _training(min=0, help="Epochs without a better one until it ends; 0 for no such end.")] = (
        fit_defaults.PATIENCE
    )
    minutes: Annotated[float | None, _training(help="Most minutes of training.")] = None
    batch_size: Annotated[int, _training(min=1, help="Rows per step, over all devices.")] = fit_defaults.BATCH_SIZE
    learning_rate: Annotated[float, _training(help="Of AdamW, at its highest.")] = fit_defaults.LEARNING_RATE
    weight_decay: Annotated[float, _training(help="Of AdamW.")] = fit_defaults.WEIGHT_DECAY
    warmup: Annotated[float, _training(help="Share of the run in which the learning rate rises.")] = fit_defaults.WARMUP
    clip: Annotated[float, _training(help="Largest gradient norm.")] = fit_defaults.CLIP
    augment: Annotated[
        bool | None,
        _training("--augment/--no-augment", help="Change training rows at random; below 20,000 rows by default."),
    ] = None
    class_weights: Annotated[
        bool | None,
        _training(
            "--class-weights/--no-class-weights",
            help="Let rows of small classes count more; where classes are of unequal size by default.",
        ),
    ] = None
    seed: Annotated[int, _training(min=0, help="Of splits, weights and order.")] = 0
    shuffle_buffer: Annotated[
        int, _training(min=1, help="With --streaming: rows that each process holds to draw the next one from.")
    ] = fit_defaults.SHUFFLE_BUFFER


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The machines of a run, and what is kept of an interrupted run."""

    precision: Annotated[Literal["32-true", "bf16-mixed", "16-mixed"], _run(help="As Lightning names it.")] = "32-true"
    devices: Annotated[int, _run(min=1, help="Devices of each machine.")] = 1
    num_nodes: Annotated[int, _run(min=1, help="Machines.")] = 1
    strategy: Annotated[Literal["auto", "ddp"], _run(help="As Lightning names it.")] = "auto"
    accumulate: Annotated[int, _run(min=1, help="Parts that a step is computed in, to need less memory.")] = 1
    compile: Annotated[bool, _run("--compile", help="Use torch.compile.")] = False
    every_seconds: Annotated[
        float, _run(min=0, help="Time between checkpoints within an epoch; 0 for ends of epochs only.")
    ] = fit_defaults.EVERY_SECONDS
    log: Annotated[
        list[str] | None, _run(help="Write logs into OUT/checkpoints/logs: csv or tensorboard; both by repeating.")
    ] = None
    resume: Annotated[
        bool,
        _run("--resume", help="Go on from the newest checkpoint in OUT, to the same end; begins where there is none."),
    ] = False
