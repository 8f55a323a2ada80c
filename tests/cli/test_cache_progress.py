"""The progress of `gnnfuse cache` shows names as they stand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gnnfuse.cli.cache_progress import CacheProgress
from gnnfuse.data.rejects import Reject


@pytest.mark.usefixtures("unchecked")  # columns and reports are stand-ins
def test_brackets_in_names_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "[b]"
    folder.mkdir()
    column: Any = SimpleNamespace(signal="[/i]", model="[m]")
    guess: Any = SimpleNamespace(summary=[SimpleNamespace(column="[/i]", role="text", reason="texts in [red]")])
    rejects = (Reject(1, "a", "[/i]", "found nothing", left_out=True),)
    report: Any = SimpleNamespace(node_type=column, samples=1, made=0, found=0, absent=0, rejects=rejects, seconds=0.0)
    with CacheProgress(folder) as progress:
        progress.begin(guess, [column], rows=1)
        progress.conclude([report])
    found = capsys.readouterr()
    assert "[/i] by [m]" in found.err
    assert "[/i]: text (texts in [red]), by [m]" in found.out
    assert "1 signals cannot be read: see" in found.out
    assert found.out.replace("\n", "").endswith("/[b]/rejects.csv")
