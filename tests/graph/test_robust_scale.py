"""A scale that a few extreme values do not decide, and that many equal ones do not shrink."""

import pytest
import torch

from gnnfuse.graph import LogTail, NumberTarget
from gnnfuse.graph.robust_scale import robust_scale
from gnnfuse.sample import Sample


def normal(count: int = 20_000) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_of_normal_values_it_is_mean_and_deviation() -> None:
    assert robust_scale(5 + 3 * normal()) == pytest.approx((5.0, 3.0), rel=0.02)


@pytest.mark.parametrize("extreme", [1e3, 1e12])
def test_a_few_extreme_values_of_any_size_change_it_little_and_alike(extreme: float) -> None:
    values = normal()
    values[:400] = extreme
    values[400:600] = -extreme
    assert robust_scale(values) == pytest.approx((0.0, 1.0), abs=0.15)


@pytest.mark.parametrize("share", [0.6, 0.85, 0.99])
def test_where_most_values_are_equal_the_others_are_not_far_away(share: float) -> None:
    values = normal(2000).abs() + 1
    values[: int(2000 * share)] = 0.0
    middle, scale = robust_scale(values)
    assert ((values - middle) / scale).square().mean().sqrt() < 3


@pytest.mark.parametrize("constant", [0.0, 0.1, -3e12])
def test_a_constant_is_left_unscaled(constant: float) -> None:
    assert robust_scale(torch.full((100,), constant, dtype=torch.float64)) == (constant, 1.0)


def skewed() -> list[Sample]:
    """Two numbers, the first skewed."""
    return [
        Sample({}, target=(1000 + float(first.exp()), float(second)))
        for first, second in zip(normal(300), normal(300).flip(0), strict=True)
    ]


def test_numbers_are_transformed_each_as_it_needs_and_come_back() -> None:
    samples = skewed()
    target = NumberTarget.fit_robust(samples, size=2, names=("price", "size"))
    assert [type(each) for each in target.transforms] == [LogTail, type(None)]
    encoded = torch.stack([target.encode(each) for each in samples])
    assert bool((encoded.mean(dim=0).abs() < 0.2).all())
    assert bool(((encoded.std(dim=0) - 1).abs() < 0.2).all())
    numbers = torch.tensor([each.target for each in samples], dtype=torch.float64)
    torch.testing.assert_close(target.decode(encoded), numbers, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(target.decode(target.scaled(numbers)), numbers)


def test_centre_and_spread_are_in_the_numbers_own_unit() -> None:
    samples = skewed()
    target = NumberTarget.fit_robust(samples, size=2)
    first = torch.tensor([each.target for each in samples])[:, 0]
    assert target.center[0] == pytest.approx(float(first.median()), abs=0.1)
    assert 0.5 < target.spread[0] < 3
    assert (target.center[1], target.spread[1]) == pytest.approx((target.mean[1], target.scale[1]))
    plain = NumberTarget.fit(samples, size=2)
    assert (plain.center, plain.spread) == (plain.mean, plain.scale)


def test_what_is_not_skewed_needs_no_transformation() -> None:
    target = NumberTarget.fit_robust([Sample({}, target=float(each)) for each in normal(300)])
    assert target.transforms == ()


def test_samples_without_targets_are_ignored_and_nothing_else_is_refused() -> None:
    assert NumberTarget.fit_robust([Sample({}, target=None), Sample({}, target=2.0)]) == NumberTarget(1, (2.0,))
    with pytest.raises(ValueError, match="no training sample has a target to fit a scale on"):
        NumberTarget.fit_robust([Sample({})])
    with pytest.raises(ValueError, match="transforms must be 2, found"):
        NumberTarget(2, transforms=(None,))
