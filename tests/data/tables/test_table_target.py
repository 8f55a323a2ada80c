import re
from typing import Any

import pytest

from gnnfuse.data.tables import Columns, TableError, TableTarget, open_table, target_kind
from gnnfuse.data.tables.error import CellError


def kind(cells: list[Any], **options: Any) -> TableTarget:
    return target_kind(open_table([{"y": cell} for cell in cells]), Columns(target=("y",)), **options)


@pytest.mark.parametrize(
    ("cells", "expected", "reason"),
    [
        (["cat", "dog"] * 20, "classification", "2 different texts"),
        ([0, 1, 2] * 20, "classification", "3 different whole numbers"),
        (["0", "1.0"] * 20, "classification", "2 different whole numbers"),
        (list(range(50)), "regression", "50 different whole numbers, more than 20"),
        (["1.5", "2"] * 20, "regression", "fractions, such as 1.5"),
        ([0.25, 1.0], "regression", "fractions"),
        (["red|round", "red", "round|big"] * 9, "multilabel", r"separated by '\|'"),
        ([["red", "round"], []], "multilabel", "lists"),
        ([[1, 2], [3]], "multilabel", "lists"),
        ([[0.5, 1.5], [1.0, 2.0]], "regression", "lists of numbers"),
        ([True, False], "classification", "2 different"),
    ],
)
def test_the_kind_follows_what_stands_there_and_says_why(cells: list[Any], expected: str, reason: str) -> None:
    found = kind([*cells, None])
    assert found.kind == expected
    assert found.reason.startswith("column y")
    assert re.search(reason, found.reason)


def test_a_separator_or_a_kind_overrides() -> None:
    assert kind(["a;b", "a"], separator=";").read({"y": " b ; a;b;"}) == ("b", "a")
    assert kind([0, 1], kind="regression").read({"y": 1}) == 1.0
    assert kind(list(range(50)), kind="classification").read({"y": 7}) == "7"
    assert kind(["a|b"] * 5, kind="classification").read({"y": "a|b"}) == "a|b"


@pytest.mark.usefixtures("unchecked")
def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(TableError, match="target kind 'ranking'"):
        kind([1], kind="ranking")


def test_several_columns_are_a_vector() -> None:
    table = open_table([{"x": 1, "y": "2.5"}, {"x": 3, "y": ""}])
    found = target_kind(table, Columns(target=("y", "x")))
    assert found.kind == "regression"
    assert found.read(table.cells(0, ["x", "y"])) == (2.5, 1.0)
    assert found.read(table.cells(1, ["x", "y"])) is None
    with pytest.raises(TableError, match="classification has one target column, found 2"):
        target_kind(table, Columns(target=("y", "x")), kind="classification")


def test_classes_keep_their_names() -> None:
    found = TableTarget(kind="classification", columns=("y",))
    names = {" cat ": "cat", "1.0": "1", "1": "1", "007": "007", "1e3": "1e3", "true": "true", "-1": "-1"}
    assert found.read({"y": 1}) == found.read({"y": 1.0}) == "1"
    for cell, name in names.items():
        assert found.read({"y": cell}) == name


def test_what_cannot_be_a_target_is_refused() -> None:
    with pytest.raises(TableError, match=r"no target column; name it by --target \(target=\), one of y"):
        target_kind(open_table([{"y": 1}]), Columns())
    with pytest.raises(TableError, match="all targets are empty"):
        kind([None, ""])
    with pytest.raises(TableError, match="looks like free text"):
        kind([f"text {n}" for n in range(100)])
    with pytest.raises(ValueError, match="column 'y': found 'many'"):
        TableTarget(kind="regression", columns=("y",)).read({"y": "many"})


def test_a_table_whose_classes_take_turns_shows_them_all() -> None:
    assert "4 different texts" in kind(["a", "b", "c", "d"] * 10_000).reason


def test_an_empty_cell_of_labels_is_no_labels_and_of_other_kinds_no_target() -> None:
    labels = TableTarget(kind="multilabel", columns=("y",), separator="|")
    assert labels.read({"y": None}) == ()
    for kind_ in ("classification", "regression"):
        assert TableTarget(kind=kind_, columns=("y",)).read({"y": None}) is None


def test_lists_hold_numbers_and_nothing_else() -> None:
    found = TableTarget(kind="regression", columns=("y",))
    assert found.read({"y": [1, 2.5]}) == (1.0, 2.5)
    with pytest.raises(CellError, match="column 'y': found 'None', expected a finite number as target"):
        found.read({"y": [1.0, None]})
    with pytest.raises(CellError, match=r"column 'y': found '\[1, 2\]'"):
        TableTarget(kind="regression", columns=("x", "y")).read({"x": 1, "y": [1, 2]})
