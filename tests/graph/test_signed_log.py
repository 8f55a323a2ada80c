"""A logarithm for skewed targets: when it is taken, and that it can be undone."""

import math

import pytest
import torch
from torch import Tensor

from gnnfuse.graph.signed_log import SignedLog, skewness


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
    assert SignedLog.fit(drawn(kind)) is None


@pytest.mark.parametrize(("kind", "about"), [("prices", min), ("counts", min), ("marks", max)])
def test_a_long_tail_is_drawn_in_from_the_other_end(kind: str, about: object) -> None:
    values = drawn(kind)
    log = SignedLog.fit(values)
    assert log is not None
    assert log.about == float(values.min() if about is min else values.max())
    assert abs(skewness(log.forward(values))) < abs(skewness(values)) / 4


@pytest.mark.parametrize("kind", ["prices", "counts", "marks"])
def test_another_unit_or_offset_changes_nothing(kind: str) -> None:
    values = drawn(kind)
    here, there = SignedLog.fit(values), SignedLog.fit(values * 1024 - 4096)
    assert here is not None
    assert there is not None
    torch.testing.assert_close(there.forward(values * 1024 - 4096), here.forward(values))


def test_what_a_logarithm_does_not_mend_is_left_alone() -> None:
    """Two thirds of a kind and a third far off: skewed in any unit."""
    assert skewness(values := torch.tensor([0.0] * 800 + [1.0] * 100, dtype=torch.float64)) > 1
    assert SignedLog.fit(values) is None


def test_it_is_monotone_and_undone_on_both_sides() -> None:
    log = SignedLog(about=-2.0, unit=0.5)
    values = torch.linspace(-1e6, 1e6, 2001, dtype=torch.float64)
    transformed = log.forward(values)
    assert bool((transformed.diff() > 0).all())
    torch.testing.assert_close(log.inverse(transformed), values)
    assert float(log.forward(torch.tensor([2.0], dtype=torch.float64))) == pytest.approx(math.log1p(8))
    assert float(log.forward(torch.tensor([-6.0], dtype=torch.float64))) == pytest.approx(-math.log1p(8))


@pytest.mark.parametrize("arguments", [(math.nan, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, math.inf)])
def test_units_that_are_none_are_refused(arguments: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected a finite value and a unit above 0"):
        SignedLog(*arguments)
