"""A logarithm for skewed targets: when it is taken, and that it can be undone."""

import math

import pytest
import torch
from torch import Tensor

from gnnfuse.graph.log_tail import LogTail, skewness


def drawn(kind: str, count: int = 500) -> Tensor:
    normal = torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return {
        "normal": normal,
        "uniform": normal.erf(),
        "prices": 20 + 300 * normal.exp(),
        "counts": (1.5 * normal).exp().floor(),
        "marks": 100 - 5 * normal.exp(),
        "constant": torch.full_like(normal, 7.0),
    }[kind]


@pytest.mark.parametrize("kind", ["normal", "uniform", "constant"])
def test_what_is_not_skewed_is_left_alone(kind: str) -> None:
    assert LogTail.fit(drawn(kind)) is None


@pytest.mark.parametrize(("kind", "about"), [("prices", min), ("counts", min), ("marks", max)])
def test_a_long_tail_is_drawn_in_from_the_other_end(kind: str, about: object) -> None:
    values = drawn(kind)
    log = LogTail.fit(values)
    assert log is not None
    assert log.about == float(values.min() if about is min else values.max())
    assert abs(skewness(log.forward(values))) < abs(skewness(values)) / 4


@pytest.mark.parametrize("kind", ["prices", "counts", "marks"])
def test_another_unit_or_offset_changes_nothing(kind: str) -> None:
    values = drawn(kind)
    here, there = LogTail.fit(values), LogTail.fit(values * 1024 - 4096)
    assert here is not None
    assert there is not None
    torch.testing.assert_close(there.forward(values * 1024 - 4096), here.forward(values))


def test_what_a_logarithm_does_not_mend_is_left_alone() -> None:
    """Two thirds of a kind and a third far off: skewed in any unit."""
    assert skewness(values := torch.tensor([0.0] * 800 + [1.0] * 100, dtype=torch.float64)) > 1
    assert LogTail.fit(values) is None


@pytest.mark.parametrize("unit", [0.5, -0.5])
def test_it_is_increasing_smooth_and_undone_everywhere(unit: float) -> None:
    log = LogTail(about=-2.0, unit=unit, reach=7.0)
    values = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    transformed = log.forward(values)
    slopes = transformed.diff() / values.diff()
    assert bool((slopes > 0).all())
    assert slopes.diff().abs().max() < 0.01
    torch.testing.assert_close(log.inverse(transformed), values)


def test_by_hand_within_the_tail_and_straight_outside() -> None:
    log = LogTail(about=1.0, unit=2.0, reach=3.0)
    for value, expected in ((1.0, 0.0), (5.0, math.log(3)), (7.0, math.log(4)), (-3.0, -2.0), (15.0, math.log(4) + 1)):
        assert float(log.forward(torch.tensor([value]).double())) == pytest.approx(expected)
        mirrored = LogTail(about=-1.0, unit=-2.0, reach=3.0)
        assert float(mirrored.forward(torch.tensor([-value]).double())) == pytest.approx(-expected)


def test_beyond_the_training_values_predictions_grow_linearly() -> None:
    values = drawn("prices")
    log = LogTail.fit(values)
    assert log is not None
    highest = log.forward(values).max()
    steps = log.inverse(highest + torch.arange(4, dtype=torch.float64)).diff()
    torch.testing.assert_close(steps, steps[:1].expand(3))


@pytest.mark.parametrize("arguments", [(math.nan, 1.0, 1.0), (0.0, 0.0, 1.0), (0.0, math.inf, 1.0), (0.0, 1.0, -1.0)])
def test_arguments_that_are_no_function_are_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected finite numbers, a unit other than 0 and a reach of 0 or more"):
        LogTail(*arguments)
