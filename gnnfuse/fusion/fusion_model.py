"""The one interface of all fusion models, graph, attention or classical."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.width import width_for
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import NodeType, check_nodes, check_promises
from gnnfuse.readout import Fused
from gnnfuse.saveable import Saveable

Family = Literal["graph", "attention", "unimodal", "classical"]
OTHER_BUILDER = "the model was made for another builder (make both of the same node types and edge rules)"


class FusionModel(nn.Module, Saveable, ABC):
    """Fuses each graph of a batch into one vector.

    A model encodes the nodes of every type by itself (`encoders`), then fuses their states (`fuse`). Every constructor
    argument is kept under its own name, so that a model can be saved as its configuration.

    Args:
        node_types: what it encodes.
        dim: size of the states and of the fused vector.

    Raises:
        ValueError: a node type's name or promises cannot be used, or a size below 1.

    Attributes:
        family: what kind of model it is, for reports.
        sees_edges: whether the model uses the batch's edges; others can be given batches without any.
        gives: what `fuse` gives besides the vector: "parts" (with `present`), "nodes"; see `Fused`.
        encoders: of all node types, for every model alike.
    """

    family: ClassVar[Family]
    sees_edges: ClassVar[bool] = False
    gives: frozenset[str] = frozenset()

    def __init__(self, node_types: Sequence[NodeType], dim: int) -> None:
        super().__init__()
        self.node_types = tuple(node_types)
        self.dim = dim
        self.encoders = NodeEncoders(self.node_types, dim)
        self._compiled: Callable[[GraphBatch], tuple[Any, ...]] | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """The encoded node types that are read from a signal, sorted: the order of `Fused.parts`."""
        return tuple(sorted(node_type.name for node_type in self.node_types if node_type.signal is not None))

    @abstractmethod
    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states of each node type in, in the batch's order of types; fused vectors out."""

    def embed(self, batch: GraphBatch) -> Fused:
        """A batch in; fused vectors out, and what else the model gives. Tasks call this; `compile` compiles it.

        Raises:
            ValueError: the batch was built with other node types or relations, or is on another device.
        """
        return self._embed(batch) if self._compiled is None else Fused(*self._compiled(batch))

    def _embed(self, batch: GraphBatch) -> Fused:
        return self.fuse(self.encoders(batch), batch)

    def _traced(self, batch: GraphBatch) -> tuple[Any, ...]:
        """As a plain tuple: torch.compile gives out no objects of classes like `Fused`."""
        *tensors, losses = self._embed(batch)
        return (*tensors, dict(losses))

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """A batch in, one fused vector per graph out."""
        return self.embed(batch).vector

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile `embed` by `torch.compile`, which takes the arguments; `uncompile` undoes it."""
        self._compiled = torch.compile(self._traced, *args, **kwargs)

    def uncompile(self) -> None:
        """Run as written again."""
        self._compiled = None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # type: ignore[no-untyped-call]
        return state | {"_compiled": None}  # as nn.Module does: compiled code cannot be copied

    @classmethod
    def of(
        cls,
        builder: GraphBuilder,
        *,
        dim: int | None = None,
        depth: int | None = None,
        parameters: int | None = None,
        **options: Any,
    ) -> Self:
        """A model for what a builder makes; all models are made alike.

        Args:
            builder: makes the batches.
            dim: size of the states and of the fused vector; the model's default where neither size is given.
            depth: layers, or transformer blocks; the model's default where it is not given.
            parameters: in place of `dim`: the size is the multiple of the heads whose trainable parameters, those of
                encoders included, come nearest to this number.
            options: further arguments of the model.

        Raises:
            ValueError: both `dim` and `parameters`, or no size within 5% of `parameters`.

        Example:
            >>> from gnnfuse.fusion import Concat
            >>> from gnnfuse.nodes import TextTokens
            >>> model = Concat.of(GraphBuilder([TextTokens()]), depth=1, parameters=50_000)
            >>> model.dim, sum(p.numel() for p in model.parameters())
            (52, 48672)
        """
        given: dict[str, Any] = {**cls.made_from(builder), **options, **({} if depth is None else {"depth": depth})}
        if parameters is None:
            return cls(**(given if dim is None else {**given, "dim": dim}))
        if dim is not None:
            raise ValueError(f"found dim={dim} and parameters={parameters}, expected one of them")

        def count(width: int) -> int:
            with torch.random.fork_rng(devices=[]):
                made = cls(**given, dim=width)
            return sum(parameter.numel() for parameter in made.parameters() if parameter.requires_grad)

        return cls(**given, dim=width_for(parameters, count, step=cls.width_step(given)))

    @classmethod
    def made_from(cls, builder: GraphBuilder) -> Mapping[str, Any]:
        """The arguments that the builder knows: `node_types` by default."""
        return {"node_types": builder.node_types}

    @classmethod
    def width_step(cls, options: Mapping[str, Any]) -> int:
        """What a size must be a multiple of: the number of heads, where the model has any."""
        return heads_of(cls, options)

    @classmethod
    def variants(cls, modalities: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Models that the class's name alone stands for, by name, with their options; none by default.

        Args:
            modalities: names of the node types that are read from a signal.
        """
        return {}

    def check_fits(self, builder: GraphBuilder) -> None:
        """Refuse a builder whose batches the model cannot take; it may have more node types than the model encodes.

        Raises:
            ValueError: the builder lacks a node type, or its nodes have values of another shape or dtype; names the
                node type, what was found and what the model expects.
        """
        for node_type in self.node_types:
            found = builder.empties.get(node_type.name)
            if found is None:
                raise ValueError(
                    f"{OTHER_BUILDER}: found node types {', '.join(builder.empties)}, expected {node_type.name!r} too"
                )
            check_nodes(node_type, found, node_type.empty(), f"{OTHER_BUILDER}: node type {node_type.name!r}")


class NodeEncoders(nn.Module):
    """The encoders of several node types, each named for its type.

    Args:
        node_types: the types.
        dim: size of the states.

    Raises:
        ValueError: a node type's name or promises cannot be used, or a size below 1.
    """

    def __init__(self, node_types: Sequence[NodeType], dim: int) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim must be at least 1, found {dim}")
        for node_type in node_types:
            check_promises(node_type)
        self.node_types = tuple(node_types)
        self.dim = dim
        self.encoders = nn.ModuleDict({node_type.name: node_type.encoder(dim) for node_type in node_types})

    def forward(self, batch: GraphBatch) -> Mapping[str, Float[Tensor, "_ dim"]]:
        """Each type's states, in the batch's order of types.

        Raises:
            ValueError: the batch lacks a node type (one whose samples all lack the signal is there, and empty), or is
                on another device than the encoders.
        """
        if not torch.compiler.is_compiling():
            self._check_device(batch)
        missing = [name for name in self.encoders if name not in batch.values]
        if missing:
            raise ValueError(
                f"the model encodes node type {missing[0]!r}, the batch has only {', '.join(batch.node_types)}"
            )
        return {
            name: self.encoders[name](batch.values[name], batch.layout[name])
            for name in batch.node_types
            if name in self.encoders
        }

    def _check_device(self, batch: GraphBatch) -> None:
        if all(parameter.device != batch.device for parameter in self.parameters()):  # ends at the first, as a rule
            found, expected = str(batch.device), [str(parameter.device) for parameter in self.parameters()]
            if expected:
                raise ValueError(
                    f"found a batch on device {found!r}, expected {expected[0]!r}, where the model is: "
                    f"batch.to({expected[0]!r}), or model.to({found!r})"
                )


def read_types(node_types: Sequence[NodeType]) -> tuple[NodeType, ...]:
    """The node types that are read from a signal, by name: what models without edges fuse (a hub learns by edges)."""
    return tuple(sorted((t for t in node_types if t.signal is not None), key=lambda node_type: node_type.name))


def heads_of(maker: Callable[..., object], options: Mapping[str, Any]) -> int:
    """The `heads` that a class or `functools.partial` would be made with; 1 where it takes none."""
    parameter = inspect.signature(maker).parameters.get("heads")
    default = 1 if parameter is None or parameter.default is parameter.empty else parameter.default
    return int(options.get("heads", default))
