"""Graphs and calls of `neighbor_sum` that its implementations are tested by."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops import Edges, edges_from_index, neighbor_sum
from tests.ops.tolerance import assert_as_close


@dataclass(frozen=True)
class Case:
    """One call's float64 inputs, and the gradient that comes back into its output."""

    value: Tensor
    edges: Edges
    weight: Tensor | None
    grad_out: Tensor

    def floats(self) -> dict[str, Any]:
        """The tensors to differentiate by."""
        return {"value": self.value} if self.weight is None else {"value": self.value, "weight": self.weight}

    def rounded(self, dtype: torch.dtype) -> "Case":
        """The inputs as they are in another dtype, in float64 again."""
        floats: dict[str, Any] = {name: tensor.to(dtype).double() for name, tensor in self.floats().items()}
        return replace(self, **floats, grad_out=self.grad_out.to(dtype).double())

    def results(self, impl: Any, reduce: Any = "sum", dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
        """The output and every gradient."""
        floats: dict[str, Any] = {
            name: tensor.to(dtype).detach().requires_grad_() for name, tensor in self.floats().items()
        }
        out = neighbor_sum(edges=self.edges, reduce=reduce, impl=impl, **floats)
        grads = torch.autograd.grad(out, list(floats.values()), self.grad_out.to(dtype))
        return {"out": out.detach(), **dict(zip(floats, grads, strict=True))}

    def backwards(self, reduce: str) -> dict[str, Tensor]:
        """The reference's float64 results where every sum runs over its edges or columns in reverse order."""
        edges = self.edges
        turned = replace(
            self,
            value=self.value.flip(1),
            edges=edges._replace(offsets=edges.num_edges - edges.offsets.flip(0), src=edges.src.flip(0)),
            weight=None if self.weight is None else self.weight.flip(0),
            grad_out=self.grad_out.flip(0, 1),
        )
        axes = {"out": (0, 1), "value": (1,), "weight": (0,)}
        return {name: tensor.flip(axes[name]) for name, tensor in turned.results("reference", reduce).items()}


def make(src: Tensor, dst: Tensor, *, nodes: int, rows: int, dim: int = 4, weighted: bool = True) -> Case:
    generator = torch.Generator().manual_seed(len(src))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    relation = torch.randint(0, 3, src.shape, generator=generator)
    edges = edges_from_index(src, dst, relation, num_nodes=nodes, num_rows=rows)
    return Case(normal(rows, dim), edges, normal(len(src)) if weighted else None, normal(nodes, dim))


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


NONE = torch.empty(0, dtype=torch.int64)
TINY = {
    "random": random_case(60, nodes=12, rows=14),
    "without_weight": random_case(60, nodes=12, rows=14, weighted=False),
    "odd_width": random_case(40, nodes=9, rows=8, dim=7),
    "width_one": random_case(40, nodes=9, rows=8, dim=1),
    "no_edges": random_case(0, nodes=6, rows=7),
    "no_nodes": make(NONE, NONE, nodes=0, rows=0),
    "rows_without_nodes": make(NONE, NONE, nodes=0, rows=3),
    "no_columns": random_case(20, nodes=8, rows=9, dim=0),
}
CASES = TINY | {
    "several_chunks": random_case(20_000, nodes=900, rows=700, dim=8),
    "wide": random_case(300, dim=256),
    "wide_pieces": random_case(3000, nodes=7, rows=40, dim=300),
    "hub": hub_case(),
}


def assert_as_good_as_reference(case: Case, impl: str, reduce: str, dtype: torch.dtype) -> None:
    exact = case.rounded(dtype).results("reference", reduce)
    is_exact = dtype == torch.float64
    reference = case.backwards(reduce) if is_exact else case.results("reference", reduce, dtype)
    assert_as_close(case.results(impl, reduce, dtype), reference, exact, dtype)
