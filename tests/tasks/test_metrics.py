"""Metrics of our own, against torchmetrics and values computed on paper."""

import pytest
import torch
from torchmetrics.classification import BinaryCalibrationError, MulticlassCalibrationError, MultilabelF1Score

from gnnfuse.tasks import metrics
from gnnfuse.tasks.metrics import CalibrationError, LabelF1, NumberErrors


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
    errors = NumberErrors(("number",), (1.0,))
    monkeypatch.setattr(metrics, "WITHOUT_FLOAT64", ("meta",))
    assert errors.to("meta").absolute.device.type == "cpu"
    monkeypatch.setattr(metrics, "WITHOUT_FLOAT64", ())
    assert errors.to("meta").absolute.device.type == "meta"
