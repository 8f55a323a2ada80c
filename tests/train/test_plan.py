import numpy as np
import pytest

from gnnfuse.train.plan import EpochPlan, indexed_plan, streamed_plan, worker_turns


def shares(samples: int, count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array([len(range(index, samples, count)) for index in range(count)], dtype=np.int64)


def plans(samples: int) -> list[EpochPlan]:
    found = [
        indexed_plan(samples, batch_size=8, processes=processes, accumulate=accumulate)
        for processes in (1, 2, 3)
        for accumulate in (1, 2, 5)
    ]
    return found + [
        streamed_plan(shares(samples, processes * workers), part_size=4, processes=processes, accumulate=accumulate)
        for processes in (1, 2, 3)
        for workers in (1, 2, 5)
        for accumulate in (1, 2)
    ]


@pytest.mark.parametrize("samples", [1, 7, 8, 9, 31, 64])
def test_every_sample_is_planned_once_and_counts_alike(samples: int) -> None:
    """The mean over processes and parts of weighted mean losses is the mean over the step's samples."""
    for plan in plans(samples):
        assert plan.sizes.sum() == plan.step_sizes.sum() == samples
        assert len(plan) % plan.accumulate == 0
        processes = plan.sizes.shape[1]
        weights = np.array([[plan.weight(part, rank=rank) for rank in range(processes)] for part in range(len(plan))])
        with np.errstate(invalid="ignore"):
            of_sample = (weights / (plan.accumulate * processes)) / plan.sizes
        expected = np.repeat(1 / plan.step_sizes, plan.accumulate)[:, None]
        assert np.allclose(np.where(plan.sizes > 0, of_sample - expected, 0), 0)
        assert (weights[plan.sizes == 0] == 0).all()


def test_one_process_weighs_its_batches_by_one() -> None:
    plan = indexed_plan(21, batch_size=8, processes=1, accumulate=1)
    assert [plan.weight(number, rank=0) for number in range(3)] == [1.0, 1.0, 1.0]
    assert plan.sizes.tolist() == [[8], [8], [5]]


def test_workers_take_turns_until_their_shares_end() -> None:
    assert worker_turns(np.array([5, 4]), 2) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
