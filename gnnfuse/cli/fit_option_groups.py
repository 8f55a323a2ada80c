"""The options of `gnnfuse fit`, in the groups that its help shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from gnnfuse import fit_defaults
from gnnfuse.cli.shared_options import COLUMNS, IdColumn, Ignored

MODEL, TRAINING, SAVING = "Model", "Training", "Several devices and interruptions"
FRACTIONS = ",".join(f"{share:g}" for share in fit_defaults.FRACTIONS)


def _columns(what: str) -> object:
    return typer.Option(help=f"{what} Several by repeating the option; '' for none.", rich_help_panel=COLUMNS)


@dataclass(frozen=True, kw_only=True)
class ColumnOptions:
    """Which column is what, and how rows are shared out."""

    image: Annotated[list[str] | None, _columns("Column of pictures: paths or bytes.")] = None
    audio: Annotated[list[str] | None, _columns("Column of recordings: paths or bytes.")] = None
    text: Annotated[list[str] | None, _columns("Column of texts.")] = None
    text_file: Annotated[list[str] | None, _columns("Column of paths of files that hold a text.")] = None
    rows: Annotated[list[str] | None, _columns("Column of lists of numbers.")] = None
    features: Annotated[list[str] | None, _columns("Column of numbers.")] = None
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Column that the model should say. Several numbers by repeating the option.", rich_help_panel=COLUMNS
        ),
    ] = None
    id: IdColumn = None
    split: Annotated[
        str | None,
        typer.Option(
            help="Column that says train, valid or test; otherwise rows are split by rule.", rich_help_panel=COLUMNS
        ),
    ] = None
    group: Annotated[
        str | None,
        typer.Option(
            help="Column of what must stay together in one split: a person, a session.", rich_help_panel=COLUMNS
        ),
    ] = None
    ignore: Ignored = None
    fractions: Annotated[
        str,
        typer.Option(
            help="Shares of train, valid and test rows, where no column says which are which (or names no valid rows: "
            "then of train and valid rows together).",
            rich_help_panel=COLUMNS,
        ),
    ] = FRACTIONS


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What is fitted."""

    kind: Annotated[
        fit_defaults.Kind | None,
        typer.Option(help="What the target asks for; chosen from its column by default.", rich_help_panel=MODEL),
    ] = None
    separator: Annotated[
        str | None,
        typer.Option(help="Between several labels in a cell; found if it is certain.", rich_help_panel=MODEL),
    ] = None
    model: Annotated[str, typer.Option(help="Fusion model: gnnfuse names model lists them.", rich_help_panel=MODEL)] = (
        fit_defaults.MODEL
    )
    dim: Annotated[int, typer.Option(min=1, help="Size of the states.", rich_help_panel=MODEL)] = fit_defaults.DIM
    depth: Annotated[int, typer.Option(min=1, help="Layers.", rich_help_panel=MODEL)] = fit_defaults.DEPTH
    readout: Annotated[
        Literal["additive", "typed"] | None,
        typer.Option(
            help="Of the graph model: each modality answers for itself, or a network over all of them. By default the "
            f"first below {fit_defaults.SMALL:,} training rows.",
            rich_help_panel=MODEL,
        ),
    ] = None
    image_encoder: Annotated[
        str | None,
        typer.Option(
            help="Pretrained: torchvision/resnet50, or a model of the hub or its folder.", rich_help_panel=MODEL
        ),
    ] = None
    audio_encoder: Annotated[
        str | None,
        typer.Option(
            help="Pretrained: torchaudio/WAV2VEC2_BASE, or a model of the hub or its folder.", rich_help_panel=MODEL
        ),
    ] = None
    text_encoder: Annotated[
        str | None,
        typer.Option(
            help="Pretrained: a model of the hub (FacebookAI/roberta-base) or its folder.", rich_help_panel=MODEL
        ),
    ] = None
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Train pretrained encoders too.", rich_help_panel=MODEL)
    ] = False
    image_weights: Annotated[
        str | None,
        typer.Option(
            help="Listed weights of torchvision, a file of them, or a revision on the hub.", rich_help_panel=MODEL
        ),
    ] = None
    audio_weights: Annotated[
        str | None,
        typer.Option(help="File of weights for torchaudio, or a revision on the hub.", rich_help_panel=MODEL),
    ] = None
    text_weights: Annotated[
        str | None,
        typer.Option(help="Revision on the hub.", rich_help_panel=MODEL),
    ] = None
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps what frozen pretrained encoders give, as gnnfuse cache does: what it lacks is made "
            "first, and training reads it. Augmentation cannot act on it. The saved model does not need it.",
            rich_help_panel=MODEL,
        ),
    ] = None
    cache_dtype: Annotated[
        Literal["float32", "float16"],
        typer.Option(help="How features are kept in it: every bit, or half the space.", rich_help_panel=MODEL),
    ] = "float32"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How it is trained."""

    epochs: Annotated[
        int, typer.Option(min=1, help="Most passes over the training rows.", rich_help_panel=TRAINING)
    ] = fit_defaults.EPOCHS
    select: Annotated[
        Literal["metric", "loss"],
        typer.Option(help="What says on the validation rows which epoch is kept.", rich_help_panel=TRAINING),
    ] = fit_defaults.SELECT
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Epochs without a better one until it ends; 0 for no such end.",
            rich_help_panel=TRAINING,
        ),
    ] = fit_defaults.PATIENCE
    minutes: Annotated[float | None, typer.Option(help="Most minutes of training.", rich_help_panel=TRAINING)] = None
    batch_size: Annotated[
        int, typer.Option(min=1, help="Rows per step, over all devices.", rich_help_panel=TRAINING)
    ] = fit_defaults.BATCH_SIZE
    learning_rate: Annotated[float, typer.Option(help="Of AdamW, at its highest.", rich_help_panel=TRAINING)] = (
        fit_defaults.LEARNING_RATE
    )
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.", rich_help_panel=TRAINING)] = fit_defaults.WEIGHT_DECAY
    warmup: Annotated[
        float, typer.Option(help="Share of the run in which the learning rate rises.", rich_help_panel=TRAINING)
    ] = fit_defaults.WARMUP
    clip: Annotated[float, typer.Option(help="Largest gradient norm.", rich_help_panel=TRAINING)] = fit_defaults.CLIP
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Change training rows at random; below 20,000 rows by default.",
            rich_help_panel=TRAINING,
        ),
    ] = None
    class_weights: Annotated[
        bool | None,
        typer.Option(
            "--class-weights/--no-class-weights",
            help="Let rows of small classes count more; where classes are of unequal size by default.",
            rich_help_panel=TRAINING,
        ),
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Of splits, weights and order.", rich_help_panel=TRAINING)] = 0
    shuffle_buffer: Annotated[
        int,
        typer.Option(
            min=1,
            help="With --streaming: rows that each process holds to draw the next one from.",
            rich_help_panel=TRAINING,
        ),
    ] = fit_defaults.SHUFFLE_BUFFER


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """On which machines, and what is kept of a run that is cut."""

    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"],
        typer.Option(help="As Lightning names it.", rich_help_panel=SAVING),
    ] = "32-true"
    devices: Annotated[int, typer.Option(min=1, help="Devices of each machine.", rich_help_panel=SAVING)] = 1
    num_nodes: Annotated[int, typer.Option(min=1, help="Machines.", rich_help_panel=SAVING)] = 1
    strategy: Annotated[Literal["auto", "ddp"], typer.Option(help="As Lightning names it.", rich_help_panel=SAVING)] = (
        "auto"
    )
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts that a step is computed in, to need less memory.", rich_help_panel=SAVING)
    ] = 1
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.", rich_help_panel=SAVING)] = False
    every_seconds: Annotated[
        float,
        typer.Option(
            min=0, help="Time between checkpoints within an epoch; 0 for ends of epochs only.", rich_help_panel=SAVING
        ),
    ] = fit_defaults.EVERY_SECONDS
    log: Annotated[
        list[str] | None,
        typer.Option(
            help="Write logs into OUT/checkpoints/logs: csv or tensorboard; both by repeating.", rich_help_panel=SAVING
        ),
    ] = None
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the newest checkpoint in OUT, to the same end; begins where there is none.",
            rich_help_panel=SAVING,
        ),
    ] = False
