"""GraphFusion: encode the nodes, pass messages, read out."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.catalog import listed
from gnnfuse.fusion.fusion_model import OTHER_BUILDER, Family, FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, Relation
from gnnfuse.message_passing import LayerFactory, RelationAttention
from gnnfuse.nodes import NodeType
from gnnfuse.readout import Fused, Readout, TypedReadout


class GraphFusion(FusionModel):
    """Fuses by message passing over the heterogeneous graph of each sample.

    Args:
        node_types: the samples' node types (`builder.node_types`).
        relations: the relations of their edges (`builder.relations`).
        dim: size of the node states and of the fused vector.
        depth: number of layers.
        layer: makes a layer from (dim, node type names, relations): `RelationAttention`, or
            `functools.partial(RelationAttention, heads=8)` for its options.
        readout: one vector per graph from the states; `TypedReadout` by default.

    Raises:
        ValueError: a relation joins a missing node type, depth is below 1, or an argument has the wrong kind (an edge
            rule for a relation, a layer for its constructor, a class for a readout, a readout for states of another
            size), or edges carry features that the layer does not take.

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
        node_types = sorted(node_types, key=lambda node_type: node_type.name)
        names = [node_type.name for node_type in node_types]
        _check_kinds(relations, layer, readout, dim)
        kept = tuple(Relation(*relation) for relation in relations)
        stray = [relation for relation in kept if not {relation.src, relation.dst} <= set(names)]
        if stray or depth < 1:
            found = f"relation {stray[0]}" if stray else f"depth={depth}"
            raise ValueError(f"found {found}, expected relations between {', '.join(names)} and a depth of at least 1")
        super().__init__(node_types, dim)
        self.relations = kept
        self.depth = depth
        self.layer = layer
        self.layers = nn.ModuleList(layer(dim, names, self.relations) for _ in range(depth))
        strange = sorted(set().union(*(getattr(each, "takes", ()) for each in self.layers)) - {"weight", "features"})
        if strange:
            raise ValueError(f"{layer}: takes {strange[0]!r}, expected some of 'weight' and 'features'")
        carrying = [relation for relation in self.relations if relation.features]
        if carrying:
            self._refuse_untaken("features", f"{carrying[0].features} features per edge of {carrying[0]}")
        self.norm = nn.LayerNorm(dim)
        self.readout = TypedReadout(dim, names) if readout is None else readout
        self.gives = frozenset({"nodes"}) | self.readout.gives

    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states in; fused vectors, node states and the readout's other outputs out.

        Raises:
            ValueError: the batch was built with other node types or relations.
        """
        self._check(batch)
        nodes = torch.cat(list(states.values()))
        for layer in self.layers:
            nodes = layer(nodes, batch)
        nodes = self.norm(nodes)
        return self.readout.read(nodes, batch)._replace(nodes=nodes)

    @classmethod
    def made_from(cls, builder: GraphBuilder) -> Mapping[str, Any]:
        """The builder's node types and relations."""
        return {"node_types": builder.node_types, "relations": builder.relations}

    def check_fits(self, builder: GraphBuilder) -> None:
        """Refuse a builder of other node types or relations.

        Raises:
            ValueError: as `FusionModel.check_fits`; a node type that the model lacks, or other relations.
        """
        super().check_fits(builder)
        found = [*map("node type {!r}".format, builder.empties), *map(_in_words, builder.relations)]
        expected = [*map("node type {!r}".format, self.encoders.encoders), *map(_in_words, self.relations)]
        strange = [name for name in found if name not in expected]
        missing = [name for name in expected if name not in found]
        if strange or missing:
            raise ValueError(
                f"{OTHER_BUILDER}: found {listed(strange, 3)}, expected {listed(missing, 3) or 'nothing more'}"
                if strange
                else f"{OTHER_BUILDER}: found no {listed(missing, 3)}"
            )

    def _check(self, batch: GraphBatch) -> None:
        if batch.relations != self.relations or len(batch.values) != len(self.node_types):
            raise ValueError(
                f"the model knows node types {', '.join(self.encoders.encoders)} and relations "
                f"{', '.join(map(_shown, self.relations))}; the batch has {', '.join(batch.node_types)} and "
                f"{', '.join(map(_shown, batch.relations))}"
            )
        if batch.edge_weight is not None:
            self._refuse_untaken("weight", "a batch with weights of edges")

    def _refuse_untaken(self, what: str, found: str) -> None:
        for layer in self.layers:
            if what not in getattr(layer, "takes", ()):
                name = type(layer).__name__
                raise ValueError(f"found {found}, which {name} does not use, expected a layer that takes {what!r}")


def _shown(relation: Relation) -> str:
    return f"{relation} with {relation.features} features per edge" if relation.features else str(relation)


def _in_words(relation: Relation) -> str:
    return f"relation {_shown(relation)}"


def _check_kinds(relations: Sequence[object], layer: object, readout: object, dim: int) -> None:
    for relation in relations:
        if not (isinstance(relation, tuple | list) and len(relation) in (3, 4)):
            raise ValueError(
                f"found {relation!r} among the relations, expected builder.relations (GraphBuilder takes edge rules)"
            )
    if not callable(layer) or isinstance(layer, nn.Module):
        found = f"a {type(layer).__name__} object" if isinstance(layer, nn.Module) else repr(layer)
        raise ValueError(f"found {found} as layer, expected the class of a layer, or a functools.partial of it")
    if readout is not None and not isinstance(readout, Readout):
        hint = f": {readout.__name__}(...)" if isinstance(readout, type) else ""
        raise ValueError(f"found {readout!r} as readout, expected a Readout object{hint}")
    size = getattr(readout, "dim", dim)
    if size != dim:
        raise ValueError(f"found {type(readout).__name__} for states of size {size}, expected {dim}, the model's dim")
