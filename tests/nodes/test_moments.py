import numpy as np
import pytest
import torch

from gnnfuse.nodes import moments as module
from gnnfuse.nodes.features import Features
from gnnfuse.nodes.moments import Moments
from gnnfuse.sample import Sample

NAN = float("nan")


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_rows_seen_in_passing_give_the_moments_of_all(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    values = torch.randn(100, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-3, 1.0, 1e3]) + 100
    values[::4, 1] = NAN
    found = Moments(3)
    for part in torch.split(values, 9):
        found.add(part)
    for column in range(3):
        seen = values[:, column].double()
        seen = seen[~seen.isnan()]
        torch.testing.assert_close(found.mean[column], seen.mean(), rtol=1e-12, atol=0)
        torch.testing.assert_close(found.scale[column], seen.std(correction=0), rtol=1e-9, atol=0)
    assert found.blank.tolist() == [False, True, False]


@pytest.mark.parametrize("block", [1, 50, 1 << 20])
@pytest.mark.parametrize("offset", [1.7e9, 1.7e12, -2e7])
def test_an_offset_changes_no_scale_and_moves_the_mean(
    monkeypatch: pytest.MonkeyPatch, block: int, offset: float
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    values = torch.arange(300.0).double().remainder(7).reshape(100, 3)
    values[:60, 1] = NAN
    values[:, 2] /= 4
    found, expected = Moments(3), Moments(3)
    for part in torch.split(values, 9):
        expected.add(part)
        found.add(part + offset)
    assert torch.equal(found.scale, expected.scale)
    torch.testing.assert_close(found.mean - offset, expected.mean, rtol=0, atol=np.spacing(abs(offset)))


def test_a_column_that_is_constant_or_blank_has_scale_one() -> None:
    found = Moments(2)
    found.add(torch.tensor([[3.0, NAN], [3.0, NAN]]))
    assert found.mean.tolist() == [3.0, 0.0]
    assert found.scale.tolist() == [1.0, 1.0]


def test_a_blank_becomes_the_mean_and_is_told_where_training_had_some() -> None:
    samples = [Sample({"rows": [[1.0, NAN, 5.0]]}), Sample({"rows": [[3.0, 4.0, 5.0]]})]
    fitted = Features(signal="rows", width=3, blanks=True).fit(iter(samples))
    assert fitted.blank_columns == (1,)
    nodes = fitted.nodes(Sample({"rows": [[2.0, NAN, NAN]]}))
    assert nodes is not None
    assert nodes.values.tolist() == [[0.0, 0.0, 0.0, 1.0]]
    assert fitted.empty().values.shape == (0, 4)


def test_a_blank_without_leave_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        Features(signal="rows", width=1).nodes(Sample({"rows": [[NAN]]}))
    with pytest.raises(ValueError, match="blank_columns has 1"):
        Features(signal="rows", width=1, blanks=True, blank_columns=(1,))
    with pytest.raises(ValueError, match="are infinite"):
        Features(signal="rows", width=1, blanks=True).nodes(Sample({"rows": [[float("inf")]]}))
