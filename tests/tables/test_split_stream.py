"""Splits of a stream: what one pass finds is what the streams of the splits give."""

from typing import Any

import numpy as np
import pytest

from gnnfuse.tables import (
    Columns,
    StreamedSplits,
    TableError,
    TableStream,
    open_table,
    split_rows,
    split_stream,
    target_kind,
)

COLUMNS = Columns(text=("text",), target=("y",))
ROWS = 400


def table(**more: Any) -> list[dict[str, Any]]:
    """Rows of two classes; further columns are functions of the row's number."""
    made = ({name: make(n) for name, make in more.items()} for n in range(ROWS))
    return [{"text": f"t {n}", "y": "ab"[n % 2], **cells} for n, cells in enumerate(made)]


def split(rows: list[dict[str, Any]], columns: Columns = COLUMNS, **options: Any) -> StreamedSplits:
    opened = open_table(rows, streaming=True)
    found = split_stream(opened, columns, target_kind(opened, columns), **options)
    for name, numbered in found.numbered.items():  # the streams of the splits number the same rows alike
        stream = TableStream(opened, columns, split=name, rule=found.rule)
        assert [sample.signals["text"] for sample in stream] == [rows[row]["text"] for row in numbered.tolist()]
    parts = [*found.splits.named.values(), found.splits.without_target]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows)))
    return found


@pytest.mark.parametrize("fractions", [(0.7, 0.15, 0.15), (0.5, 0.5, 0.0)])
def test_shares_hold_on_average_and_follow_the_seed(fractions: tuple[float, float, float]) -> None:
    found = [split(table(), fractions=fractions, seed=seed) for seed in (0, 0, 1)]
    for name, fraction in zip(("train", "valid", "test"), fractions, strict=True):
        expected = fraction * ROWS
        assert abs(len(found[0].splits.named[name]) - expected) <= 4 * np.sqrt(expected * (1 - fraction)) + 1e-9
    first, again, other = (splits.splits.train.tolist() for splits in found)
    assert first == again != other
    assert found[0].splits.fractions == fractions
    assert "drawn row by row from row numbers with seed 0: shares hold on average, nothing is stratified" in (
        found[0].splits.rule
    )


def test_a_row_stays_in_its_split_wherever_it_stands() -> None:
    rows = table(name=lambda n: f"id {n}")
    columns = Columns(text=("text",), target=("y",), id="name")
    turned = [*rows[::-1], {"text": "more", "y": "a", "name": "new"}]
    found, other = split(rows, columns).splits, split(turned, columns).splits
    for name, numbers in found.named.items():
        home = {rows[row]["name"] for row in numbers.tolist()}
        assert home == {turned[row]["name"] for row in other.named[name].tolist()} - {"new"}


def test_groups_stay_together() -> None:
    rows = table(who=lambda n: f"person {n % 23}" if n % 10 else None)
    found = split(rows, Columns(text=("text",), target=("y",), group="who"), fractions=(0.5, 0.25, 0.25)).splits
    homes = [{rows[row]["who"] for row in part.tolist()} - {None} for part in found.named.values()]
    assert all(homes)
    assert not homes[0] & homes[1] | homes[0] & homes[2] | homes[1] & homes[2]


def test_a_column_is_followed_as_in_an_indexed_table() -> None:
    rows = table(part=lambda n: ("train", "Train", "dev", "test")[n % 4])
    columns = Columns(text=("text",), target=("y",), split="part")
    opened = open_table(rows)
    expected, found = split_rows(opened, columns, target_kind(opened, columns)), split(rows, columns).splits
    assert (found.rule, found.fractions) == (expected.rule, None)
    for name, numbers in expected.named.items():
        np.testing.assert_array_equal(found.named[name], numbers)


def test_validation_comes_out_of_training_where_a_column_names_none() -> None:
    rows = table(part=lambda n: "test" if n % 4 == 0 else "train")
    found = split(rows, Columns(text=("text",), target=("y",), split="part"), fractions=(0.5, 0.25, 0.25)).splits
    assert found.test.tolist() == list(range(0, ROWS, 4))
    assert abs(len(found.valid) - 100) < 4 * np.sqrt(100 * 2 / 3)
    assert found.fractions == pytest.approx((2 / 3, 1 / 3, 0))
    assert "300 train, 0 valid, 100 test; validation taken from training by rule, 66.7% train, 33.3%" in found.rule
    none = split(rows, Columns(text=("text",), target=("y",), split="part"), fractions=(0.5, 0.0, 0.5)).splits
    assert len(none.valid) == 0


def test_rows_without_a_target_stop_or_belong_to_no_split() -> None:
    rows = table()
    rows[3]["y"] = rows[70]["y"] = None
    with pytest.raises(TableError, match=r"2 of 400 rows have no target \(the first: row 4\)"):
        split(rows)
    found = split(rows, leave_out=True)
    assert found.splits.without_target.tolist() == [3, 70]
    assert {3, 70} <= set(np.concatenate(list(found.numbered.values())).tolist())


def test_a_row_with_an_unknown_label_has_no_target() -> None:
    columns = Columns(text=("text",), target=("toxic", "rude"))
    rows: list[dict[str, Any]] = [{"text": f"t {n}", "toxic": n % 2, "rude": int(n % 3 == 0)} for n in range(100)]
    rows[3]["rude"] = rows[70]["toxic"] = None
    with pytest.raises(
        TableError, match=r"2 of 100 rows have no target \(the first: row 4\); fill columns 'toxic', 'rude'"
    ):
        split(rows, columns)
    for table in (open_table(rows), open_table(rows, streaming=True)):
        target = target_kind(table, columns)
        both = split_stream(table, columns, target, leave_out=True).splits
        assert both.without_target.tolist() == [3, 70]
    indexed = open_table(rows)
    assert split_rows(indexed, columns, target_kind(indexed, columns), leave_out=True).without_target.tolist() == [
        3,
        70,
    ]


def test_what_contradicts_itself_is_refused() -> None:
    columns = Columns(text=("text",), target=("y",), split="part", group="who")
    rows = table(part=lambda n: ("train", "valid")[n % 2], who=lambda n: f"p{n // 2}")
    with pytest.raises(TableError, match="row 2: group p0 of column 'who' is in split 'train' and again in 'valid'"):
        split(rows, columns)
    with pytest.raises(TableError, match="column 'part', row 1: found 'fold 3', expected a split"):
        split(table(part=lambda n: "fold 3"), Columns(text=("text",), target=("y",), split="part"))
    with pytest.raises(TableError, match="0 train, 0 valid, 400 test, expected rows for training"):
        split(table(part=lambda n: "test"), Columns(text=("text",), target=("y",), split="part"))
