"""The CPU kernels of the segment operators against the reference."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import segment_reduce, segment_softmax
from tests.ops.segment.cases import CASES, OPERATORS, TINY, Case, assert_as_good_as_reference
from tests.ops.tolerance import cpu_forms

LARGE = ["several_tasks_sorted", "several_tasks_unsorted", "one_hub_sorted", "one_hub_unsorted"]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces, tasks and copies: small inputs meet what large ones do."""
    monkeypatch.setattr("gnnfuse.ops.cpu.work.EDGES_PER_PIECE", 3)
    monkeypatch.setattr("gnnfuse.ops.segment.numba_plan.NUMBERS_PER_TASK", 4)
    monkeypatch.setattr("gnnfuse.ops.segment.numba_plan.NUMBERS_PER_COPY", 4)
    monkeypatch.setattr("gnnfuse.ops.segment.numba_plan.ITEMS_PER_COPY", 1)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("name", "dtype"), cpu_forms(CASES, narrow=["random_sorted", "random_unsorted"]), ids=str)
def test_kernel_against_reference(name: str, operator: str, dtype: torch.dtype) -> None:
    assert_as_good_as_reference(CASES[name], operator, "numba", dtype)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", TINY)
def test_kernel_against_reference_in_small_pieces(name: str, operator: str) -> None:
    assert_as_good_as_reference(TINY[name], operator, "numba", torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", ["random_sorted", "random_unsorted", "no_items_unsorted"])
def test_memory_that_was_not_empty(name: str, operator: str) -> None:
    clean = CASES[name].results(operator, "numba")
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        assert clean["out"].new_empty(3).isnan().all()
        poisoned = CASES[name].results(operator, "numba")
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(clean[key], poisoned[key]) for key in clean)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", TINY)
def test_the_same_where_no_gradient_is_asked_for(name: str, operator: str) -> None:
    case = TINY[name]
    assert torch.equal(case.call(operator, case.values, "numba"), case.results(operator, "numba")["out"])


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", ["random_sorted", "random_unsorted"])
def test_gradcheck(name: str, operator: str) -> None:
    case = CASES[name]

    def filled(values: Tensor) -> Tensor:
        out = case.call(operator, values, "numba")
        return out if operator == "softmax" else out[:7]  # of the others the logarithm is -inf

    assert torch.autograd.gradcheck(filled, (case.values.clone().requires_grad_(),))


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", [*LARGE, "wide_unsorted"])
def test_same_bits_for_any_number_of_threads(name: str, operator: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = CASES[name].results(operator, "numba", torch.float32)
        for threads in (2, 5):
            torch.set_num_threads(threads)
            together = CASES[name].results(operator, "numba", torch.float32)
            assert all(torch.equal(alone[key], together[key]) for key in alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", [*LARGE, "wide_unsorted"])
def test_same_bits_on_threads_that_are_not_pytorchs(name: str, operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    expected = CASES[name].results(operator, "numba", torch.float32)
    monkeypatch.setattr("gnnfuse.ops.cpu.work.FORKED", True)
    found = CASES[name].results(operator, "numba", torch.float32)
    assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize("operator", OPERATORS)
def test_forward_mode_is_refused_and_not_dropped(operator: str) -> None:
    case = CASES["random_sorted"]
    with torch.autograd.forward_ad.dual_level():
        make_dual: Any = torch.autograd.forward_ad.make_dual
        dual = make_dual(case.values, torch.ones_like(case.values))
        with pytest.raises(RuntimeError, match="jvp"):
            case.call(operator, dual, "numba")


def test_from_several_python_threads_at_once() -> None:
    case = CASES["several_tasks_unsorted"]
    expected = case.results("softmax", "numba")
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(lambda _: case.results("softmax", "numba"), range(8)):
            assert all(torch.equal(expected[key], results[key]) for key in expected)


class ResultsOf(torch.utils.data.Dataset[Tensor]):
    def __init__(self, case: Case) -> None:
        self.case = case

    def __len__(self) -> int:
        return 2

    def __getitem__(self, item: int) -> Tensor:
        # Forward only: autograd refuses a forked process whose parent has differentiated on other devices.
        return self.case.call("logsumexp", self.case.values, "numba")


@pytest.mark.skipif(sys.platform == "win32", reason="this platform cannot fork")
def test_in_a_forked_loader_worker() -> None:
    case = CASES["several_tasks_sorted"]
    expected = case.results("logsumexp", "numba")["out"]
    loader = torch.utils.data.DataLoader(
        ResultsOf(case), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=120
    )
    for found in loader:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("is_sorted", [True, False])
def test_strides_do_not_matter(is_sorted: bool, operator: str) -> None:
    case = CASES["random_sorted" if is_sorted else "random_unsorted"]
    values = torch.cat([case.values, case.values], 1)[:, :3].requires_grad_()
    out = case.call(operator, values, "numba")
    (grad,) = torch.autograd.grad(out, values, case.grad(operator).T.contiguous().T)
    expected = case.results(operator, "numba")
    assert torch.equal(out, expected["out"])
    assert torch.equal(grad, expected["values"])


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", ["random_sorted", "random_unsorted", "no_items_sorted"])
def test_opcheck(name: str, operator: str) -> None:
    case = CASES[name]
    values = case.values.detach().clone().requires_grad_()
    place = next(iter(case.where.values()))
    ops = torch.ops.gnnfuse
    if operator == "softmax":
        arguments: tuple[Any, ...] = (place, case.is_sorted, case.num_segments)
        torch.library.opcheck(ops.segment_softmax_numba.default, (values, *arguments))
        weights = ops.segment_softmax_numba.default(values.detach(), *arguments)
        torch.library.opcheck(
            ops.segment_softmax_numba_backward.default, (torch.ones_like(weights), weights, *arguments)
        )
        return
    arguments = (place, case.is_sorted, case.num_segments, operator)
    torch.library.opcheck(ops.segment_reduce_numba.default, (values, *arguments))
    out, found = ops.segment_reduce_numba.default(values.detach(), *arguments)
    backward = (torch.ones_like(out), values.detach(), out, found, place, case.is_sorted, len(values), operator)
    torch.library.opcheck(ops.segment_reduce_numba_backward.default, backward)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("is_sorted", [True, False])
def test_compiled_as_one_graph(is_sorted: bool, operator: str) -> None:
    case = CASES["random_sorted" if is_sorted else "random_unsorted"]
    torch._dynamo.reset()  # each operator is another function to compile, and there is a limit on them
    compiled = torch.compile(lambda values: case.call(operator, values, "numba"), fullgraph=True, backend="aot_eager")
    values = case.values.clone().requires_grad_()
    out = compiled(values)
    (grad,) = torch.autograd.grad(out, values, case.grad(operator))
    expected = case.results(operator, "numba")
    assert torch.equal(out, expected["out"])
    assert torch.equal(grad, expected["values"])


@pytest.mark.parametrize("operator", ["sum", "softmax"])
def test_second_derivative_is_refused(operator: str) -> None:
    case = CASES["random_unsorted"]
    values = case.values.clone().requires_grad_()
    out = case.call(operator, values, "numba")
    (grad,) = torch.autograd.grad(out.square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative; use impl='reference'"):
        torch.autograd.grad(grad.sum(), values)


@pytest.mark.parametrize("exponent", [-87, -20, -1, 0])
def test_exponentials_are_as_good_as_torch(exponent: int) -> None:
    """One segment of 0 and x has the weights 1 / (1 + e^x) and e^x / (1 + e^x), at 1,000 x beside the exponent."""
    steps = torch.linspace(0, 1, 1000, dtype=torch.float64)
    scores = torch.stack([torch.zeros(1000, dtype=torch.float64), (exponent - steps).float().double()])
    case = Case(scores, torch.zeros(2, dtype=torch.int64), 1, is_sorted=False)
    exact, found = (
        case.results("softmax", impl, dtype)["out"]
        for impl, dtype in (("reference", torch.float64), ("numba", torch.float32))
    )
    normal = exact > torch.finfo(torch.float32).tiny
    off = ((found - exact) / exact)[normal].abs()
    assert off.max() <= 3 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("impl", ["reference", "numba"])
def test_infinite_scores(impl: Any) -> None:
    scores = torch.tensor([-torch.inf, -torch.inf, -torch.inf, 0.0, torch.inf]).requires_grad_()
    index = torch.tensor([0, 0, 1, 1, 2])
    assert segment_softmax(scores, index, 3, impl=impl)[:4].tolist() == [0.0, 0.0, 0.0, 1.0]
    total = segment_reduce(scores, index, 4, reduce="logsumexp", impl=impl)
    assert total.tolist() == [-torch.inf, 0.0, torch.inf, -torch.inf]
    (grad,) = torch.autograd.grad(total[1], scores)
    assert grad[:4].tolist() == [0.0, 0.0, 0.0, 1.0]
