import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from gnnfuse.fit_defaults import Kind
from gnnfuse.tables import (
    ClassCells,
    Columns,
    LabelCells,
    NumberCells,
    TableError,
    TableTarget,
    open_table,
    target_kind,
)
from gnnfuse.tables.error import CellError


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
        (["red; round", "red", "round; big", "big"] * 9, "multilabel", "separated by ';'"),
        (["Lyon, France", "Paris, France"] * 9, "classification", "2 different texts"),
        (["['red', 'big']", "['big']", "[]"], "multilabel", "lists"),
        (["[0.5, 1]", "[1, 2]"], "regression", "lists of numbers"),
        (["01", "1", "001"] * 9, "classification", "3 different spellings of whole numbers"),
        ([f"{number:03d}" for number in range(30)] * 4, "classification", "30 different codes"),
        ([str(number) for number in range(30)] * 4, "regression", "30 different whole numbers, more than 20"),
        (["true", "True", "TRUE", "false"], "classification", "2 different truth values"),
        (["9007199254740992", "9007199254740993"], "classification", "2 different whole numbers"),
        ([["red", "round"], []], "multilabel", "lists"),
        ([[1, 2], [3]], "multilabel", "lists"),
        ([[0.5, 1.5], [1.0, 2.0]], "regression", "lists of numbers"),
        ([True, False], "classification", "2 different truth values"),
    ],
)
def test_the_kind_follows_the_cells_and_has_a_reason(cells: list[Any], expected: str, reason: str) -> None:
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
    with pytest.raises(TableError, match=r"separator .* is empty, expected what stands between labels"):
        target_kind(open_table([{"y": "a b"}]), Columns(target=("y",)), separator="")
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
    found = ClassCells(columns=("y",))
    names = {" cat ": "cat", "1.0": "1", "1": "1", "007": "007", "1e3": "1e3", "true": "true", "-1": "-1"}
    assert found.read({"y": 1}) == found.read({"y": 1.0}) == "1"
    for cell, name in names.items():
        assert found.read({"y": cell}) == name


def test_long_numbers_keep_their_digits() -> None:
    names = ["9007199254740992", "9007199254740993", "1234567890123456780", "1234567890123456789"]
    for cells in (names, [int(name) for name in names]):
        found = kind(cells * 5)
        assert [found.read({"y": cell}) for cell in cells] == names
    assert LabelCells(columns=("y",)).read({"y": np.array([int(names[1])])}) == (names[1],)


def test_truth_values_are_two_classes_however_they_are_spelled() -> None:
    found = kind(["true", "True", "TRUE", "true", "false"])
    assert [found.read({"y": cell}) for cell in ("true", "True", "TRUE", "False", "FALSE")] == ["true"] * 3 + [
        "false"
    ] * 2
    assert [kind([True, False]).read({"y": cell}) for cell in (True, False)] == ["True", "False"]
    assert {kind(["TRUE", "FALSE", "1", "0"]).read({"y": cell}) for cell in ("TRUE", "1", "true")} == {"TRUE"}
    assert kind(["true", "True", "yes"]).read({"y": "True"}) == "True"  # no column of truth values


PLACES: list[tuple[list[Any], list[tuple[str, ...]]]] = [
    ([[0, 1, 0], [1, 0, 1]], [("y[1]",), ("y[0]", "y[2]")]),
    ([[False, True], [True, True]], [("y[1]",), ("y[0]", "y[1]")]),
    ([[0.0, 1.0], [0.0, 0.0]], [("y[1]",), ()]),
    ([np.array([0, 1]), np.array([1, 0])], [("y[1]",), ("y[0]",)]),
    (["[0, 1, 0]", "[1, 1, 0]"], [("y[1]",), ("y[0]", "y[1]")]),
    (["[True, False]", "[true, true]"], [("y[0]",), ("y[0]", "y[1]")]),
    (["0|1|0", "1|1|0"], [("y[1]",), ("y[0]", "y[1]")]),
    (["0 1 0", "1 1 0"], [("y[1]",), ("y[0]", "y[1]")]),
]


@pytest.mark.parametrize(("cells", "labels"), PLACES, ids=[str(cells[0]) for cells, _ in PLACES])
def test_multi_hot_lists_are_labels_by_place(cells: list[Any], labels: list[tuple[str, ...]]) -> None:
    table = open_table([{"y": cell} for cell in cells])
    kinds: tuple[Kind | None, ...] = (None, "multilabel")
    for kind_ in kinds:
        found = target_kind(table, Columns(target=("y",)), kind=kind_)
        assert found.kind == "multilabel"
        assert found.labels == tuple(f"y[{place}]" for place in range(len(found.labels)))
        assert [found.read(table.cells(row, ["y"])) for row in range(len(cells))] == labels


def test_a_multi_hot_list_has_every_place_and_an_unknown_one_is_not_absent() -> None:
    found = kind([[0, 1, 0], [1, 1, 0]])
    for cell in ([0, 1], [0, 1, 2], ["cat"] * 3):
        with pytest.raises(CellError, match=r"column 'y': found .*, expected 3 entries that are 0 or 1"):
            found.read({"y": cell})
    for unknown in ([0, None, 1], [0.0, float("nan"), 1.0], None):
        assert found.read({"y": unknown}) is None
        assert found.lacks({"y": unknown})


def test_lists_of_numbers_of_labels_are_names() -> None:
    assert kind([[0, 1], [1], []]).read({"y": np.array([1, 0])}) == ("1", "0")
    assert kind([[3, 17], [2, 5]]).read({"y": np.array([3, 17])}) == ("3", "17")
    names = LabelCells(columns=("y",))
    assert names.read({"y": ["a", None]}) == ("a",)
    assert names.read({"y": [None]}) is None  # an unknown label is not none
    assert names.read({"y": []}) == ()


def test_lists_that_may_be_either_are_refused_with_the_question() -> None:
    for cells, example in (
        ([[3, 2, 1], [1, 2, 2]], r"\[1 2 2\]"),
        ([["no", "yes"], ["no", "no"]], r"\['no', 'no'\]"),
    ):
        with pytest.raises(TableError, match=rf"found lists of one length that repeat entries, such as .?{example}"):
            kind(cells)
    assert kind([[3, 3, 1]], kind="multilabel").read({"y": [3, 3, 1]}) == ("3", "1")
    assert kind([[3, 3, 1]], kind="regression").read({"y": [3, 3, 1]}) == (3.0, 3.0, 1.0)
    with pytest.raises(TableError, match=r"found lists such as '\[1 2\]', expected one class in each row"):
        kind([[1, 2]], kind="classification")
    with pytest.raises(TableError, match="found lists of lists"):
        kind([[["a"], ["b"]]])


def test_lists_that_are_spelled_out_are_read_and_what_is_none_is_refused() -> None:
    found = kind(["['red', 'big']", '["red"]', "[]", "red"])
    assert [found.read({"y": cell}) for cell in ("['red', 'big']", '["red"]', "[]")] == [("red", "big"), ("red",), ()]
    with pytest.raises(CellError, match="column 'y': found 'red', expected a list"):
        found.read({"y": "red"})
    assert kind(["[0.5, 1]"]).read({"y": "[0.25, 2]"}) == (0.25, 2.0)
    assert kind(["['a']", "['b']"], kind="classification").read({"y": "['a']"}) == "['a']"


def columns(rows: list[dict[str, Any]], **options: Any) -> TableTarget:
    return target_kind(open_table(rows), Columns(target=tuple(rows[0])), **options)


@pytest.mark.parametrize("one", [1, True, 1.0, "1", "true", "1.0"])
def test_columns_of_0_and_1_are_labels(one: Any) -> None:
    zero = {"1": "0", "true": "false", "1.0": "0.0"}[one] if isinstance(one, str) else type(one)(0)
    for options in ({}, {"kind": "multilabel"}):
        found = columns([{"toxic": zero, "rude": one}, {"toxic": one, "rude": one}], **options)
        assert (found.kind, found.labels) == ("multilabel", ("toxic", "rude"))
        assert "columns toxic, rude hold nothing but 0 and 1: each is a label" in found.reason
        assert found.read({"toxic": zero, "rude": one}) == ("rude",)
        assert found.read({"toxic": zero, "rude": zero}) == ()
        assert found.read({"toxic": zero, "rude": None}) is None  # an unknown label is not absent
        with pytest.raises(CellError, match="column 'rude': found '2', expected 0 or 1, or true or false"):
            found.read({"toxic": zero, "rude": 2})


def test_columns_of_other_numbers_are_a_vector_and_no_labels() -> None:
    rows: list[dict[str, Any]] = [{"x": 0, "y": 1}, {"x": 1, "y": 2}]
    assert columns(rows).kind == "regression"
    assert columns([{"x": 0, "y": 1}], kind="regression").read({"x": 0, "y": 1}) == (0.0, 1.0)
    with pytest.raises(TableError, match=r"column 'y': found '2', expected 0 or 1 .*several target columns \(x, y\)"):
        columns(rows, kind="multilabel")
    with pytest.raises(TableError, match="a separator has one target column, found 2"):
        columns(rows, separator=";")


def test_one_column_of_0_and_1_is_one_label_where_labels_are_asked_for() -> None:
    found = kind([0, 1, 1], kind="multilabel")
    assert (found.labels, found.read({"y": 1}), found.read({"y": 0}), found.read({"y": None})) == (
        ("y",),
        ("y",),
        (),
        None,
    )
    assert kind([0, 1, 1]).kind == "classification"


def test_labels_that_nothing_separates_are_refused_with_the_question() -> None:
    found = kind(["red;round", "red", "round;big"], kind="multilabel")
    assert found.read({"y": "big; red"}) == ("big", "red")
    with pytest.raises(
        TableError, match=r"found no separator between labels in cells such as 'red'; name it with --separator"
    ):
        kind(["red", "blue"], kind="multilabel")
    assert kind(["red", "blue"], kind="multilabel", separator="|").read({"y": "red"}) == ("red",)
    assert kind(["red"], separator="+").reason == "labels separated by '+', as given, though no cell holds it"
    with pytest.raises(TableError, match="no cell with the separator '#', but labels separated by ';'; name that one"):
        kind(["red;round", "red", "round;big", "big;red"], separator="#")
    unsure = kind(["red;round", "red", "big;round", "big"], kind="multilabel", separator="#")
    assert unsure.reason.endswith("no cell holds it; they may be separated by ';'")


def test_what_the_source_calls_a_class_is_one_whatever_its_name() -> None:
    table = replace(open_table([{"y": f"{number:02d}.5|{number}"} for number in range(30)]), kinds={"y": "label"})
    found = target_kind(table, Columns(target=("y",)))
    assert (found.kind, found.reason) == ("classification", "column y holds classes, as declared by its source")
    numbers = replace(open_table([{"y": number} for number in range(30)]), kinds={"y": "label"})
    assert target_kind(numbers, Columns(target=("y",))).read({"y": 7}) == "7"


@pytest.mark.parametrize(
    ("series", "names"),
    [
        (pd.Series([3, 12, None], dtype="Int64"), ["3", "12", None]),
        (pd.Series([True, False, None], dtype="boolean"), ["True", "False", None]),
        (pd.Series(["b", "a", None], dtype="category"), ["b", "a", None]),
        (pd.Series([3, 12, 3], dtype="category"), ["3", "12", "3"]),
        (pd.Series(["b", "a", pd.NA], dtype="string"), ["b", "a", None]),
        (pd.Series([3.0, 12.0, float("nan")]), ["3", "12", None]),
        (pd.Series([Decimal("3.00"), Decimal(12), None]), ["3", "12", None]),
        (pd.Series([np.array(["a", "b"]), np.array(["b"]), np.array([], dtype=str)]), [("a", "b"), ("b",), ()]),
        (pd.Series([np.array([0, 1, 1]), np.array([1, 0, 0]), None]), [("y[1]", "y[2]"), ("y[0]",), None]),
        (pd.Series([{"a"}, {"b"}, None]).map(lambda found: found and sorted(found)), [("a",), ("b",), ()]),
    ],
)
def test_targets_of_pandas_are_read_by_value(series: Any, names: list[Any]) -> None:
    table = open_table(pd.DataFrame({"y": series}))
    found = target_kind(table, Columns(target=("y",)))
    assert [found.read(table.cells(row, ["y"])) for row in range(3)] == names


def test_what_cannot_be_a_target_is_refused() -> None:
    with pytest.raises(TableError, match=r"no target column; name it with --target \(target=\), one of y"):
        target_kind(open_table([{"y": 1}]), Columns())
    with pytest.raises(TableError, match="all targets are empty"):
        kind([None, ""])
    with pytest.raises(TableError, match="looks like free text"):
        kind([f"text {n}" for n in range(100)])
    days = [date(2024, 1, 1) + timedelta(n) for n in range(60)]
    for cells in (days, [str(day) for day in days]):
        with pytest.raises(TableError, match=r"60 different dates or times in 60 rows, such as '2024-01-01'; convert"):
            kind(cells)
    with pytest.raises(ValueError, match="column 'y': found 'many'"):
        NumberCells(columns=("y",)).read({"y": "many"})


def test_a_table_whose_classes_take_turns_shows_them_all() -> None:
    assert "4 different texts" in kind(["a", "b", "c", "d"] * 10_000).reason


def test_an_empty_cell_of_labels_is_no_labels_and_of_other_kinds_no_target() -> None:
    labels = LabelCells(columns=("y",), separator="|")
    assert labels.read({"y": None}) == ()
    for other in (ClassCells, NumberCells):
        assert other(columns=("y",)).read({"y": None}) is None


def test_lists_hold_numbers_and_nothing_else() -> None:
    found = NumberCells(columns=("y",))
    assert found.read({"y": [1, 2.5]}) == (1.0, 2.5)
    with pytest.raises(CellError, match="column 'y': found 'None', expected a finite number as target"):
        found.read({"y": [1.0, None]})
    with pytest.raises(CellError, match=r"column 'y': found '\[1, 2\]'"):
        NumberCells(columns=("x", "y")).read({"x": 1, "y": [1, 2]})
