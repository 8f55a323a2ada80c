"""PyGLayer: any convolution of PyTorch Geometric, one per relation."""

import copy
import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import EdgeList, GraphBatch, Relation
from gnnfuse.graph.assemble import list_edges
from gnnfuse.message_passing.check_states import check_states
from gnnfuse.message_passing.message_layer import MessageLayer
from gnnfuse.message_passing.typed_linear import split_types


class PyGLayer(MessageLayer):
    """A PyTorch Geometric convolution for every relation; their outputs for a node are added.

        x_i <- sum_{r into t(i)} conv_r((x of src_r, x of dst_r), edges of r)_i

    as its `HeteroConv` does (aggr="sum"). Weights and features of edges are passed as `edge_weight` and `edge_attr`.
    Nodes of a type that no relation of the layer enters keep their state. For comparison and for convolutions that this
    library lacks: it needs one launch per relation, and the memory that `conv` uses per edge.

    Between two node types a self loop would join node i of one with node i of the other, which in a batch belong to
    different samples. Convolutions that add self loops by default (`GATv2Conv`) get `add_self_loops=False` there, and
    each convolution is tested on two small samples when the layer is made: one that mixes them is refused.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        conv: makes one convolution from `dim` to `dim`; called once per relation. A `functools.partial` of the class
            can be saved with the model (and needs the class in `from_pretrained(classes=)`), a lambda cannot.
        joined: pass the nodes of both types as one set, and use the destinations' rows of the result: for a convolution
            that accepts no pair of sets, such as `GCNConv`. Otherwise it gets the pair if the types differ.

    Raises:
        ValueError: `conv` makes no module, or one that fails on a few nodes, returns a size other than `dim`, mixes
            samples, ignores edges, or shares parameters among relations; in `forward`, a batch with relations unknown
            to the layer.

    Example:
        >>> from functools import partial
        >>> from torch_geometric.nn import GATv2Conv
        >>> conv = partial(GATv2Conv, (8, 8), 8)
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
        _refuse_shared(conv, self.convs)
        self.takes = _taken(self.convs, self.relations)

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        places = {relation: place for place, relation in enumerate(self.relations)}
        before = split_types(states, batch.slices)
        after: dict[str, Tensor] = {}
        for relation, listed in list_edges(batch).items():
            if relation not in places:
                known = ", ".join(map(str, self.relations)) or "none"
                raise ValueError(f"the batch has relation {relation}, the layer knows {known}")
            conv = self.convs[places[relation]]
            received = self._convolve(conv, relation, before[relation.src], before[relation.dst], listed)
            after[relation.dst] = after[relation.dst] + received if relation.dst in after else received
        entered = {relation.dst for relation in self.relations}
        for name in entered & (before.keys() - after.keys()):  # the batch lacks the relation itself
            after[name] = torch.zeros_like(before[name])
        return torch.cat([after.get(name, state) for name, state in before.items()])

    def _convolve(self, conv: nn.Module, relation: Relation, src: Tensor, dst: Tensor, listed: EdgeList) -> Tensor:
        pairs, weight, features = listed
        carried = {} if weight is None else {"edge_weight": weight.to(src.dtype)}
        if features is not None:
            carried["edge_attr"] = features.to(src.dtype)
        out: Tensor
        if relation.src == relation.dst:
            out = conv(src, pairs, **carried)
        elif self.joined:
            shift = torch.tensor([[0], [len(src)]], device=pairs.device)
            out = conv(torch.cat([src, dst]), pairs + shift, **carried)[len(src) :]
        else:
            out = conv((src, dst), pairs, **carried)
        return out

    def _called(self) -> nn.Module:
        wanted = f"expected a callable that makes one: partial(SAGEConv, ({self.dim}, {self.dim}), {self.dim})"
        if isinstance(self.conv, nn.Module):
            raise ValueError(f"conv: found a convolution, {_shown(self.conv)}; {wanted}")
        try:
            made: object = self.conv()
        except TypeError as error:
            raise ValueError(f"conv={_shown(self.conv)} cannot be called: {error}; {wanted}") from error
        if not isinstance(made, nn.Module):
            raise ValueError(f"conv must make a torch.nn.Module, found {made!r}; {wanted}")
        return made

    def _make(self, relation: Relation) -> nn.Module:
        """A convolution, tried on one edge, which also initialises lazy sizes."""
        conv = self._called()
        pair = relation.src != relation.dst and not self.joined
        if pair:
            for part in conv.modules():
                if getattr(part, "add_self_loops", False) is True:
                    part.add_self_loops = False  # type: ignore[assignment]  # an option of PyG, no submodule
        if relation.features and not _accepts(conv, "edge_attr"):
            raise ValueError(
                f"conv={_shown(conv)} takes no edge_attr, found {relation.features} features per edge of {relation}; "
                "use a convolution that does, or edges without features"
            )
        states = torch.zeros(2, self.dim)
        listed = _featured(relation, torch.tensor([[1], [0]]), torch.zeros)
        try:
            with torch.no_grad():
                out = self._convolve(conv.eval(), relation, states, states[:1], listed)
        except Exception as error:
            raise ValueError(
                f"conv={_shown(conv)} fails on states of size {self.dim} along {relation}"
                f"{_hint(error, conv, pair, relation)}: {str(error) or type(error).__name__}"
            ) from error
        nodes = 2 if relation.src == relation.dst else 1
        if not isinstance(out, Tensor) or out.shape != (nodes, self.dim):
            found = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
            raise ValueError(f"conv={_shown(conv)} must return [nodes, {self.dim}] along {relation}, found {found}")
        if out.device.type != "meta":
            self._check_apart(conv, relation, out.device)
        return conv.train()

    @torch.no_grad()
    def _check_apart(self, conv: nn.Module, relation: Relation, device: torch.device) -> None:
        """Refuse a convolution that mixes samples or ignores edges."""
        probe = copy.deepcopy(conv).double()
        generator = torch.Generator().manual_seed(0)

        def noise(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").to(device)

        for parameter in probe.parameters():  # parameters initialised to 0 would hide mixing
            parameter.add_(0.1 * noise(*parameter.shape))
        if relation.src == relation.dst:  # nodes 0 to 2 are one sample, 3 and 4 the other
            src = dst = noise(5, self.dim)
            listed, ours = _featured(relation, torch.tensor([[0, 2, 3], [1, 1, 4]]), noise), 3
            other_src = other_dst = torch.cat([noise(3, self.dim), src[3:]])
        else:  # three sources and one destination are one sample, one source and two destinations the other
            src, dst = noise(4, self.dim), noise(3, self.dim)
            listed, ours = _featured(relation, torch.tensor([[0, 2, 3], [0, 0, 2]]), noise), 1
            other_src, other_dst = torch.cat([noise(3, self.dim), src[3:]]), torch.cat([noise(1, self.dim), dst[1:]])
        out = self._convolve(probe, relation, src, dst, listed)
        other = self._convolve(probe, relation, other_src, other_dst, listed)
        if not torch.allclose(
            out[ours:], other[ours:], rtol=0.0, equal_nan=True, atol=1e-9 * max(1.0, float(out.abs().max()))
        ):
            raise ValueError(
                f"conv={_shown(conv)} mixes samples along {relation}: its output for one sample depends on another, "
                "though no edge joins them; look for self loops between two types and means over all nodes"
            )
        try:
            without = self._convolve(probe, relation, src, dst, _featured(relation, listed.index[:, :0], noise))
        except Exception as error:
            raise ValueError(
                f"conv={_shown(conv)} fails where there are no edges along {relation}, as in samples without one "
                f"of the types: {str(error) or type(error).__name__}"
            ) from error
        if relation.features:
            other = self._convolve(probe, relation, src, dst, _featured(relation, listed.index, noise))
            if torch.equal(out, other):
                raise ValueError(
                    f"conv={_shown(conv)} ignores the {relation.features} features per edge of {relation}, expected "
                    f"one that depends on them (edge_dim={relation.features})"
                )
        if torch.equal(out, without):
            raise ValueError(
                f"conv={_shown(conv)} returns the same with and without edges along {relation}, expected one that "
                "depends on them and caches none (cached=False)"
            )


def _accepts(conv: nn.Module, name: str) -> bool:
    return name in inspect.signature(conv.forward).parameters


def _taken(convs: Iterable[nn.Module], relations: Iterable[Relation]) -> frozenset[str]:
    """As `MessageLayer.takes`; a convolution that does not use its relation's features was refused before."""
    weights = {"weight"} if all(_accepts(conv, "edge_weight") for conv in convs) else set()
    return frozenset(weights | ({"features"} if any(relation.features for relation in relations) else set()))


def _featured(relation: Relation, pairs: Tensor, numbers: Callable[..., Tensor]) -> EdgeList:
    """Edges with as many features as the relation declares."""
    return EdgeList(pairs, features=numbers(pairs.shape[1], relation.features) if relation.features else None)


def _shown(conv: object) -> str:
    return " ".join(str(conv).split())  # a nested module's repr has several lines


def _hint(error: Exception, conv: nn.Module, pair: bool, relation: Relation) -> str:
    """Advice for a convolution that fails on a few nodes."""
    lacks_features = isinstance(error, AssertionError) or "None" in str(error)
    if relation.features:
        return (
            f"; its edges carry {relation.features} features: edge_dim={relation.features}, if the convolution has it"
        )
    if lacks_features and _accepts(conv, "edge_attr"):
        return "; its edges carry no features: leave edge_dim= out, or use a convolution that needs none"
    sizes = isinstance(error, RuntimeError)  # torch raises it for matrices of mismatched sizes
    return "; if it accepts no pair, pass joined=True" if pair and not sizes else ""


def _refuse_shared(conv: Callable[[], nn.Module], made: Iterable[nn.Module]) -> None:
    """Refuse parameters shared by several relations, and modules shared by several layers."""
    given = (*conv.args, *conv.keywords.values()) if isinstance(conv, functools.partial) else ()
    held = [type(each).__name__ for each in given if isinstance(each, nn.Module)]
    count = Counter(id(parameter) for each in made for parameter in each.parameters())
    if held or any(times > 1 for times in count.values()):
        raise ValueError(
            f"conv={_shown(conv)} gives all relations one {held[0] if held else 'module'}, expected one of its own for "
            "each: make it in the constructor of a class of yours (or in a lambda, which cannot be saved)"
        )
