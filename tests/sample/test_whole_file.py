"""A file is there as a whole or not at all; what nobody owns any more is removed, and nothing else."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gnnfuse.sample.whole_file import lock, remove_unfinished, replacing, unfinished, unfinished_folder, write_whole
from tests.full_disk import full_disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, locks and limits of a process")


def in_child(do: Callable[[], None]) -> None:
    """Do something in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            do()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    write_whole(path, b"old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert (partial.suffix, path.read_text()) == (".csv", "old")
    assert [file.read_text() for file in path.parent.iterdir()] == ["new"]
    with pytest.raises(FileNotFoundError), replacing(path) as partial:
        os.rename(tmp_path / "nothing", partial)
    assert [file.read_text() for file in path.parent.iterdir()] == ["new"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_a_full_disk_leaves_what_was_there_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"old")
    with full_disk(1000), pytest.raises(OSError, match="a") as caught:
        write_whole(path, bytes(2000))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.bin": b"old"}


def test_errors_of_what_is_read_meanwhile_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "a.csv"):
        (tmp_path / "media.png").read_bytes()
    assert caught.value.filename == str(tmp_path / "media.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file"):
        write_whole(tmp_path / "file" / "a.csv", b"")


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    def write() -> None:
        with unfinished(tmp_path, suffix=".csv-1") as file, unfinished_folder(tmp_path) as folder:
            file.write_text("half")
            (folder / "weights").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(write)
    assert len(list(tmp_path.iterdir())) == 2
    remove_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())
    remove_unfinished(tmp_path / "nowhere")


def test_what_is_owned_or_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-notes").write_text("mine")
    (tmp_path / ".saving-for-a-car").mkdir()
    with unfinished(tmp_path) as file, unfinished_folder(tmp_path) as folder:
        in_child(lambda: remove_unfinished(tmp_path))
        remove_unfinished(tmp_path)
        assert file.exists()
        assert folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".saving-for-a-car", ".unfinished-notes"]


def test_a_forked_child_that_lives_on_holds_no_lock(tmp_path: Path) -> None:
    """As loader workers do when their parent is killed."""
    release = lock(tmp_path)
    assert release is not None
    with pytest.raises(BlockingIOError):
        lock(tmp_path)
    (begun, begin), (ended, end) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begin, b".")
        os.read(ended, 1)
        os._exit(0)
    os.read(begun, 1)
    release()
    again = lock(tmp_path)
    assert again is not None
    again()
    os.write(end, b".")
    os.waitpid(child, 0)
    for pipe in (begun, begin, ended, end):
        os.close(pipe)
