"""What autocast gives to attention: states in 16 bits, tables in float32."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import edges_from_index, graph_attention

Impl = Literal["reference", "numba", "dense"]


def results(impl: Impl, states_dtype: torch.dtype, tables_dtype: torch.dtype, *, rounded: torch.dtype) -> list[Tensor]:
    """Output and gradients for numbers that `rounded` can say."""
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(0, 20, (2, 150), generator=generator)
    edges = edges_from_index(src, dst, torch.arange(150) % 3, num_nodes=20)
    draws = [torch.randn(*shape, generator=generator) for shape in (*[(20, 2, 5)] * 4, *[(3, 2)] * 2)]
    query, key, value, grad_out = (draw.to(rounded).to(states_dtype).requires_grad_() for draw in draws[:4])
    bias, gate = (draw.to(tables_dtype).requires_grad_() for draw in draws[4:])
    named: dict[str, Any] = {"relation_bias": bias, "relation_gate": gate, "impl": impl}
    out = graph_attention(query, key, value, edges, **named)
    return [out, *torch.autograd.grad(out, [query, key, value, bias, gate], grad_out)]


@pytest.mark.parametrize("impl", ["reference", "numba", "dense"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_states_of_16_bits_beside_tables_in_float32(impl: Impl, dtype: torch.dtype) -> None:
    """It is what float32 gives for the same numbers, each result rounded to its own dtype."""
    mixed = results(impl, dtype, torch.float32, rounded=dtype)
    plain = results(impl, torch.float32, torch.float32, rounded=dtype)
    assert [tensor.dtype for tensor in mixed] == [dtype] * 4 + [torch.float32] * 2
    for found, expected in zip(mixed, plain, strict=True):
        assert torch.equal(found, expected.to(found.dtype))


@pytest.mark.parametrize("impl", ["reference", "numba", "dense"])
def test_under_autocast_states_are_brought_to_its_dtype(impl: Impl) -> None:
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(0, 20, (2, 150), generator=generator)
    edges = edges_from_index(src, dst, num_nodes=20)
    query, key, value = (torch.randn(20, 2, 5, generator=generator).requires_grad_() for _ in range(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = graph_attention(query, key.bfloat16(), value, edges, impl=impl)
        double = graph_attention(query.double(), key.double(), value.double(), edges, impl=impl)
    expected = graph_attention(query.bfloat16(), key.bfloat16(), value.bfloat16(), edges, impl=impl)
    assert torch.equal(mixed, expected)
    assert double.dtype == torch.float64
    assert [grad.dtype for grad in torch.autograd.grad(mixed.sum(), [query, key, value])] == [torch.float32] * 3
