"""When a list holds names of labels, and when a 0 or 1 at every label's place."""

from typing import Any

import numpy as np
import pytest
import torch

from gnnfuse.sample.multi_hot import listed, multi_hot_width, truth, truths

PLACES: list[tuple[int, list[Any]]] = [
    (3, [[0, 1, 0], [1, 1, 0]]),
    (3, [[False, True, False], [True, True, True]]),
    (3, [[0.0, 1.0, 0.0]]),
    (3, [["0", "1", "0"], ["1", "1", "0"]]),
    (2, [["true", "False"], ["TRUE", "false"]]),
    (2, [[0, 1], [1, 0]]),  # as names, every sample would have both
    (2, [[True, False], [True]]),
    (1, [[True], [False]]),
    (1, [[1.0], [0.0]]),
    (3, [[0, 1, 0], [1, 1], [1, 1, 0], []]),  # a list that repeats an entry holds no names: [1, 1] is damaged
    (3, [[0, None, 1], [1.0, float("nan"), 0.0]]),
    (3, [np.array([0, 1, 0]), np.array([1, 1, 0], dtype=np.uint8)]),
    (1, [np.array([True]), np.array([False])]),
]
NAMES: list[list[Any]] = [
    [[0, 1], [1], [0]],
    [[0], [1], []],
    [[0, 2, 1], [1, 0, 2]],
    [["cat", "dog"], ["dog", "cat"]],
    [[0.5, 1.0]],
    [[], []],
    [],
    [[None], [None]],
    [np.array([0, 1]), np.array([1])],
]


@pytest.mark.parametrize(("width", "lists"), PLACES)
def test_lists_of_one_length_of_nothing_but_true_and_false_are_multi_hot(width: int, lists: list[Any]) -> None:
    assert multi_hot_width(lists) == width


@pytest.mark.parametrize("lists", NAMES)
def test_other_lists_hold_names(lists: list[Any]) -> None:
    assert multi_hot_width(lists) == 0


def test_what_is_true_and_what_is_false() -> None:
    assert [truth(value) for value in (1, 1.0, True, "1", "1.0", " TRUE ", torch.tensor(1), np.True_)] == [1.0] * 8
    assert [truth(value) for value in (0, 0.0, False, "0", "false", np.float32(0))] == [0.0] * 6
    assert [truth(value) for value in (2, -1, 0.5, "yes", "01", [1], "")] == [None] * 7
    found = truths([1, None, False])
    assert found is not None
    np.testing.assert_array_equal(found, [1.0, np.nan, 0.0])
    assert truths(np.array([0, 2])) is None


def test_lists_are_what_has_one_dimension() -> None:
    for value in ([1, 0], (1, 0), np.array([1, 0]), torch.tensor([1, 0]), torch.tensor([1, 0]).to_sparse()):
        found = listed(value)
        assert found is not None
        assert list(found) == [1, 0]
    for other in ("10", {1, 0}, 1, np.array([[1]]), torch.tensor(1), None):
        assert listed(other) is None
