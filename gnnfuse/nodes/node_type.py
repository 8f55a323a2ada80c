"""The node type interface: finds nodes in a sample, and makes the module that turns them into vectors."""

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from gnnfuse.sample import Sample

if TYPE_CHECKING:
    from gnnfuse.nodes.summary import NodeSummary

PROVIDABLE = frozenset({"order", "grid", "position", "time", "features", "edges"})
Overflow = Literal["truncate", "pool", "raise"]
NewValues = Callable[[tuple[int, ...], torch.dtype], Tensor]


def new_values(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Allocate uninitialised memory for a node set's values: the default `NewValues`."""
    return torch.empty(shape, dtype=dtype)


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class NodeSet:
    """The nodes of one type in one sample.

    Args:
        values: `[nodes, ...]`; each node's own slice of the signal: pixels, waveform, token id, row.
        shape: the signal's own layout: `(rows, columns)`, `(frames,)`, `(tokens,)`.
        position: `[nodes, coordinates]`, on the grid or in space; float64 if precision matters to edge rules.
        time: `[nodes, 2]`, start and end in seconds; float64 if precision matters to edge rules.
        dropped: number of nodes removed by `max_nodes`, by truncating or pooling.
        extra: anything else that edge rules and drawings need, by name; not batched.

    Raises:
        ValueError: `values` is no tensor, or position or time are for another number of nodes.

    Example:
        >>> NodeSet(torch.zeros(3, 5), shape=(3,)).num_nodes
        3
    """

    values: Shaped[Tensor, "nodes ..."]
    shape: tuple[int, ...]
    position: Float[Tensor, "nodes coordinates"] | None = None
    time: Float[Tensor, "nodes 2"] | None = None
    dropped: int = 0
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.values, Tensor):
            raise ValueError(f"values must be a torch.Tensor [nodes, ...], found a {type(self.values).__name__}")
        nodes = self.values.shape[0]
        if self.position is not None and (self.position.ndim != 2 or self.position.shape[0] != nodes):
            raise ValueError(f"position needs shape [{nodes}, coordinates], found {list(self.position.shape)}")
        if self.time is not None and self.time.shape != (nodes, 2):
            raise ValueError(f"time needs shape [{nodes}, 2], found {list(self.time.shape)}")

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.values.shape[0]  # takes a fifth of the time of len() of a tensor


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class Layout:
    """The layout of one type's nodes in a batch.

    Args:
        graph_id: `[nodes]`; ascending.
        offsets: `[graphs + 1]`; the nodes of graph g are `offsets[g]:offsets[g + 1]` within the type.
        shape: `[graphs, axes]`; each sample's own layout, zeros if the type is absent.
        position: `[nodes, coordinates]` or None; relative to the sample's lowest if that is far from 0.
        time: `[nodes, 2]` in seconds or None; relative to the sample's first if that is far from 0 (2^14 s).
        dropped: `[graphs]`; nodes lost to `max_nodes`.
        place: `[nodes]`, each node's number within its own graph before `GraphBatch.keep` left nodes out; None if no
            graph lost only some of its nodes. `shape` stays that of the whole signal.
    """

    graph_id: Int[Tensor, "nodes"]
    offsets: Int[Tensor, "graphs_plus_one"]
    shape: Int[Tensor, "graphs axes"]
    position: Float[Tensor, "nodes coordinates"] | None
    time: Float[Tensor, "nodes 2"] | None
    dropped: Int[Tensor, "graphs"]
    place: Int[Tensor, "nodes"] | None = None

    @property
    def index(self) -> Int[Tensor, "nodes"]:
        """Each node's number within its own graph, counting nodes that were left out: its place in the signal."""
        if self.place is not None:
            return self.place
        numbers = torch.arange(len(self.graph_id), device=self.graph_id.device)
        return numbers - self.offsets[self.graph_id]


class NodeEncoder(nn.Module, ABC):
    """Turns the slices of one node type into node states.

    An encoder that reassembles whole signals from `layout.offsets` or `layout.shape` raises ValueError if
    `layout.place` is given, as nodes are then missing; `layout.index` is right in either case.

    Without nodes, `forward` returns `[0, dim]` that still depends on every trainable parameter, as distributed training
    requires (an ordinary torch module applied to an empty tensor does this by itself).
    """

    @abstractmethod
    def forward(self, values: Shaped[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "nodes dim"]:
        """Slices in, states out."""

    def slow(self) -> list[nn.Parameter]:
        """The parameters that are trained at a tenth of the learning rate; none by default."""
        return []


class NodeType(ABC):
    """One kind of node: image patch, audio frame, text token, or your own.

    A subclass sets three attributes and writes three methods; `gnnfuse.testing.check_node_type` checks it.

    Attributes:
        name: names the type in relations, parameters and reports; no dots.
        signal: the signal it reads, None for nodes that are learned rather than read.
        provides: properties that edge rules may rely on: "order" (nodes form a sequence), "grid" (`shape` is a
            lattice), "position", "time", "features" (`values` is `[nodes, features]`, comparable by distance) and
            "edges" (the sample itself lists edges into its nodes: `GivenEdges`). Fixed at construction; a sample that
            contradicts it is an error. Custom words are allowed for custom rules (with their data in
            `NodeSet.extra`, say).
    """

    name: str
    signal: str | None
    provides: frozenset[str]

    @abstractmethod
    def empty(self) -> NodeSet:
        """A set without nodes; defines shapes and dtypes for batches in which no sample has the signal."""

    @abstractmethod
    def nodes(self, sample: Sample) -> NodeSet | None:
        """The sample's nodes; None where the signal is absent. Pure; runs in loader workers.

        It may accept `new: NewValues = new_values`, which allocates memory for values, preferably in the batch that the
        sample is read for. Called once, for exactly the returned values, it saves a copy.

        Raises:
            SignalError: the signal cannot be read.
        """

    @abstractmethod
    def encoder(self, dim: int) -> NodeEncoder:
        """A new module that turns values into `[nodes, dim]`."""

    def summary(self) -> "NodeSummary | None":
        """A new module that describes all nodes of a sample without being learned, if the type has one."""
        return None

    def follows(self) -> str | None:
        """The signal on whose presence the nodes depend, for a type that reads none itself (a hub of one signal)."""
        return None

    @property
    def augments(self) -> bool:
        """Whether `augment` may change a signal; graphs made earlier do not reflect such changes."""
        return type(self).augment is not NodeType.augment

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with its signal changed at random, for training; unchanged by default."""
        return sample

    def fit(self, samples: Iterable[Sample]) -> Self:
        """The node type fitted to the training split (feature scales); itself by default.

        Iterate over the samples once and keep none: there may be millions.
        """
        return self


def check_promises(node_type: NodeType) -> None:
    """Refuse a node type whose name or promises are unusable.

    Raises:
        ValueError: the name is empty, holds a dot or is a method of torch's modules; `provides` holds a near miss of a
            known word, or `empty` contradicts it.
    """
    name = getattr(node_type, "name", None)
    if not isinstance(name, str) or not name or "." in name:
        raise ValueError(f"{type(node_type).__name__}: name must be a non-empty string without dots, found {name!r}")
    if hasattr(nn.ModuleDict(), name):  # encoders are in a ModuleDict, which refuses its own attributes as keys
        raise ValueError(f"{type(node_type).__name__}: name {name!r} is reserved by torch, give another name=")
    for word in sorted(frozenset(node_type.provides) - PROVIDABLE):
        if near := difflib.get_close_matches(word, PROVIDABLE, n=1, cutoff=0.8):
            raise ValueError(f"node type {name!r} provides {word!r}, did you mean {near[0]!r}?")
    empty = node_type.empty()
    if empty.num_nodes:
        raise ValueError(f"node type {name!r}: empty() holds {empty.num_nodes} nodes, expected 0")
    check_nodes(node_type, empty, empty, f"node type {name!r}: empty()")


def check_nodes(node_type: NodeType, nodes: NodeSet, empty: NodeSet, where: str) -> None:
    """Refuse nodes that contradict their type's promises.

    Raises:
        ValueError: names `where`, what was found and what the type promises.
    """
    if nodes.values.shape[1:] != empty.values.shape[1:] or nodes.values.dtype != empty.values.dtype:
        raise ValueError(
            f"{where}: found values {list(nodes.values.shape)} of {nodes.values.dtype}, "
            f"expected [nodes, {', '.join(map(str, empty.values.shape[1:]))}] of {empty.values.dtype}"
        )
    if len(nodes.shape) != len(empty.shape):
        raise ValueError(f"{where}: found a shape of {len(nodes.shape)} axes, expected {len(empty.shape)}")
    if "grid" in node_type.provides and math.prod(nodes.shape) != nodes.num_nodes:
        raise ValueError(
            f"{where}: found {nodes.num_nodes} nodes, expected one for each point of the grid {nodes.shape}"
        )
    if "features" in node_type.provides and nodes.values.ndim != 2:
        raise ValueError(f"{where}: found values {list(nodes.values.shape)}, expected [nodes, features]")
    for what in ("position", "time"):
        found, promised = getattr(nodes, what), what in node_type.provides
        if (found is not None) != promised:
            raise ValueError(
                f"{where}: found {'a' if found is not None else 'no'} {what}, "
                f"expected {'one' if promised else 'none'}: {node_type.name!r} provides {sorted(node_type.provides)}"
            )
    if nodes.position is not None and empty.position is not None:
        found_dims, dims = nodes.position.shape[1], empty.position.shape[1]
        if found_dims != dims:
            raise ValueError(f"{where}: found positions of {found_dims} coordinates, expected {dims}")
