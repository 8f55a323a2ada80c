"""Which separator labels are found to have."""

import random

import pytest

from gnnfuse.tables.separators import find_separator, labels_in

RED = ["red;round", "red", "round;big", "big;red", "round"]
GENRES = ["Action", "Comedy", "Drama", "Thriller", "War", "Western"]
DRAWN = random.Random(0)
SORTED = [", ".join(sorted(DRAWN.sample(GENRES, DRAWN.randint(1, 3)))) for _ in range(100)]
NAMES: dict[str, list[object]] = {
    "places": [f"{city}, {land}" for land, cities in (("France", "AB"), ("Spain", "CDE")) for city in cities],
    "answers": ["agree", "agree, strongly", "disagree", "disagree, strongly"],
    "phrases": ["Yes, I agree with it", "No, I do not agree with it", "Yes", "No"],
    "people": ["Smith, John", "Smith, Anna", "Miller, John", "Miller, Bob"],
    "dates": [f"{month} {day}, {year}" for month in ("Jan", "Feb") for day in range(1, 20) for year in (2021, 2022)],
    "decimal commas": ["1,5", "2,5", "1,7", "5,1", "2"],
    "zeros and ones with a comma": ["1,0", "0,1", "0,0"],
    "thousands": ["1,037,000", "2,037,000", "1,000,001"],
    "genotypes": ["0/1", "1/1", "0/0"],
    "no separator": ["red", "blue"],
    "no text": [1, 2, None],
}


@pytest.mark.parametrize("separator", ["|", ";", ",", " | ", "; "])
def test_a_separator_whose_parts_come_again_is_found(separator: str) -> None:
    assert find_separator([cell.replace(";", separator) for cell in RED]) == separator.strip()


def test_sorted_labels_and_class_numbers_are_found() -> None:
    assert find_separator(SORTED) == ","
    assert find_separator(["1,2", "3", "1,2,3", "2"]) == ","
    assert find_separator(["x, y;z", "z", "x, y"] * 3) == ";"


@pytest.mark.parametrize("cells", NAMES.values(), ids=NAMES)
def test_names_and_numbers_that_hold_a_separator_are_left_alone(cells: list[object]) -> None:
    assert find_separator(cells) is None


@pytest.mark.parametrize("separator", ["|", ";", ",", " "])
def test_cells_of_nothing_but_0_and_1_are_separated(separator: str) -> None:
    assert find_separator([separator.join(cell) for cell in ("010", "110", "001")]) == separator


def test_where_labels_are_asked_for_more_is_found_and_phrases_are_not_split_at_spaces() -> None:
    for separator in ("/", "+", "&", "\t", "\n", " "):
        cells = [cell.replace(";", separator) for cell in RED]
        assert find_separator(cells) is None
        assert find_separator(cells, asked=True) == separator
    assert find_separator(NAMES["answers"], asked=True) == ","
    assert find_separator(["a|b", "c"]) is None
    assert find_separator(["a|b", "c"], asked=True) == "|"
    assert find_separator(["light red", "dark red", "light blue"], asked=True) is None
    assert find_separator(NAMES["no separator"], asked=True) is None


def test_parts_have_no_spaces_around_them_and_are_not_empty() -> None:
    assert labels_in(" red ; light blue;; ", ";") == ["red", "light blue"]
