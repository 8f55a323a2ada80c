"""PyG's layers, and the library's HGT with the weights of PyG's."""

from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn

from gnnfuse.graph.assemble import list_edges
from layer_timing.block import AbsentError, Block, Problem, attention_operations, linear_operations
from layer_timing.memory import check_room
from layer_timing.ours import layer_block, layer_class, make_layer, relation_nodes


def hgt(problem: Problem, impl: str) -> Block:
    """The library's HGT, with the weights of PyG's where that is installed."""
    kind = layer_class("HGT")
    if impl == "reference":
        check_room(problem, tensors=8)

    def make() -> nn.Module:
        if find_spec("torch_geometric") is None:
            return make_layer(problem, "HGT", impl)
        copied: nn.Module = kind.from_pyg(pyg_hgt_layer(problem), impl=impl)
        return copied

    return layer_block(problem, problem.module(make), hgt_operations(problem))


def hgt_operations(problem: Problem) -> float:
    """Maps per type, two matrices per head and relation on the rows of its source type, and attention."""
    batch, dim = problem.batch, problem.dim
    maps = linear_operations(batch.num_nodes, dim, 4 * dim)
    matrices = linear_operations(relation_nodes(batch, "src"), dim, 2 * dim // problem.heads)
    return maps + matrices + attention_operations(batch.edges.num_edges, dim)


def need_pyg() -> None:
    """Raise AbsentError without PyG."""
    if find_spec("torch_geometric") is None:
        raise AbsentError("torch_geometric is not installed: pip install torch-geometric")


def pyg_hgt_layer(problem: Problem) -> Any:
    """PyG's HGTConv for the problem's types and relations, with priors and skips that are not all ones."""
    from torch_geometric.nn import HGTConv

    metadata = (list(problem.batch.node_types), [relation.triple for relation in problem.batch.relations])
    layer = HGTConv(problem.dim, problem.dim, metadata, heads=problem.heads)
    for table in (layer.p_rel, layer.skip):
        for parameter in table.parameters():
            nn.init.normal_(parameter, mean=1.0, std=0.5)
    return layer


def pyg_block(problem: Problem, module: nn.Module, operations: float) -> Block:
    """A layer that takes dictionaries: a tensor per type goes in, one per type comes out."""
    batch, states, gradient = problem.batch, problem.states(), problem.gradient()
    inputs = {name: states[place].clone().requires_grad_() for name, place in batch.slices.items()}
    edges = {relation.triple: listed.index.contiguous() for relation, listed in list_edges(batch).items()}

    def forward() -> list[Tensor]:
        out: dict[str, Tensor] = module(inputs, edges)
        return [out[name] for name in inputs]

    return Block(
        states=list(inputs.values()),
        parameters={f"pyg.{name}": parameter for name, parameter in module.named_parameters()},
        forward=forward,
        gradients=[gradient[place].clone() for place in batch.slices.values()],
        operations=operations,
    )


def pyg_hgt(problem: Problem, impl: str) -> Block:
    """PyG's HGTConv."""
    need_pyg()
    check_room(problem, tensors=10)
    return pyg_block(problem, problem.module(lambda: pyg_hgt_layer(problem)), hgt_operations(problem))


class PygGATv2(nn.Module):
    """PyG's GATv2Conv per relation, summed by HeteroConv, and an output map per type.

    Args:
        problem: what to make it for.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        from torch_geometric.nn import GATv2Conv, HeteroConv

        dim, heads = problem.dim, problem.heads

        def one() -> nn.Module:
            conv: nn.Module = GATv2Conv((dim, dim), dim // heads, heads, add_self_loops=False)
            return conv

        self.convs = HeteroConv({relation.triple: one() for relation in problem.batch.relations})
        self.output = nn.ModuleDict({name: nn.Linear(dim, dim) for name in problem.batch.node_types})

    def forward(self, states: dict[str, Tensor], edges: dict[tuple[str, ...], Tensor]) -> dict[str, Tensor]:
        """Per type `[nodes, dim]` in and out."""
        return {name: self.output[name](received) for name, received in self.convs(states, edges).items()}


def pyg_gatv2(problem: Problem, impl: str) -> Block:
    """PyG's HeteroConv of GATv2Conv."""
    need_pyg()
    check_room(problem, tensors=6)
    batch, dim = problem.batch, problem.dim
    rows = batch.num_nodes + relation_nodes(batch, "src") + relation_nodes(batch, "dst")
    operations = linear_operations(rows, dim, dim) + 6.0 * batch.edges.num_edges * dim
    return pyg_block(problem, problem.module(lambda: PygGATv2(problem)), operations)
