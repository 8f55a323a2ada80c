"""Lists that a text spells out."""

import json
from typing import Any

import numpy as np
import pytest

from gnnfuse.tables.literal_list import literal_list

LISTS: list[list[Any]] = [[], ["red", "big"], ["it's", 'a "b"', "a,b", "[c]"], [0, 1, -2], [0.5, 1e300], [True, False]]


@pytest.mark.parametrize("entries", LISTS, ids=repr)
def test_what_python_json_and_numpy_write_is_read(entries: list[Any]) -> None:
    texts = [
        str(entries),
        json.dumps(entries),
        f" {entries} ",
        str(tuple(entries)),
        str(np.array(entries, dtype=object)),
    ]
    for text in texts:
        assert literal_list(text) == entries, text
    if entries:
        assert sorted(map(repr, literal_list(str(set(entries))) or [])) == sorted(map(repr, entries))


def test_arrays_and_missing_entries_are_read() -> None:
    assert literal_list(str(np.array([0.0, 1.0, np.nan]))) == [0.0, 1.0, None]
    assert literal_list(str(np.array(["red", "big"]))) == ["red", "big"]  # which Python takes for one text, 'redbig'
    assert literal_list("[null, None, NaN]") == [None, None, None]
    assert literal_list("set()") == []
    assert literal_list("[007, 10]") == ["007", 10]
    assert literal_list(f"[{'9' * 5000}]") == ["9" * 5000]  # more digits than Python makes a number of
    assert literal_list(r'["a\u00e9", "b\/c"]') == ["aé", "b/c"]


@pytest.mark.parametrize(
    "text",
    [
        "red",
        "",
        "[",
        "[a, b]",
        "(a)",
        "(1)",
        "[1, [2]]",
        "[,1]",
        "[1,,2]",
        "['red",
        "['a''b']",
        "[1;2]",
        "{'a': 1}",
        "[1)",
    ],
)
def test_other_texts_are_no_lists(text: str) -> None:
    assert literal_list(text) is None
