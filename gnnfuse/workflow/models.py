"""From names on a command line to fusion models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from gnnfuse import catalog
from gnnfuse.fusion import FusionModel
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeType

DEFAULT_MODELS = ("graph", "joint_transformer", "modality_attention", "concat", "unimodal")


@dataclass(frozen=True)
class ModelName:
    """A model of the catalogue, and for unimodal ones the modality: `graph`, `unimodal:image`."""

    model: str
    modality: str | None = None

    @classmethod
    def of(cls, name: object) -> Self:
        """The model that a name means, whatever the modalities.

        Raises:
            ValueError: no name, an unknown model, or a modality for a model that takes none.
        """
        if not isinstance(name, str):
            raise ValueError(
                f"found {name!r} among the models, expected names such as 'graph' (gnnfuse names model); a plug-in "
                "names a model of your own (CONTRIBUTING.md), and fit_task trains one without a name"
            )
        model, _, modality = name.partition(":")
        catalog.load("model", model)
        if modality and model != "unimodal":
            raise ValueError(
                f"model {model!r} takes no modality, found {name!r}; expected {model!r}: only unimodal takes one, "
                "and layers and readouts are arguments of models in Python"
            )
        return cls(model, modality or None)

    def __str__(self) -> str:
        return self.model if self.modality is None else f"{self.model}:{self.modality}"


def expand(names: Sequence[str], modalities: Sequence[str]) -> list[ModelName]:
    """The models that names mean: `unimodal` alone means one per modality.

    Args:
        names: names of the catalogue, or `unimodal:<modality>`.
        modalities: node types that are read from a signal.

    Raises:
        ValueError: an unknown model or modality, with the near ones suggested.

    Example:
        >>> [str(name) for name in expand(["graph", "unimodal"], ["image", "text"])]
        ['graph', 'unimodal:image', 'unimodal:text']
    """
    found: list[ModelName] = []
    for name in map(ModelName.of, names):
        if name.modality is not None and name.modality not in modalities:
            raise ValueError(catalog.unknown("modality", name.modality, modalities))
        if name.model == "unimodal" and name.modality is None:
            found += [ModelName(name.model, each) for each in modalities]
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def model_named(name: str, node_types: Sequence[NodeType]) -> ModelName:
    """The one model that a name means: of `unimodal:SIGNAL`, the node type that reads the signal.

    Args:
        name: of the catalogue, or `unimodal:SIGNAL`.
        node_types: what reads signals.

    Raises:
        ValueError: an unknown model or signal, with the near ones suggested, or a name that means several models.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> str(model_named("unimodal:keys", [TextTokens(signal="keys", name="keys_")]))
        'unimodal:keys_'
    """
    read_by = {node_type.signal: node_type.name for node_type in node_types if node_type.signal is not None}
    model, _, signal = name.partition(":")
    if model == "unimodal" and signal and signal not in read_by:
        raise ValueError(catalog.unknown("signal", signal, read_by))
    found = expand([f"{model}:{read_by.get(signal, signal)}" if signal else name], tuple(read_by.values()))
    if len(found) > 1:
        several = ", ".join(f"{model}:{each}" for each in read_by)
        raise ValueError(f"model {name!r} means {len(found)} models, expected one of {several}")
    return found[0]


def make_model(
    name: ModelName,
    builder: GraphBuilder,
    *,
    dim: int,
    depth: int,
    seed: int,
    graph: Callable[[], Mapping[str, object]] = dict,
) -> FusionModel:
    """A new model with weights drawn from the seed; the process's random states stay as they are.

    Args:
        name: which.
        builder: makes the graphs.
        dim: size of the states and of the fused vector.
        depth: layers.
        seed: of the weights.
        graph: makes further arguments of a graph model, with weights that are drawn from the seed too.

    Raises:
        ValueError: an unknown model, or numbers it cannot be built with.
        TypeError: the catalogue's entry is not a fusion model.
    """
    kind = catalog.load("model", name.model)
    if not (isinstance(kind, type) and issubclass(kind, FusionModel)):
        raise TypeError(f"model {name.model!r}: found {kind!r}, expected a FusionModel class")
    arguments = (builder.node_types, builder.relations) if kind.sees_edges else (builder.node_types,)
    options: dict[str, Any] = {} if name.modality is None else {"modality": name.modality}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        more = graph() if name.model == "graph" else {}
        model: FusionModel = kind(*arguments, dim=dim, depth=depth, **options, **more)
    return model
