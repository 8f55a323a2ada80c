"""typed_linear: each row by its own type's map, whatever the implementation."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import typed_linear

Impl = Literal["reference", "in_place"]
IMPLS: list[Impl] = ["reference", "in_place"]
CASES = {"three_types": ([3, 4, 2], 6), "an_empty_type": ([3, 0, 2], 6), "no_rows": ([0, 0], 6), "one_row": ([1], 9)}


def inputs(
    counts: list[int], out_dim: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(sum(counts))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    return normal(sum(counts), 5), [normal(out_dim, 5) for _ in counts], [normal(out_dim) for _ in counts]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_row_by_row(name: str, parts: int, impl: Impl) -> None:
    counts, out_dim = CASES[name]
    values, weights, biases = inputs(counts, out_dim)
    found = typed_linear(values, weights, biases, counts, parts=parts, impl=impl)
    kinds = [kind for kind, count in enumerate(counts) for _ in range(count)]
    rows = [weights[kind] @ row + biases[kind] for kind, row in zip(kinds, values, strict=True)]
    expected = torch.stack(rows) if rows else torch.empty(0, out_dim, dtype=torch.float64)
    assert len(found) == parts
    torch.testing.assert_close(torch.cat(found, 1), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("parts", [1, 2])
def test_gradcheck(parts: int, impl: Impl) -> None:
    values, weights, biases = inputs([2, 0, 3], 4)

    def mapped(values: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        return typed_linear(values, maps[:3], maps[3:], [2, 0, 3], parts=parts, impl=impl)

    assert torch.autograd.gradcheck(mapped, (values, *weights, *biases))


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_one_gradient_alone_and_one_part_unused(wanted: int) -> None:
    grads = []
    for impl in IMPLS:
        values, weights, biases = inputs([2, 3], 6)
        given = [values, *weights, *biases]
        for tensor in given:
            tensor.requires_grad_(False)
        chosen = [values, weights[1], biases[0]][wanted].requires_grad_()
        first, _, third = typed_linear(values, weights, biases, [2, 3], parts=3, impl=impl)
        grads.append(torch.autograd.grad((first * third).sum(), chosen)[0])
    torch.testing.assert_close(*grads, rtol=1e-14, atol=1e-14)


def test_memory_that_was_not_empty() -> None:
    values, weights, biases = inputs([2, 3], 6)
    ones = [torch.ones(5, 3, dtype=torch.float64)] * 2
    clean = torch.autograd.grad(typed_linear(values, weights, biases, [2, 3], parts=2), [values, *weights], ones)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        poisoned = torch.autograd.grad(typed_linear(values, weights, biases, [2, 3], parts=2), [values, *weights], ones)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(one, other) for one, other in zip(clean, poisoned, strict=True))


def test_opcheck_and_one_graph() -> None:
    values, weights, biases = inputs([2, 3], 6)
    torch.library.opcheck(torch.ops.gnnfuse.typed_linear.default, (values, weights, biases, [2, 3], 2))
    compiled = torch.compile(typed_linear, fullgraph=True, backend="aot_eager")
    found = compiled(values, weights, biases, [2, 3], parts=2)
    for one, other in zip(found, typed_linear(values, weights, biases, [2, 3], parts=2), strict=True):
        assert torch.equal(one, other)
    grads = [
        torch.autograd.grad(outs[0].square().sum(), values)[0]
        for outs in (found, compiled(values, weights, biases, [2, 3], parts=2))
    ]
    assert torch.equal(*grads)


@pytest.mark.parametrize("impl", IMPLS)
def test_autocast(impl: Impl) -> None:
    values, weights, biases = inputs([2, 3], 6, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,) = typed_linear(values, weights, biases, [2, 3], impl=impl)
    assert found.dtype == torch.bfloat16
    (grad,) = torch.autograd.grad(found.sum(), values)
    assert grad.dtype == torch.float32
    (exact,) = typed_linear(values, weights, biases, [2, 3])
    size = values.detach().abs() @ torch.stack([w.detach().abs().T for w in weights]).amax(0)  # what may be rounded off
    assert ((found.float() - exact).abs() <= 4 * torch.finfo(torch.bfloat16).eps * (size + 1)).all()


def test_second_derivative_is_refused() -> None:
    values, weights, biases = inputs([2, 3], 6)
    (out,) = typed_linear(values, weights, biases, [2, 3])
    (grad,) = torch.autograd.grad(out.square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative; use impl='reference'"):
        torch.autograd.grad(grad.sum(), values)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"values": torch.ones(5)}, r"values must be floating \[rows, in_dim\], found torch.float32 \(5,\)"),
    ({"counts": [2, 2]}, r"counts must add up to the 5 rows of values, found \[2, 2\]"),
    ({"counts": [6, -1]}, "counts must add up to the 5 rows"),
    ({"biases": [torch.ones(6)]}, "one per type, found 2 weights, 1 biases, 2 counts"),
    ({"weights": [torch.ones(6, 5), torch.ones(6, 4)]}, r"weights\[1\] must be floating \[6, 5\], found .* \(6, 4\)"),
    ({"parts": 4}, "parts must divide out_dim 6, found 4"),
    ({"impl": "grouped"}, "impl must be one of 'auto', 'reference', 'in_place'; found 'grouped'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_inputs(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "values": torch.ones(5, 5),
        "weights": [torch.ones(6, 5)] * 2,
        "biases": [torch.ones(6)] * 2,
        "counts": [2, 3],
    }
    with pytest.raises(ValueError, match=message):
        typed_linear(**(good | change))


def test_autocast_spares_float64_as_matrix_products_do() -> None:
    values, weight, bias = torch.ones(2, 3).double(), torch.ones(4, 3).double(), torch.zeros(4).double()
    with torch.autocast("cpu", torch.bfloat16):
        assert typed_linear(values, [weight], [bias], [2])[0].dtype == torch.float64


def test_dtypes_that_differ_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"values, weights and biases must have one dtype, found torch\.float32, torch\.float64$"
    ):
        typed_linear(torch.ones(2, 3), [torch.ones(4, 3).double()], [torch.zeros(4)], [2])
