"""Linear members: logistic regression, or ridge regression for numbers, on summaries of the modalities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from gnnfuse.fusion import PooledStates
from gnnfuse.tasks import LinearHead, Task
from gnnfuse.workflow.members.member import Member
from gnnfuse.workflow.members.pooled_rows import PooledRows
from gnnfuse.workflow.members.solve import Solution, solve


@dataclass(eq=False, kw_only=True)
class LinearMember(Member):
    """All modalities side by side, or one of them; penalties are chosen by cross-validation within the rows.

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
    """One linear model per modality; their logits are added, and the log prior of the classes counts once.

    If modalities are independent given the class, `p(class | all)` is proportional to the product over modalities of
    `p(class | modality) / p(class)`, times `p(class)`. A missing modality adds nothing.

    Args:
        pooled: the rows.
        name: names the member.

    Raises:
        ValueError: targets are numbers, which do not add up.
    """

    pooled: PooledRows
    name: str = "linear added"

    def __post_init__(self) -> None:
        if self.pooled.loss == "squared":
            raise ValueError(
                f"member {self.name!r}: found numbers as targets, expected classes or labels, whose logits add up"
            )

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Solve a head per modality for the rows that have it, and join them."""
        chosen = self.pooled.at(rows)
        model = chosen.model()
        found = [_evidence(chosen.alone(modality)) for modality in model.modalities]
        weights, missing = zip(*((weight, -bias) for weight, bias in found), strict=True)
        indicators = torch.stack(missing, dim=1)  # 1 where the modality is absent
        return self.pooled.task(model, head_of(torch.cat([*weights, indicators], dim=1), _prior(chosen) - sum(missing)))


def _evidence(rows: PooledRows) -> tuple[Tensor, Tensor]:
    """Weights and biases of one modality's logits, less the prior's; zeros if no row has it."""
    width, outputs = rows.columns.shape[1], rows.answers.shape[1]
    if not bool(rows.present.any()):
        return torch.zeros(outputs, width), torch.zeros(outputs)
    chosen = rows.at(range(len(rows.targets)))
    _, found = solved(chosen)
    return _tensor(found.weight[:, :-1]), _tensor(found.bias) - _prior(chosen)


def _prior(rows: PooledRows) -> Tensor:
    """The logits of each class's or label's prior, its share of the rows."""
    share = _tensor((rows.answers.sum(axis=0) + 0.5) / (len(rows.answers) + 1))
    return share.logit() if rows.loss == "sigmoid" else share.log()


def solved(rows: PooledRows) -> tuple[PooledStates, Solution]:
    """The fitted model of these rows, and the best linear map of its vectors."""
    return rows.once("linear", lambda: _solved(rows))


def _solved(rows: PooledRows) -> tuple[PooledStates, Solution]:
    """As `solved`; several modalities are scaled by the penalties that suit each of them alone.

    One penalty for all would be too strong for an informative modality, or too weak for one that is mostly noise.
    """
    model = rows.model()
    vectors = model.scaled(rows.columns, rows.present).numpy()
    scale = np.ones(vectors.shape[1], np.float32)
    if len(model.modalities) > 1:
        scale[: sum(model.widths)] = np.repeat([_scale(rows.alone(name)) for name in model.modalities], model.widths)
    found = solve(vectors * scale, rows.answers, rows.loss, rows.folds())
    return model, replace(found, weight=found.weight * scale)


def _scale(rows: PooledRows) -> float:
    """The root of one over the penalty of a modality alone; 0 if no row has it."""
    if not bool(rows.present.any()):
        return 0.0
    return 1 / math.sqrt(max(solved(rows.at(range(len(rows.targets))))[1].penalty, 1e-12))


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
