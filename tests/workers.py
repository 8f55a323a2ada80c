"""A pytest plugin: how several workers (`pytest -n 2`, by pytest-xdist) share the tests.

A worker takes a file at a time, as what a file's tests share (models, compiled kernels, servers) is made once then. The
longest files go first, and those that start several processes go to one worker.
"""

from typing import Any

import pytest

LONGEST = (
    "tests/test_examples.py",
    "tests/reading/test_survey_damaged.py",
    "tests/saving/test_export.py",
    "tests/fusion/graph/test_compile.py",
    "tests/fusion/graph/test_compile_layers.py",
    "tests/test_conformance.py",
    "tests/workflow/test_fit_stream.py",
    "tests/workflow/test_fit_table.py",
    "tests/cli/test_tables.py",
    "tests/nodes/pretrained/test_families.py",
    "tests/ops/attention/test_graph_attention_triton.py",
    "tests/benchmarks/test_layers.py",
    "tests/train/test_fit.py",
    "tests/cli/test_commands.py",
)
PROCESSES = ("tests/train/test_killed.py", "tests/train/test_two_processes.py", "tests/reading/test_worker.py")


def group(nodeid: str) -> str:
    """What a worker takes as a whole."""
    file = nodeid.split("::", 1)[0]
    return "processes" if file in PROCESSES else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; otherwise as collected."""
    order = {name: place for place, name in enumerate(("processes", *LONGEST))}
    items.sort(key=lambda item: order.get(group(item.nodeid), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By group, in the order of the tests."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False
    return Grouped(config, log)
