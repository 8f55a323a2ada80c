"""What a command reads is never replaced, moved or removed by what it writes, by whichever name it goes."""

import os
from pathlib import Path

import pytest

from gnnfuse.data.overwriting import Written, files_in, refuse_overwriting, refuse_unwritable
from gnnfuse.data.rejects import Reject, is_rejects, write_rejects
from gnnfuse.tables import TableError, open_table
from gnnfuse.tables.media_path import MediaFolder
from gnnfuse.tables.open_table import refuse_overwriting_table

CSV = "text,label\na cat,cat\na dog,dog\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tables" / "pets.csv"
    path.parent.mkdir()
    path.write_text(CSV)
    return path


def other_names(table: Path) -> dict[str, Path]:
    """Further names of a file."""
    place = table.parents[1]
    os.link(table, place / "hard.csv")
    (place / "soft.csv").symlink_to(table)
    (place / "folder").symlink_to(table.parent)
    names = {"itself": table, "up": table.parent / ".." / "tables" / table.name, "hard": place / "hard.csv"}
    return names | {"soft": place / "soft.csv", "through a folder": place / "folder" / table.name}


@pytest.mark.parametrize("name", ["itself", "up", "hard", "soft", "through a folder"])
def test_a_table_is_refused_by_any_of_its_names(name: str, table: Path, tmp_path: Path) -> None:
    again = other_names(table)[name]
    for read, written in ((table, again), (again, table)):
        with pytest.raises(ValueError, match="found the table itself"):
            refuse_overwriting_table(read, [tmp_path / "new.csv", written])
    assert table.read_text() == CSV


def test_files_that_are_not_read_may_be_written(table: Path, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(CSV)  # the same content is not the same file
    refuse_overwriting_table(table, [tmp_path / "old.csv", tmp_path / "new.csv", table.parent / "new.csv"])
    refuse_overwriting_table(tmp_path / "nowhere.csv", [tmp_path / "nowhere.csv"])  # opening it says so
    refuse_overwriting_table("owner/name", [tmp_path / "new.csv"])


def test_a_folder_that_is_read_as_a_table_is_not_written_into(table: Path, tmp_path: Path) -> None:
    inner = table.parent / "model" / "results.json"
    refuse_overwriting_table(table.parent, [inner])  # one table: its folders are not read
    with pytest.raises(ValueError, match=r"results.json: found a file of the table's folder"):
        refuse_overwriting_table(table.parent, [table.parent / "results.json"])
    (table.parent / "more.csv").write_text(CSV)  # now a data set, read as a whole
    for out in (inner, tmp_path / "tables" / "x" / ".." / "new.csv"):
        with pytest.raises(ValueError, match="all of which is read"):
            refuse_overwriting_table(table.parent, [out])
    os.link(table, tmp_path / "hard.csv")
    with pytest.raises(ValueError, match=r"hard.csv: found a file of the table's folder"):
        refuse_overwriting_table(table.parent, [tmp_path / "hard.csv"])


def test_roles_are_named(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"w")
    files = list(files_in(tmp_path))
    assert files == [tmp_path / "weights.pth"]
    assert list(files_in(tmp_path / "weights.pth")) == files
    assert list(files_in("torchvision/resnet18")) == list(files_in(None)) == []
    with pytest.raises(ValueError, match=r"weights.pth: found a file of an encoder itself, which would be replaced"):
        refuse_overwriting({"the table": [], "a file of an encoder": files}, files)


def test_no_cell_names_a_file_that_will_be_replaced(tmp_path: Path) -> None:
    for name in ("curves.png", "cat.png"):
        (tmp_path / name).write_bytes(b"picture")
    os.link(tmp_path / "curves.png", tmp_path / "again.png")
    media = MediaFolder(tmp_path, written=Written.of([tmp_path / "curves.png", tmp_path / "new.png"]))
    assert media.resolve("cat.png") == (tmp_path / "cat.png").resolve()
    for cell in ("curves.png", "again.png"):
        with pytest.raises(TableError, match=r"a cell of the table names this file .* which would be replaced"):
            media.resolve(cell)
    opened = open_table([{"photo": "curves.png"}], media=tmp_path).writing([tmp_path / "curves.png"])
    with pytest.raises(TableError, match="a cell of the table names this file"):
        opened.media.resolve("curves.png")


def test_lists_of_rejects_are_known_by_their_header(tmp_path: Path) -> None:
    write_rejects(tmp_path / "ours.csv", [Reject(1, "a", "text", "found it, expected that", True)])
    (tmp_path / "theirs.csv").write_text("row,id,column,reason,left_out_too\n")
    (tmp_path / "empty.csv").write_text("")
    assert [is_rejects(tmp_path / f"{name}.csv") for name in ("ours", "theirs", "empty")] == [True, False, False]


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as caught:
        refuse_unwritable(tmp_path / "file" / "new" / "out")
    assert caught.value.filename == str(tmp_path / "file")
    refuse_unwritable(tmp_path / "new" / "out")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # as root everything is allowed
    with pytest.raises(PermissionError) as denied:
        refuse_unwritable(tmp_path / "new" / "out")
    assert denied.value.filename == str(tmp_path)
