import os
from pathlib import Path

import pytest

from gnnfuse.sample import Unreadable
from gnnfuse.tables import MediaFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "table"
    (inside / "media").mkdir(parents=True)
    (tmp_path / "secret.png").write_text("secret")
    (inside / "media" / "a.png").write_text("a")
    (inside / "out.png").symlink_to(tmp_path / "secret.png")
    (inside / "up").symlink_to(tmp_path)
    (inside / "in.png").symlink_to(inside / "media" / "a.png")
    return inside


@pytest.mark.parametrize("cell", ["media/a.png", "./media/a.png", "media//a.png", "in.png", "media/./a.png"])
def test_a_path_inside_leads_to_its_file(folder: Path, cell: str) -> None:
    assert MediaFolder(folder).resolve(cell) == folder.resolve() / "media" / "a.png"


@pytest.mark.parametrize(
    "cell",
    [
        "../secret.png",
        "media/../../secret.png",
        "media\\..\\..\\secret.png",
        "out.png",
        "up/secret.png",
        "/etc/passwd",
        "..",
    ],
)
def test_a_path_that_leaves_is_refused_unless_allowed(folder: Path, cell: str) -> None:
    found = MediaFolder(folder).resolve(cell)
    assert isinstance(found, Unreadable)
    assert "allow_outside" in found.expected
    assert isinstance(MediaFolder(folder, allow_outside=True).resolve(cell), Path)


@pytest.mark.parametrize(
    "cell",
    [
        "file:///etc/passwd",
        "http://a.b/c.png",
        "https://a.b/c.png",
        "s3://a/b",
        "file:/etc/passwd",
        "\\\\server\\a",
        "//server/a",
        "C:\\a.png",
        "C:/a.png",
        "a\0.png",
    ],
)
@pytest.mark.parametrize("allow_outside", [False, True])
def test_what_is_no_path_is_never_taken(folder: Path, cell: str, allow_outside: bool) -> None:
    assert isinstance(MediaFolder(folder, allow_outside).resolve(cell), Unreadable)


def test_an_absolute_path_that_a_library_wrote_may_lie_inside(folder: Path) -> None:
    inside = str(folder / "media" / "a.png")
    assert isinstance(MediaFolder(folder).resolve(inside), Unreadable)
    assert MediaFolder(folder).resolve(inside, absolute=True) == Path(os.path.realpath(inside))
    assert isinstance(MediaFolder(folder).resolve("/etc/passwd", absolute=True), Unreadable)


def test_a_table_without_a_folder_needs_one(folder: Path) -> None:
    found = MediaFolder(None).resolve("a.png")
    assert isinstance(found, Unreadable)
    assert "(media=, --media)" in found.expected
    assert isinstance(MediaFolder(None, allow_outside=True).resolve("a.png"), Unreadable)


def test_a_folder_that_is_a_link_is_the_folder_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert MediaFolder(tmp_path / "link").resolve("media/a.png") == folder.resolve() / "media" / "a.png"


def test_advice_is_given_where_it_helps(folder: Path) -> None:
    inside = MediaFolder(folder)
    for cell in ("/etc/passwd", "../a.png"):
        found = inside.resolve(cell)
        assert isinstance(found, Unreadable)
        assert found.expected.endswith("allow_outside (--allow-outside) lets paths lead elsewhere")
        assert repr(str(folder)) in found.expected
    for cell in ("https://a.org/a.png", "a\0b", "//host/a.png"):
        found = inside.resolve(cell)
        assert isinstance(found, Unreadable)
        assert "allow" not in found.expected
