from typing import Any

import pytest

from gnnfuse.data import Dataset, HeldOut
from gnnfuse.sample.sample import Sample


def dataset(ids: tuple[str | None, str, str] = ("a", "b", "c"), **changes: Any) -> Dataset:
    train, valid, test = ([Sample({"text": "hello"}, target="en", id=name)] for name in ids)
    parts: dict[str, Any] = {
        "name": "toy",
        "train": train,
        "valid": valid,
        "tests": {"test": HeldOut(test)},
        "target": "classification",
        "classes": ("de", "en"),
    }
    return Dataset(**(parts | changes))


def test_keeps_what_it_is_given() -> None:
    assert dataset(groups={"operation": {"c": "sum"}}).groups["operation"]["c"] == "sum"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (("a", "a", "c"), "id 'a' in split 'train' and again in 'valid'"),
        (("a", "b", "a"), "id 'a' in split 'train' and again in 'test'"),
        ((None, "b", "c"), "a sample of split 'train' has no id"),
    ],
)
def test_every_sample_has_an_id_of_its_own(ids: tuple[str | None, str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset(ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "ranking"}, "target 'ranking', expected one of classification"),
        ({"classes": ("de",)}, "target 'en' is not among the 1 classes"),
        ({"classes": ("en", "en")}, "appears twice"),
        ({"groups": {"speaker": {"z": "theo"}}}, "group 'speaker' names sample 'z'"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset(**changes)


def test_regression_needs_no_classes() -> None:
    train, valid, test = ([Sample({"text": "hello"}, target=0.5, id=name)] for name in "abc")
    found = dataset(train=train, valid=valid, tests={"test": HeldOut(test)}, target="regression", classes=())
    assert found.classes == ()
