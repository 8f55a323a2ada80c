"""The interface of all fusion models: graph, attention and classical."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.width import width_for
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import NodeType, check_nodes, check_promises
from gnnfuse.nodes.pretrained import weights_follow
from gnnfuse.readout import Fused
from gnnfuse.saveable import Saveable

Family = Literal["graph", "attention", "unimodal", "classical", "blend"]
OTHER_BUILDER = "the model was made for another builder (make both of the same node types and edge rules)"


class FusionModel(nn.Module, Saveable, ABC):
    """Fuses each graph of a batch into one vector.

    A model encodes the nodes of each type separately (`encoders`), then fuses their states (`fuse`). Every constructor
    argument is stored under its own name, so that a model can be saved as its configuration.

    Args:
        node_types: the node types to encode.
        dim: size of the states and of the fused vector.
        encoders: give what `fuse` takes as states; by default the encoders of the node types.

    Raises:
        ValueError: a node type's name or promises are unusable, or a size below 1.

    Attributes:
        family: the kind of model, for reports.
        sees_edges: whether the model uses the batch's edges; others accept batches without any.
        gives: outputs of `fuse` besides the vector: "parts" (with `present`), "nodes"; see `Fused`.
        encoders: of all node types, unless others were given.
    """

    family: ClassVar[Family]
    sees_edges: ClassVar[bool] = False
    gives: frozenset[str] = frozenset()

    def __init__(self, node_types: Sequence[NodeType], dim: int, *, encoders: "NodeEncoders | None" = None) -> None:
        super().__init__()
        self.node_types = tuple(node_types)
        self.dim = dim
        self.encoders = NodeEncoders(self.node_types, dim) if encoders is None else encoders
        self._compiled: Callable[[GraphBatch], tuple[Any, ...]] | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """The encoded node types that are read from a signal, sorted: the order of `Fused.parts`."""
        return tuple(sorted(node_type.name for node_type in self.node_types if node_type.signal is not None))

    @abstractmethod
    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states of each node type in, in the batch's order of types; fused vectors out."""

    def embed(self, batch: GraphBatch) -> Fused:
        """A batch in; fused vectors out, and everything in `gives`. Tasks call this; `compile` compiles it.

        Raises:
            ValueError: the batch was built with other node types or relations, or is on another device.
        """
        return self._embed(batch) if self._compiled is None else Fused(*self._compiled(batch))

    def _embed(self, batch: GraphBatch) -> Fused:
        fused = self.fuse(self.encoders(batch), batch)
        if not torch.compiler.is_compiling():
            self._check_fused(fused, batch)
        return fused

    def _check_fused(self, fused: object, batch: GraphBatch) -> None:
        name, shape = type(self).__name__, [len(batch), self.dim]
        if not isinstance(fused, Fused):
            raise ValueError(f"{name}.fuse: found a {type(fused).__name__}, expected Fused(vector, ...)")
        if list(fused.vector.shape) != shape:
            raise ValueError(f"{name}.fuse: found vectors {list(fused.vector.shape)}, expected {shape}")
        lacking = sorted(what for what in self.gives if getattr(fused, what, None) is None)
        if lacking:
            raise ValueError(f"{name}.fuse: found no {lacking[0]}, expected some, as {name}.gives names them")

    def _traced(self, batch: GraphBatch) -> tuple[Any, ...]:
        """As a plain tuple, because a compiled function cannot return an object of a class like `Fused`."""
        *tensors, losses = self._embed(batch)
        return (*tensors, dict(losses))

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """A batch in, one fused vector per graph out."""
        return self.embed(batch).vector

    def vectors(self, batch: GraphBatch) -> Float[Tensor, "graphs size"]:
        """The vectors that represent the graphs, as `gnnfuse embed` writes them: the fused ones by default."""
        return self.embed(batch).vector

    @property
    def vector_size(self) -> int:
        """The size of what `vectors` returns."""
        return self.dim

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile `embed` by `torch.compile`, which receives the arguments; `uncompile` undoes it."""
        self._compiled = torch.compile(self._traced, *args, **kwargs)

    def uncompile(self) -> None:
        """Run uncompiled again."""
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
        """A model for a builder's batches; all models are made by the same call.

        Args:
            builder: makes the batches.
            dim: size of the states and of the fused vector; by default the model's own, unless `parameters` is given.
            depth: layers, or transformer blocks; by default the model's own.
            parameters: in place of `dim`: the size is the multiple of the heads whose number of trainable parameters,
                including encoders, comes nearest to this. Models are counted without memory for their weights.
            options: further arguments of the model.

        Raises:
            ValueError: a size for a model that has none, both `dim` and `parameters`, no size within 5% of
                `parameters`, or an option with a fixed size, such as a readout object.

        Example:
            >>> from gnnfuse.fusion import Concat
            >>> from gnnfuse.nodes import TextTokens
            >>> model = Concat.of(GraphBuilder([TextTokens()]), depth=1, parameters=50_000)
            >>> model.dim, sum(p.numel() for p in model.parameters())
            (52, 48672)
        """
        _refuse_sizes(cls, {"dim": dim, "depth": depth, "parameters": parameters})
        given: dict[str, Any] = {**cls.made_from(builder), **options, **({} if depth is None else {"depth": depth})}
        if parameters is None:
            return cls(**(given if dim is None else {**given, "dim": dim}))
        if dim is not None:
            raise ValueError(f"found dim={dim} and parameters={parameters}, expected one of them")

        _refuse_sized(options)

        def count(width: int) -> int:
            return _trainable(partial(cls, **given, dim=width), width)

        return cls(**given, dim=width_for(parameters, count, step=cls.width_step(given)))

    @classmethod
    def made_from(cls, builder: GraphBuilder) -> Mapping[str, Any]:
        """The arguments that the builder provides: by default `node_types`, without hubs for a model without edges."""
        return {"node_types": builder.node_types if cls.sees_edges else read_types(builder.node_types)}

    @classmethod
    def width_step(cls, options: Mapping[str, Any]) -> int:
        """The number that a size must be a multiple of: the heads of the model or its layers, if they have any."""
        return heads_of(cls, options)

    @classmethod
    def variants(cls, modalities: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The models that the class's name stands for when given without options: name -> options; none by default.

        Args:
            modalities: names of the node types that are read from a signal.
        """
        return {}

    def check_fits(self, builder: GraphBuilder) -> None:
        """Refuse a builder whose batches do not fit; it may have more node types than the model encodes.

        Raises:
            ValueError: the builder lacks a node type, or its nodes have values of another shape or dtype; or the model
                sees no edges and encodes a type without a signal (a hub), which only edges reach. Names the node type,
                what was found and what the model expects.
        """
        hubs = [node_type.name for node_type in self.node_types if node_type.signal is None]
        if hubs and not self.sees_edges:
            raise ValueError(
                f"{type(self).__name__} sees no edges, found node type {hubs[0]!r}, which reads no signal, expected "
                "types that read one: its constructor passes read_types(node_types) on"
            )
        for node_type in self.node_types:
            found = builder.empties.get(node_type.name)
            if found is None:
                raise ValueError(
                    f"{OTHER_BUILDER}: found node types {', '.join(builder.empties)}, expected {node_type.name!r} too"
                )
            check_nodes(node_type, found, node_type.empty(), f"{OTHER_BUILDER}: node type {node_type.name!r}")


class NodeEncoders(nn.Module):
    """The encoders of several node types, each named after its type.

    Args:
        node_types: the types.
        dim: size of the states.
        modules: what encodes each type, called with its values and layout; by default the type's own encoder.

    Raises:
        ValueError: a node type's name or promises are unusable, or a size below 1.
    """

    def __init__(
        self, node_types: Sequence[NodeType], dim: int, *, modules: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim must be at least 1, found {dim}")
        for node_type in node_types:
            check_promises(node_type)
        self.node_types = tuple(node_types)
        self.dim = dim
        made = {t.name: t.encoder(dim) for t in node_types} if modules is None else dict(modules)
        self.encoders = nn.ModuleDict(made)

    def forward(self, batch: GraphBatch) -> Mapping[str, Float[Tensor, "_ dim"]]:
        """Each type's states, in the batch's order of types.

        Raises:
            ValueError: the batch lacks a node type (one whose signal no sample has is present and empty), or is on a
                different device from the encoders.
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
        if all(parameter.device != batch.device for parameter in self.parameters()):  # usually ends at the first
            found, expected = str(batch.device), [str(parameter.device) for parameter in self.parameters()]
            if expected:
                raise ValueError(
                    f"found a batch on device {found!r}, expected {expected[0]!r}, where the model is: "
                    f"batch.to({expected[0]!r}), or model.to({found!r})"
                )


def read_types(node_types: Sequence[NodeType]) -> tuple[NodeType, ...]:
    """The node types that are read from a signal, by name, as models without edges fuse them (a hub needs edges)."""
    return tuple(sorted((t for t in node_types if t.signal is not None), key=lambda node_type: node_type.name))


def heads_of(maker: Callable[..., object], options: Mapping[str, Any]) -> int:
    """The `heads` that a class or `functools.partial` would use, itself or in its `layer`; 1 if neither has any."""
    arguments = {name: parameter.default for name, parameter in inspect.signature(maker).parameters.items()}
    arguments |= {name: value for name, value in options.items() if name in arguments}
    heads, layer = (arguments.get(name, inspect.Parameter.empty) for name in ("heads", "layer"))
    if isinstance(heads, int):
        return max(1, heads)  # models refuse less
    return heads_of(layer, {}) if layer is not inspect.Parameter.empty and callable(layer) else 1


def _refuse_sizes(cls: type[FusionModel], sizes: Mapping[str, int | None]) -> None:
    """Refuse sizes that a model does not take; one without a width has no number of parameters to meet."""
    taken = {*inspect.signature(cls).parameters}
    for name, size in sizes.items():
        if size is not None and ("dim" if name == "parameters" else name) not in taken:
            raise ValueError(f"{cls.__name__} has no {name} to choose, found {name}={size}, expected none")


def _refuse_sized(options: Mapping[str, Any]) -> None:
    """Refuse modules among the options that are made for states of one size."""
    for name, option in options.items():
        if isinstance(option, nn.Module) and (hasattr(option, "dim") or any(True for _ in option.parameters())):
            size = getattr(option, "dim", None)
            raise ValueError(
                f"found {name}={type(option).__name__}(...){'' if size is None else f' of size {size}'}, which cannot "
                "vary with the width, expected dim= instead of parameters="
            )


def _trainable(make: Callable[[], FusionModel], width: int) -> int:
    """The number of trainable parameters of a model of this width, made without memory for them."""
    try:
        with torch.device("meta"), weights_follow(), torch.random.fork_rng(devices=[]):
            made = make()
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"parameters= makes models of several widths, found that dim={width} fails ({error}); expected dim= instead"
        ) from error
    return sum(parameter.numel() for parameter in made.parameters() if parameter.requires_grad)
