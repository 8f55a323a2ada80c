"""Probabilities are those that training would have shown without weights and smoothing."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import BinaryCrossEntropy, Classification, CrossEntropy, MultiLabel, TargetObjective, Task
from gnnfuse.tasks.probabilities import class_probabilities, label_probabilities

SHARES, WEIGHTS = (0.7, 0.25, 0.05), (0.5, 1.0, 6.0)


def classification(weights: Sequence[float] | None, smoothing: float) -> Classification:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(("often", "some", "rare")))
    model = Unimodal(builder.node_types, dim=8, depth=1)
    objective = CrossEntropy(class_weights=weights, label_smoothing=smoothing)
    return Classification(model, builder, objectives=[objective])


def labels(weights: Sequence[float]) -> MultiLabel:
    builder = GraphBuilder([TextTokens()], target=MultiLabelTarget(("often", "rare")))
    model = Unimodal(builder.node_types, dim=8, depth=1)
    return MultiLabel(model, builder, objectives=[BinaryCrossEntropy(class_weights=weights)])


def loss_of(task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    (objective,) = task.objectives
    assert isinstance(objective, TargetObjective)
    return objective.loss


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_where_nothing_is_known_classes_get_their_shares(weights: Sequence[float] | None, smoothing: float) -> None:
    """The outputs that minimise the training loss over 100 samples of which the model knows nothing."""
    task = classification(weights, smoothing)
    target = torch.tensor([0] * 70 + [1] * 25 + [2] * 5)
    outputs = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([outputs], max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        value = loss_of(task)(outputs.expand(100, 3), target)
        torch.autograd.backward(value)
        return float(value.detach())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    [said] = task.describe(task.builder([Sample({"text": "a"})]), outputs.detach().unsqueeze(0))
    assert list(said.scores.values()) == pytest.approx(SHARES, abs=1e-3)
    assert said.label == "often"


def test_where_nothing_is_known_labels_get_their_shares() -> None:
    """At the minimum the gradient of the training loss is 0; weights 1 and 9, of labels that 50 and 4 of 100 have."""
    task = labels((1.0, 9.0))
    target = torch.tensor([[float(k < 50), float(k < 4)] for k in range(100)])
    outputs = torch.tensor([1.0, 9 * 0.04 / 0.96]).log().requires_grad_()
    loss = loss_of(task)(outputs.expand(100, 2), target)
    torch.autograd.backward(loss)
    assert outputs.grad is not None
    assert outputs.grad.abs().max() < 1e-7
    [said] = task.describe(task.builder([Sample({"text": "a"})]), outputs.detach().unsqueeze(0))
    assert list(said.scores.values()) == pytest.approx([0.5, 0.04])


def test_the_class_with_the_largest_probability_times_weight_is_predicted() -> None:
    task = classification((1.0, 1.0, 6.0), 0.0)
    outputs = torch.tensor([[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]).log()
    first, second = task.describe(task.builder([Sample({"text": "a"}), Sample({"text": "a"})]), outputs)
    assert first.label == "rare"
    assert list(first.scores.values()) == pytest.approx([0.4, 0.4, 0.2])
    assert second.label == "some"
    metrics = task.metrics()
    metrics.update(outputs, torch.tensor([2, 1]))
    assert set(found := metrics.compute()) == {
        *("accuracy", "balanced_accuracy", "macro_f1"),
        *("log_loss", "expected_calibration_error"),
    }
    assert float(found["accuracy"]) == 1.0


def test_a_label_is_given_from_the_probability_on_that_its_weight_asks_for() -> None:
    task = labels((1.0, 9.0))  # from 1 / 2 on, and from 1 / 10 on
    odds = torch.tensor([[0.49, 0.11], [0.51, 0.09]]).logit() + torch.tensor([1.0, 9.0]).log()
    first, second = task.describe(task.builder([Sample({"text": "a"}), Sample({"text": "a"})]), odds)
    assert (first.label, second.label) == (("rare",), ("often",))
    assert list(first.scores.values()) == pytest.approx([0.49, 0.11])


def test_no_class_becomes_impossible_and_the_order_remains() -> None:
    outputs = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 4
    found = class_probabilities(outputs, smoothing=0.2)
    assert bool((found > 0).all())
    torch.testing.assert_close(found.sum(dim=1), torch.ones(50))
    assert torch.equal(found.argsort(dim=1), outputs.argsort(dim=1))


def test_without_weights_and_smoothing_they_are_softmax_and_sigmoid() -> None:
    outputs = torch.randn(5, 4)
    assert torch.equal(class_probabilities(outputs), outputs.softmax(dim=1))
    assert torch.equal(label_probabilities(outputs), outputs.sigmoid())
