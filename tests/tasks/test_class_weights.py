"""Weights of classes: what they add up to, and what they do to a loss."""

import pytest
import torch
from torch.nn import functional as F

from gnnfuse.fusion import Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget
from gnnfuse.nodes import TextTokens
from gnnfuse.tasks import (
    BinaryCrossEntropy,
    Classification,
    CrossEntropy,
    MultiLabel,
    TargetObjective,
    balanced_weights,
    positive_weights,
)

CLASSES = ("cat", "dog", "owl")
COUNTS = {"cat": 60, "dog": 30, "owl": 10}


def classification(weights: tuple[float, ...] | None) -> Classification:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(CLASSES))
    model = Unimodal(builder.node_types, dim=8, depth=1)
    return Classification(model, builder, objectives=[CrossEntropy(class_weights=weights)])


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_sample_counts_one_on_average(power: float) -> None:
    weights = balanced_weights(COUNTS, CLASSES, power=power)
    total = sum(weight * COUNTS[name] for weight, name in zip(weights, CLASSES, strict=True))
    assert total == pytest.approx(100)


def test_classes_count_alike_in_sum_with_full_power_and_samples_with_none() -> None:
    full = [weight * COUNTS[name] for weight, name in zip(balanced_weights(COUNTS, CLASSES), CLASSES, strict=True)]
    assert full == pytest.approx([100 / 3] * 3)
    assert balanced_weights(COUNTS, CLASSES, power=0.0) == pytest.approx((1.0, 1.0, 1.0))


def test_no_class_outweighs_another_more_than_ten_times() -> None:
    weights = balanced_weights({"cat": 100_000, "dog": 1}, ("cat", "dog"))
    assert weights[1] / weights[0] == pytest.approx(10)
    assert positive_weights({"cat": 1, "dog": 90}, ("cat", "dog"), 100) == (10.0, 1.0)


def test_the_loss_of_a_batch_is_the_mean_of_its_parts() -> None:
    """Parts of a step, on several devices, must add up: no division by the batch's own weights."""
    objective = CrossEntropy(class_weights=(0.5, 1.0, 4.0))
    outputs, target = torch.randn(6, 3), torch.tensor([0, 0, 1, 2, 2, 2])
    whole = objective.loss(outputs, target)
    parts = [objective.loss(outputs[rows], target[rows]) for rows in (slice(0, 2), slice(2, 6))]
    assert torch.isclose(whole, (2 * parts[0] + 4 * parts[1]) / 6)
    each = F.cross_entropy(outputs, target, reduction="none") * torch.tensor([0.5, 0.5, 1.0, 4.0, 4.0, 4.0])
    assert torch.isclose(whole, each.mean())


def test_weights_of_labels_count_having_them() -> None:
    objective = BinaryCrossEntropy(class_weights=(3.0, 1.0))
    outputs, target = torch.zeros(1, 2), torch.tensor([[1.0, 1.0]])
    assert torch.isclose(objective.loss(outputs, target), torch.tensor(2.0).log() * 2)


def test_the_judge_has_neither_weights_nor_smoothing() -> None:
    outputs, target = torch.randn(6, 3), torch.tensor([0, 0, 1, 2, 2, 2])
    task = classification((0.5, 1.0, 4.0))
    assert isinstance(task.judge, TargetObjective)
    assert torch.isclose(task.judge.loss(outputs, target), F.cross_entropy(outputs, target))
    builder = GraphBuilder([TextTokens()], target=MultiLabelTarget(("red", "round")))
    model = Unimodal(builder.node_types, dim=8, depth=1)
    labels = MultiLabel(model, builder, objectives=[BinaryCrossEntropy(class_weights=(3.0, 1.0))])
    assert isinstance(labels.judge, TargetObjective)
    found = labels.judge.loss(torch.zeros(1, 2), torch.tensor([[1.0, 1.0]]))
    assert torch.isclose(found, torch.tensor(2.0).log())


@pytest.mark.parametrize("weights", [(1.0, 0.0, 1.0), (1.0, float("inf"), 1.0)])
def test_weights_that_are_not_above_zero_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="class_weights must be positive numbers, found"):
        classification(weights)


def test_weights_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="objective 'cross_entropy' is made for 2 outputs, found 3"):
        classification((1.0, 1.0))
