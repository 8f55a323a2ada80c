"""Our layers against those of PyTorch Geometric with the same weights, on random heterogeneous graphs."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv, HeteroConv, HGTConv, RGCNConv, SAGEConv

from gnnfuse.graph import Relation
from gnnfuse.message_passing import HGT, RGCN, SAGE, GATv2, MessageLayer
from tests.long_runs import few
from tests.message_passing.pyg_graphs import DIM, HeteroGraph, assert_only_rounding, random_graph, shuffled

HEADS = 2
GRAPHS = few(12, of=100)

pytestmark = pytest.mark.filterwarnings("ignore:There exist node types")  # HeteroConv on types without updates


def randomized(module: nn.Module, seed: int) -> Any:
    """The module in float64 with every parameter drawn anew: no prior of 1, no bias of 0."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5
    return module


def ours(layer: MessageLayer, graph: HeteroGraph, seed: int) -> dict[str, Tensor]:
    """Outputs and state gradients per entered type, from a batch that numbers types and relations in another order."""
    names, relations = shuffled(graph, seed)
    batch = graph.batch(names, relations)
    states = torch.cat([graph.states[name] for name in names]).requires_grad_()
    after = layer(states, batch)
    back = torch.cat([graph.grads[name] * (name in graph.entered) for name in names])
    after.backward(back)
    assert states.grad is not None
    found = {name: after[batch.slices[name]].detach() for name in graph.entered}
    return found | {f"grad {name}": states.grad[batch.slices[name]] for name in names}


def theirs(outputs: Mapping[str, Tensor], graph: HeteroGraph, states: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """The same from the other library's outputs, by type."""
    torch.autograd.backward([outputs[name] for name in graph.entered], [graph.grads[name] for name in graph.entered])
    found: dict[str, Tensor | None] = {name: outputs[name].detach() for name in graph.entered}
    return found | {f"grad {name}": state.grad for name, state in states.items()}


def leaves(graph: HeteroGraph) -> dict[str, Tensor]:
    return {name: state.clone().requires_grad_() for name, state in graph.states.items()}


def grads(module: Any) -> dict[str, Tensor]:
    """A linear map's gradients, zero where none was written."""
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in module.named_parameters()
    }


def hgt_pairs(layer: HGT, conv: HGTConv) -> tuple[dict[str, Tensor], dict[str, Tensor | None]]:
    """Gradients of both, under one name each and in our shapes."""
    found: dict[str, Tensor] = {}
    expected: dict[str, Tensor | None] = {}
    maps = [(f"project {n}", layer.project.linears[n], conv.kqv_lin.lins[n]) for n in layer.node_types]
    maps += [(f"output {n}", linear, conv.out_lin.lins[n]) for n, linear in layer.output.items()]
    for name, one, other in maps:
        found |= {f"{name} {key}": grad for key, grad in grads(one).items()}
        expected |= {f"{name} {key}": grad for key, grad in grads(other).items()}
    for name, skip in layer.skip.items():
        assert skip.grad is not None
        found[f"skip {name}"], expected[f"skip {name}"] = skip.grad, conv.skip[name].grad
    for name, matrix, other in (("key", layer.key_matrix, conv.k_rel), ("value", layer.value_matrix, conv.v_rel)):
        assert matrix.grad is not None
        found[name] = matrix.grad
        expected[name] = torch.unflatten(grads(other)["weight"], 0, (HEADS, -1)).transpose(0, 1)
    assert layer.prior.grad is not None
    for grad, relation in zip(layer.prior.grad, layer.relations, strict=True):
        found[f"prior {relation}"] = grad[None]
        expected[f"prior {relation}"] = conv.p_rel["__".join(relation.triple)].grad
    return found, expected


@pytest.mark.parametrize("seed", GRAPHS)
def test_hgt(seed: int) -> None:
    graph = random_graph(seed)
    conv = randomized(HGTConv(DIM, DIM, graph.metadata, heads=HEADS), seed)
    layer = HGT.from_pyg(conv)
    states = leaves(graph)
    found, expected = ours(layer, graph, seed), theirs(conv(states, graph.edge_index()), graph, states)
    for name in set(graph.node_types) - set(graph.entered):
        # PyG has no gradient for what it gives None for; keys and values of such nodes are read all the same.
        assert name not in conv(graph.states, graph.edge_index())
    found_grads, expected_grads = hgt_pairs(layer, conv)
    assert_only_rounding(found | found_grads, expected | expected_grads, graph.terms)


def copy_gatv2(layer: GATv2, conv: GATv2Conv, relation: Relation) -> None:
    source, target = layer.project.linears[relation.src], layer.project.linears[relation.dst]
    with torch.no_grad():
        for name in ("weight", "bias"):
            target.get_parameter(name)[:DIM] = getattr(conv.lin_r, name)
            source.get_parameter(name)[DIM : 2 * DIM] = getattr(conv.lin_l, name)
        target.get_parameter("weight")[2 * DIM :] = conv.res.weight
        target.get_parameter("bias")[2 * DIM :] = conv.bias
        layer.score_weight[layer.relations.index(relation)] = conv.att[0]


def gatv2_pairs(layer: GATv2, conv: GATv2Conv, relation: Relation) -> tuple[dict[str, Tensor], dict[str, Any]]:
    source, target = grads(layer.project.linears[relation.src]), grads(layer.project.linears[relation.dst])
    assert layer.score_weight.grad is not None
    found = {"score": layer.score_weight.grad[layer.relations.index(relation)]}
    found |= {f"destination {name}": grad[:DIM] for name, grad in target.items()}
    found |= {f"source {name}": grad[DIM : 2 * DIM] for name, grad in source.items()}
    found |= {f"own {name}": grad[2 * DIM :] for name, grad in target.items()}
    expected = {"score": conv.att.grad[0]}
    expected |= {f"destination {name}": grad for name, grad in grads(conv.lin_r).items()}
    expected |= {f"source {name}": grad for name, grad in grads(conv.lin_l).items()}
    expected |= {"own weight": conv.res.weight.grad, "own bias": conv.bias.grad}
    return found, expected


@pytest.mark.parametrize("seed", GRAPHS)
def test_gatv2_relation_by_relation(seed: int) -> None:
    whole = random_graph(seed)
    relation = whole.relations[seed % len(whole.relations)]
    graph = whole.restricted(relation)
    graph = HeteroGraph(graph.states, graph.pairs, {n: g * (n == relation.dst) for n, g in graph.grads.items()})
    conv = GATv2Conv((DIM, DIM), DIM // HEADS, HEADS, add_self_loops=False, residual=True)
    conv = randomized(conv, seed)
    layer = GATv2(DIM, graph.node_types, graph.relations, heads=HEADS, activation=None)
    layer = randomized(layer, seed + 1)
    copy_gatv2(layer, conv, relation)
    states = leaves(graph)
    out = conv((states[relation.src], states[relation.dst]), graph.pairs[relation])
    out.backward(graph.grads[relation.dst])
    found = ours(layer, graph, seed)
    # The other types' outputs and states have nothing to do with this relation.
    ends = {relation.dst: found[relation.dst]}
    ends |= {f"grad {name}": found[f"grad {name}"] for name in (relation.src, relation.dst)}
    expected = {relation.dst: out.detach()}
    expected |= {f"grad {name}": states[name].grad for name in (relation.src, relation.dst)}
    found_grads, expected_grads = gatv2_pairs(layer, conv, relation)
    assert_only_rounding(ends | found_grads, expected | expected_grads, graph.terms)


def copy_sage(layer: SAGE, convs: Mapping[Relation, Any]) -> None:
    with torch.no_grad():
        for linear in layer.own.linears.children():
            for parameter in linear.parameters():
                parameter.zero_()
        for matrix, relation in zip(layer.neighbours, layer.relations, strict=True):
            conv, own = convs[relation], layer.own.linears[relation.dst]
            matrix.copy_(conv.lin_l.weight.T)
            own.get_parameter("weight").add_(conv.lin_r.weight)
            own.get_parameter("bias").add_(conv.lin_l.bias)


@pytest.mark.parametrize("seed", GRAPHS)
def test_sage(seed: int) -> None:
    graph = random_graph(seed)
    hetero = randomized(HeteroConv({r.triple: SAGEConv((DIM, DIM), DIM) for r in graph.relations}), seed)
    convs = {relation: hetero.convs[relation.triple] for relation in graph.relations}
    layer = SAGE(DIM, graph.node_types, graph.relations, activation=None).double()
    copy_sage(layer, convs)
    states = leaves(graph)
    found, expected = ours(layer, graph, seed), theirs(hetero(states, graph.edge_index()), graph, states)
    assert layer.neighbours.grad is not None
    for grad, relation in zip(layer.neighbours.grad, layer.relations, strict=True):
        own, conv = grads(layer.own.linears[relation.dst]), convs[relation]
        found |= {f"{relation}": grad, f"{relation} own": own["weight"], f"{relation} bias": own["bias"]}
        other = {f"{relation}": conv.lin_l.weight.grad.T, f"{relation} own": conv.lin_r.weight.grad}
        expected |= other | {f"{relation} bias": conv.lin_l.bias.grad}
    assert_only_rounding(found, expected, graph.terms)


@pytest.mark.parametrize("num_bases", [None, 2])
@pytest.mark.parametrize("seed", GRAPHS)
def test_rgcn(seed: int, num_bases: int | None) -> None:
    graph = random_graph(seed)
    conv = randomized(RGCNConv(DIM, DIM, len(graph.relations), num_bases=num_bases), seed)
    layer = RGCN(DIM, graph.node_types, graph.relations, num_bases=num_bases, activation=None).double()
    with torch.no_grad():
        layer.own.weight.copy_(conv.root.T)
        layer.own.bias.copy_(conv.bias)
        layer.neighbours.copy_(conv.weight)
        if layer.shares is not None:
            layer.shares.copy_(conv.comp)
    states = leaves(graph)
    batch = graph.batch()
    dst = batch.edges.dst()
    out = conv(torch.cat(list(states.values())), torch.stack([batch.edges.src.long(), dst]), batch.edges.relation)
    outputs = {name: out[place] for name, place in batch.slices.items()}
    found, expected = ours(layer, graph, seed), theirs(outputs, graph, states)
    expected_own = {"own weight": conv.root.grad.T, "own bias": conv.bias.grad}
    found |= {f"own {name}": grad for name, grad in grads(layer.own).items()}
    found |= {name: grad for name, grad in grads(layer).items() if name in ("neighbours", "shares")}
    expected |= expected_own | {"neighbours": conv.weight.grad}
    if num_bases is not None:
        expected["shares"] = conv.comp.grad
    assert_only_rounding(found, expected, graph.terms)
