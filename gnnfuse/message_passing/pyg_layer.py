"""PyGLayer: any convolution of PyTorch Geometric, one per relation."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.graph.assemble import list_edges
from gnnfuse.message_passing.check_states import check_states
from gnnfuse.message_passing.message_layer import MessageLayer
from gnnfuse.message_passing.typed_linear import split_types


class PyGLayer(MessageLayer):
    """A convolution of PyTorch Geometric for every relation; what they give a node is added up.

        x_i <- sum_{r into t(i)} conv_r((x of src_r, x of dst_r), edges of r)_i

    as its `HeteroConv` does (aggr="sum"). Nodes of a type that no relation of the layer enters keep their state. For
    comparison and for convolutions this library lacks: one launch per relation, and whatever `conv` holds per edge.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        conv: makes one convolution from `dim` to `dim`; called once per relation. A `functools.partial` of the class
            can be saved with the model (and needs the class in `from_pretrained(classes=)`), a lambda cannot.
        joined: give the nodes of both types as one set, and take the destinations' part of the result: for a
            convolution that takes no pair of sets, such as `GCNConv`. Otherwise it gets the pair where the types
            differ.

    Raises:
        ValueError: `conv` makes no module, or one that fails on three nodes or gives another size than `dim`; in
            `forward`, a batch with relations that the layer does not know.

    Example:
        >>> from functools import partial
        >>> from torch_geometric.nn import GATv2Conv
        >>> conv = partial(GATv2Conv, (8, 8), 8, add_self_loops=False)
        >>> layer = PyGLayer(8, ["image", "text"], [Relation("image", "aligned", "text")], conv=conv)
        >>> sum(p.numel() for p in layer.parameters())
        160
    """

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        conv: Callable[[], nn.Module],
        joined: bool = False,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.node_types = tuple(node_types)
        self.relations = tuple(relations)
        self.conv = conv
        self.joined = joined
        self.convs = nn.ModuleList(self._make(relation) for relation in self.relations)

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        places = {relation: place for place, relation in enumerate(self.relations)}
        before = split_types(states, batch.slices)
        after: dict[str, Tensor] = {}
        for relation, pairs in list_edges(batch).items():
            if relation not in places:
                known = ", ".join(map(str, self.relations)) or "none"
                raise ValueError(f"the batch has relation {relation}, the layer knows {known}")
            conv = self.convs[places[relation]]
            received = self._convolve(conv, relation, before[relation.src], before[relation.dst], pairs)
            after[relation.dst] = after[relation.dst] + received if relation.dst in after else received
        entered = {relation.dst for relation in self.relations}
        for name in entered & (before.keys() - after.keys()):  # the batch lacks the relation itself
            after[name] = torch.zeros_like(before[name])
        return torch.cat([after.get(name, state) for name, state in before.items()])

    def _convolve(self, conv: nn.Module, relation: Relation, src: Tensor, dst: Tensor, pairs: Tensor) -> Tensor:
        out: Tensor
        if relation.src == relation.dst:
            out = conv(src, pairs)
        elif self.joined:
            shift = torch.tensor([[0], [len(src)]], device=pairs.device)
            out = conv(torch.cat([src, dst]), pairs + shift)[len(src) :]
        else:
            out = conv((src, dst), pairs)
        return out

    def _make(self, relation: Relation) -> nn.Module:
        """A convolution, tried on one edge: sizes that are open until the first call are settled, too."""
        conv = self.conv()
        if not isinstance(conv, nn.Module):
            raise ValueError(f"conv must make a torch.nn.Module, found a {type(conv).__name__}")
        states = torch.zeros(2, self.dim)
        pairs = torch.tensor([[1], [0]])
        try:
            with torch.no_grad():
                out = self._convolve(conv.eval(), relation, states, states[:1], pairs)
        except Exception as error:
            hint = "" if self.joined or relation.src == relation.dst else "; where it takes no pair, joined=True helps"
            raise ValueError(
                f"conv={conv} fails on states of size {self.dim} along {relation}{hint}: {error}"
            ) from error
        nodes = 2 if relation.src == relation.dst else 1
        if not isinstance(out, Tensor) or out.shape != (nodes, self.dim):
            found = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
            raise ValueError(f"conv={conv} must give [nodes, {self.dim}] along {relation}, found {found}")
        return conv.train()
