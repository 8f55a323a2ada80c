"""The one interface of all fusion models, graph, attention or classical."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import NodeType, check_nodes, check_promises
from gnnfuse.readout import Each
from gnnfuse.saveable import Saveable

Family = Literal["graph", "attention", "unimodal", "other"]
OTHER_BUILDER = "the model was made for another builder (make both of the same node types and edge rules)"


class FusionModel(nn.Module, Saveable, ABC):
    """Fuses each graph of a batch into one vector.

    Every constructor argument is kept under its own name, so that a model can be saved as its configuration.

    Attributes:
        family: what kind of model it is, for reports.
        sees_edges: whether the model uses the batch's edges; others can be given batches without any.
        dim: size of the fused vector.
        node_types: what it encodes.
    """

    family: ClassVar[Family]
    sees_edges: ClassVar[bool] = False
    dim: int
    node_types: tuple[NodeType, ...]

    @property
    def has_each(self) -> bool:
        """Whether `each` can be asked; not so by default."""
        return False

    @abstractmethod
    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """A batch in, one fused vector per graph out."""

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

    def each(self, batch: GraphBatch) -> Each:
        """The fused vectors, and those that each modality alone would give.

        Raises:
            TypeError: the model's vectors are not made of such.
        """
        raise TypeError(
            f"found {type(self).__name__}, expected a model that fuses what each modality says, such as GraphFusion "
            "with readout=AdditiveReadout(...)"
        )


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

    def forward(self, batch: GraphBatch) -> Mapping[str, Float[Tensor, "nodes dim"]]:
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

    def stacked(self, batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """The states of all types, as the batch numbers its nodes."""
        return torch.cat(list(self(batch).values()))


def read_types(node_types: Sequence[NodeType]) -> tuple[NodeType, ...]:
    """The node types that are read from a signal, by name: what models without edges fuse (a hub learns by edges)."""
    return tuple(sorted((t for t in node_types if t.signal is not None), key=lambda node_type: node_type.name))
