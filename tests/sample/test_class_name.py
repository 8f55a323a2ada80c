"""Classes are named by their values."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
import torch

from gnnfuse.sample import Sample, class_name
from gnnfuse.sample.class_name import in_order, missing, value_name

LARGE = 9007199254740993  # 2**53 + 1, which no float64 is
NAMES: list[tuple[str, list[Any]]] = [
    (
        "cat",
        [
            "cat",
            " cat ",
            np.str_("cat"),
            b"cat",
            np.bytes_(b"cat"),
            np.array("cat"),
            bytearray(b"cat"),
            np.array(["cat"]),
        ],
    ),
    ("2", [2, 2.0, "2", "2.0", np.int8(2), np.float32(2), np.array([2]), np.array(2.0), torch.tensor(2)]),
    ("2", [torch.tensor([2]), torch.tensor([[2.0]]), torch.tensor(2, dtype=torch.bfloat16), Decimal("2.00")]),
    ("2", [Fraction(4, 2), np.longdouble(2), np.array([2], dtype=object), pd.Series([2], dtype="Int64")[0], b"2.0"]),
    ("True", [True, np.True_, np.array([True]), torch.tensor(True), pd.array([True], dtype="boolean")[0], "True"]),
    ("0", ["-0", "-0.0", -0.0, 0, torch.tensor(-0.0)]),
    ("-1", [-1, "-1", "-1.0", np.int64(-1)]),
    (str(LARGE), [LARGE, str(LARGE), f"{LARGE}.0", np.int64(LARGE), torch.tensor(LARGE), Decimal(LARGE)]),
    (str(2**64 - 1), [2**64 - 1, np.uint64(2**64 - 1)]),
    ("123456789012345678901234567890123456789", [Decimal("123456789012345678901234567890123456789")]),
    ("1.5", [1.5, np.float16(1.5), torch.tensor(1.5), Decimal("1.50"), "1.5"]),
]
SPELLED = ["007", "+1", "1e3", "true", "TRUE", "1.00", "²", "٣", "1,5", ""]


@pytest.mark.parametrize(("name", "values"), NAMES, ids=[name for name, _ in NAMES])
def test_a_value_has_one_name_wherever_it_comes_from(name: str, values: list[Any]) -> None:
    for value in values:
        found = class_name(value)
        assert (found, type(found)) == (name, str), repr(value)


def test_a_text_that_is_no_plain_whole_number_is_a_name_as_it_is_spelled() -> None:
    assert [class_name(text) for text in SPELLED] == SPELLED
    assert class_name(np.datetime64("2020-01-02", "ns")) == "2020-01-02T00:00:00.000000000"


@pytest.mark.parametrize(
    "value",
    [
        None,
        float("nan"),
        np.nan,
        Decimal("nan"),
        Decimal("snan"),
        pd.NA,
        pd.NaT,
        np.datetime64("NaT"),
        torch.tensor(torch.nan),
    ],
)
def test_a_missing_value_has_no_name(value: object) -> None:
    assert missing(value)
    with pytest.raises(ValueError, match="expected one text, number or truth value"):
        class_name(value)


@pytest.mark.parametrize(
    "value", [[1], (), {"a"}, {"a": 1}, np.array([1, 2]), np.array([]), torch.tensor([1, 2]), range(2)]
)
def test_a_collection_has_no_name(value: object) -> None:
    assert not missing(value)
    with pytest.raises(ValueError, match="expected one text, number or truth value"):
        class_name(value)


def test_whole_numbers_are_in_the_order_of_numbers_and_all_else_in_that_of_texts() -> None:
    assert in_order(map(str, range(11))) == tuple(map(str, range(11)))
    assert in_order(["10", "-2", "9", "9"]) == ("-2", "9", "10")
    assert in_order(["10", "9", "nine"]) == ("10", "9", "nine")
    assert in_order(["10", "02", "1"]) == ("02", "1", "10")
    assert in_order([]) == ()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", [7, 7.0, np.int64(7), torch.tensor(7), np.array([7]), "7"])
def test_ids_are_read_by_their_value_too_and_texts_stay(value: Any) -> None:
    assert value_name(value) == "7"
    assert Sample({}, id=value).id == "7"
    assert value_name(" 7.0 ") == " 7.0 "


@pytest.mark.usefixtures("unchecked")
def test_the_ids_of_two_rows_stay_apart() -> None:
    ids = [Sample({}, id=name).id for name in (LARGE, LARGE + 1, "1", "1.0")]  # type: ignore[arg-type]
    assert ids == [str(LARGE), str(LARGE + 1), "1", "1.0"]
