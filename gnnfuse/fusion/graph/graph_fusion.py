"""GraphFusion: encode the nodes, pass messages, read out."""

from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.catalog import listed
from gnnfuse.fusion.fusion_model import OTHER_BUILDER, Family, FusionModel, NodeEncoders
from gnnfuse.graph import GraphBatch, GraphBuilder, Relation
from gnnfuse.message_passing import LayerFactory, RelationAttention
from gnnfuse.nodes import NodeType
from gnnfuse.readout import AdditiveReadout, Each, Readout, TypedReadout


class GraphFusion(FusionModel):
    """Fuses by message passing over the heterogeneous graph of each sample.

    Args:
        node_types: what samples are made of (`builder.node_types`).
        relations: the relations of their edges (`builder.relations`).
        dim: size of the node states and of the fused vector.
        depth: how many layers.
        layer: makes a layer from (dim, node type names, relations): `RelationAttention`, or
            `functools.partial(RelationAttention, heads=8)` for its options.
        readout: one vector per graph from the states; `TypedReadout` by default.

    Raises:
        ValueError: a relation joins a node type that is not there, depth is below 1, or an argument is of another kind
            (an edge rule for a relation, a layer for what makes it, a class for a readout, one for states of another
            size).

    Example:
        >>> from gnnfuse.edges import Complete, Window
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.nodes import Hub, TextTokens
        >>> from gnnfuse.sample import Sample
        >>> builder = GraphBuilder([TextTokens(), Hub()], [Window(), Complete()])
        >>> model = GraphFusion(builder.node_types, builder.relations, dim=32, depth=2)
        >>> model(builder([Sample({"text": "a cat"}), Sample({})], empty=True)).shape
        torch.Size([2, 32])
    """

    family: ClassVar[Family] = "graph"
    sees_edges: ClassVar[bool] = True

    def __init__(
        self,
        node_types: Sequence[NodeType],
        relations: Sequence[Relation],
        *,
        dim: int = 64,
        depth: int = 3,
        layer: LayerFactory = RelationAttention,
        readout: Readout | None = None,
    ) -> None:
        super().__init__()
        self.node_types = tuple(sorted(node_types, key=lambda node_type: node_type.name))
        _check_kinds(relations, layer, readout, dim)
        self.relations = tuple(Relation(*relation) for relation in relations)
        names = [node_type.name for node_type in self.node_types]
        stray = [relation for relation in self.relations if not {relation.src, relation.dst} <= set(names)]
        if stray or depth < 1:
            found = f"relation {stray[0]}" if stray else f"depth={depth}"
            raise ValueError(f"found {found}, expected relations between {', '.join(names)} and a depth of at least 1")
        self.dim = dim
        self.depth = depth
        self.layer = layer
        self.encoders = NodeEncoders(self.node_types, dim)
        self.layers = nn.ModuleList(layer(dim, names, self.relations) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.readout = TypedReadout(dim, names) if readout is None else readout

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """A batch in, one fused vector per graph out.

        Raises:
            ValueError: the batch was built with other node types or relations.
        """
        self._check(batch)
        fused: Tensor = self.readout(self.node_states(batch), batch)
        return fused

    @property
    def has_each(self) -> bool:
        """Whether the readout averages what each modality says."""
        return isinstance(self.readout, AdditiveReadout)

    def each(self, batch: GraphBatch) -> Each:
        """The fused vectors, and those that each modality alone would give.

        Raises:
            TypeError: another readout than `AdditiveReadout`.
            ValueError: the batch was built with other node types or relations.
        """
        if not isinstance(self.readout, AdditiveReadout):
            return super().each(batch)
        self._check(batch)
        return self.readout.each(self.node_states(batch), batch)

    def check_fits(self, builder: GraphBuilder) -> None:
        """Refuse a builder of other node types or relations.

        Raises:
            ValueError: as `FusionModel.check_fits`; a node type more than the model has, or another relation.
        """
        super().check_fits(builder)
        found = [*map("node type {!r}".format, builder.empties), *map("relation {}".format, builder.relations)]
        expected = [*map("node type {!r}".format, self.encoders.encoders), *map("relation {}".format, self.relations)]
        strange = [name for name in found if name not in expected]
        missing = [name for name in expected if name not in found]
        if strange or missing:
            raise ValueError(
                f"{OTHER_BUILDER}: found {listed(strange, 3)}, expected {listed(missing, 3) or 'nothing more'}"
                if strange
                else f"{OTHER_BUILDER}: found no {listed(missing, 3)}"
            )

    def node_states(self, batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """The states of all nodes after the last layer, normed."""
        states = self.encoders.stacked(batch)
        for layer in self.layers:
            states = layer(states, batch)
        normed: Tensor = self.norm(states)
        return normed

    def _check(self, batch: GraphBatch) -> None:
        if batch.relations != self.relations or len(batch.values) != len(self.node_types):
            raise ValueError(
                f"the model knows node types {', '.join(self.encoders.encoders)} and relations "
                f"{', '.join(map(str, self.relations))}; the batch has {', '.join(batch.node_types)} and "
                f"{', '.join(map(str, batch.relations))}"
            )


def _check_kinds(relations: Sequence[object], layer: object, readout: object, dim: int) -> None:
    for relation in relations:
        if not (isinstance(relation, tuple | list) and len(relation) == 3):
            raise ValueError(
                f"found {relation!r} among the relations, expected builder.relations (GraphBuilder takes edge rules)"
            )
    if not callable(layer) or isinstance(layer, nn.Module):
        found = f"a {type(layer).__name__} object" if isinstance(layer, nn.Module) else repr(layer)
        raise ValueError(f"found {found} as layer, expected what makes one: the class, or a functools.partial of it")
    if readout is not None and not isinstance(readout, nn.Module):
        hint = f": {readout.__name__}(...)" if isinstance(readout, type) else ""
        raise ValueError(f"found {readout!r} as readout, expected a Readout object{hint}")
    size = getattr(readout, "dim", dim)
    if size != dim:
        raise ValueError(f"found {type(readout).__name__} for states of size {size}, expected {dim}, the model's dim")
