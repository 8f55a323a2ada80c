import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import edges_from_index, neighbor_sum
from gnnfuse.ops.choose import INSTALLED
from gnnfuse.ops.neighbor_sum.neighbor_sum import choose
from gnnfuse.ops.neighbor_sum.operator import edge_lists
from tests.ops.neighbor_sum.cases import CASES, Case, assert_as_good_as_reference, random_case
from tests.ops.tolerance import cpu_forms

IMPLS: list[Any] = ["reference", "numba"]
REDUCTIONS: list[Any] = ["sum", "mean", "max"]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut rows at every third edge: small graphs meet what large ones do."""
    monkeypatch.setattr("gnnfuse.ops.cpu.work.EDGES_PER_PIECE", 3)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_by_double_loop(reduce: str, impl: str) -> None:
    case = CASES["random"]
    assert case.weight is not None
    value, weight, src = case.value.tolist(), case.weight.tolist(), case.edges.src.tolist()
    offsets = case.edges.offsets.tolist()
    out = case.results(impl, reduce)["out"]
    for node in range(len(out)):
        for d in range(out.shape[1]):
            terms = [weight[e] * value[src[e]][d] for e in range(offsets[node], offsets[node + 1])]
            expected = max(terms, default=0.0) if reduce == "max" else math.fsum(terms)
            expected /= max(len(terms), 1) if reduce == "mean" else 1
            assert float(out[node, d]) == pytest.approx(expected, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize(("name", "dtype"), cpu_forms(CASES, narrow=["random", "without_weight"]), ids=str)
def test_kernel_against_reference(name: str, reduce: str, dtype: torch.dtype) -> None:
    assert_as_good_as_reference(CASES[name], "numba", reduce, dtype)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("hub", "several_chunks", "wide_pieces")])
def test_kernel_against_reference_in_small_pieces(name: str, reduce: str) -> None:
    assert_as_good_as_reference(CASES[name], "numba", reduce, torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", ["random", "odd_width", "several_chunks", "no_edges"])
def test_memory_that_was_not_empty(name: str, reduce: str) -> None:
    clean = CASES[name].results("numba", reduce)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        assert clean["value"].new_empty(3).isnan().all()
        poisoned = CASES[name].results("numba", reduce)
    finally:
        torch.use_deterministic_algorithms(False)
    for key, tensor in clean.items():
        assert torch.equal(tensor, poisoned[key]), key


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("weighted", [True, False])
def test_gradcheck(weighted: bool, reduce: Any, impl: Any) -> None:
    case = random_case(30, nodes=10, rows=11, dim=3, weighted=weighted)
    floats = {name: tensor.requires_grad_() for name, tensor in case.floats().items()}

    def reduced(*tensors: Tensor) -> Tensor:
        named: dict[str, Any] = dict(zip(floats, tensors, strict=True))
        return neighbor_sum(**named, edges=case.edges, reduce=reduce, impl=impl)

    assert torch.autograd.gradcheck(reduced, tuple(floats.values()))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("wanted", ["value", "weight"])
def test_one_gradient_alone(wanted: str, reduce: Any, impl: Any) -> None:
    case = CASES["random"]
    floats: dict[str, Any] = {name: tensor.detach().clone() for name, tensor in case.floats().items()}
    floats[wanted].requires_grad_()
    out = neighbor_sum(**floats, edges=case.edges, reduce=reduce, impl=impl)
    (grad,) = torch.autograd.grad(out, floats[wanted], case.grad_out)
    assert torch.equal(grad, case.results(impl, reduce)[wanted])


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_isolated_nodes_get_zeros_and_unread_rows_no_gradient(reduce: str, impl: str) -> None:
    results = CASES["random"].results(impl, reduce)
    assert (results["out"][-5:] == 0).all()
    assert (results["value"][-5:] == 0).all()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("impl", IMPLS)
def test_the_first_of_equal_maxima_gets_the_gradient(impl: Any) -> None:
    """Five equal neighbours, cut into two pieces; the first has the lowest source."""
    edges = edges_from_index(torch.tensor([4, 2, 3, 5, 1]), torch.zeros(5, dtype=torch.int64), num_nodes=6)
    value = torch.full((6, 2), -torch.inf).requires_grad_()
    out = neighbor_sum(value, edges, reduce="max", impl=impl)
    (grad,) = torch.autograd.grad(out[0].sum(), value)
    assert (out[0] == -torch.inf).all()
    assert grad.nonzero().tolist() == [[1, 0], [1, 1]]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_nan_reaches_the_nodes_that_read_it_and_no_other(reduce: Any, impl: Any) -> None:
    case = CASES["without_weight"]
    value = case.value.clone()
    value[4] = torch.nan
    out = neighbor_sum(value, case.edges, reduce=reduce, impl=impl)
    hit = torch.zeros(len(out), dtype=torch.bool)
    hit[case.edges.dst()[case.edges.src == 4]] = True
    assert torch.equal(out.isnan().all(-1), hit)
    assert torch.equal(out.isnan().any(-1), hit)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_strides_do_not_matter(reduce: str, impl: str) -> None:
    case = CASES["random"]
    expected = case.results(impl, reduce)
    assert case.weight is not None
    strided = Case(
        torch.cat([case.value, case.value], 1)[:, :4],
        case.edges,
        torch.stack([case.weight, case.weight], 1)[:, 0],
        case.grad_out.T.contiguous().T,
    )
    assert not strided.value.is_contiguous()
    for name, tensor in strided.results(impl, reduce).items():
        assert torch.equal(tensor, expected[name])


def test_a_gradient_that_is_expanded() -> None:
    """The gradient of a sum is one number seen at every place."""
    case = CASES["random"]
    value = case.value.clone().requires_grad_()
    sums = [neighbor_sum(value, case.edges, weight=case.weight, impl=impl).sum() for impl in IMPLS]
    expected, found = (torch.autograd.grad(total, value)[0] for total in sums)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", ["several_chunks", "hub"])
def test_same_bits_for_any_number_of_threads(name: str, reduce: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = CASES[name].results("numba", reduce, torch.float32)
        for threads in (2, 5):
            torch.set_num_threads(threads)
            together = CASES[name].results("numba", reduce, torch.float32)
            assert all(torch.equal(alone[key], together[key]) for key in alone)
    finally:
        torch.set_num_threads(before)


def test_from_several_python_threads_at_once() -> None:
    case = CASES["several_chunks"]
    expected = case.results("numba")
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(lambda _: case.results("numba"), range(8)):
            assert all(torch.equal(expected[key], results[key]) for key in expected)


class ResultsOf(torch.utils.data.Dataset[Tensor]):
    def __init__(self, case: Case) -> None:
        self.case = case

    def __len__(self) -> int:
        return 2

    def __getitem__(self, item: int) -> Tensor:
        # Forward only: autograd refuses a forked process whose parent has differentiated on other devices.
        return neighbor_sum(edges=self.case.edges, impl="numba", **self.case.floats())


@pytest.mark.skipif(sys.platform == "win32", reason="this platform cannot fork")
def test_in_a_forked_loader_worker() -> None:
    case = CASES["several_chunks"]
    expected = case.results("numba")["out"]
    loader = torch.utils.data.DataLoader(
        ResultsOf(case), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=120
    )
    for found in loader:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", ["random", "without_weight", "no_edges"])
def test_opcheck(name: str, reduce: str) -> None:
    case = CASES[name]
    lists = edge_lists(case.edges)
    value = case.value.detach().clone().requires_grad_()
    weight = None if case.weight is None else case.weight.detach().clone().requires_grad_()
    torch.library.opcheck(torch.ops.gnnfuse.neighbor_sum_numba.default, (value, weight, lists, reduce))
    value, weight = value.detach(), None if weight is None else weight.detach()
    out, highest = torch.ops.gnnfuse.neighbor_sum_numba.default(value, weight, lists, reduce)
    for needs in ([True, weight is not None], [True, False]):
        backward = torch.ops.gnnfuse.neighbor_sum_numba_backward.default
        torch.library.opcheck(backward, (torch.ones_like(out), value, weight, lists, highest, reduce, needs))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_compiled_as_one_graph(reduce: Any, impl: Any) -> None:
    compiled = torch.compile(neighbor_sum, fullgraph=True, backend="aot_eager")
    for name in ("random", "odd_width"):
        case = CASES[name]
        floats: dict[str, Any] = {
            key: tensor.detach().clone().requires_grad_() for key, tensor in case.floats().items()
        }
        out = compiled(edges=case.edges, reduce=reduce, impl=impl, **floats)
        grads = torch.autograd.grad(out, list(floats.values()), case.grad_out)
        expected = case.results(impl, reduce)
        for key, found in {"out": out.detach(), **dict(zip(floats, grads, strict=True))}.items():
            torch.testing.assert_close(found, expected[key], rtol=1e-13, atol=1e-13)


def test_second_derivative_is_refused() -> None:
    case = CASES["random"]
    value = case.value.clone().requires_grad_()
    out = neighbor_sum(value, case.edges, impl="numba")
    (grad,) = torch.autograd.grad(out.square().sum(), value, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative; use impl='reference'"):
        torch.autograd.grad(grad.sum(), value)


def test_auto_takes_the_kernel_of_the_device_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto", torch.device("cpu")) == "numba"
    assert choose("auto", torch.device("meta")) == "reference"
    assert choose("auto", torch.device("cuda")) == ("triton" if INSTALLED["triton"] else "reference")
    monkeypatch.setitem(INSTALLED, "numba", False)
    assert choose("auto", torch.device("cpu")) == "reference"
    with pytest.raises(RuntimeError, match="numba, which is not installed: pip install numba"):
        choose("numba", torch.device("cpu"))


def test_import_loads_neither_numba_nor_triton() -> None:
    code = "import sys, gnnfuse.ops; print(sorted({'numba', 'triton', 'torch_scatter'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


WRONG_INPUTS = [
    ({"value": torch.ones(2)}, r"value must be floating \[rows, dim\], found torch.float32 \(2,\)"),
    ({"value": torch.ones(2, 3).int()}, "value must be floating .* found torch.int32"),
    ({"value": torch.ones(1, 3).expand(2, 3)}, r"value must not be expanded \(stride 0\)"),
    ({"weight": torch.ones(3)}, r"weight must be floating \[2\], one per edge; found torch.float32 \(3,\)"),
    ({"weight": torch.ones(2, device="meta")}, "weight must be on cpu as the first tensor, found meta"),
    ({"value": torch.ones(3, 3)}, r"edges.transpose.offsets must be int64 \[4\]"),
    ({"reduce": "median"}, "reduce must be 'sum', 'mean' or 'max', found 'median'"),
    ({"impl": "cuda"}, "impl must be one of 'auto', 'reference', .*; found 'cuda'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_INPUTS)
def test_wrong_inputs(change: dict[str, Any], message: str) -> None:
    ends = torch.tensor([0, 1])
    good: dict[str, Any] = {"value": torch.ones(2, 3), "edges": edges_from_index(ends, ends, num_nodes=2)}
    with pytest.raises(ValueError, match=message):
        neighbor_sum(**(good | change))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("name", ["src", "edge", "dst", "offsets"])
@pytest.mark.parametrize("wrong", [-1, 7])
def test_indices_are_looked_at_before_they_are_used(wrong: int, name: str, impl: str) -> None:
    case = random_case(3, nodes=7, rows=7)
    edges = case.edges
    wrong_list = getattr(edges.transpose if name in ("edge", "dst") else edges, name).clone()
    wrong_list[0] = wrong
    if name in ("edge", "dst"):
        edges = edges._replace(transpose=edges.transpose._replace(**{name: wrong_list}))
    else:
        edges = edges._replace(**{name: wrong_list})
    with pytest.raises(ValueError, match=rf"edges\..*{name}.* must"):
        Case(case.value, edges, case.weight, case.grad_out).results(impl)
