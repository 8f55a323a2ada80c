"""Folds: every row once, groups whole, classes in equal shares."""

from collections import Counter

import numpy as np
import pytest

from gnnfuse.workflow.members.folds import held_out_rows, single_split

ROWS = 103
CLASSES = [0] * 60 + [1] * 40 + [2] * 3
GROUPS = [f"speaker {row % 17}" for row in range(ROWS)]


@pytest.mark.parametrize("classes", [None, CLASSES])
@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("count", [2, 5])
def test_every_row_is_held_out_once(classes: list[int] | None, groups: list[str] | None, count: int) -> None:
    held_out, _ = held_out_rows(count, rows=ROWS, classes=classes, groups=groups, seed=0)
    assert len(held_out) == count
    assert sorted(row for rows in held_out for row in rows) == list(range(ROWS))
    if groups is not None:
        folds = [{groups[row] for row in rows} for rows in held_out]
        assert sum(map(len, folds)) == len(set(groups))


def test_classes_have_equal_shares() -> None:
    held_out, rule = held_out_rows(5, rows=ROWS, classes=CLASSES, groups=None, seed=0)
    assert "stratified" in rule
    for rows in held_out:
        counts = Counter(CLASSES[row] for row in rows)
        assert counts[0] == 12
        assert counts[1] == 8
        assert counts[2] <= 1


def test_another_seed_gives_other_folds_and_the_same_seed_the_same() -> None:
    first, again, other = (held_out_rows(5, rows=ROWS, classes=None, groups=None, seed=seed)[0] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_classes_of_fewer_rows_than_folds_do_not_stop_anything() -> None:
    held_out, rule = held_out_rows(4, rows=6, classes=[0, 0, 1, 1, 2, 2], groups=None, seed=0)
    assert "stratified" not in rule
    assert sorted(np.concatenate([np.array(rows) for rows in held_out]).tolist()) == list(range(6))


@pytest.mark.parametrize(("rows", "groups", "what"), [(3, None, "3 rows"), (9, ["a", "b", "c"] * 3, "3 groups")])
def test_fewer_rows_or_groups_than_folds_are_refused(rows: int, groups: list[str] | None, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        held_out_rows(5, rows=rows, classes=None, groups=groups, seed=0)


def test_one_split_holds_out_the_validation_rows() -> None:
    held_out, _ = single_split(3, 2)
    assert held_out == ((3, 4),)
