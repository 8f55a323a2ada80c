"""The edge rule interface: joins nodes of one type with nodes of another, or of the same."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.sample import EdgeList

TypeNames = str | tuple[str, ...] | None


class Relation(NamedTuple):
    """The type of an edge, known before any sample is read.

    Args:
        src: name of the node type that the message comes from.
        rule: name of the rule that made the edge.
        dst: name of the node type that the message goes to.
        features: number of features of each edge, which layers read.
    """

    src: str
    rule: str
    dst: str
    features: int = 0

    @property
    def triple(self) -> tuple[str, str, str]:
        """(source, rule, destination), as PyTorch Geometric names an edge type."""
        return self[:3]

    def __str__(self) -> str:
        return f"{self.src}-{self.rule}-{self.dst}"


class EdgeRule(ABC):
    """A rule that makes edges. It checks what node types provide, never their class.

    Attributes:
        name: names the rule in relations; unique within a builder.
        joins: which types it joins, in words, for the error if it joins none.
        weighted: its edges carry weights.
        features: number of features of each of its edges.
        given: its edges are those that samples list under its name (`Rows.edges`).
    """

    name: str
    joins: ClassVar[str] = ""
    weighted: bool = False
    features: int = 0
    given: ClassVar[bool] = False

    @abstractmethod
    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """Whether the rule joins these two types, in this direction."""

    @abstractmethod
    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"] | EdgeList:
        """Edges as (source, destination) indices within the two sets; passing one set twice joins it with itself.

        An `EdgeList` if they carry weights (`weighted`) or features (`features`), both float32; without edges, both
        may be None.
        """

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable | None:
        """Everything the edges depend on: equal keys mean equal edges, made once and cached. None disables caching."""
        return None

    def named_types(self) -> tuple[str, ...]:
        """The node types named in its arguments `src`, `dst` and `types`; a builder must have each."""
        found = (getattr(self, argument, None) for argument in ("src", "dst", "types"))
        return tuple(name for names in found for name in _names(names))


def _names(found: object) -> tuple[str, ...]:
    match found:
        case str():
            return (found,)
        case tuple() | list():
            return tuple(name for name in found if isinstance(name, str))
    return ()


def named(type_names: TypeNames, node_type: NodeType) -> bool:
    """Whether a rule's `src` or `dst` argument names this type; None names every type."""
    if type_names is None:
        return True
    return node_type.name in ((type_names,) if isinstance(type_names, str) else type_names)


def expand_ranges(first: Int[Tensor, "nodes"], last: Int[Tensor, "nodes"]) -> Int[Tensor, "2 edges"]:
    """One edge into node i from every source in `first[i]:last[i]` (empty if last <= first).

    Example:
        >>> expand_ranges(torch.tensor([0, 1]), torch.tensor([2, 2])).tolist()
        [[0, 1, 1], [0, 0, 1]]
    """
    counts = (last - first).clamp(min=0)
    dst = torch.repeat_interleave(counts)
    begin = counts.cumsum(0) - counts
    src = torch.arange(len(dst)) - begin[dst] + first[dst]
    return torch.stack([src, dst])


def without_self(edges: Int[Tensor, "2 edges"]) -> Int[Tensor, "2 rest"]:
    """The edges that do not join a node to itself."""
    return edges[:, edges[0] != edges[1]]
