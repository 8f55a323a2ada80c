import copy
import pickle
from typing import Any

import pytest

from gnnfuse.data import HeldOut
from gnnfuse.sample.sample import Sample


def held_out() -> HeldOut:
    return HeldOut([Sample({"text": word}, target=word, id=str(i)) for i, word in enumerate("aab")], name="toy test")


def test_says_how_many_and_which_classes() -> None:
    test = held_out()
    assert (len(test), dict(test.counts), test.ids) == (3, {"a": 2, "b": 1}, ("0", "1", "2"))
    assert repr(test) == "HeldOut('toy test', 3 samples)"


def test_cannot_be_iterated_indexed_or_unpacked() -> None:
    test: Any = held_out()
    with pytest.raises(TypeError):
        iter(test)
    with pytest.raises(TypeError):
        test[0]
    with pytest.raises(TypeError):
        list(test)
    with pytest.raises(TypeError):
        assert "0" in test
    assert not hasattr(test, "__dict__")


def test_opens_once_per_run() -> None:
    test = held_out()
    assert [sample.target for sample in test.open("first")] == ["a", "a", "b"]
    assert len(test.open("second")) == 3
    with pytest.raises(ValueError, match="run 'first' has already opened toy test"):
        test.open("first")


def test_a_run_has_a_name() -> None:
    with pytest.raises(ValueError, match="toy test: found an empty run name"):
        held_out().open("")


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_seal_cannot_be_copied(way: Any) -> None:
    with pytest.raises(TypeError, match="toy test is sealed"):
        way(held_out())


def test_several_classes_per_sample_are_counted_each() -> None:
    test = HeldOut([Sample({}, target=("a", "b"), id="0"), Sample({}, target=["b"], id="1"), Sample({}, 0.5, "2")])
    assert dict(test.counts) == {"a": 1, "b": 2}
