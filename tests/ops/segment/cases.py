"""Segments, and calls of the segment operators, that their implementations are tested by."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops import segment_reduce, segment_softmax
from tests.ops.tolerance import assert_as_close

OPERATORS = ["sum", "mean", "min", "max", "logsumexp", "softmax"]


@dataclass(frozen=True)
class Case:
    """Values in float64 and the segments they are in, sorted or not."""

    values: Tensor
    index: Tensor
    num_segments: int
    is_sorted: bool

    @property
    def where(self) -> dict[str, Any]:
        """The arguments that say where the items belong."""
        if not self.is_sorted:
            return {"index": self.index, "num_segments": self.num_segments}
        counts = torch.bincount(self.index, minlength=self.num_segments)
        return {"offsets": torch.cat([counts.new_zeros(1), counts.cumsum(0)])}

    def call(self, operator: Any, values: Tensor, impl: Any) -> Tensor:
        if operator == "softmax":
            return segment_softmax(values, **self.where, impl=impl)
        return segment_reduce(values, **self.where, reduce=operator, impl=impl)

    def grad(self, operator: str) -> Tensor:
        """The gradient that comes back into the output; the same for a segment wherever it stands."""
        shape = self.values.shape if operator == "softmax" else (self.num_segments, *self.values.shape[1:])
        generator = torch.Generator().manual_seed(self.num_segments)
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(self.values.device)

    def results(
        self, operator: str, impl: str, dtype: torch.dtype = torch.float64, grad: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The output and the gradient of the values."""
        values = self.values.to(dtype).detach().requires_grad_()
        out = self.call(operator, values, impl)
        grad = self.grad(operator) if grad is None else grad
        return {"out": out.detach(), "values": torch.autograd.grad(out, values, grad.to(dtype))[0]}

    def rounded(self, dtype: torch.dtype) -> "Case":
        """The values as they are in another dtype, in float64 again."""
        return replace(self, values=self.values.to(dtype).double())

    def backwards(self, operator: str) -> dict[str, Tensor]:
        """The reference's float64 results with the items in reverse order."""
        turned = replace(self, values=self.values.flip(0), index=self.index.flip(0), is_sorted=False)
        by_item = operator == "softmax"
        grad = self.grad(operator).flip(0) if by_item else self.grad(operator)
        results = turned.results(operator, "reference", grad=grad)
        return {"out": results["out"].flip(0) if by_item else results["out"], "values": results["values"].flip(0)}


def make(items: int, *columns: int, segments: int, is_sorted: bool, filled: int | None = None) -> Case:
    """Items in random segments; only the first `filled` of these have any."""
    generator = torch.Generator().manual_seed(items)
    values = torch.randn(items, *columns, generator=generator, dtype=torch.float64)
    index = torch.randint(0, segments if filled is None else filled, (items,), generator=generator)
    return Case(values, index.sort().values if is_sorted else index, segments, is_sorted)


def both(name: str, items: int, *columns: int, **sizes: int) -> dict[str, Case]:
    """The same items with sorted offsets and with an unsorted index."""
    return {
        f"{name}_sorted": make(items, *columns, **sizes, is_sorted=True),
        f"{name}_unsorted": make(items, *columns, **sizes, is_sorted=False),
    }


TINY = {
    **both("random", 40, 3, segments=9, filled=7),
    **both("flat", 30, segments=5),
    **both("places", 20, 2, 3, segments=5),
    **both("no_items", 0, 2, segments=4),
    **both("no_segments", 0, 2, segments=0, filled=1),
    **both("no_columns", 10, 0, segments=3),
}
CASES = TINY | {
    **both("several_tasks", 20_000, 8, segments=900),
    **both("wide", 3_000, 256, segments=11),
    **both("one_hub", 100_000, 2, segments=3, filled=1),
    **both("sparse", 300, 5, segments=900),
}


def assert_as_good_as_reference(case: Case, operator: str, impl: str, dtype: torch.dtype) -> None:
    grad = case.grad(operator).to(dtype).double()
    exact = case.rounded(dtype).results(operator, "reference", grad=grad)
    is_exact = dtype == torch.float64
    reference = case.backwards(operator) if is_exact else case.results(operator, "reference", dtype)
    assert_as_close(case.results(operator, impl, dtype), reference, exact, dtype)
