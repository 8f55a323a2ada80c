"""A graph model that learns what a solved linear one leaves."""

from pathlib import Path

import pytest
import torch

from gnnfuse.edges import Complete
from gnnfuse.fusion import GraphFusion, WayAround
from gnnfuse.fusion.way_around import factors
from gnnfuse.graph import ClassTarget, GraphBuilder, NumberTarget, TargetEncoding
from gnnfuse.nodes import Features, Hub
from gnnfuse.readout import AdditiveReadout
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.tasks import Classification, CrossEntropy, EachModality, Regression, Task
from gnnfuse.train import FitConfig, fit_task, prepare
from gnnfuse.workflow.members.linear import LinearMember
from gnnfuse.workflow.members.pooled_rows import PooledRows
from gnnfuse.workflow.members.way_around import with_way_around

CONFIG = FitConfig(epochs=2, batch_size=16, progress=False, device="cpu")
CLASSES = ClassTarget(("a", "b", "c"))


def samples(target: TargetEncoding, count: int = 40) -> list[Sample]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for place in range(count):
        rows, number = torch.randn(3, 4, generator=generator), place % 3
        rows[:, 0] += 3.0 * number
        signals = {"one": rows, "two": torch.randn(2, 3, generator=generator)} if place % 5 else {"one": rows}
        wanted = "abc"[number] if target is CLASSES else 2.0 * number
        found.append(Sample(signals, target=wanted, id=str(place)))
    return found


def tasks(target: TargetEncoding, dim: int = 8) -> tuple[Task, Task, list[Sample]]:
    """A graph task, the linear one, and the samples."""
    given = samples(target)
    types = [Features(signal="one", width=4), Features(signal="two", width=3), Hub()]
    builder = GraphBuilder(types, [Complete(dst="hub"), Complete(src="hub", name="back")], target=target).fit(given)
    readout = AdditiveReadout(dim, builder.modalities)
    model = GraphFusion(builder.node_types, builder.relations, dim=dim, depth=1, readout=readout)
    pooled = PooledRows.of(builder, prepare(builder, given))
    linear = LinearMember(pooled=pooled).fit(range(len(given)), "all")
    if target is CLASSES:
        objectives = [CrossEntropy(), EachModality(CrossEntropy(), weight=0.3)]
        return Classification(model, builder, objectives=objectives), linear, given
    return Regression(model, builder), linear, given


def silent(task: Task) -> Task:
    """The task whose model's own vectors are zero."""
    assert isinstance(task.model, WayAround)
    readout = task.model.model.readout
    for parameter in readout.parameters():  # type: ignore[union-attr]
        torch.nn.init.zeros_(parameter)
    return task.eval()


@pytest.mark.parametrize("target", [CLASSES, NumberTarget()])
@torch.no_grad()
def test_without_the_model_it_answers_as_the_linear_one(target: TargetEncoding) -> None:
    task, linear, given = tasks(target)
    whole = silent(with_way_around(task, linear))
    batch = whole.builder(given)
    torch.testing.assert_close(whole(batch), linear(linear.builder(given)), rtol=1e-4, atol=1e-4)


def test_what_the_model_adds_is_shrunk_after_training() -> None:
    task, linear, given = tasks(CLASSES)
    whole = with_way_around(task, linear)
    model = whole.model
    assert isinstance(model, WayAround)
    assert model.share < 1
    model.dropout = 0.0
    batch = whole.builder(given)
    with torch.no_grad():
        base = linear(linear.builder(given))
        learning, answering = whole.train()(batch) - base, whole.eval()(batch) - base
    torch.testing.assert_close(answering, learning * model.share, rtol=1e-3, atol=1e-4)


def test_probabilities_are_those_of_the_outputs_without_smoothing() -> None:
    task, linear, given = tasks(CLASSES)
    objectives = [CrossEntropy(label_smoothing=0.3), EachModality(CrossEntropy(label_smoothing=0.3))]
    whole = silent(with_way_around(Classification(task.model, task.builder, objectives=objectives), linear))
    for mine, theirs in zip(whole.predict(given), linear.predict(given), strict=True):
        assert mine.scores == pytest.approx(theirs.scores, abs=1e-4)


def test_training_changes_the_model_and_not_the_way_around() -> None:
    task, linear, given = tasks(CLASSES)
    whole = with_way_around(task, linear)
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    fit_task(whole, given, None, CONFIG)
    changed = {name for name, tensor in whole.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any(name.startswith("model.model.layers") for name in changed)
    assert not any(name.startswith(("model.map", "model.pooled")) for name in changed)
    assert "head.1.weight" not in changed


def test_it_is_saved_with_its_pooled_states(tmp_path: Path) -> None:
    task, linear, given = tasks(CLASSES)
    whole = with_way_around(task, linear).eval()
    save_pretrained(whole, tmp_path)
    loaded = from_pretrained(tmp_path)
    assert isinstance(loaded, Classification)
    assert [p.scores for p in loaded.predict(given)] == [p.scores for p in whole.predict(given)]


def test_of_more_outputs_than_dimensions_the_nearest_map_is_taken() -> None:
    weight = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    head, inner = factors(weight, 4)
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    torch.testing.assert_close(head @ inner, (left[:, :4] * values[:4]) @ right[:4], rtol=1e-4, atol=1e-4)
