"""Calibration: the temperature of the smallest log loss, and the error before and after."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.tasks.calibration import expected_calibration_error, temperature


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def classes(count: int = 20_000) -> tuple[Tensor, Tensor]:
    """Log-probabilities, and classes drawn from them."""
    outputs = (draw(count, 4) * 2).log_softmax(dim=1)
    return outputs, torch.multinomial(outputs.exp(), 1, generator=torch.Generator().manual_seed(1)).squeeze(1)


def labels(count: int = 20_000) -> tuple[Tensor, Tensor]:
    """Log-odds, and labels drawn from them."""
    outputs = draw(count, 3) * 2
    return outputs, (torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) < outputs.sigmoid()).float()


@pytest.mark.parametrize("overconfident", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("drawn", [classes, labels])
def test_what_made_outputs_too_certain_is_found(drawn: object, overconfident: float) -> None:
    outputs, targets = classes() if drawn is classes else labels()
    assert temperature(outputs * overconfident, targets) == pytest.approx(overconfident, rel=0.03)


def test_no_other_temperature_has_a_smaller_log_loss() -> None:
    outputs, targets = classes(300)
    found = temperature(outputs, targets)
    best = float(F.cross_entropy(outputs / found, targets))
    assert all(float(F.cross_entropy(outputs / (found * by), targets)) >= best - 1e-7 for by in (0.5, 0.9, 1.1, 2.0))


def test_a_temperature_removes_the_calibration_error_that_it_can() -> None:
    outputs, targets = classes()
    certain = outputs * 4
    before = expected_calibration_error(certain.softmax(dim=1), targets)
    after = expected_calibration_error((certain / temperature(certain, targets)).softmax(dim=1), targets)
    assert before > 0.15
    assert after < 0.02


def test_right_or_wrong_throughout_it_stays_within_bounds() -> None:
    outputs = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    assert temperature(outputs, torch.tensor([0, 1])) == pytest.approx(0.05)
    assert temperature(outputs, torch.tensor([1, 0])) == pytest.approx(20.0)


@pytest.mark.parametrize("outputs", [torch.zeros(0, 2), torch.tensor([[torch.nan, 0.0]])])
def test_a_temperature_of_nothing_is_refused(outputs: Tensor) -> None:
    with pytest.raises(ValueError, match=r"^temperature: found outputs of \d samples, expected some, without NaN$"):
        temperature(outputs, torch.zeros(len(outputs), dtype=torch.int64))


@pytest.mark.parametrize("several", [False, True])
def test_the_calibration_error_by_a_double_loop(several: bool) -> None:
    outputs, targets = labels(500) if several else classes(500)
    probabilities = outputs.sigmoid() if several else outputs.exp()
    judged = []
    for row, target in zip(probabilities.tolist(), targets.tolist(), strict=True):
        judged += list(zip(row, target, strict=True)) if several else [(max(row), row.index(max(row)) == target)]
    total = 0.0
    for place in range(15):
        inside = [(p, true) for p, true in judged if min(int(p * 15), 14) == place]
        total += abs(sum(p for p, _ in inside) - sum(true for _, true in inside))
    assert expected_calibration_error(probabilities, targets) == pytest.approx(total / len(judged), abs=1e-6)


def test_a_prior_keeps_the_temperature_of_few_samples_near_1_and_that_of_many_as_it_is() -> None:
    known = torch.tensor([[0.8, 0.2]]).log()
    few, many = (known.expand(5 * times, 2) * 3 for times in (1, 4000))
    targets = torch.tensor([0, 0, 0, 0, 1])
    assert temperature(few, targets) == pytest.approx(3.0, rel=1e-3)
    assert 1.0 < temperature(few, targets, prior=0.25) < 1.5
    assert temperature(many, targets.repeat(4000), prior=0.25) == pytest.approx(3.0, rel=0.05)
