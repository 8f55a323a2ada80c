"""Dense attention against the reference: what it says of any batch of graphs, however it gets there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import Edges, edges_from_index, graph_attention, relation_rows
from gnnfuse.ops.attention import dense
from gnnfuse.ops.attention.attention import choose
from gnnfuse.ops.attention.auto import nearly_complete
from gnnfuse.ops.attention.inputs import AttentionInputs

Impl = Literal["reference", "dense"]
SIZES = (5, 20, 0, 1, 40, 3, 33, 19)
HEADS, RELATIONS = 3, 4
TABLES = ("edge_bias", "relation_bias", "relation_gate", "edge_gate")


@dataclass(frozen=True)
class Batch:
    """Several graphs' float64 inputs, and the gradients that come back into output and weights."""

    floats: dict[str, Tensor]
    edges: Edges
    graph_id: Tensor
    grad_out: Tensor
    dropout: float = 0.0
    return_weights: bool = False

    def without(self, *names: str) -> "Batch":
        return replace(self, floats={name: tensor for name, tensor in self.floats.items() if name not in names})

    def rounded(self, dtype: torch.dtype) -> "Batch":
        """The inputs as they are in another dtype, in float64 again."""
        floats = {name: tensor.to(dtype).double() for name, tensor in self.floats.items()}
        return replace(self, floats=floats, grad_out=self.grad_out.to(dtype).double())

    def attend(self, impl: Impl, **floats: Any) -> tuple[Tensor, Tensor | None]:
        options: dict[str, Any] = {"graph_id": self.graph_id, "num_graphs": len(SIZES), "impl": impl}
        options |= {"dropout": self.dropout, "seed": 5}
        if self.return_weights:
            return graph_attention(edges=self.edges, return_weights=True, **floats, **options)
        return graph_attention(edges=self.edges, **floats, **options), None

    def results(self, impl: Impl, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
        """The output, the weights if asked for, and every gradient."""
        floats = {name: tensor.to(dtype).requires_grad_() for name, tensor in self.floats.items()}
        out, weights = self.attend(impl, **floats)
        grads = torch.autograd.grad(out, list(floats.values()), self.grad_out.to(dtype))
        found = {"out": out.detach(), **dict(zip(floats, grads, strict=True))}
        return found if weights is None else found | {"weights": weights}


def make(
    density: float = 0.6, *, sizes: Sequence[int] = SIZES, twice: bool = False, by_relation: bool = False, dim: int = 5
) -> Batch:
    """Random graphs, their nodes shuffled over the batch, one node of each left without edges.

    Args:
        density: share of the pairs that have an edge.
        sizes: nodes of each graph.
        twice: whether a third of the pairs has a second and a few a third edge.
        by_relation: whether keys and values have a row per relation and node.
        dim: of query and key; values have two more.
    """
    generator = torch.Generator().manual_seed(17)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    nodes = sum(sizes)
    graph_id = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    graph_id = graph_id[torch.randperm(nodes, generator=generator)]
    joined = (graph_id[:, None] == graph_id) & (torch.rand(nodes, nodes, generator=generator) < density)
    joined[::9] = False
    joined[:, 4::13] = False
    dst, src = joined.nonzero().T
    if twice:
        dst, src = torch.cat([dst, dst[::3], dst[::15]]), torch.cat([src, src[::3], src[::15]])
    relation = torch.randint(0, RELATIONS, dst.shape, generator=generator)
    edges = edges_from_index(src, dst, relation, num_nodes=nodes)
    if by_relation:
        edges = relation_rows(edges, [(0, nodes)] * RELATIONS)
    rows = len(edges.transpose.offsets) - 1
    floats = {
        "query": normal(nodes, HEADS, dim),
        "key": normal(rows, HEADS, dim),
        "value": normal(rows, HEADS, dim + 2),
        "edge_bias": normal(edges.num_edges, HEADS),
        "relation_bias": normal(RELATIONS, HEADS),
        "relation_gate": normal(RELATIONS, HEADS),
        "edge_gate": normal(edges.num_edges, HEADS),
    }
    return Batch(floats, edges, graph_id, normal(nodes, HEADS, dim + 2))


def silenced(batch: Batch) -> Batch:
    """The batch with a relation silenced, and every edge into a third of its nodes."""
    edge_bias, relation_bias = batch.floats["edge_bias"].clone(), batch.floats["relation_bias"].clone()
    edge_bias[batch.edges.dst() % 3 == 0] = -torch.inf
    relation_bias[1] = -torch.inf
    return replace(batch, floats=batch.floats | {"edge_bias": edge_bias, "relation_bias": relation_bias})


def only(batch: Batch, table: str) -> Batch:
    return batch.without(*(name for name in TABLES if name != table))


PER_EDGE = ("edge_bias", "edge_gate")
PLAIN, TWICE = make(), make(twice=True)
BATCHES = {
    "mask alone": PLAIN.without(*TABLES),
    "edge bias": only(PLAIN, "edge_bias"),
    "relation bias": only(PLAIN, "relation_bias"),
    "relation gate": only(PLAIN, "relation_gate"),
    "edge gate": only(PLAIN, "edge_gate"),
    "edge gate, dropout": replace(only(PLAIN, "edge_gate"), dropout=0.3),
    "tables": PLAIN.without(*PER_EDGE),
    "all": PLAIN,
    "all, dropout": replace(PLAIN, dropout=0.3),
    "all, weights": replace(PLAIN, return_weights=True),
    "tables, weights": replace(PLAIN, return_weights=True).without(*PER_EDGE),
    "mask, weights": replace(PLAIN, return_weights=True).without(*TABLES),
    "dropout alone": replace(PLAIN, dropout=0.3).without(*TABLES),
    "twice, mask alone": TWICE.without(*TABLES),
    "twice, edge bias": only(TWICE, "edge_bias"),
    "twice, edge gate": only(TWICE, "edge_gate"),
    "twice, tables": TWICE.without(*PER_EDGE),
    "twice, everything": replace(TWICE, dropout=0.3, return_weights=True),
    "silenced": silenced(PLAIN),
    "silenced, twice": silenced(TWICE),
    "rows by relation": make(twice=True, by_relation=True),
    "rows by relation, tables": make(by_relation=True).without(*PER_EDGE),
    "complete": make(1.0).without(*PER_EDGE),
    "sparse": make(0.02),
    "wide": make(dim=33).without(*PER_EDGE),
    "width one": make(dim=1),
    "no edges": make(0.0),
    "no nodes": make(sizes=(0, 0, 0)),
}


@pytest.fixture
def thin_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the graphs into pieces of a few nodes: small graphs meet what large ones do."""
    monkeypatch.setattr(dense, "PIECE_NUMBERS", 64)


def assert_as_good_as_reference(batch: Batch, dtype: torch.dtype) -> None:
    """Dense errs at most four times what the reference errs in the same dtype, and a step at the largest value.

    The reference errs from its float64 result; in float64, from the same rounded otherwise.
    """
    exact = batch.rounded(dtype).results("reference")
    reference = batch.results("reference", dtype) if dtype != torch.float64 else otherwise_rounded(batch, exact)
    found = batch.results("dense", dtype)
    assert found.keys() == exact.keys()
    for name, truth in exact.items():
        assert found[name].dtype == dtype
        assert found[name].shape == truth.shape
        if truth.numel():
            allowed = 4 * (reference[name].double() - truth).abs().max()
            allowed += torch.finfo(dtype).eps * truth.abs().max()
            assert (found[name].double() - truth).abs().max() <= allowed, name


def otherwise_rounded(batch: Batch, exact: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the reference says of the same in other units, and in reverse order; of each result the farthest from exact.

    Queries in one unit and keys in its inverse have the same scores, but for rounding; values are in a third. What is
    dropped goes by an edge's place, so that dropout knows no reverse.
    """
    others = [in_units(batch, unit, value_unit) for unit, value_unit in ((7.0, 3.0), (1 / 3, 7.0), (11.0, 1 / 7))]
    others += [] if batch.dropout else [reversed_results(batch)]
    return {
        name: max((other[name] for other in others), key=lambda found: float((found - truth).abs().sum()))
        for name, truth in exact.items()
    }


def in_units(batch: Batch, unit: float, value_unit: float) -> dict[str, Tensor]:
    units = {"query": 1 / unit, "key": unit, "value": 1 / value_unit}
    floats = {name: tensor * units.get(name, 1.0) for name, tensor in batch.floats.items()}
    results = replace(batch, floats=floats, grad_out=batch.grad_out * value_unit).results("reference")
    back = units | {"out": value_unit}
    return {name: tensor * back.get(name, 1.0) for name, tensor in results.items()}


def reversed_results(batch: Batch) -> dict[str, Tensor]:
    """With nodes and edges in reverse order, turned back."""
    edges, by_place = batch.edges, ("out", "query", "edge_bias", "weights")
    ends = edges.num_edges - edges.offsets.flip(0)
    backwards = edges._replace(offsets=ends, src=edges.src.flip(0), relation=edges.relation.flip(0))
    floats = {name: tensor.flip(0) if name in by_place else tensor for name, tensor in batch.floats.items()}
    turned = replace(batch, floats=floats, edges=backwards, grad_out=batch.grad_out.flip(0)).results("reference")
    return {name: tensor.flip(0) if name in by_place else tensor for name, tensor in turned.items()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", BATCHES)
def test_dense_against_reference(name: str, dtype: torch.dtype) -> None:
    assert_as_good_as_reference(BATCHES[name], dtype)


@pytest.mark.usefixtures("thin_pieces")
@pytest.mark.parametrize("name", BATCHES)
def test_dense_against_reference_in_thin_pieces(name: str) -> None:
    assert_as_good_as_reference(BATCHES[name], torch.float32)


def copied(batch: Batch) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in batch.floats.items()}


@pytest.mark.usefixtures("thin_pieces")
@pytest.mark.parametrize("name", ["mask alone", "tables", "twice, everything"])
def test_gradcheck(name: str) -> None:
    whole = BATCHES[name]
    small = make(sizes=(3, 1, 5, 0), twice=name.startswith("twice"), dim=2)
    batch = replace(whole, floats=small.floats, edges=small.edges, graph_id=small.graph_id)
    batch = batch.without(*(set(TABLES) - whole.floats.keys()))
    names = list(batch.floats)

    def attend(*tensors: Tensor) -> Tensor:
        return batch.attend("dense", **dict(zip(names, tensors, strict=True)))[0]

    assert torch.autograd.gradcheck(attend, tuple(t.requires_grad_() for t in copied(batch).values()))


@pytest.mark.parametrize("wanted", ["query", "key", "value", *TABLES])
@pytest.mark.parametrize("name", ["all", "tables", "twice, everything", "mask alone"])
def test_one_gradient_alone(name: str, wanted: str) -> None:
    batch = BATCHES[name]
    if wanted not in batch.floats:
        return
    floats = copied(batch)
    out, _ = batch.attend("dense", **floats | {wanted: floats[wanted].requires_grad_()})
    (grad,) = torch.autograd.grad(out, floats[wanted], batch.grad_out)
    torch.testing.assert_close(grad, batch.results("dense")[wanted], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["mask alone", "silenced", "silenced, twice", "twice, everything"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_nodes_that_read_nothing_get_zeros(name: str, dtype: torch.dtype) -> None:
    batch = BATCHES[name]
    results = batch.results("dense", dtype)
    reading = torch.zeros(len(batch.graph_id), dtype=torch.bool)
    heard = torch.ones(batch.edges.num_edges, dtype=torch.bool)
    if name.startswith("silenced"):
        heard = (batch.floats["edge_bias"] > -torch.inf).all(1) & (batch.edges.relation != 1)
    reading[batch.edges.dst()[heard]] = True
    assert not reading.all()
    assert (results["out"][~reading] == 0).all()
    assert (results["query"][~reading] == 0).all()
    assert all(tensor.isfinite().all() for tensor in results.values())


@pytest.mark.parametrize("name", ["mask alone", "tables", "all"])
def test_nan_stays_within_its_graph(name: str) -> None:
    batch = BATCHES[name]
    floats = copied(batch)
    node = int(batch.edges.dst()[0])
    floats["query"][node] = floats["key"][node] = floats["value"][node] = torch.nan
    out, _ = batch.attend("dense", **floats)
    assert out[node].isnan().all()
    clean, _ = batch.attend("dense", **batch.floats)
    others = batch.graph_id != batch.graph_id[node]
    assert torch.equal(out[others], clean[others])


@pytest.mark.parametrize("name", ["mask alone", "tables", "twice, everything"])
def test_a_batch_gives_each_graph_what_it_gets_alone(name: str) -> None:
    """Without graph_id all nodes are one graph, whose blocks are other ones."""
    batch = BATCHES[name]
    expected = batch.results("dense")
    together = replace(batch, graph_id=torch.zeros_like(batch.graph_id)).results("dense")
    for key, tensor in expected.items():
        torch.testing.assert_close(together[key], tensor, rtol=1e-13, atol=1e-13)
    named: dict[str, Any] = batch.floats
    options: dict[str, Any] = {"dropout": batch.dropout, "seed": 5, "impl": "dense"}
    bare = graph_attention(edges=batch.edges, **named, **options)
    torch.testing.assert_close(bare, expected["out"], rtol=1e-13, atol=1e-13)
    counted = graph_attention(edges=batch.edges, graph_id=batch.graph_id, **named, **options)
    assert torch.equal(counted, expected["out"])


@pytest.mark.parametrize("name", ["mask alone", "tables", "twice, everything", "no edges"])
def test_autocast_does_not_reach_inside(name: str) -> None:
    """What is given in float32 is computed in float32."""
    batch = BATCHES[name]
    floats = {key: tensor.float().requires_grad_() for key, tensor in batch.floats.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = batch.attend("dense", **floats)
    grads = torch.autograd.grad(out, list(floats.values()), batch.grad_out.float())
    expected = batch.results("dense", torch.float32)
    for key, found in {"out": out, **dict(zip(floats, grads, strict=True))}.items():
        assert torch.equal(found, expected[key]), key


@pytest.mark.parametrize("name", ["mask alone", "tables", "all, weights", "twice, everything", "no edges"])
def test_opcheck(name: str) -> None:
    batch = BATCHES[name]
    edges = batch.edges
    lists = [edges.offsets, edges.src, edges.relation, edges.transpose.offsets, edges.transpose.dst]
    floats = [batch.floats.get(key) for key in ("query", "key", "value", *TABLES)]
    floats = [tensor if tensor is None else tensor.clone().requires_grad_() for tensor in floats]
    seed = torch.tensor([5]) if batch.dropout else None
    numbers = len(SIZES), 0.5, batch.dropout
    inputs = (*floats, seed, batch.graph_id, lists, *numbers, batch.return_weights)
    torch.library.opcheck(torch.ops.gnnfuse.graph_attention_dense.default, inputs)
    detached = [tensor if tensor is None else tensor.detach() for tensor in floats]
    inputs = (batch.grad_out, *detached, seed, batch.graph_id, lists, *numbers)
    torch.library.opcheck(torch.ops.gnnfuse.graph_attention_dense_backward.default, inputs)


def test_compiled_as_one_graph() -> None:
    compiled = torch.compile(graph_attention, fullgraph=True, backend="aot_eager")
    for name in ("mask alone", "all"):
        batch = BATCHES[name]
        floats: dict[str, Any] = {key: tensor.requires_grad_() for key, tensor in copied(batch).items()}
        out = compiled(
            edges=batch.edges, graph_id=batch.graph_id, num_graphs=len(SIZES), impl="dense", **floats
        )  # fmt: skip
        grads = torch.autograd.grad(out, list(floats.values()), batch.grad_out)
        expected = batch.results("dense")
        for key, found in {"out": out.detach(), **dict(zip(floats, grads, strict=True))}.items():
            torch.testing.assert_close(found, expected[key], rtol=1e-13, atol=1e-13)


def test_second_derivative_is_refused() -> None:
    batch = BATCHES["tables"]
    floats = copied(batch)
    out, _ = batch.attend("dense", **floats | {"query": floats["query"].requires_grad_()})
    (grad,) = torch.autograd.grad(out.square().sum(), floats["query"], create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative; use impl='reference'"):
        torch.autograd.grad(grad.sum(), floats["query"])


WRONG = [
    ({"graph_id": torch.tensor([0, 1, 1])}, "graph_id must put every edge within one graph; edge 1 into node 1 "),
    ({"graph_id": torch.tensor([0, 0, 2])}, "graph_id must lie in 0..1, found 0..2"),
    ({"graph_id": torch.tensor([0, 0, -1])}, "graph_id must lie in 0..1, found -1..0"),
    ({"graph_id": torch.tensor([0, 0])}, r"graph_id must be int64 \[3\], .* found torch.int64 \(2,\)"),
    ({"graph_id": torch.tensor([0.0, 0, 0])}, r"graph_id must be int64 \[3\], .* found torch.float32"),
    ({"graph_id": None}, "num_graphs=2 needs graph_id"),
    ({"num_graphs": -1}, "num_graphs must be 0 or more, found -1"),
    ({"score": "additive", "score_weight": torch.ones(1, 1, 2)}, "impl='dense' takes score='dot', found score="),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
@pytest.mark.parametrize("way", ["mask", "gate"])
def test_wrong_inputs(way: str, change: dict[str, Any], message: str) -> None:
    states = torch.ones(3, 1, 2)
    edges = edges_from_index(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 2]), num_nodes=3)
    good: dict[str, Any] = {"graph_id": torch.tensor([0, 0, 1]), "num_graphs": 2, "impl": "dense"}
    if way == "gate":
        good["relation_gate"] = torch.ones(1, 1)
    with pytest.raises(ValueError, match=message):
        graph_attention(states, states, states, edges, **(good | change))


def inputs_of(batch: Batch, graph_id: Tensor | None, num_graphs: int, **changes: Any) -> AttentionInputs:
    query, key, value = (batch.floats[name] for name in ("query", "key", "value"))
    nothing: tuple[None, None, None, None, None, None] = (None,) * 6
    inputs = AttentionInputs(query, key, value, batch.edges, *nothing, 1.0, 0.2, 0.0, graph_id, num_graphs, False)
    return inputs._replace(**changes)


def test_auto_takes_dense_where_graphs_are_nearly_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    full, sparse = BATCHES["complete"], BATCHES["sparse"]
    graphs = len(SIZES)
    assert not nearly_complete(inputs_of(full, full.graph_id, graphs)), "the graphs are small"
    monkeypatch.setattr("gnnfuse.ops.attention.auto.DENSE_NODES", 1)
    monkeypatch.setattr("gnnfuse.ops.attention.auto.DENSE_FROM", 0.7)  # isolated nodes take a fifth of the pairs away
    assert nearly_complete(inputs_of(full, full.graph_id, graphs))
    assert not nearly_complete(inputs_of(sparse, sparse.graph_id, graphs))
    assert not nearly_complete(inputs_of(full, None, 1)), "the graphs side by side are no complete graph"
    assert not nearly_complete(inputs_of(full, full.graph_id, graphs, score_weight=torch.ones(1)))
    assert not nearly_complete(inputs_of(full, full.graph_id, graphs, query=full.floats["query"].to("meta")))


def test_auto_runs_what_it_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = BATCHES["complete"]
    options: dict[str, Any] = {**batch.floats, "graph_id": batch.graph_id, "num_graphs": len(SIZES)}
    monkeypatch.setattr("gnnfuse.ops.attention.auto.DENSE_NODES", 1)
    chosen: Any
    for threshold, chosen in ((0.1, "dense"), (2.0, choose("auto", torch.device("cpu")))):
        monkeypatch.setattr("gnnfuse.ops.attention.auto.DENSE_FROM", threshold)
        found = graph_attention(edges=batch.edges, **options)
        assert torch.equal(found, graph_attention(edges=batch.edges, impl=chosen, **options))
