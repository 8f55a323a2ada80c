"""A task saved here and run in a process that knows nothing of it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gnnfuse.sample import Sample
from gnnfuse.tasks import Task

SCRIPT = """
import sys, torch, gnnfuse
folder = sys.argv[1]
task = gnnfuse.from_pretrained(folder).eval()
signals = torch.load(folder + "/signals.pt", weights_only=True)
with torch.no_grad():
    torch.save(task(task.builder([gnnfuse.Sample(each) for each in signals], empty=True)), folder + "/found.pt")
"""


def answers_in_a_fresh_process(task: Task, samples: Sequence[Sample], folder: Path) -> Tensor:
    task.save_pretrained(folder)
    torch.save([dict(sample.signals) for sample in samples], folder / "signals.pt")
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    found: Tensor = torch.load(folder / "found.pt", weights_only=True)
    return found
