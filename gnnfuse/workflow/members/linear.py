"""Linear members: logistic regression, or ridge regression for numbers, on summaries of the modalities."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gnnfuse.fusion import PooledStates
from gnnfuse.tasks import LinearHead, Task
from gnnfuse.workflow.members.member import Member
from gnnfuse.workflow.members.pooled_rows import PooledRows
from gnnfuse.workflow.members.solve import Solution, solve


@dataclass(eq=False, kw_only=True)
class LinearMember(Member):
    """All modalities side by side, or one of them; the penalty is chosen by cross-validation within the rows.

    Args:
        pooled: the rows, with one modality or several.
        name: names the member.
    """

    pooled: PooledRows
    name: str = "linear"

    @classmethod
    def alone(cls, pooled: PooledRows, modality: str) -> "LinearMember":
        """The member over one modality, which learns from the rows that have it.

        Raises:
            ValueError: no such modality has a summary.
        """
        return cls(pooled=pooled.alone(modality), name=f"linear:{modality}")

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Solve the head for these rows."""
        model, found = solved(self.pooled.at(rows))
        return self.pooled.task(model, head_of(_tensor(found.weight), _tensor(found.bias)))


@dataclass(eq=False, kw_only=True)
class LateMember(Member):
    """The sum of the logits of one linear model per modality; a missing modality adds nothing.

    Args:
        pooled: the rows.
        name: names the member.

    Raises:
        ValueError: targets are numbers, which do not add up.
    """

    pooled: PooledRows
    name: str = "late"

    def __post_init__(self) -> None:
        if self.pooled.loss == "squared":
            raise ValueError("member 'late': found numbers as targets, expected classes or labels, whose logits add up")

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Solve a head per modality for the rows that have it, and join them."""
        chosen = self.pooled.at(rows)
        model = chosen.model()
        outputs = chosen.answers.shape[1]
        weights, biases = [], []
        for place, (modality, width) in enumerate(zip(model.modalities, model.widths, strict=True)):
            weight, bias = torch.zeros(outputs, width), torch.zeros(outputs, 1)
            if bool(chosen.present[:, place].any()):
                _, found = solved(chosen.alone(modality).at(range(len(chosen.targets))))
                weight, bias = _tensor(found.weight[:, :-1]), _tensor(found.bias)[:, None]
            weights.append(weight)
            biases.append(bias)
        missing = -torch.cat(biases, dim=1)  # an indicator is 1 where the modality is absent
        return self.pooled.task(model, head_of(torch.cat([*weights, missing], dim=1), -missing.sum(dim=1)))


def solved(rows: PooledRows) -> tuple[PooledStates, Solution]:
    """The fitted model of these rows, and the best linear map of its vectors."""
    model = rows.model()
    vectors = model.scaled(rows.columns, rows.present).numpy()
    return model, solve(vectors, rows.answers, rows.loss, rows.folds())


@torch.no_grad()
def head_of(weight: Tensor, bias: Tensor) -> LinearHead:
    """A task's usual head with these weights."""
    outputs, dim = weight.shape
    head = LinearHead(dim, outputs)
    linear = head[1]
    assert isinstance(linear, nn.Linear)
    linear.weight.copy_(weight)
    linear.bias.copy_(bias)
    return head


def _tensor(numbers: object) -> Tensor:
    return torch.as_tensor(numbers, dtype=torch.float32)
