"""Commands whose output nobody reads, that are asked to end, or that the system refuses something."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from torch.utils.data import DataLoader

from gnnfuse.cli import commands as cli
from gnnfuse.reading.read_in_order import read_in_order
from gnnfuse.reading.worker import Loading, worker_context
from gnnfuse.sample import Sample, SignalError
from gnnfuse.tables import TableError
from gnnfuse.terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, signals and /dev/full")


class Command:
    """Stands in for the command line: does what a test says."""

    def __init__(self, do: object) -> None:
        self.do = do

    def __call__(self) -> None:
        if callable(self.do):
            self.do()


@contextmanager
def broken(kind: str) -> Iterator[None]:
    """Standard output that nobody reads, is full, is closed, or was never there; within one phase of a test, as pytest
    puts its own in place before each."""
    read, write = os.pipe()
    os.close(read)
    stream = open("/dev/full", "w") if kind == "full" else os.fdopen(os.dup(write), "w")  # noqa: SIM115 - closed below
    os.close(write)
    if kind == "closed":
        stream.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", None if kind == "none" else stream)
        yield
    if not stream.closed:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
        stream.close()


@pytest.mark.parametrize("kind", ["unread", "full", "closed", "none"])
def test_progress_that_cannot_be_written_is_dropped(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def command() -> None:
        terminal = Terminal()
        terminal.says("a line")
        with terminal.begins("reading", 3) as advance:
            advance()
        done.append(True)

    monkeypatch.setattr(cli, "app", Command(command))
    with broken(kind):
        cli.main()  # no SystemExit: the exit code is 0
    assert done == [True]


def test_progress_goes_where_standard_output_is(capsys: pytest.CaptureFixture[str]) -> None:
    for terminal in (Terminal(), Terminal(stderr=True)):
        with terminal.begins("nobody sees this", 1) as advance:
            advance()
        terminal.says("a [line]")
    assert capsys.readouterr() == ("a [line]\n", "a [line]\n")
    assert Terminal().console.is_terminal is Console().is_terminal


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_that_is_asked_to_end_tidies_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tidied = []
    number = getattr(signal, name)

    def command() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            tidied.append(name)

    monkeypatch.setattr(cli, "app", Command(command))
    before = signal.signal(number, signal.SIG_DFL)  # this test itself may run under nohup
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert (stop.value.code, tidied) == (128 + number, [name])
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_signal_that_nohup_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "app", Command(lambda: os.kill(os.getpid(), signal.SIGHUP)))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        cli.main()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "m/a.csv"), "m/a.csv: no space left on device; free some"),
        (
            PermissionError(errno.EACCES, "Permission denied", "m"),
            "m: permission denied; write elsewhere, or",
        ),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "m"), "m: not a directory; expected a folder there"),
        (OSError(errno.EBADF, "Bad file descriptor", 3), "bad file descriptor"),  # a descriptor in the place of a name
        (OSError(errno.EIO, ""), "[Errno 5]"),
        (ChildProcessError("a process that reads samples was ended"), "a process that reads samples was ended"),
    ],
)
def test_errors_of_the_system_are_sentences(
    error: OSError, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    monkeypatch.setattr(cli, "app", Command(command))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {line}")
    assert told.count("\n") == 1


def dying(number: int, sample: Sample) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wrong(number: int, sample: Sample) -> int:
    if number == 1:
        raise TableError("row 2: found nothing, expected something")
    return number


def unreadable(number: int, sample: Sample) -> int:
    raise SignalError(sample, "image", "nothing", "a picture")


def test_a_worker_that_the_system_ended_is_told_with_advice() -> None:
    samples = [Sample({}, id=name) for name in "abc"]
    with pytest.raises(ChildProcessError, match=r"reads samples was (killed .*|ended) \(process \d+\).*--workers"):
        list(read_in_order(dying, samples, workers=1, chunk=1))


def test_what_a_worker_raises_is_what_it_said() -> None:
    samples = [Sample({}, id=name) for name in "abc"]
    with pytest.raises(TableError) as caught:
        list(read_in_order(wrong, samples, workers=1, chunk=1))
    assert str(caught.value) == "row 2: found nothing, expected something"
    with pytest.raises(ValueError, match=r"^sample 'a', signal 'image'") as unread:
        list(read_in_order(unreadable, samples, workers=1, chunk=1))
    assert "\n" not in str(unread.value)


def test_errors_of_this_process_stay_as_they_are() -> None:
    loader: DataLoader[int] = DataLoader([1, 2], multiprocessing_context=worker_context(0), collate_fn=lambda _: 1 // 0)  # type: ignore[arg-type]  # a list does
    with pytest.raises(ZeroDivisionError):
        next(Loading(loader))


def test_a_full_disk_at_a_file_of_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All answers are written this way; `tests/sample/test_whole_file.py` fills a real file."""
    from gnnfuse.data.rejects import write_rejects

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_rejects(tmp_path / "a.csv.rejects.csv", [])
    assert caught.value.filename == str(tmp_path / "a.csv.rejects.csv")
    assert not list(tmp_path.iterdir())
