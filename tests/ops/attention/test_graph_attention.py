import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import Edges, edges_from_index, graph_attention
from gnnfuse.ops.attention.dropout import kept, philox
from gnnfuse.ops.choose import INSTALLED
from tests.ops.tolerance import cpu_forms

Impl = Literal["reference", "numba"]

IMPLS: list[Impl] = ["reference", "numba"]
FLOATS = ("query", "key", "value", "score_weight", "edge_bias", "relation_bias", "relation_gate", "edge_gate")


@dataclass(frozen=True)
class Case:
    """One call's float64 inputs, and the gradient that comes back into its output."""

    query: Tensor
    key: Tensor
    value: Tensor
    edges: Edges
    relation_bias: Tensor | None
    relation_gate: Tensor | None
    grad_out: Tensor
    score_weight: Tensor | None = None
    edge_bias: Tensor | None = None
    edge_gate: Tensor | None = None
    dropout: float = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that are no tensors."""
        return {"score": "dot" if self.score_weight is None else "additive", "dropout": self.dropout, "seed": 2**40 + 7}

    def floats(self) -> dict[str, Any]:
        """The tensors to differentiate by, under the names that `graph_attention` gives them."""
        named = {name: getattr(self, name) for name in FLOATS}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    def rounded(self, dtype: torch.dtype) -> "Case":
        """The inputs as they are in another dtype, in float64 again."""
        floats: dict[str, Any] = {name: tensor.to(dtype).double() for name, tensor in self.floats().items()}
        return replace(self, **floats, grad_out=self.grad_out.to(dtype).double())

    def results(self, impl: Impl, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
        """The output and every gradient."""
        floats = {name: tensor.to(dtype).requires_grad_() for name, tensor in self.floats().items()}
        out: Tensor = graph_attention(edges=self.edges, impl=impl, **self.options, **floats)
        grads = torch.autograd.grad(out, list(floats.values()), self.grad_out.to(dtype))
        return {"out": out.detach(), **dict(zip(floats, grads, strict=True))}


def make(
    src: Tensor,
    dst: Tensor,
    *,
    nodes: int,
    rows: int,
    heads: int = 2,
    head_dim: int = 4,
    value_dim: int = 4,
    relations: int = 3,
    tables: bool = True,
    additive: bool = False,
    edge_bias: bool = False,
    edge_gate: bool = False,
    dropout: float = 0.0,
) -> Case:
    generator = torch.Generator().manual_seed(len(src))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    relation = torch.randint(0, relations, src.shape, generator=generator)
    return Case(
        query=normal(nodes, heads, head_dim),
        key=normal(rows, heads, head_dim),
        value=normal(rows, heads, value_dim),
        edges=edges_from_index(src, dst, relation, num_nodes=nodes, num_rows=rows),
        relation_bias=normal(relations, heads) if tables else None,
        relation_gate=normal(relations, heads) if tables else None,
        grad_out=normal(nodes, heads, value_dim),
        score_weight=normal(relations, heads, head_dim) if additive else None,
        edge_bias=normal(len(src), heads) if edge_bias else None,
        edge_gate=normal(len(src), heads) if edge_gate else None,
        dropout=dropout,
    )


def random_case(num_edges: int, nodes: int = 30, rows: int = 40, **sizes: Any) -> Case:
    """A random graph whose last five nodes have no edge in and last five rows no edge out."""
    generator = torch.Generator().manual_seed(num_edges)
    src = torch.randint(0, rows - 5, (num_edges,), generator=generator)
    dst = torch.randint(0, nodes - 5, (num_edges,), generator=generator)
    return make(src, dst, nodes=nodes, rows=rows, **sizes)


def hub_case() -> Case:
    """100,000 edges into node 0, and 5,000 out of row 0 into nodes of their own."""
    src = torch.randint(0, 5100, (100_000,), generator=torch.Generator().manual_seed(0))
    src = torch.cat([src, torch.zeros(5000, dtype=torch.int64)])
    dst = torch.cat([torch.zeros(100_000, dtype=torch.int64), torch.arange(1, 5001)])
    return make(src, dst, nodes=5100, rows=5100)


CASES = {
    "random": random_case(200),
    "random_without_tables": random_case(200, tables=False),
    "several_chunks": random_case(20_000, nodes=900, rows=700, head_dim=8, value_dim=8),
    "wide": random_case(300, heads=8, head_dim=32, value_dim=32),
    "odd_widths": random_case(200, heads=3, head_dim=7, value_dim=5),
    "width_one": random_case(200, heads=1, head_dim=1, value_dim=1),
    "value_wider": random_case(200, head_dim=3, value_dim=17),
    "head_dims_with_own_code": random_case(200, head_dim=16, value_dim=64),
    "additive": random_case(200, additive=True),
    "additive_odd": random_case(200, additive=True, heads=5, head_dim=7, value_dim=5, tables=False),
    "edge_bias": random_case(200, edge_bias=True, heads=4),
    "edge_bias_alone": random_case(200, edge_bias=True, tables=False),
    "edge_gate": random_case(200, edge_gate=True, heads=4),
    "edge_gate_alone": random_case(200, edge_gate=True, tables=False, heads=3),
    "dropout": random_case(200, dropout=0.4),
    "dropout_odd": random_case(200, dropout=0.1, heads=7, tables=False),
    "everything": random_case(
        300, additive=True, edge_bias=True, edge_gate=True, dropout=0.3, heads=8, head_dim=32, value_dim=16
    ),
    "no_edges": random_case(0),
    "no_edges_everything": random_case(0, additive=True, edge_bias=True, edge_gate=True, dropout=0.3),
    "no_nodes": make(torch.empty(0).long(), torch.empty(0).long(), nodes=0, rows=0),
    "rows_without_nodes": make(torch.empty(0).long(), torch.empty(0).long(), nodes=0, rows=3),
    "hub": hub_case(),
}


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut rows at every third edge and start a new chunk as often: small graphs meet what large ones do."""
    monkeypatch.setattr("gnnfuse.ops.cpu.work.EDGES_PER_PIECE", 3)


@pytest.mark.parametrize("impl", IMPLS)
def test_by_double_loop(impl: Impl) -> None:
    case = random_case(60, nodes=12, rows=14, value_dim=3, edge_gate=True)
    assert case.relation_bias is not None
    assert case.relation_gate is not None
    query, key, value, bias, gate, edge_gate = (tensor.tolist() for tensor in case.floats().values())
    out = graph_attention(**case.floats(), edges=case.edges, impl=impl)
    offsets, src, relation = (t.tolist() for t in (case.edges.offsets, case.edges.src, case.edges.relation))
    for node in range(12):
        incoming = range(offsets[node], offsets[node + 1])
        for head in range(2):
            exponentials = {
                e: math.exp(
                    math.fsum(q * k for q, k in zip(query[node][head], key[src[e]][head], strict=True)) / 2
                    + bias[relation[e]][head]
                )
                for e in incoming
            }
            total = math.fsum(exponentials.values())
            for d in range(3):
                terms = [
                    edge_gate[e][head] * gate[relation[e]][head] * exponentials[e] / total * value[src[e]][head][d]
                    for e in incoming
                ]
                assert float(out[node, head, d]) == pytest.approx(math.fsum(terms), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("impl", IMPLS)
def test_on_paper(impl: Impl) -> None:
    """Scores ln 3 and 0 give weights 3/4 and 1/4; the gate of the second edge doubles its message."""
    edges = edges_from_index(torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([0, 1]), num_nodes=2)
    query = torch.tensor([[[2.0]], [[1.0]]], dtype=torch.float64)
    key = torch.tensor([[[math.log(3)]], [[1.0]]], dtype=torch.float64)
    value = torch.tensor([[[4.0, 0.0]], [[8.0, 16.0]]], dtype=torch.float64)
    bias = torch.tensor([[0.0], [-1.0]], dtype=torch.float64)
    gate = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    out = graph_attention(query, key, value, edges, relation_bias=bias, relation_gate=gate, scale=0.5, impl=impl)
    # By scale 1/2 the scores are ln 3 and 1 - 1.
    expected = torch.tensor([[[3.0 + 4.0, 8.0]], [[0.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(out, expected, rtol=1e-15, atol=1e-15)


def assert_as_good_as_reference(case: Case, dtype: torch.dtype) -> None:
    """The kernel errs at most four times what the reference errs in the same dtype.

    The reference errs from its float64 result; in float64, from itself with every sum in reverse order.
    On top, one step of the dtype at the largest value, for a reference that happens to be exact.
    """
    exact = case.rounded(dtype).results("reference")
    reference = case.results("reference", dtype) if dtype != torch.float64 else reversed_results(case)
    kernel = case.results("numba", dtype)
    for name, truth in exact.items():
        assert kernel[name].dtype == dtype
        assert kernel[name].shape == truth.shape
        if truth.numel() == 0:
            continue
        allowed = 4 * (reference[name].double() - truth).abs().max()
        allowed += torch.finfo(dtype).eps * truth.abs().max()
        assert (kernel[name].double() - truth).abs().max() <= allowed, name


def reversed_results(case: Case) -> dict[str, Tensor]:
    """What the reference says to the same question with nodes and edges in reverse order, turned back."""
    edges, bias = case.edges, case.edge_bias
    ends = edges.num_edges - edges.offsets.flip(0)
    backwards = edges._replace(offsets=ends, src=edges.src.flip(0), relation=edges.relation.flip(0))
    turned = replace(
        case,
        query=case.query.flip(0),
        edges=backwards,
        grad_out=case.grad_out.flip(0),
        edge_bias=None if bias is None else bias.flip(0),
    )
    results = turned.results("reference")
    flipped = {name: results[name].flip(0) for name in ("out", "query", "edge_bias") if name in results}
    return results | flipped


@pytest.mark.parametrize(("name", "dtype"), cpu_forms(CASES, narrow=["random", "everything", "no_edges"]), ids=str)
def test_kernel_against_reference(name: str, dtype: torch.dtype) -> None:
    if CASES[name].dropout and dtype == torch.float64:
        return  # what is dropped follows from an edge's number, so the edges cannot be turned: gradcheck looks at it
    assert_as_good_as_reference(CASES[name], dtype)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("hub", "several_chunks")])
def test_kernel_against_reference_in_small_pieces(name: str) -> None:
    assert_as_good_as_reference(CASES[name], torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("name", ["random", "odd_widths", "several_chunks", "everything", "no_edges"])
def test_memory_that_was_not_empty(name: str) -> None:
    clean = CASES[name].results("numba")
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        assert clean["query"].new_empty(3).isnan().all()
        poisoned = CASES[name].results("numba")
    finally:
        torch.use_deterministic_algorithms(False)
    for name, tensor in clean.items():
        assert torch.equal(tensor, poisoned[name]), name


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tables": False},
        {"additive": True},
        {"edge_bias": True, "dropout": 0.5},
        {"edge_gate": True},
        {"additive": True, "edge_bias": True, "edge_gate": True, "dropout": 0.2, "heads": 5},
    ],
)
def test_gradcheck(options: dict[str, Any], impl: Impl) -> None:
    case = random_case(40, nodes=10, rows=11, head_dim=3, value_dim=2, **options)
    floats = {name: tensor.requires_grad_() for name, tensor in case.floats().items()}

    def attend(*tensors: Tensor) -> Tensor:
        named: dict[str, Any] = dict(zip(floats, tensors, strict=True))
        out: Tensor = graph_attention(**named, edges=case.edges, impl=impl, **case.options)
        return out

    assert torch.autograd.gradcheck(attend, tuple(floats.values()))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("name", ["everything", "random"])
@pytest.mark.parametrize("wanted", FLOATS)
def test_one_gradient_alone(wanted: str, name: str, impl: Impl) -> None:
    case = CASES[name]
    if wanted not in case.floats():
        return
    floats = {name: tensor.detach().clone() for name, tensor in case.floats().items()}
    floats[wanted].requires_grad_()
    out = graph_attention(**floats, edges=case.edges, impl=impl, **case.options)
    (grad,) = torch.autograd.grad(out, floats[wanted], case.grad_out)
    torch.testing.assert_close(grad, case.results(impl)[wanted], rtol=0, atol=0)


@pytest.mark.parametrize("impl", IMPLS)
def test_one_table_alone(impl: Impl) -> None:
    case = CASES["random"]
    zeros, ones = torch.zeros(3, 2, dtype=torch.float64), torch.ones(3, 2, dtype=torch.float64)
    for absent, neutral in (
        (replace(case, relation_bias=None), replace(case, relation_bias=zeros)),
        (replace(case, relation_gate=None), replace(case, relation_gate=ones)),
        (case, replace(case, edge_gate=torch.ones(200, 2, dtype=torch.float64))),
    ):
        found, expected = absent.results(impl), neutral.results(impl)
        for name, tensor in found.items():
            torch.testing.assert_close(tensor, expected[name], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("impl", IMPLS)
def test_isolated_nodes_get_zeros_and_give_no_gradient(impl: Impl) -> None:
    results = CASES["random"].results(impl)
    for name in ("out", "query", "key", "value"):
        assert (results[name][-5:] == 0).all(), name


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_huge_scores_stay_finite(dtype: torch.dtype, impl: Impl) -> None:
    case = CASES["random"]
    results = replace(case, query=case.query * 1e6).results(impl, dtype)
    assert all(tensor.isfinite().all() for tensor in results.values())


@pytest.mark.parametrize("impl", IMPLS)
def test_a_bias_of_minus_infinity_silences_a_relation(impl: Impl) -> None:
    edges = edges_from_index(torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([0, 1]), num_nodes=2)
    states = torch.ones(2, 1, 2)
    value = torch.tensor([[[3.0]], [[5.0]]])
    bias = torch.tensor([[0.0], [-torch.inf]])
    out = graph_attention(states, states, value, edges, relation_bias=bias, impl=impl)
    assert out[:, 0, 0].tolist() == [3.0, 0.0]


@pytest.mark.parametrize("impl", IMPLS)
def test_a_node_with_silenced_edges_only_gets_zeros(impl: Impl) -> None:
    case = CASES["edge_bias"]
    assert case.edge_bias is not None
    silenced = case.edge_bias.clone()
    node = int(case.edges.dst()[0])
    silenced[case.edges.offsets[node] : case.edges.offsets[node + 1]] = -torch.inf
    results = replace(case, edge_bias=silenced).results(impl)
    assert (results["out"][node] == 0).all()
    assert all(tensor.isfinite().all() for tensor in results.values())


@pytest.mark.usefixtures("small_pieces")
def test_silenced_pieces_of_a_row_have_no_say() -> None:
    """Every score that counts is far below 0: a piece without any must not lift the row's highest score."""
    case = random_case(300, nodes=8, rows=9, edge_bias=True)
    assert case.edge_bias is not None
    bias = torch.where(torch.arange(300)[:, None] % 20 < 12, -torch.inf, case.edge_bias - 2000)
    found, expected = (replace(case, edge_bias=bias).results(impl) for impl in IMPLS)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-11, atol=1e-12)


def test_additive_score_on_paper() -> None:
    """Leaky ReLU of slope 1/2: q + k is (5, -4) and (0, 0), the scores are 5 - 2 and 0."""
    edges = edges_from_index(torch.tensor([0, 1]), torch.tensor([0, 0]), num_nodes=2)
    query = torch.tensor([[[2.0, 1.0]], [[0.0, 0.0]]], dtype=torch.float64)
    key = torch.tensor([[[3.0, -5.0]], [[-2.0, -1.0]]], dtype=torch.float64)
    _, weights = graph_attention(
        query, key, key, edges, score="additive", score_weight=torch.ones(1, 1, 2, dtype=torch.float64),
        negative_slope=0.5, return_weights=True,
    )  # fmt: skip
    expected = torch.tensor([math.exp(3), 1.0], dtype=torch.float64) / (math.exp(3) + 1)
    torch.testing.assert_close(weights[:, 0], expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("impl", IMPLS)
def test_weights_sum_to_one_and_are_those_before_dropout_and_gate(impl: Impl) -> None:
    case = CASES["everything"]
    _, weights = graph_attention(**case.floats(), edges=case.edges, impl=impl, return_weights=True, **case.options)
    sums = torch.zeros(30, 8, dtype=torch.float64).index_add(0, case.edges.dst(), weights)
    expected = (case.edges.offsets.diff() > 0).double()[:, None].expand(30, 8)
    torch.testing.assert_close(sums, expected, rtol=1e-13, atol=0)
    assert not weights.requires_grad


@pytest.mark.parametrize("impl", IMPLS)
def test_dropout_follows_from_the_seed_alone(impl: Impl) -> None:
    case = random_case(2000, heads=3, tables=False, dropout=0.25)
    ones = replace(case, value=torch.ones_like(case.value))

    def received(seed: int | Tensor | None) -> Tensor:
        out: Tensor = graph_attention(**ones.floats(), edges=case.edges, dropout=0.25, seed=seed, impl=impl)
        return out

    assert torch.equal(received(3), received(torch.tensor([3])))
    assert not torch.equal(received(3), received(3 + 2**33))
    # Drawn from PyTorch's generator, so its seed is enough.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        first = received(None)
        second = received(None)
        torch.manual_seed(5)
        assert torch.equal(received(None), first)
        assert not torch.equal(first, second)


def test_dropout_keeps_the_stated_share_in_the_mean() -> None:
    """Of 60,000 draws the share kept is within five standard deviations of 3/4; heads and edges are uncorrelated."""
    mask = kept(torch.tensor([11]), 10_000, 6, 0.25).double()
    assert abs(float(mask.mean()) - 0.75) < 5 * math.sqrt(0.75 * 0.25 / mask.numel())
    centred = (mask - mask.mean()) / mask.std()
    between = centred.T @ centred / len(mask) - torch.eye(6, dtype=torch.float64)
    assert between.abs().max() < 5 / math.sqrt(len(mask))


def test_philox_against_published_words() -> None:
    """Known answers of the authors' library for counter and key 0, and for all bits set."""
    zero = torch.zeros(1, dtype=torch.int64)
    words = philox(zero, zero, zero)
    assert [f"{int(word):08x}" for word in words[0]] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("name", ["query", "key", "value"])
def test_nan_reaches_the_nodes_that_read_it_and_no_other(name: str, impl: Impl) -> None:
    case = CASES["random"]
    floats = {key: tensor.detach().clone() for key, tensor in case.floats().items()}
    floats[name][4] = torch.nan
    out = graph_attention(**floats, edges=case.edges, impl=impl)
    dst, src = case.edges.dst(), case.edges.src
    hit = torch.zeros(30, dtype=torch.bool)
    hit[dst[(dst if name == "query" else src) == 4]] = True
    assert torch.equal(out.isnan().all(-1).all(-1), hit)
    assert torch.equal(out.isnan().any(-1).any(-1), hit)


@pytest.mark.parametrize("impl", IMPLS)
def test_strides_do_not_matter(impl: Impl) -> None:
    case = CASES["random"]
    expected = case.results(impl)
    projected = torch.cat([case.query, case.query.flip(0)], -1)[..., :4]
    strided = replace(case, query=projected, key=case.key.mT.contiguous().mT, grad_out=case.grad_out.mT.contiguous().mT)
    assert not strided.query.is_contiguous()
    for name, tensor in strided.results(impl).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-13, atol=1e-13)


def test_a_gradient_that_is_expanded() -> None:
    """The gradient of a sum is one number seen at every place."""
    case = CASES["random"]
    query = case.query.clone().requires_grad_()
    sums = [graph_attention(query, case.key, case.value, case.edges, impl=impl).sum() for impl in IMPLS]
    expected, found = (torch.autograd.grad(total, query)[0] for total in sums)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("name", ["random", "everything", "no_edges"])
def test_working_graph_by_graph_changes_no_row(name: str) -> None:
    """Graphs that lie in turns among the nodes: the order of the work follows them, the results do not."""
    case = CASES[name]
    graph_id = torch.arange(len(case.query)) % 3
    floats = {key: tensor.detach().clone().requires_grad_() for key, tensor in case.floats().items()}
    out: Tensor = graph_attention(
        **floats, edges=case.edges, impl="numba", graph_id=graph_id, num_graphs=3, **case.options
    )
    grads = torch.autograd.grad(out, list(floats.values()), case.grad_out)
    expected = case.results("numba")
    tables = ("score_weight", "relation_bias", "relation_gate")  # sums over chunks: other chunks, another rounding
    for key, found in {"out": out.detach(), **dict(zip(floats, grads, strict=True))}.items():
        tolerance = 1e-13 if key in tables else 0
        torch.testing.assert_close(found, expected[key], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["several_chunks", "hub"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_same_bits_for_any_number_of_threads(name: str, dtype: torch.dtype) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = CASES[name].results("numba", dtype)
        for threads in (2, 5):
            torch.set_num_threads(threads)
            together = CASES[name].results("numba", dtype)
            assert all(torch.equal(alone[key], together[key]) for key in alone)
    finally:
        torch.set_num_threads(before)


def test_from_several_python_threads_at_once() -> None:
    case = CASES["several_chunks"]
    expected = case.results("numba")
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(lambda _: case.results("numba"), range(12)):
            assert all(torch.equal(expected[key], results[key]) for key in expected)


class AttentionOf(torch.utils.data.Dataset[Tensor]):
    def __init__(self, case: Case) -> None:
        self.case = case

    def __len__(self) -> int:
        return 2

    def __getitem__(self, item: int) -> Tensor:
        # Forward only: autograd refuses a forked process whose parent has differentiated on other devices.
        case = self.case
        with torch.no_grad():
            out: Tensor = graph_attention(edges=case.edges, impl="numba", **case.options, **case.floats())
        return out


@pytest.mark.skipif(sys.platform == "win32", reason="this platform cannot fork")
def test_in_a_forked_loader_worker() -> None:
    case = CASES["several_chunks"]
    expected = case.results("numba")["out"]
    loader = torch.utils.data.DataLoader(
        AttentionOf(case), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=120
    )
    for found in loader:
        assert torch.equal(found, expected)


def operator_inputs(case: Case) -> tuple[list[Any], Any, Any, Any, Any]:
    lists = [case.edges.offsets, case.edges.src, case.edges.relation, *case.edges.transpose]
    floats = [getattr(case, name) for name in FLOATS]
    floats = [tensor if tensor is None else tensor.detach().clone().requires_grad_() for tensor in floats]
    graph_id = torch.zeros(len(case.query), dtype=torch.int64) if case.dropout else None
    return floats, torch.tensor([7]) if case.dropout else None, graph_id, lists, [0.5, 0.2, case.dropout]


@pytest.mark.parametrize("name", ["random", "random_without_tables", "everything", "no_edges"])
def test_opcheck(name: str) -> None:
    floats, *others = operator_inputs(CASES[name])
    forward = torch.ops.gnnfuse.graph_attention_numba.default
    torch.library.opcheck(forward, (*floats, *others))
    detached = [t.detach() if isinstance(t, Tensor) else t for t in floats]
    out, weights = forward(*detached, *others)
    for needs in ([True] * 8, [name == "value" for name in FLOATS]):
        given = [need and tensor is not None for need, tensor in zip(needs, floats, strict=True)]
        backward = torch.ops.gnnfuse.graph_attention_numba_backward.default
        torch.library.opcheck(backward, (torch.ones_like(out), detached, *others, weights, given))


@pytest.mark.parametrize("impl", IMPLS)
def test_compiled_as_one_graph(impl: Impl) -> None:
    compiled = torch.compile(graph_attention, fullgraph=True, backend="aot_eager")
    for name in ("random", "wide", "everything"):
        case = CASES[name]
        floats = {key: tensor.detach().clone().requires_grad_() for key, tensor in case.floats().items()}
        out = compiled(edges=case.edges, impl=impl, **floats, **case.options)
        grads = torch.autograd.grad(out, list(floats.values()), case.grad_out)
        expected = case.results(impl)
        for key, found in {"out": out.detach(), **dict(zip(floats, grads, strict=True))}.items():
            torch.testing.assert_close(found, expected[key], rtol=1e-13, atol=1e-13)


def test_second_derivative_is_refused() -> None:
    case = CASES["random"]
    query = case.query.clone().requires_grad_()
    out = graph_attention(query, case.key, case.value, case.edges, impl="numba")
    (grad,) = torch.autograd.grad(out.square().sum(), query, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative; use impl='reference'"):
        torch.autograd.grad(grad.sum(), query)


def test_import_loads_neither_numba_nor_triton() -> None:
    code = "import sys, gnnfuse.ops; print(sorted({'numba', 'triton', 'torch_scatter'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_kernels_compile_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import CacheImpl

    from gnnfuse.ops.attention.numba_kernels import attention_forward_kernel
    from gnnfuse.ops.cpu.numba_compile import compiled

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    kernel: Any = compiled(attention_forward_kernel.py_func)  # type: ignore[attr-defined]
    assert kernel.targetoptions["nogil"]


def test_auto_takes_numba_on_the_cpu_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from gnnfuse.ops.attention.attention import choose

    assert choose("auto", torch.device("cpu")) == "numba"
    monkeypatch.setitem(INSTALLED, "numba", False)
    assert choose("auto", torch.device("cpu")) == "reference"
    with pytest.raises(RuntimeError, match="numba, which is not installed: pip install numba"):
        choose("numba", torch.device("cpu"))


def test_auto_takes_triton_on_cuda_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from gnnfuse.ops.attention.attention import choose

    monkeypatch.setitem(INSTALLED, "triton", True)
    assert choose("auto", torch.device("cuda")) == "triton"
    assert choose("auto", torch.device("cuda"), torch.float64) == "reference"
    monkeypatch.setitem(INSTALLED, "triton", False)
    assert choose("auto", torch.device("cuda")) == "reference"


def test_numba_refuses_another_device() -> None:
    case = CASES["random"]
    floats = {name: tensor.to("meta") for name, tensor in case.floats().items()}
    with pytest.raises(ValueError, match="impl='numba' needs tensors on the CPU, found device meta"):
        graph_attention(**floats, edges=case.edges.to("meta"), impl="numba")


WRONG_INPUTS = [
    ({"query": torch.ones(2, 3)}, r"query must be \[nodes or rows, heads, dim\], found shape \(2, 3\)"),
    ({"query": torch.ones(2, 1, 0)}, "query must have a head_dim of at least 1, found 0"),
    ({"key": torch.ones(2, 1, 4)}, r"key must be \[rows, 1, 3\] as query, found shape \(2, 1, 4\)"),
    ({"value": torch.ones(3, 1, 3)}, r"value must be \[2, 1, dim\] as key, found shape \(3, 1, 3\)"),
    ({"value": torch.ones(2, 1, 3).double()}, "value must be .* found torch.float64 beside torch.float32"),
    ({"value": torch.ones(2, 1, 3, device="meta")}, "value must be on cpu as the first tensor, found meta"),
    (
        {"relation_bias": torch.ones(1, 2)},
        r"relation_bias must be floating \[relations, 1\], found .* \(1, 2\)",
    ),
    ({"relation_gate": torch.ones(1, 1).int()}, "relation_gate must be floating .* found torch.int32"),
    (
        {"relation_bias": torch.ones(1, 1), "relation_gate": torch.ones(2, 1)},
        "relation_bias and relation_gate need one number of relations, found 1 and 2",
    ),
    ({"query": torch.ones(3, 1, 3)}, r"edges.offsets must be int64 \[4\], one more than the nodes"),
    (
        {"key": torch.ones(5, 1, 3), "value": torch.ones(5, 1, 3)},
        r"edges.transpose.offsets must be int64 \[6\]",
    ),
    ({"query": torch.ones(1, 1, 3).expand(2, 1, 3)}, r"query must not be expanded .* pass query.contiguous\(\)"),
    ({"score": "cosine"}, "score must be 'dot' or 'additive', found 'cosine'"),
    ({"score": "additive"}, "score_weight is for score='additive', which needs it; found score='additive'"),
    ({"score_weight": torch.ones(1, 1, 3)}, "score_weight is for score='additive', .*; found score='dot'"),
    (
        {"score": "additive", "score_weight": torch.ones(1, 3)},
        r"score_weight must be floating \[relations, 1, 3\], found torch.float32 \(1, 3\)",
    ),
    ({"edge_bias": torch.ones(3, 1)}, r"edge_bias must be floating \[2, 1\], one row per edge; found .* \(3, 1\)"),
    ({"edge_gate": torch.ones(2)}, r"edge_gate must be floating \[2, 1\], one row per edge; found .* \(2,\)"),
    ({"edge_gate": torch.ones(2, 1).int()}, "edge_gate must be floating .*; found torch.int32"),
    ({"scale": float("nan")}, "scale must be finite, found nan"),
    ({"scale": float("-inf")}, "scale must be finite, found -inf"),
    ({"negative_slope": float("nan")}, "negative_slope must be finite, found nan"),
    ({"dropout": 1.0}, "dropout must be at least 0 and below 1, found 1.0"),
    ({"dropout": 0.5, "seed": torch.ones(1)}, r"seed must be a number or int64 \[1\], found torch.float32 \(1,\)"),
    ({"seed": 1.5, "dropout": 0.5}, "seed must be a whole number of 64 bits or int64 .*, found 1.5"),
    ({"seed": 2**63, "dropout": 0.5}, "seed must be a whole number of 64 bits or int64 .*, found 9223372036854775808"),
    ({"graph_id": torch.tensor([0, 5]), "num_graphs": 2}, "graph_id must lie in 0..1, found 0..5"),
    ({"graph_id": torch.tensor([0, -1]), "num_graphs": 2}, "graph_id must lie in 0..1, found -1..0"),
    ({"graph_id": torch.tensor([0, 2**62])}, "graph_id must lie in 0..1 without num_graphs, found 4611686018427387904"),
    ({"relation_bias": torch.ones(0, 1)}, r"edges.relation must lie in 0..-1, found 0..0"),
    ({"impl": "cuda"}, "impl must be one of 'auto', 'reference', .*; found 'cuda'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_INPUTS)
def test_wrong_inputs(change: dict[str, Any], message: str) -> None:
    ends = torch.tensor([0, 1])
    good: dict[str, Any] = {name: torch.ones(2, 1, 3) for name in ("query", "key", "value")}
    good["edges"] = edges_from_index(ends, ends, num_nodes=2)
    with pytest.raises(ValueError, match=message):
        graph_attention(**(good | change))


@pytest.mark.parametrize("name", ["src", "relation", "edge", "dst", "offsets"])
@pytest.mark.parametrize("wrong", [-1, 7])
def test_numba_looks_at_indices_before_it_uses_them(wrong: int, name: str) -> None:
    case = random_case(3, nodes=7, rows=7)
    edges = case.edges
    wrong_list = getattr(edges.transpose if name in ("edge", "dst") else edges, name).clone()
    wrong_list[0] = wrong
    if name in ("edge", "dst"):
        edges = edges._replace(transpose=edges.transpose._replace(**{name: wrong_list}))
    else:
        edges = edges._replace(**{name: wrong_list})
    with pytest.raises(ValueError, match=rf"edges\..*{name}.* must"):
        graph_attention(**case.floats(), edges=edges, impl="numba")
