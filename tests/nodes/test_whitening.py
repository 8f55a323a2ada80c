import pytest
import torch
from torch import Tensor

from gnnfuse.nodes.covariance import Covariance
from gnnfuse.nodes.whitening import Whitening


def rows_of(count: int, width: int, offset: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(width, width, generator=generator)
    return torch.randn(count, width, generator=generator) @ mixing + offset


def learnt(rows: Tensor, components: int, block: int) -> Whitening:
    whitening = Whitening(rows.shape[1], components)
    for part in torch.split(rows, block):
        whitening.gather(part)
    whitening.settle()
    return whitening


@pytest.mark.parametrize("block", [1, 7, 200])
def test_the_covariance_of_all_rows_is_found_block_by_block_at_any_offset(block: int) -> None:
    rows = rows_of(200, 5)
    for offset in (0.0, 1e9):
        found = Covariance(5)
        for part in torch.split(rows.double() + offset, block):
            found.add(part)
        torch.testing.assert_close(found.scatter / 199, torch.cov(rows.double().T), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(found.mean - offset, rows.double().mean(0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("block", [1, 33, 300])
def test_components_have_unit_variance_and_hold_the_directions_of_largest_variance(block: int) -> None:
    rows = rows_of(300, 8, offset=100.0)
    found = learnt(rows, 3, block)(rows)
    torch.testing.assert_close(found.mean(0), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(torch.cov(found.T, correction=0), torch.eye(3), rtol=0, atol=1e-3)
    left, _, _ = torch.linalg.svd((rows - rows.mean(0)).double(), full_matrices=False)
    overlap = left[:, :3].T @ found.double() / 300**0.5
    torch.testing.assert_close(overlap.abs(), torch.eye(3).double(), rtol=0, atol=1e-3)


def test_blocks_in_any_order_give_the_same_components_and_signs() -> None:
    rows = rows_of(100, 6)
    torch.testing.assert_close(learnt(rows, 4, 9).matrix, learnt(rows.flip(0), 4, 50).matrix, rtol=1e-4, atol=1e-4)


def test_components_beyond_the_rank_of_the_rows_are_zero() -> None:
    rows = rows_of(4, 10)
    found = learnt(rows, 8, 2)
    assert (found.matrix.abs().sum(0) > 0).tolist() == [True] * 3 + [False] * 5
    assert found(rows_of(50, 10, offset=3.0)).isfinite().all()
    same = learnt(torch.full((9, 10), 0.1), 2, 4)  # rows without any variance
    assert same(rows_of(5, 10)).abs().sum() == 0


def test_before_it_has_learnt_it_gives_the_first_features() -> None:
    whitening, rows = Whitening(5, 2), rows_of(3, 5)
    whitening.settle()
    assert not whitening.learnt
    assert torch.equal(whitening(rows), rows[:, :2])


def test_what_it_has_learnt_is_part_of_its_state() -> None:
    rows = rows_of(40, 5)
    whitening, other = learnt(rows, 2, 40), Whitening(5, 2)
    other.load_state_dict(whitening.state_dict())
    assert other.learnt
    assert torch.equal(other(rows), whitening(rows))


@pytest.mark.parametrize("components", [0, 6])
def test_a_number_of_components_out_of_range_is_refused(components: int) -> None:
    with pytest.raises(ValueError, match=rf"components: found {components}, expected 1 to 5"):
        Whitening(5, components)
