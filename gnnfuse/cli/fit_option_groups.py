"""Groups of options of `gnnfuse fit`."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from gnnfuse import fit_defaults


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What is fitted."""

    kind: Annotated[fit_defaults.Kind | None, "What the target asks for; chosen from its column by default."] = None
    separator: Annotated[str | None, "Between several labels in a cell; found if it is certain."] = None
    model: Annotated[str, "Fusion model: gnnfuse names model lists them."] = fit_defaults.MODEL
    dim: Annotated[int, typer.Option(min=1, help="Size of the states.")] = fit_defaults.DIM
    depth: Annotated[int, typer.Option(min=1, help="Layers.")] = fit_defaults.DEPTH
    readout: Annotated[
        Literal["additive", "typed"] | None,
        "Of the graph model: each modality answers for itself, or a network over all of them. By default the "
        f"first below {fit_defaults.SMALL:,} training rows.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How it is trained."""

    epochs: Annotated[int, typer.Option(min=1, help="Most passes over the training rows.")] = fit_defaults.EPOCHS
    select: Annotated[Literal["metric", "loss"], "What says on the validation rows which epoch is kept."] = (
        fit_defaults.SELECT
    )
    patience: Annotated[
        int, typer.Option(min=0, help="Epochs without a better one until it ends; 0 for no such end.")
    ] = fit_defaults.PATIENCE
    minutes: Annotated[float | None, "Most minutes of training."] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per step, over all devices.")] = fit_defaults.BATCH_SIZE
    learning_rate: Annotated[float, "Of AdamW, at its highest."] = fit_defaults.LEARNING_RATE
    weight_decay: Annotated[float, "Of AdamW."] = fit_defaults.WEIGHT_DECAY
    warmup: Annotated[float, "Share of the run in which the learning rate rises."] = fit_defaults.WARMUP
    clip: Annotated[float, "Largest gradient norm."] = fit_defaults.CLIP
    augment: Annotated[
        bool | None,
        "Change training rows at random; below 20,000 rows by default.",
    ] = None
    class_weights: Annotated[
        bool | None,
        "Let rows of small classes count more; where classes are of unequal size by default.",
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Of splits, weights and order.")] = 0
    shuffle_buffer: Annotated[
        int, typer.Option(min=1, help="With --streaming: rows that each process holds to draw the next one from.")
    ] = fit_defaults.SHUFFLE_BUFFER


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The machines of a run, and what is kept of an interrupted run."""

    precision: Annotated[Literal["32-true", "bf16-mixed", "16-mixed"], "As Lightning names it."] = "32-true"
    devices: Annotated[int, typer.Option(min=1, help="Devices of each machine.")] = 1
    num_nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1
    strategy: Annotated[Literal["auto", "ddp"], "As Lightning names it."] = "auto"
    accumulate: Annotated[int, typer.Option(min=1, help="Parts that a step is computed in, to need less memory.")] = 1
    compile: Annotated[bool, "Use torch.compile."] = False
    every_seconds: Annotated[
        float, typer.Option(min=0, help="Time between checkpoints within an epoch; 0 for ends of epochs only.")
    ] = fit_defaults.EVERY_SECONDS
    log: Annotated[
        list[str] | None,
        typer.Option(help="Write logs into OUT/checkpoints/logs: csv or tensorboard; both by repeating."),
    ] = None
    resume: Annotated[
        bool,
        "Go on from the newest checkpoint in OUT, to the same end; begins where there is none.",
    ] = False
