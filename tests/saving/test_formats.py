"""Folders that earlier versions wrote are read, and give what they gave.

`format_N/expected.pt` holds what the version that wrote the folder computed on `few_samples`.
"""

import shutil
from pathlib import Path

import pytest
import torch

from gnnfuse.saving.config import FORMAT
from gnnfuse.tasks import Classification, CrossEntropy, EachModality
from tests.saving.models import few_samples

HERE = Path(__file__).parent


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_every_format_so_far_is_read(number: int) -> None:
    folder = HERE / f"format_{number}"
    task = Classification.from_pretrained(folder)
    expected = torch.load(folder / "expected.pt", weights_only=True)
    with torch.no_grad():
        found = task(task.builder(few_samples(), empty=True))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # another machine may sum in another order
    assert task.classes == ("cat", "dog", "Käuzchen")
    (row,) = [node_type for node_type in task.builder.node_types if node_type.name == "row"]
    assert (getattr(row, "mean", None), getattr(row, "scale", None)) == ((0.5, -1.0), (2.0, 0.25))


@pytest.mark.parametrize(
    ("name", "objectives"),
    [
        ("format_2_concat", [("cross_entropy", 1.0, 0.1, None)]),
        (
            "format_2_additive",
            [("cross_entropy", 1.0, 0.0, (0.5, 2.0)), ("cross_entropy_of_each_modality", 0.5, 0.0, (0.5, 2.0))],
        ),
    ],
)
def test_what_format_2_called_otherwise(name: str, objectives: list[object]) -> None:
    """Encoders within the pooled modalities of a model; numbers in place of a task's objectives."""
    task = Classification.from_pretrained(HERE / name)
    expected = torch.load(HERE / name / "expected.pt", weights_only=True)
    with torch.no_grad():
        found = task(task.builder(few_samples(), empty=True))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    read = []
    for objective in task.objectives:
        loss = objective.objective if isinstance(objective, EachModality) else objective
        assert isinstance(loss, CrossEntropy)
        read.append((objective.name, objective.weight, loss.label_smoothing, loss.class_weights))
    assert read == objectives


def test_saved_again_it_is_of_todays_format(tmp_path: Path) -> None:
    shutil.copytree(HERE / "format_1", tmp_path, dirs_exist_ok=True)
    loaded = Classification.from_pretrained(tmp_path)
    loaded.save_pretrained(tmp_path)
    again = Classification.from_pretrained(tmp_path)
    batch = again.builder(few_samples(), empty=True)
    assert torch.equal(again(batch), loaded(batch))
    assert f'"format": {FORMAT}' in (tmp_path / "config.json").read_text()
