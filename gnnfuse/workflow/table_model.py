"""Options of a graph model for a table, and how it is trained, by the table's size and encoders."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from gnnfuse import fit_defaults
from gnnfuse.graph import GraphBuilder
from gnnfuse.message_passing import RelationAttention
from gnnfuse.readout import AdditiveReadout, TypedReadout
from gnnfuse.train import FitConfig

ReadoutName = Literal["additive", "typed"]
LAYER_DROPOUT = 0.2
BRIEF = {"epochs": 15, "batch_size": 64, "learning_rate": 3e-3}
BESIDE_LINEAR: Mapping[str, int | float] = {**BRIEF, "weight_decay": 5.0}
TUNED: Mapping[str, int | float] = {**BRIEF, "weight_decay": 1.0}  # more is too much without the linear model


def graph_options(builder: GraphBuilder, *, dim: int, readout: ReadoutName, small: bool) -> dict[str, object]:
    """The arguments of `GraphFusion` besides its sizes.

    Args:
        builder: makes the graphs.
        dim: size of the states.
        readout: how a sample's states become one vector.
        small: the table has few rows, which a model would overfit: layers use dropout.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> builder = GraphBuilder([TextTokens()])
        >>> list(graph_options(builder, dim=8, readout="typed", small=False))
        ['readout']
    """
    names = [node_type.name for node_type in builder.node_types]
    made = AdditiveReadout(dim, builder.modalities) if readout == "additive" else TypedReadout(dim, names)
    layer = {"layer": partial(RelationAttention, dropout=LAYER_DROPOUT)} if small else {}
    return {"readout": made, **layer}


def beside_linear(config: FitConfig) -> FitConfig:
    """How a model is trained that adds to a linear one, on features of frozen encoders of few rows.

    It takes few steps, with strong decay: more fits the training rows, and loses to the linear model alone. Settings
    that are not the usual ones are kept.

    Example:
        >>> beside_linear(FitConfig(epochs=fit_defaults.EPOCHS, learning_rate=0.5)).epochs
        15
    """
    return _changed(config, BESIDE_LINEAR)


def briefly(config: FitConfig) -> FitConfig:
    """How a model is trained that tunes the last blocks of encoders, without validation rows that would stop it."""
    return _changed(config, TUNED)


def _changed(config: FitConfig, settings: Mapping[str, int | float]) -> FitConfig:
    usual = {name: getattr(fit_defaults, name.upper()) for name in settings}
    changed: dict[str, Any] = {name: value for name, value in settings.items() if getattr(config, name) == usual[name]}
    return replace(config, **changed)
