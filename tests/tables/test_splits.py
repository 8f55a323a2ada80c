"""Splits: disjoint, whole, in proportion, the same every time; groups stay together."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gnnfuse.tables import (
    Columns,
    Splits,
    StreamSplit,
    TableError,
    TableStream,
    open_table,
    split_rows,
    target_kind,
)

COLUMNS = Columns(text=("text",), target=("y",))


def split(rows: list[dict[str, Any]], columns: Columns = COLUMNS, **options: Any) -> Splits:
    table = open_table(rows)
    return split_rows(table, columns, target_kind(table, columns), **options)


def rows_by_class(counts: dict[str, int], seed: int = 0) -> list[dict[str, Any]]:
    names = [name for name, count in counts.items() for _ in range(count)]
    order = np.random.default_rng(seed).permutation(len(names))
    return [{"id": f"id {place}", "text": "t", "y": names[place]} for place in order]


def check_partition(splits: Splits, count: int) -> None:
    parts = [*splits.named.values(), splits.without_target]
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert all(np.all(np.diff(part) > 0) for part in parts)


@pytest.mark.parametrize("fractions", [(0.7, 0.15, 0.15), (0.8, 0.2, 0.0), (0.5, 0.25, 0.25), (0.9, 0.0, 0.1)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_class_is_shared_out_as_the_fractions_say(fractions: tuple[float, float, float], seed: int) -> None:
    counts = {"many": 1000, "some": 100, "few": 20, "rare": 3, "alone": 1}
    rows = rows_by_class(counts)
    found = split(rows, fractions=fractions, seed=seed)
    check_partition(found, len(rows))
    for (name, part), fraction in zip(found.named.items(), fractions, strict=True):
        assert abs(len(part) - fraction * len(rows)) <= 1, name
        classes = Counter(rows[row]["y"] for row in part)
        for label, count in counts.items():
            assert abs(classes[label] - fraction * count) < 3, (name, label)
        if name == "train":
            assert set(classes) == set(counts)


def test_many_small_classes_make_up_for_each_other() -> None:
    rows = rows_by_class({f"class {n}": 3 for n in range(100)})
    found = split(rows)
    assert [len(part) for part in found.named.values()] == [210, 45, 45]


def test_with_ids_the_order_of_the_rows_does_not_matter() -> None:
    rows, columns = rows_by_class({"a": 60, "b": 40}), replace(COLUMNS, id="id")
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = [rows[place] for place in order]
    one, other = split(rows, columns), split(shuffled, columns)
    for name in one.named:
        assert {rows[row]["id"] for row in one.named[name]} == {shuffled[row]["id"] for row in other.named[name]}
    seeds = {tuple(split(rows, columns, seed=seed).test.tolist()) for seed in range(5)}
    assert len(seeds) == 5
    assert "ids with seed 3" in split(rows, columns, seed=3).rule


def test_numbers_are_shared_out_by_their_size() -> None:
    rng = np.random.default_rng(0)
    rows = [{"text": "t", "y": float(value)} for value in rng.normal(size=1000) ** 3]
    found = split(rows)
    edges = np.quantile([row["y"] for row in rows], np.linspace(0, 1, 11)[1:-1])
    for part, fraction in zip(found.named.values(), (0.7, 0.15, 0.15), strict=True):
        counts = np.bincount(np.searchsorted(edges, [rows[row]["y"] for row in part], side="right"), minlength=10)
        assert np.abs(counts - fraction * 100).max() <= 3


def test_rare_labels_are_shared_out() -> None:
    rows = [{"text": "t", "y": ["often", "rare"] if n % 20 == 0 else ["often"]} for n in range(400)]
    found = split(rows)
    assert [sum("rare" in rows[row]["y"] for row in part) for part in found.named.values()] == [14, 3, 3]


def test_rare_labels_in_columns_and_lists_of_0_and_1_are_shared_out() -> None:
    ones = [(1, int(n % 20 == 0)) for n in range(400)]
    columns = Columns(text=("text",), target=("often", "rare"))
    found = split([{"text": "t", "often": often, "rare": rare} for often, rare in ones], columns)
    lists = split([{"text": "t", "y": list(both)} for both in ones])
    for part, same in zip(found.named.values(), lists.named.values(), strict=True):
        np.testing.assert_array_equal(part, same)
    assert [sum(ones[row][1] for row in part) for part in found.named.values()] == [14, 3, 3]


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_in_two_splits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.geometric(0.1, 200)
    labels = [("a", "b", "c")[n % 3] for n in range(200)]
    rows = [{"text": "t", "y": labels[g], "who": f"p{g}"} for g in range(200) for _ in range(sizes[g])]
    rng.shuffle(rows)
    rows[0]["who"] = ""  # belongs to nobody
    found = split(rows, replace(COLUMNS, group="who"), seed=seed)
    check_partition(found, len(rows))
    homes: dict[str, set[str]] = {}
    for name, part in found.named.items():
        for row in part:
            homes.setdefault(rows[row]["who"], set()).add(name)
    assert all(len(home) == 1 for home in homes.values())
    for part, fraction in zip(found.named.values(), (0.7, 0.15, 0.15), strict=True):
        classes = Counter(rows[row]["y"] for row in part)
        totals = Counter(row["y"] for row in rows)
        for label, total in totals.items():
            assert abs(classes[label] / total - fraction) < 0.05
    rows[0]["who"] = "p0"  # a row without a group is drawn by its place
    one, other = (split(part, replace(COLUMNS, group="who"), seed=seed) for part in (rows, rows[::-1]))
    assert sorted(len(rows) - 1 - other.test) == one.test.tolist()


def test_few_groups_leave_no_split_empty() -> None:
    rows = [{"text": "t", "y": "ab"[n % 2], "who": f"p{n % 3}"} for n in range(30)]
    assert [len(part) for part in split(rows, replace(COLUMNS, group="who")).named.values()] == [10, 10, 10]
    with pytest.raises(TableError, match="found 2 groups, expected at least 3"):
        split([row for row in rows if row["who"] != "p0"], replace(COLUMNS, group="who"))


def test_a_given_column_is_followed_with_its_synonyms() -> None:
    words = ["train", "Training", " TRAIN", "tr", "valid", "val", "Validation", "dev", "eval", "test", "Testing"]
    rows = [{"text": "t", "y": "ab"[n % 2], "part": word} for n, word in enumerate(words)]
    columns = replace(COLUMNS, split="part")
    found = split(rows, columns)
    assert [part.tolist() for part in found.named.values()] == [[0, 1, 2, 3], [4, 5, 6, 7, 8], [9, 10]]
    assert found.rule == "column 'part': 4 train, 5 valid, 2 test"
    for bad in ("fold 1", ""):
        rows[1]["part"] = bad
        with pytest.raises(TableError, match=r"column 'part', row 2: found .*, expected a split: train \(training"):
            split(rows, columns)


def test_validation_rows_are_taken_out_of_training_where_none_are_given() -> None:
    rows = [{"text": "t", "y": "ab"[n % 2], "part": "test" if n % 5 == 0 else "train"} for n in range(100)]
    found = split(rows, replace(COLUMNS, split="part"), fractions=(0.6, 0.2, 0.2))
    check_partition(found, 100)
    assert [len(part) for part in found.named.values()] == [60, 20, 20]
    assert all(row % 5 == 0 for row in found.test)
    assert Counter(rows[row]["y"] for row in found.valid) == {"a": 10, "b": 10}
    assert "validation taken from training by rule" in found.rule
    with pytest.raises(TableError, match="expected rows for training"):
        split([row for row in rows if row["part"] == "test"], replace(COLUMNS, split="part"))


def test_a_group_in_two_given_splits_is_refused() -> None:
    rows = [{"text": "t", "y": "ab"[n % 2], "part": ("train", "valid")[n % 2], "who": f"p{n // 2}"} for n in range(8)]
    with pytest.raises(TableError, match=r"row 2: group p0 of column 'who' is in split 'train' and again in 'valid'"):
        split(rows, replace(COLUMNS, split="part", group="who"))


def test_rows_without_a_target_are_counted_or_left_out() -> None:
    rows = [{"text": "t", "y": None if n in (3, 7) else "ab"[n % 2]} for n in range(20)]
    with pytest.raises(TableError, match=r"2 of 20 rows have no target \(the first: row 4\)"):
        split(rows)
    found = split(rows, leave_out=True)
    assert found.without_target.tolist() == [3, 7]
    check_partition(found, 20)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_fractions_that_are_none_are_refused(fractions: Any) -> None:
    with pytest.raises(ValueError, match="fractions"):
        split([{"text": "t", "y": 1}], fractions=fractions)


def test_a_stream_is_split_by_hash_without_a_second_pass() -> None:
    rows = [{"id": f"id {n}", "text": "t", "y": "ab"[n % 2], "who": f"p{n % 300}"} for n in range(3000)]
    table = open_table(rows, streaming=True)
    columns = replace(COLUMNS, id="id", group="who")
    rule = StreamSplit.of(columns, seed=1)
    parts = {
        name: [sample.id for _, sample in TableStream(table, columns, split=name, rule=rule).share(0, 1)]
        for name in ("train", "valid", "test")
    }
    assert sorted(str(name) for part in parts.values() for name in part) == sorted(row["id"] for row in rows)
    for part, fraction in zip(parts.values(), rule.fractions, strict=True):
        assert abs(len(part) / 3000 - fraction) < 0.06
    who = {row["id"]: row["who"] for row in rows}
    homes = [{who[str(name)] for name in part} for part in parts.values()]
    assert sum(map(len, homes)) == len(set().union(*homes))
    shares = [list(TableStream(table, columns, split="valid", rule=rule).share(index, 2)) for index in range(2)]
    assert sorted(number for share in shares for number, _ in share) == list(range(len(parts["valid"])))


def test_a_stream_follows_its_split_column() -> None:
    rows = [{"text": str(n), "part": ("train", "dev", "test")[n % 3]} for n in range(9)]
    columns = Columns(text=("text",), split="part")
    table = open_table(rows, streaming=True)
    found = TableStream(table, columns, split="valid", rule=StreamSplit.of(columns))
    assert [(number, sample.signals["text"]) for number, sample in found.share(0, 1)] == [(0, "1"), (1, "4"), (2, "7")]
    carve = StreamSplit.of(columns, valid_from_train=True)
    assert {carve.split_of(n, {"part": "train"}) for n in range(100)} == {"train", "valid"}
    assert carve.split_of(0, {"part": "test"}) == "test"


def test_groups_that_leave_a_class_out_of_training_are_refused_before_reading() -> None:
    nested = [{"y": f"class {n % 10}", "who": f"who {n % 10}"} for n in range(100)]
    table, columns = open_table(nested), Columns(target=("y",), group="who")
    target = target_kind(table, columns)
    with pytest.raises(
        TableError, match=r"row \d+: training has no rows of class 'class \d', as groups of column 'who'"
    ):
        split_rows(table, columns, target)
    assert len(split_rows(table, columns, target, leave_out=True).test)


@pytest.mark.parametrize("seed", range(20))
def test_training_has_every_class_if_groups_allow_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [{"y": f"{n % 4}", "who": f"{n % 4} {rng.integers(2)}"} for n in range(40)]
    rows += [{"y": "rare", "who": "last"}, {"y": "0", "who": "last"}]
    table, columns = open_table(rows), Columns(target=("y",), group="who")
    splits = split_rows(table, columns, target_kind(table, columns), seed=seed)
    assert {rows[row]["y"] for row in splits.train} == {"0", "1", "2", "3", "rare"}
    assert min(len(found) for found in splits.named.values()) > 0
