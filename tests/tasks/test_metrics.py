"""Metrics of our own, against torchmetrics and values computed on paper."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torchmetrics.classification import (
    BinaryCalibrationError,
    MulticlassCalibrationError,
    MulticlassRecall,
    MultilabelAveragePrecision,
    MultilabelF1Score,
)
from torchmetrics.regression import R2Score

from gnnfuse.tasks import metrics
from gnnfuse.tasks.metrics import (
    BalancedAccuracy,
    CalibrationError,
    LabelF1,
    LogLoss,
    MeanAveragePrecision,
    NumberErrors,
)

HALVES = (slice(0, 20), slice(20, 50))  # updates add up


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def given(outputs: torch.Tensor) -> torch.Tensor:
    return outputs >= 0


def test_calibration_of_classes_is_that_of_the_most_probable_one() -> None:
    outputs, target = draw(500, 5) * 2, torch.arange(500) % 5
    ours = CalibrationError(lambda outputs: outputs.softmax(dim=1))
    theirs = MulticlassCalibrationError(5, n_bins=15, norm="l1")
    for rows in (slice(0, 200), slice(200, 500)):  # parts add up
        ours.update(outputs[rows], target[rows])
        theirs.update(outputs[rows].softmax(dim=1), target[rows])
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), abs=1e-6)


def test_calibration_of_labels_is_that_of_every_label() -> None:
    outputs, target = draw(300, 4), (draw(300, 4) > 0).float()
    ours, theirs = CalibrationError(torch.sigmoid), BinaryCalibrationError(n_bins=15, norm="l1")
    ours.update(outputs, target)
    theirs.update(outputs.sigmoid().flatten(), target.flatten().long())
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), abs=1e-6)


def test_certainty_that_is_right_is_calibrated() -> None:
    error = CalibrationError(lambda outputs: outputs)
    error.update(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]))
    assert float(error.compute()) == 0.0
    error.update(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([1, 1]))
    assert float(error.compute()) == 0.5


def test_labels_that_do_not_occur_count_for_nothing() -> None:
    """The last label is neither there nor given; the third is given once, in vain."""
    outputs = torch.tensor([[1.0, -1.0, -1.0, -1.0], [1.0, 1.0, 1.0, -1.0]])
    f1 = LabelF1(given, 4)
    f1.update(outputs, torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]))
    assert float(f1.compute()["macro_f1"]) == pytest.approx(2 / 3)
    assert float(f1.compute()["micro_f1"]) == pytest.approx(6 / 7)
    nothing = LabelF1(given, 2)
    nothing.update(-torch.ones(3, 2), torch.zeros(3, 2))
    assert {name: float(value) for name, value in nothing.compute().items()} == {"micro_f1": 0.0, "macro_f1": 0.0}


def test_a_probability_that_is_no_number_makes_the_calibration_error_none_either() -> None:
    error = CalibrationError(torch.sigmoid)
    error.update(torch.tensor([[float("nan"), 1.0]]), torch.tensor([[1.0, 0.0]]))
    assert bool(error.compute().isnan())


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_f1_is_torchmetrics_where_all_labels_occur(average: str) -> None:
    outputs, target = draw(50, 3), (draw(50, 3).flip(0) > 0).float()
    ours, theirs = LabelF1(given, 3), MultilabelF1Score(3, average=average)  # type: ignore[arg-type]
    ours.update(outputs, target)
    theirs.update((outputs >= 0).long(), target.long())
    assert float(ours.compute()[f"{average}_f1"]) == pytest.approx(float(theirs.compute()), abs=1e-6)


def test_sums_stay_on_the_cpu_where_a_device_has_no_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = NumberErrors(("number",), (1.0,), (0.0,))
    monkeypatch.setattr(metrics, "WITHOUT_FLOAT64", ("meta",))
    assert errors.to("meta").absolute.device.type == "cpu"
    monkeypatch.setattr(metrics, "WITHOUT_FLOAT64", ())
    assert errors.to("meta").absolute.device.type == "meta"


def test_r2_is_torchmetrics_for_each_number_also_far_from_zero() -> None:
    targets, predictions = draw(50, 2).double(), draw(50, 2).flip(0).double() * 0.5
    theirs = R2Score(multioutput="raw_values")
    theirs.update(predictions, targets)
    for offset in (0.0, 1.7e9):
        ours = NumberErrors(("a", "b"), (1.0, 1.0), (offset + 0.25, offset))
        for rows in HALVES:
            ours.update(predictions[rows] + offset, targets[rows] + offset)
        found = ours.compute()
        assert [float(found["r2.a"]), float(found["r2.b"])] == pytest.approx(theirs.compute().tolist(), abs=1e-4)


def test_the_mean_explains_nothing_and_equal_targets_leave_nothing_to_explain() -> None:
    errors = NumberErrors(("number",), (1.0,), (0.3,))
    targets = draw(50, 1).double()
    errors.update(targets.mean().expand(50, 1), targets)
    assert float(errors.compute()["r2"]) == pytest.approx(0.0, abs=1e-9)
    errors.reset()
    errors.update(targets, torch.full((50, 1), 0.1))
    assert float(errors.compute()["r2"]) == 0.0
    errors.reset()
    errors.update(torch.full((50, 1), 0.1), torch.full((50, 1), 0.1))
    assert float(errors.compute()["r2"]) == 1.0


def test_balanced_accuracy_is_the_mean_recall_of_classes_that_occur() -> None:
    outputs, target = draw(50, 4), torch.arange(50) % 3
    ours, theirs = BalancedAccuracy(4), MulticlassRecall(4, average="none")
    for rows in HALVES:
        ours.update(outputs[rows], target[rows])
    theirs.update(outputs, target)
    assert 3 in outputs.argmax(dim=1).tolist()  # a class that is predicted in vain
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()[:3].mean()), abs=1e-6)


def test_log_loss_is_the_cross_entropy() -> None:
    outputs, classes, labels = draw(50, 4), torch.arange(50) % 4, (draw(50, 4).flip(0) > 0).float()
    of_classes, of_labels = LogLoss(lambda outputs: outputs.softmax(dim=1)), LogLoss(torch.sigmoid)
    for rows in HALVES:
        of_classes.update(outputs[rows], classes[rows])
        of_labels.update(outputs[rows], labels[rows])
    assert float(of_classes.compute()) == pytest.approx(float(cross_entropy(outputs, classes)), rel=1e-5)
    by_hand = binary_cross_entropy_with_logits(outputs, labels)
    assert float(of_labels.compute()) == pytest.approx(float(by_hand), rel=1e-5)


def test_log_loss_of_an_impossible_truth_is_finite() -> None:
    loss = LogLoss(lambda outputs: outputs)
    loss.update(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert float(loss.compute()) == pytest.approx(-math.log(metrics.EPS))


def test_average_precision_is_torchmetrics_where_all_labels_occur_and_ignores_others() -> None:
    outputs, target = draw(50, 3), (draw(50, 3).flip(0) > 0.5).long()
    ours, theirs = MeanAveragePrecision(), MultilabelAveragePrecision(3, average="macro")
    for rows in HALVES:
        ours.update(outputs[rows], target[rows])
    theirs.update(outputs.sigmoid(), target)
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), abs=1e-6)
    more = MeanAveragePrecision()
    more.update(torch.cat([outputs, draw(50, 1)], dim=1), torch.cat([target, torch.zeros_like(target[:, :1])], dim=1))
    assert float(more.compute()) == pytest.approx(float(theirs.compute()), abs=1e-6)
    nothing = MeanAveragePrecision()
    nothing.update(outputs, torch.zeros(50, 3))
    assert float(nothing.compute()) == 0.0


def test_average_precision_ranks_outputs_within_0_and_1_like_any_others() -> None:
    """Torchmetrics takes such a batch for probabilities, and another one not."""
    precision = MeanAveragePrecision()
    precision.update(torch.tensor([[0.2], [0.9]]), torch.tensor([[0], [1]]))
    precision.update(torch.tensor([[0.5], [3.0]]), torch.tensor([[0], [1]]))
    assert float(precision.compute()) == 1.0
