"""Results may be changed in place, small ones and those that lie in memory kept from earlier ones."""

import pytest
import torch

from gnnfuse.ops import edges_from_index, graph_attention, neighbor_sum, typed_linear
from gnnfuse.ops.cpu.new_memory import KEPT_FROM

SMALL, LARGE = 64, KEPT_FROM // 128  # rows of 64 float32 numbers: below and well above what is kept


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_results_are_no_views(rows: int) -> None:
    value = torch.randn(rows, 64, requires_grad=True)
    edges = edges_from_index(torch.arange(rows).flip(0), torch.arange(rows), num_nodes=rows)
    weight, bias = torch.eye(64).requires_grad_(), torch.zeros(64, requires_grad=True)
    heads = value.view(rows, 4, 16)
    results = [
        neighbor_sum(value, edges, impl="numba"),
        typed_linear(value, [weight], [bias], [rows])[0],
        graph_attention(heads, heads, heads, edges, impl="numba"),
    ]
    for out in results:
        assert out._base is None
        out.add_(1).mul_(2)
        torch.autograd.grad(out.sum(), value)
    with torch.no_grad():
        plain = neighbor_sum(value, edges, impl="numba")
    plain.add_(value)
    assert plain.requires_grad


@pytest.mark.parametrize("rows", [SMALL, LARGE])
@pytest.mark.parametrize("impl", ["numba", "reference"])
def test_weights_that_were_given_out_are_the_callers(rows: int, impl: str) -> None:
    heads = torch.randn(rows, 4, 16, requires_grad=True)
    edges = edges_from_index(torch.arange(rows).repeat(2), torch.arange(rows).repeat(2).flip(0), num_nodes=rows)
    out, weights = graph_attention(heads, heads, heads, edges, return_weights=True, impl=impl)  # type: ignore[call-overload]
    (expected,) = torch.autograd.grad(out.sum(), heads, retain_graph=True)
    weights.zero_()
    (found,) = torch.autograd.grad(out.sum(), heads)
    assert torch.equal(found, expected)


def test_offsets_of_no_length_are_refused() -> None:
    edges = edges_from_index(torch.zeros(0).long(), torch.zeros(0).long(), num_nodes=0)
    with pytest.raises(ValueError, match="offsets must have one entry more"):
        neighbor_sum(torch.ones(0, 2), edges._replace(offsets=torch.zeros(0).long()))
