"""Groups of options of `gnnfuse fit`."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from gnnfuse import fit_defaults


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What is fitted."""

    kind: Annotated[fit_defaults.Kind | None, "Kind of target; chosen from its column by default."] = None
    separator: Annotated[str | None, "Between several labels in a cell; detected if unambiguous."] = None
    preset: Annotated[
        fit_defaults.Preset,
        "Effort: fast trains few members on one split, good more of them on folds, best takes the most time.",
    ] = fit_defaults.PRESET
    members: Annotated[
        str | None,
        "Members to train and blend, between commas, in place of the preset's: linear, plain, trees, or fusion models "
        "(gnnfuse names model lists them).",
    ] = None
    folds: Annotated[
        int | None, typer.Option(min=1, help="Folds that members are judged on; 1 uses the validation rows.")
    ] = None
    model: Annotated[str | None, "Fusion model to train alone, without other members."] = None
    dim: Annotated[int, typer.Option(min=1, help="Size of the states.")] = fit_defaults.DIM
    depth: Annotated[int, typer.Option(min=1, help="Number of layers.")] = fit_defaults.DEPTH
    readout: Annotated[
        Literal["additive", "typed"] | None,
        "How the graph model makes one vector per row: additive averages separate answers of the modalities, typed "
        f"applies a network to all of them. By default additive below {fit_defaults.SMALL:,} training rows.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How it is trained."""

    epochs: Annotated[int, typer.Option(min=1, help="Maximum number of passes over the training rows.")] = (
        fit_defaults.EPOCHS
    )
    select: Annotated[Literal["metric", "loss"], "Validation measure that selects the epoch to keep."] = (
        fit_defaults.SELECT
    )
    patience: Annotated[
        int, typer.Option(min=0, help="Epochs without improvement until training stops; 0 never stops early.")
    ] = fit_defaults.PATIENCE
    minutes: Annotated[float | None, "Time limit of training, in minutes."] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per step, over all devices.")] = fit_defaults.BATCH_SIZE
    learning_rate: Annotated[float, "Peak learning rate of AdamW."] = fit_defaults.LEARNING_RATE
    weight_decay: Annotated[float, "Weight decay of AdamW."] = fit_defaults.WEIGHT_DECAY
    warmup: Annotated[float, "Share of the run in which the learning rate rises."] = fit_defaults.WARMUP
    clip: Annotated[float, "Largest gradient norm."] = fit_defaults.CLIP
    augment: Annotated[
        bool | None,
        "Change training rows at random; by default below 20,000 training rows.",
    ] = None
    class_weights: Annotated[
        bool | None,
        "Let rows of small classes count more; by default for a single model whose classes are of unequal size.",
    ] = None
    threshold: Annotated[
        float | None,
        "Least probability at which a label is predicted (weighted, if classes are); 0.5 by default.",
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Seed of splits, weights and order.")] = 0
    shuffle_buffer: Annotated[
        int, typer.Option(min=1, help="With --streaming: rows in the shuffle buffer of each loader process.")
    ] = fit_defaults.SHUFFLE_BUFFER


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The devices of a run, its checkpoints and its logs."""

    precision: Annotated[Literal["32-true", "bf16-mixed", "16-mixed"], "Precision, as Lightning names it."] = "32-true"
    devices: Annotated[int, typer.Option(min=1, help="Devices of each machine.")] = 1
    num_nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1
    strategy: Annotated[Literal["auto", "ddp"], "Strategy, as Lightning names it."] = "auto"
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts in which a device computes its share of a step; more need less memory.")
    ] = 1
    compile: Annotated[bool, "Use torch.compile."] = False
    every_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds between checkpoints within an epoch; 0 writes them only at its end.")
    ] = fit_defaults.EVERY_SECONDS
    log: Annotated[
        list[str] | None,
        typer.Option(help="Write logs into OUT/checkpoints/logs: csv or tensorboard; repeat the option for both."),
    ] = None
    resume: Annotated[
        bool,
        "Continue from the newest checkpoint in OUT, to the same end; without one, start from the beginning.",
    ] = False
