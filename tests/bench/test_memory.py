import sys

import pytest
import torch

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
