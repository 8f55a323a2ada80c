import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from gnnfuse.tables import ColumnOptions, Columns, TableError, guess_columns, open_table

WORDS = ("a small cat", "two dogs on the lawn", "nobody there", "the owl", "grass")


def rows(count: int = 60) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    return [
        {
            "sample_id": f"s{n}",
            "front": f"img/{n}.JPG" if n % 5 else "",
            "back": f"img/{n}b.png",
            "clip": f"snd/{n}.wav" if n % 3 else None,
            "letter": f"letters/{n}.txt",
            "caption": f"{WORDS[n % 5]} {n}",
            "age": str(n % 7) if n % 4 else "",
            "height": float(rng.normal()),
            "color": ["red", "green", "blue"][n % 3],
            "date": f"2024-01-{n % 28 + 1:02}",
            "same": "x",
            "counter": n,
            "nothing": "",
            "label": "ab"[n % 2],
            "split": ("train", "dev", "test")[n % 3],
        }
        for n in range(count)
    ]


def test_every_column_has_a_role_and_a_reason(tmp_path: Path) -> None:
    found = guess_columns(open_table(rows()))
    assert found.columns == Columns(
        image=("front", "back"),
        audio=("clip",),
        text=("caption",),
        text_file=("letter",),
        features=("age", "height"),
        target=("label",),
        id="sample_id",
        split="split",
    )
    assert [guess.column for guess in found.account] == list(rows()[0])
    assert all(guess.reason for guess in found.account)
    unused = {guess.column: guess.reason for guess in found.account if guess.role == "unused"}
    assert set(unused) == {"color", "date", "same", "counter", "nothing"}
    assert "a category of 3 values" in unused["color"]
    assert unused["nothing"] == "all empty"
    assert "caption: text (60 different texts in 60 cells)" in str(found)


def test_what_is_given_is_not_guessed() -> None:
    texts = ["color", "caption"]
    table = open_table(rows())
    found = guess_columns(table, ColumnOptions(image="back", text=texts, target="height", id="counter", group="color"))
    assert found.columns.image == ("back",)
    assert found.columns.text == ("color", "caption")
    assert found.columns.target == ("height",)
    assert found.columns.features == ("age",)
    assert (found.columns.id, found.columns.group) == ("counter", "color")
    roles = {guess.column: (guess.role, guess.reason) for guess in found.account}
    assert roles["front"][0] == "unused"
    assert "image is given" in roles["front"][1]
    assert roles["color"] == ("group, text", "given")
    assert guess_columns(open_table(rows()), ColumnOptions(features=[], split="split")).columns.features == ()
    assert guess_columns(table, ColumnOptions(group="caption")).columns.text == ()


def test_a_few_damaged_cells_do_not_hide_a_column() -> None:
    table = rows()
    for n in range(0, 60, 10):
        table[n] |= {"back": "../../etc/passwd", "height": "tall"}
    for row in table:
        row["height"] = str(row["height"])
    found = guess_columns(open_table(table))
    assert "back" in found.columns.image
    assert "height" in found.columns.features
    reason = next(guess.reason for guess in found.account if guess.column == "height")
    assert "54 of 60 cells are numbers; the others, such as 'tall'" in reason


def test_rows_of_the_whole_table_are_looked_at_and_of_a_stream_the_first() -> None:
    table = [{"x": "" if n < 4000 else f"{n}.png"} for n in range(5000)]
    assert guess_columns(open_table(table)).columns.image == ("x",)
    streamed = guess_columns(open_table(table, streaming=True))
    assert streamed.account[0].role == "unused"
    assert streamed.account[0].blank == 1.0


def test_running_numbers_are_recognised_in_long_tables_too() -> None:
    found = guess_columns(open_table([{"n": n + 7, "m": 2 * n} for n in range(5000)]))
    assert [guess.reason for guess in found.account] == ["a running number", "1000 of 1000 cells are numbers"]


def test_short_words_of_many_kinds_are_texts() -> None:
    table = open_table([{"word": f"word{n}"} for n in range(100)])
    assert guess_columns(table).columns.text == ("word",)


def test_ids_that_come_twice_are_no_ids() -> None:
    assert guess_columns(open_table([{"id": str(n % 9), "text": f"t {n}"} for n in range(50)])).columns.id is None


def test_one_column_cannot_be_two_signals() -> None:
    with pytest.raises(TableError, match="given as image and again as text"):
        guess_columns(open_table(rows()), ColumnOptions(image="back", text="back"))


def test_words_for_empty_cells_do_not_hide_a_column_of_numbers() -> None:
    table = open_table(
        [{"h": "NA" if n % 3 == 0 else f"{n * n / 4}", "word": "NA" if n % 2 else "x"} for n in range(60)]
    )
    found = guess_columns(table)
    assert found.columns.features == ("h",)
    assert found.account[0].reason == "40 of 40 cells are numbers; 'NA' counts as empty"
    assert found.account[0].blank == pytest.approx(1 / 3)
    assert found.account[1].blank == 0
    none = guess_columns(open_table([{"h": "NA", "k": "null"}] * 3 + [{"h": "NA", "k": "a"}]))
    assert none.columns.features == ()


def test_numbers_with_a_decimal_comma_are_no_texts() -> None:
    found = guess_columns(open_table([{"h": f"{n},5"} for n in range(40)]))
    assert found.columns == Columns()
    assert "a decimal comma, such as '0,5'; write a point" in found.account[0].reason


def test_a_guessed_id_tells_all_rows_apart() -> None:
    names = [f"n{n}" for n in range(5000)]
    assert guess_columns(open_table([{"name": name} for name in names])).columns.id == "name"
    names[4321] = "n17"
    table = open_table([{"name": name, "id": n} for n, name in enumerate(names)])
    found = guess_columns(table)
    assert found.columns.id == "id"
    assert found.columns.text == ()
    assert "id 'n17' in row 18 and again in row 4322; rows are named by their numbers" in found.account[0].reason


@pytest.mark.parametrize(
    ("ids", "message"), [(["a", " a"], "id 'a' in row 1 and again in row 2"), (["a", ""], "found no id in row 2")]
)
def test_given_ids_that_do_not_tell_rows_apart_are_refused(ids: list[str], message: str) -> None:
    with pytest.raises(TableError, match=message):
        guess_columns(open_table([{"id": name} for name in ids]), ColumnOptions(id="id"))


def test_what_is_ignored_is_unused() -> None:
    table = open_table(rows())
    found = guess_columns(table, ColumnOptions(ignore=["front", "label", "sample_id"]))
    assert found.columns.image == ("back",)
    assert (found.columns.target, found.columns.id) == ((), None)
    assert {guess.reason for guess in found.account if guess.column in ("front", "label", "sample_id")} == {"ignored"}
    with pytest.raises(TableError, match="unknown column 'frnt', did you mean 'front'"):
        guess_columns(table, ColumnOptions(ignore="frnt"))
    with pytest.raises(TableError, match="'back' is given as image and is also to be ignored"):
        guess_columns(table, ColumnOptions(image="back", ignore="back"))


def test_many_alike_columns_are_shown_as_one() -> None:
    rng = np.random.default_rng(0)
    table = [
        {**{f"gene{n}": float(x) for n, x in enumerate(rng.normal(size=100))}, "caption": f"text {row}", "age": row % 7}
        for row in range(30)
    ]
    for row in table[:10]:
        row |= {"gene1": "NA", "gene7": "NA"}
    found = guess_columns(open_table([{name: str(cell) for name, cell in row.items()} for row in table]))
    assert len(found.account) == 102
    assert str(found).splitlines() == [
        "gene0, gene2, gene3 and 96 more: features (30 of 30 cells are numbers)",
        "gene1, gene7: features (20 of 20 cells are numbers; 'NA' counts as empty)",
        "caption: text (30 different texts in 30 cells)",
    ]
    assert [guess.blank for guess in found.summary] == pytest.approx([0, 1 / 3, 0])
    few = guess_columns(open_table([{f"gene{n}": row * row / 7 for n in range(60)} for row in range(30)]))
    assert few.summary == few.account


def test_whoever_names_no_signal_learns_the_option_of_every_role() -> None:
    roles = [role for role, default in asdict(Columns()).items() if default == () and role != "target"]
    with pytest.raises(ValueError, match="found no column to read") as raised:
        guess_columns(open_table([{"species": "cat"}, {"species": "dog"}] * 9)).refuse_none()
    assert re.findall(r"--([a-z-]+)", str(raised.value)) == [role.replace("_", "-") for role in roles]
    assert str(raised.value).endswith("; species: a category of 2 values; name its role to use it")
