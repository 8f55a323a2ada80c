"""What the metadata of Hugging Face datasets is read as."""

import json
from typing import Any

import pyarrow as pa
import pytest

from gnnfuse.tables import Columns, guess_columns, open_table, target_kind

LABEL = {"names": ["joy", "anger", "fear"], "_type": "ClassLabel"}


def table_of(feature: Any, kind: pa.DataType, cells: list[Any]) -> pa.Table:
    metadata = {"huggingface": json.dumps({"info": {"features": {"feeling": feature}}})}
    return pa.table({"feeling": pa.array(cells, kind)}, schema=pa.schema([("feeling", kind)], metadata=metadata))


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        ({"feature": LABEL, "_type": "Sequence"}, pa.list_(pa.int64())),
        ({"feature": LABEL, "_type": "List"}, pa.list_(pa.int64())),
        ({"feature": LABEL, "length": 2, "_type": "Sequence"}, pa.list_(pa.int64(), 2)),
        ({"feature": LABEL, "_type": "LargeList"}, pa.large_list(pa.int64())),
        ([LABEL], pa.list_(pa.int64())),
    ],
)
def test_the_numbers_in_lists_of_class_labels_stand_for_names(feature: Any, kind: pa.DataType) -> None:
    table = open_table(table_of(feature, kind, [[0, 2], [1, 0], None]))
    assert [table.cells(row, ["feeling"])["feeling"] for row in range(3)] == [["joy", "fear"], ["anger", "joy"], None]
    assert table.column("feeling") == [["joy", "fear"], ["anger", "joy"], None]
    assert guess_columns(table).columns.target == ("feeling",)  # declared by the source, whatever its name
    found = target_kind(table, Columns(target=("feeling",)))
    assert (found.kind, found.read(table.cells(0, ["feeling"]))) == ("multilabel", ("joy", "fear"))


def test_a_class_number_stands_for_its_name_and_one_out_of_range_for_none() -> None:
    table = open_table(table_of(LABEL, pa.int64(), [2, -1, 3]))
    assert table.column("feeling") == ["fear", None, None]
    lists = open_table(table_of([LABEL], pa.list_(pa.int64()), [[2, -1]]))
    assert lists.column("feeling") == [["fear", None]]


@pytest.mark.parametrize("feature", [{"_type": "Value"}, {"feature": {"_type": "Value"}, "_type": "Sequence"}, [], 7])
def test_features_of_other_kinds_have_no_names(feature: Any) -> None:
    assert not open_table(table_of(feature, pa.int64(), [1])).class_names


def test_metadata_that_no_parser_can_follow_names_nothing() -> None:
    table = open_table(pa.table({"feeling": [1]}).replace_schema_metadata({"huggingface": "[" * 100_000}))
    assert (table.class_names, table.kinds) == ({}, {})
