"""Trees: what they read of a missing modality, and what they answer after saving."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gnnfuse.sample import Sample
from gnnfuse.saving import export
from gnnfuse.tasks import Task, Trees
from gnnfuse.workflow.members import trees as module
from gnnfuse.workflow.members.trees import COMPONENTS, TreesMember
from tests.workflow.members.pooled_tables import ROWS, pooled, samples
from tests.workflow.members.saved import answers_in_a_fresh_process

TRAIN, TEST = range(0, 80), range(80, ROWS)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROUNDS", 40)
    monkeypatch.setattr(module, "MOST_COLUMNS", COMPONENTS)


def outputs(task: Task, kind: str) -> Tensor:
    with torch.no_grad():
        found: Tensor = task(task.builder([samples(kind)[row] for row in TEST], empty=True))
    return found


@pytest.mark.parametrize("kind", ["class", "labels", "numbers"])
def test_trees_beat_a_guess_on_rows_they_have_not_seen(kind: str) -> None:
    targets = pooled(kind).targets[list(TEST)]
    found = outputs(TreesMember(pooled=pooled(kind)).fit(TRAIN, "run"), kind)
    if kind == "class":
        assert torch.allclose(found.exp().sum(dim=1), torch.ones(len(TEST)), atol=1e-5)
        assert (found.argmax(dim=1) == targets).float().mean() > 0.5
    elif kind == "labels":
        assert ((found > 0) == (targets > 0.5)).float().mean() > 0.65
    else:
        assert (found - targets).square().mean() < 0.8 * (targets - targets.mean(dim=0)).square().mean()


def test_a_missing_modality_is_missing_and_few_columns_are_read_as_they_are() -> None:
    task = TreesMember(pooled=pooled("class")).fit(TRAIN, "run")
    head = task.head
    assert isinstance(head, Trees)
    assert head.components == (2, COMPONENTS)
    with torch.no_grad():
        vector = task.model(task.builder([samples("class")[0], samples("class")[1], samples("class")[70]], empty=True))
        read = head.inputs(vector)
    assert read.isnan()[:, 0].tolist() == [True, False, True]
    assert read.isnan()[:, -1].tolist() == [False, False, False]
    assert torch.equal(read[1, :2], vector[1, :2])


def test_components_are_the_principal_axes_of_the_rows() -> None:
    rows = torch.randn(200, 40, generator=torch.Generator().manual_seed(0)) * torch.linspace(5, 0.1, 40)
    rows -= rows.mean(dim=0)
    found = module._axes(rows)
    assert found is not None
    expected = torch.linalg.svdvals(rows)[:COMPONENTS].square().sum()
    assert torch.allclose((rows @ found).square().sum(), expected, rtol=1e-4)


def test_the_same_rows_give_the_same_trees() -> None:
    one, other = (TreesMember(pooled=pooled("class")).fit(TRAIN, run).head for run in ("a", "b"))
    assert isinstance(one, Trees)
    assert isinstance(other, Trees)
    assert one.boosters == other.boosters


def test_a_sample_of_nothing_gets_an_answer() -> None:
    task = TreesMember(pooled=pooled("class")).fit(TRAIN, "run")
    assert task.predict([Sample({})], empty=True)[0].label in ("cat", "dog", "owl")


def test_saved_trees_answer_alike_in_a_fresh_process_and_nothing_is_pickled(tmp_path: Path) -> None:
    task = TreesMember(pooled=pooled("class")).fit(TRAIN, "run")
    found = answers_in_a_fresh_process(task, samples("class")[80:], tmp_path)
    assert torch.equal(found, outputs(task, "class"))
    files = {path.suffix for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "texts"}
    assert files <= {".json", ".md", ".safetensors", ".pt"}  # .pt: this test's own
    assert (tmp_path / "texts").is_dir()


def test_exporting_trees_is_refused_in_one_line() -> None:
    task = TreesMember(pooled=pooled("class")).fit(TRAIN, "run")
    batch = task.builder(samples("class")[:4])
    with pytest.raises(
        ValueError, match="Classification cannot be exported: its part 'head' runs LightGBM's trees"
    ) as e:
        export(task, batch)
    assert "\n" not in str(e.value)


def test_one_row_of_a_class_or_too_few_rows_for_folds_are_enough() -> None:
    assert outputs(TreesMember(pooled=pooled("class")).fit(range(3), "run"), "class").isfinite().all()


def test_a_text_of_no_trees_and_of_other_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="found no model in LightGBM's text format"):
        Trees(["nonsense"], widths=[2], components=[2], classes=True)
    head = TreesMember(pooled=pooled("class")).fit(TRAIN, "run").head
    assert isinstance(head, Trees)
    with pytest.raises(ValueError, match="found a model of 32 numbers, expected 3"):
        Trees(head.boosters, widths=[2, 1], components=[2, 1], classes=True)
    with pytest.raises(ValueError, match="found 3 components of 2 columns"):
        Trees([], widths=[2], components=[3], classes=True)


def test_what_lightgbm_refuses_is_an_error_of_the_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.OBJECTIVES, "softmax", "nothing")
    with pytest.raises(ValueError, match="LightGBM refuses 80 rows"):
        TreesMember(pooled=pooled("class")).fit(TRAIN, "run")
