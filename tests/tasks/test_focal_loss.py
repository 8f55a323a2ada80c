"""The focal loss by its formula, and its limits."""

import math

import pytest
import torch

from gnnfuse.tasks import CrossEntropy
from gnnfuse.tasks.objectives import FocalLoss

OUTPUTS = torch.tensor([[0.75, 0.25], [0.1, 0.9], [0.6, 0.4]]).log()
TARGET = torch.tensor([0, 0, 1])


def test_the_formula() -> None:
    true = [0.75, 0.1, 0.4]
    expected = sum(-((1 - p) ** 2) * math.log(p) for p in true) / 3
    assert float(FocalLoss(gamma=2.0).loss(OUTPUTS, TARGET)) == pytest.approx(expected, rel=1e-6)


def test_without_gamma_it_is_cross_entropy() -> None:
    found = FocalLoss(gamma=0.0, class_weights=(1.0, 3.0)).loss(OUTPUTS, TARGET)
    torch.testing.assert_close(found, CrossEntropy(class_weights=(1.0, 3.0)).loss(OUTPUTS, TARGET))


def test_a_sure_sample_has_a_finite_gradient() -> None:
    outputs = torch.tensor([[200.0, 0.0]], requires_grad=True)
    FocalLoss().loss(outputs, torch.tensor([0])).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert bool(outputs.grad.isfinite().all())


@pytest.mark.parametrize("gamma", [-1, math.nan, math.inf])
def test_a_gamma_below_zero_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match=f"FocalLoss: found gamma={gamma}, expected a finite one, 0 or more"):
        FocalLoss(gamma=gamma)
