"""A pytest plugin: the processor time of every test, child processes included.

Wall time on a busy machine measures its neighbours. `--most-seconds` fails a run with a test that takes longer, unless
that test is marked `long`. `--costs` names a JSON file for the seconds of all tests.
"""

import json
import os
import resource
from collections import Counter
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

SHOWN = 30
PROPERTY = "processor_seconds"


def spent() -> float:
    """Seconds of processor time of this process and of its children, those that have ended too."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used) + sum(map(spent_by, children("self")))


def children(process: str) -> list[str]:
    """The living children of a process, by number; none where the system has no such files."""
    found: list[str] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += file.read_text().split()
    return found


def spent_by(process: str) -> float:
    """Seconds of a living process, of its children that have ended, and of those that live."""
    try:
        numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        living = children(process)
    except OSError:  # it has just ended
        return 0.0
    return sum(map(int, numbers[11:15])) / os.sysconf("SC_CLK_TCK") + sum(map(spent_by, living))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two options."""
    group = parser.getgroup("processor time")
    group.addoption("--most-seconds", type=float, help="Fail if one test (not marked long) takes more of them.")
    group.addoption("--costs", type=Path, help="JSON file to write every test's seconds into.")


def pytest_configure(config: pytest.Config) -> None:
    """In the process that reports, and in every worker."""
    config.pluginmanager.register(ProcessorTime(config), "processor_time")


class ProcessorTime:
    """Adds up the seconds of each test's setup, call and teardown, whichever worker ran it."""

    def __init__(self, config: pytest.Config) -> None:
        self.most: float | None = config.getoption("most_seconds")
        self.costs: Path | None = config.getoption("costs")
        self.seconds: Counter[str] = Counter()  # of floats, which Counter adds up as well
        self.long: set[str] = set()
        self.before = 0.0

    def pytest_runtest_logstart(self) -> None:
        """What was spent between two tests is nobody's."""
        self.before = spent()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """After each phase of a test."""
        report = yield
        now = spent()
        report.user_properties.append((PROPERTY, now - self.before))
        self.before = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """In the process that reports."""
        properties: dict[str, Any] = dict(report.user_properties)
        self.seconds[report.nodeid] += properties.get(PROPERTY, 0.0)
        if "long" in report.keywords:
            self.long.add(report.nodeid)

    def too_long(self) -> list[str]:
        """The tests that take more than `--most-seconds`."""
        if self.most is None:
            return []
        return [name for name, taken in self.seconds.most_common() if taken > self.most and name not in self.long]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A test that takes too long fails the run."""
        if self.too_long() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.costs is not None and not hasattr(session.config, "workerinput"):
            self.costs.write_text(json.dumps(dict(self.seconds.most_common()), indent=0))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The most expensive tests."""
        show = terminalreporter
        show.section(f"processor time: {self.seconds.total():.0f} s in tests; the {SHOWN} most expensive")
        for name, taken in self.seconds.most_common(SHOWN):
            show.write_line(f"{taken:7.2f} s  {name}")
        for name in self.too_long():
            show.write_line(f"too long: {name} takes {self.seconds[name]:.1f} s, at most {self.most:g} s", red=True)
