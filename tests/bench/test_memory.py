import sys
from pathlib import Path

import pytest
import torch

from gnnfuse.bench import memory
from gnnfuse.bench.memory import PeakMemory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot reset their high-water mark")
def test_the_peak_is_what_the_block_added_and_gave_back() -> None:
    with PeakMemory(torch.device("cpu")) as large:
        torch.ones(64 * 1024 * 1024 // 4).sum()
    with PeakMemory(torch.device("cpu")) as small:
        torch.ones(1024 * 1024 // 4).sum()
    if large.megabytes is None or small.megabytes is None:
        pytest.skip("this system does not let a process reset its high-water mark")
    assert 60 <= large.megabytes <= 90
    assert small.megabytes < 30


@pytest.mark.skipif(sys.platform != "linux", reason="memory is not measured elsewhere")
def test_nothing_is_measured_if_the_system_reports_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "clear_refs")
    monkeypatch.setattr(memory, "STATUS", str(tmp_path / "status"))
    (tmp_path / "status").write_text("Name:\tpython\n")
    with PeakMemory(torch.device("cpu")) as found:
        pass
    assert found.megabytes is None
