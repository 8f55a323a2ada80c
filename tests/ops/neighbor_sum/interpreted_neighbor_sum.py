"""`neighbor_sum(impl="triton")` by Triton's interpreter; test_neighbor_sum_triton.py runs this file in a process."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import neighbor_sum
from gnnfuse.ops.neighbor_sum.operator import edge_lists
from tests.ops.neighbor_sum.cases import TINY, Case, assert_as_good_as_reference, random_case
from tests.ops.triton_checks import let_the_interpreter_count

let_the_interpreter_count()
REDUCTIONS: list[Any] = ["sum", "mean", "max"]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of more than three edges are long ones."""
    monkeypatch.setattr("gnnfuse.ops.cuda.triton_reduce.PIECE", 3)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", TINY)
def test_against_reference(name: str, reduce: str) -> None:
    assert_as_good_as_reference(TINY[name], "triton", reduce, torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", ["random", "without_weight", "width_one"])
def test_long_rows(name: str, reduce: str) -> None:
    assert_as_good_as_reference(TINY[name], "triton", reduce, torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_one_row_of_many_pieces_between_empty_ones(reduce: str) -> None:
    hub = random_case(40, nodes=6, rows=40)  # of the six nodes one alone has edges
    assert hub.edges.offsets.tolist() == [0, 40, 40, 40, 40, 40, 40]
    assert_as_good_as_reference(hub, "triton", reduce, torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_same_bits_in_memory_that_was_not_empty(reduce: str) -> None:
    clean = TINY["random"].results("triton", reduce, torch.float32)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        poisoned = TINY["random"].results("triton", reduce, torch.float32)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(clean[key], poisoned[key]) for key in clean)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_gradcheck(reduce: Any) -> None:
    case = random_case(12, nodes=7, rows=8, dim=2)
    assert case.weight is not None

    def reduced(value: Tensor, weight: Tensor) -> Tensor:
        return neighbor_sum(value, case.edges, weight=weight, reduce=reduce, impl="triton")

    assert torch.autograd.gradcheck(
        reduced, (case.value.requires_grad_(), case.weight.requires_grad_()), fast_mode=True
    )


@pytest.mark.usefixtures("small_pieces")
def test_nan_is_the_highest_of_all() -> None:
    case = TINY["without_weight"]
    value = case.value.float()
    value[4, 1] = torch.nan
    expected, found = (neighbor_sum(value, case.edges, reduce="max", impl=impl) for impl in ("reference", "triton"))
    assert expected.isnan().any()
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_strides_do_not_matter() -> None:
    case = TINY["random"]
    strided = Case(
        torch.cat([case.value, case.value], 1)[:, :4], case.edges, case.weight, case.grad_out.T.contiguous().T
    )
    found, expected = strided.results("triton"), case.results("triton")
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", ["random", "no_edges"])
def test_opcheck(name: str, reduce: str) -> None:
    case = TINY[name]
    assert case.weight is not None
    lists = edge_lists(case.edges)
    value, weight = case.value.float(), case.weight.float()
    inputs = (value.clone().requires_grad_(), weight.clone().requires_grad_(), lists, reduce)
    torch.library.opcheck(torch.ops.gnnfuse.neighbor_sum_triton.default, inputs)
    out, highest = torch.ops.gnnfuse.neighbor_sum_triton.default(value, weight, lists, reduce)
    backward = torch.ops.gnnfuse.neighbor_sum_triton_backward.default
    arguments = (torch.ones_like(out), value, weight, lists, highest, reduce, [True, True])
    torch.library.opcheck(backward, arguments)


def test_compiled_as_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnnfuse.ops.choose.interpreted", lambda: True)  # a compiler cannot trace the environment
    case = TINY["random"]
    compiled = torch.compile(neighbor_sum, fullgraph=True, backend="aot_eager")
    value = case.value.float().requires_grad_()
    out = compiled(value, case.edges, impl="triton")
    (grad,) = torch.autograd.grad(out, value, case.grad_out.float())
    plain = neighbor_sum(value, case.edges, impl="triton")
    assert torch.equal(out, plain)
    assert torch.equal(grad, torch.autograd.grad(plain, value, case.grad_out.float())[0])
