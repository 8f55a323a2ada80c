import pickle

import pytest

from gnnfuse.data.lazy_samples import LazySamples, ids_of, targets_of
from gnnfuse.sample.sample import Sample


def double(index: int) -> dict[str, object]:
    return {"value": 2 * index}


def lazy() -> LazySamples:
    return LazySamples(double, ids=("a", "b", "c", "d"), targets=("x", "y", "x", "y"))


def test_reads_like_a_list() -> None:
    samples = lazy()
    assert [(sample.id, sample.target, sample.signals["value"]) for sample in samples] == [
        ("a", "x", 0),
        ("b", "y", 2),
        ("c", "x", 4),
        ("d", "y", 6),
    ]
    assert samples[-1].id == "d"
    with pytest.raises(IndexError):
        samples[4]


def test_slices_of_slices_keep_ids_and_signals_together() -> None:
    part = lazy()[::-1][1:3]
    assert [(sample.id, sample.signals["value"]) for sample in part] == [("c", 4), ("b", 2)]


def test_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(lazy()[1:]))[0].signals["value"] == 2


def test_ids_and_targets_make_no_samples() -> None:
    made: list[int] = []

    def count(index: int) -> dict[str, object]:
        made.append(index)
        return {}

    samples = LazySamples(count, ids=("a",) * 100, targets=("x",) * 100)
    assert (ids_of(samples), targets_of(samples)) == (("a",) * 100, ("x",) * 100)
    assert len(made) < 10  # a run-time type checker may look at an item or two
    assert (ids_of([Sample({}, 1, "z")]), targets_of([Sample({}, 1, "z")])) == (("z",), (1,))


def test_every_sample_has_a_target() -> None:
    with pytest.raises(ValueError, match="2 ids but 1 targets"):
        LazySamples(double, ids=("a", "b"), targets=("x",))
