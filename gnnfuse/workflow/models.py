"""From names on a command line to fusion models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Self

import torch

from gnnfuse import catalog
from gnnfuse.fusion import FusionModel
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeType

DEFAULT_MODELS = ("graph", "joint_transformer", "modality_attention", "concat", "unimodal")


@dataclass(frozen=True)
class ModelName:
    """A model of the catalogue, and one of its variants if it has any: `graph`, `unimodal:image`."""

    model: str
    variant: str | None = None

    @classmethod
    def of(cls, name: object) -> Self:
        """The model that a name denotes, whatever the modalities.

        Raises:
            ValueError: no name, an unknown model, or a variant of a model that has none.
        """
        if not isinstance(name, str):
            raise ValueError(
                f"found {name!r} among the models, expected names such as 'graph' (gnnfuse names model); a plug-in "
                "names a model of your own (CONTRIBUTING.md), and fit_task trains one without a name"
            )
        model, _, variant = name.partition(":")
        kind = model_class(model)
        if variant and not kind.variants([variant]):
            raise ValueError(
                f"model {model!r} has no variants, found {name!r}; expected {model!r}: layers and readouts are "
                "arguments of models in Python"
            )
        return cls(model, variant or None)

    def __str__(self) -> str:
        return self.model if self.variant is None else f"{self.model}:{self.variant}"


def model_class(name: str) -> type[FusionModel]:
    """The class that the catalogue lists under a name.

    Raises:
        ValueError: an unknown name; similar names are suggested.
        TypeError: the entry is not a fusion model.
    """
    kind = catalog.load("model", name)
    if not (isinstance(kind, type) and issubclass(kind, FusionModel)):
        raise TypeError(f"model {name!r}: found {kind!r}, expected a FusionModel class")
    return kind


def expand(names: Sequence[str], modalities: Sequence[str]) -> list[ModelName]:
    """The models with these names: a name with variants means all of them (`unimodal`: one per modality).

    Args:
        names: names of the catalogue, or `model:variant`.
        modalities: node types that are read from a signal.

    Raises:
        ValueError: an unknown model or variant; similar names are suggested.

    Example:
        >>> [str(name) for name in expand(["graph", "unimodal"], ["image", "text"])]
        ['graph', 'unimodal:image', 'unimodal:text']
    """
    found: list[ModelName] = []
    for name in map(ModelName.of, names):
        known = model_class(name.model).variants(modalities)
        if name.variant is not None and name.variant not in known:
            raise ValueError(catalog.unknown("modality", name.variant, known))
        found += [ModelName(name.model, each) for each in known] if known and name.variant is None else [name]
    return list(dict.fromkeys(found))


def model_named(name: str, node_types: Sequence[NodeType]) -> ModelName:
    """The one model that a name denotes; `unimodal:SIGNAL` names the node type that reads the signal.

    Args:
        name: of the catalogue, or `model:SIGNAL`.
        node_types: the node types that read signals.

    Raises:
        ValueError: an unknown model or signal (similar names are suggested), or a name that means several models.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> str(model_named("unimodal:keys", [TextTokens(signal="keys", name="keys_")]))
        'unimodal:keys_'
    """
    read_by = {node_type.signal: node_type.name for node_type in node_types if node_type.signal is not None}
    asked = ModelName.of(name)
    if asked.variant is not None and asked.variant not in read_by:
        raise ValueError(catalog.unknown("signal", asked.variant, read_by))
    named = str(asked if asked.variant is None else ModelName(asked.model, read_by[asked.variant]))
    found = expand([named], tuple(read_by.values()))
    if len(found) > 1:
        several = ", ".join(f"{asked.model}:{each}" for each in read_by)
        raise ValueError(f"model {name!r} means {len(found)} models, expected one of {several}")
    return found[0]


def each_named(names: Sequence[str], node_types: Sequence[NodeType]) -> list[str]:
    """Names of one model each, for names that may denote several: `unimodal` is one model per signal.

    Args:
        names: of the catalogue, or `model:SIGNAL`.
        node_types: the node types that read signals.

    Raises:
        ValueError: an unknown model or signal; similar names are suggested.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> each_named(["graph", "unimodal"], [TextTokens(signal="keys", name="keys_")])
        ['graph', 'unimodal:keys']
    """
    signals = [node_type.signal for node_type in node_types if node_type.signal is not None]
    return [str(each) for each in expand(names, signals)]


def make_model(
    name: ModelName,
    builder: GraphBuilder,
    *,
    dim: int,
    depth: int,
    seed: int,
    options: Callable[[], Mapping[str, Any]] = dict,
) -> FusionModel:
    """A new model with weights drawn from the seed; the process's random states stay as they are.

    Args:
        name: the model.
        builder: makes the graphs.
        dim: size of the states and of the fused vector.
        depth: layers; neither size is passed to a model that does not take it.
        seed: of the weights.
        options: makes further arguments of the model, whose weights are also drawn from the seed.

    Raises:
        ValueError: an unknown model, or sizes that it cannot have.
        TypeError: the catalogue's entry is not a fusion model.
    """
    kind = model_class(name.model)
    variant = {} if name.variant is None else kind.variants([name.variant])[name.variant]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = {"dim": dim, "depth": depth}
        taken = {name: sizes[name] for name in sizes if name in signature(kind).parameters}
        return kind.of(builder, **taken, **variant, **options())
