"""What stands at every pair of a node and a row: the bias on its score and the factor on its weight.

Where every edge has a pair of its own and nothing but its relation, a pair needs no more than the relation's number:
`TableNumbers`. Else biases and factors are laid out in full, `EdgeNumbers`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from gnnfuse.ops.attention.dense_layout import DenseLayout
from gnnfuse.ops.attention.dense_pairs import join, spread_grads

EDGES_AT_ONCE = 2**18


class PairNumbers(Protocol):
    """Numbers of all pairs, read and given gradients strip by strip."""

    def read(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Bias and factor `[heads or 1, stop - start]` of the pairs from start to stop; a factor of None is 1.

        They are the reader's to change: each strip is read once.
        """
        ...

    def collect(self, start: int, stop: int, grad_bias: Tensor, grad_factor: Tensor | None) -> None:
        """Take in the gradients `[heads, stop - start]` of what `read` gave."""
        ...

    def grads(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Gradients of edge_bias, relation_bias and relation_gate from all that was taken in."""
        ...


class TableNumbers:
    """A relation per pair, or none, and a row of the tables for each.

    Args:
        layout: where the pairs are; each edge has its own.
        relation: `[edges]`.
        relation_bias: `[relations, heads]` or None.
        relation_gate: `[relations, heads]` or None.
        like: a tensor of the dtype and device to compute in.
    """

    def __init__(
        self,
        layout: DenseLayout,
        relation: Tensor,
        relation_bias: Tensor | None,
        relation_gate: Tensor | None,
        like: Tensor,
    ) -> None:
        tables = [table for table in (relation_bias, relation_gate) if table is not None]
        self.relations = len(tables[0]) if tables else 1
        relation = relation if tables else torch.zeros_like(relation)
        absent = relation.new_full((layout.sizes[2],), self.relations)
        self.relation = absent.index_copy_(0, layout.pair, relation)
        bias = like.new_zeros(self.relations, 1) if relation_bias is None else relation_bias
        self.bias = with_row(bias, -torch.inf)
        self.gate = None if relation_gate is None else with_row(relation_gate, 0.0)
        self.grad_bias = None if relation_bias is None else torch.zeros_like(relation_bias)
        self.grad_gate = None if relation_gate is None else torch.zeros_like(relation_gate)

    def read(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """As `PairNumbers` says."""
        relation = self.relation[start:stop]
        return self.bias.index_select(1, relation), None if self.gate is None else self.gate.index_select(1, relation)

    def collect(self, start: int, stop: int, grad_bias: Tensor, grad_factor: Tensor | None) -> None:
        """As `PairNumbers` says."""
        relation = self.relation[start:stop]
        if self.grad_bias is not None:
            self.grad_bias += sum_by_relation(grad_bias.T, relation, self.relations)
        if self.grad_gate is not None and grad_factor is not None:
            self.grad_gate += sum_by_relation(grad_factor.T, relation, self.relations)

    def grads(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """As `PairNumbers` says."""
        return None, self.grad_bias, self.grad_gate


class EdgeNumbers:
    """A bias and a factor per edge, edges of one pair joined.

    Args:
        layout: where the pairs are.
        relation: `[edges]`.
        edge_bias: `[edges, heads]` or None.
        relation_bias: `[relations, heads]` or None.
        relation_gate: `[relations, heads]` or None.
        kept: `[edges, heads]`, what dropout multiplies the weights with, or None.
        like: a tensor of the dtype and device to compute in.
    """

    def __init__(
        self,
        layout: DenseLayout,
        relation: Tensor,
        edge_bias: Tensor | None,
        relation_bias: Tensor | None,
        relation_gate: Tensor | None,
        kept: Tensor | None,
        like: Tensor,
    ) -> None:
        of_relation = None if relation_bias is None else relation_bias.index_select(0, relation)
        gate = None if relation_gate is None else relation_gate.index_select(0, relation)
        bias = combined(edge_bias, of_relation, torch.add)
        self.factor = combined(gate, kept, torch.mul)
        self.gate, self.kept, self.relation = gate, kept, relation
        bias = like.new_zeros(len(relation), 1) if bias is None else bias
        self.pairs = join(layout.pair, layout.sizes[2], bias, self.factor)
        self.bias_of_pair = layout.place_pairs(self.pairs.bias, self.pairs.place, -torch.inf)
        self.factor_of_pair = None
        if self.pairs.factor is not None:
            self.factor_of_pair = layout.place_pairs(self.pairs.factor, self.pairs.place, 0.0)
        self.tables = edge_bias, relation_bias, relation_gate
        self.collected: list[tuple[Tensor, Tensor | None]] = []

    def read(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """As `PairNumbers` says."""
        factor = None if self.factor_of_pair is None else self.factor_of_pair[:, start:stop]
        return self.bias_of_pair[:, start:stop], factor

    def collect(self, start: int, stop: int, grad_bias: Tensor, grad_factor: Tensor | None) -> None:
        """As `PairNumbers` says; strips come in the order of their pairs."""
        self.collected.append((grad_bias, grad_factor))

    def grads(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """As `PairNumbers` says."""
        grad_bias = self._of_pairs([bias for bias, _ in self.collected])
        factors = [factor for _, factor in self.collected if factor is not None]
        of_bias, of_factor = spread_grads(
            self.pairs, self.factor, grad_bias, self._of_pairs(factors) if factors else None
        )
        edge_bias, relation_bias, relation_gate = self.tables
        grad_relation, grad_gate = None, None
        if relation_bias is not None and of_bias is not None:
            grad_relation = sum_by_relation(of_bias, self.relation, len(relation_bias))
        if relation_gate is not None and of_factor is not None:
            of_gate = of_factor if self.kept is None else of_factor * self.kept
            grad_gate = sum_by_relation(of_gate, self.relation, len(relation_gate))
        return (None if edge_bias is None else of_bias), grad_relation, grad_gate

    def _of_pairs(self, strips: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(strips), 1).index_select(1, self.pairs.place).T.contiguous()


def with_row(table: Tensor, fill: float) -> Tensor:
    """`[relations, heads]` as `[heads, relations + 1]`: one more, for pairs without an edge."""
    return torch.cat([table, torch.full_like(table[:1], fill)] if len(table) else [table]).T.contiguous()


def combined(one: Tensor | None, other: Tensor | None, operation: Callable[[Tensor, Tensor], Tensor]) -> Tensor | None:
    """The operation on both where both are given, else the one that is."""
    if one is None or other is None:
        return other if one is None else one
    return operation(one, other)


def sum_by_relation(numbers: Tensor, relation: Tensor, relations: int) -> Tensor:
    """`[edges, heads]` added up to `[relations, heads]`, as matrix products: faster and rounding less than one by one.

    An edge of no relation, with the number after the last, is left out.
    """
    total = numbers.new_zeros(relations, numbers.shape[1])
    names = torch.arange(relations, dtype=relation.dtype, device=relation.device)[:, None]
    for part, of in zip(torch.split(numbers, EDGES_AT_ONCE), torch.split(relation, EDGES_AT_ONCE), strict=True):
        total += (of == names).to(numbers.dtype) @ part
    return total
