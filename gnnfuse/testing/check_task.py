"""The conformance of tasks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.sample import Sample
from gnnfuse.tasks import Prediction, Task
from gnnfuse.testing.check_fused import check_scalar
from gnnfuse.testing.check_fusion_model import check_saving
from gnnfuse.testing.global_state import unchanged_globals
from gnnfuse.testing.properties import check_batches, check_defined, check_parameters, make_seeded, one_per_graph, probe


def check_task(
    make_task: Callable[[GraphBuilder], Task],
    builder: GraphBuilder,
    samples: Sequence[Sample],
    *,
    classes: Sequence[type] = (),
) -> None:
    """Check a task.

    Its objectives and its judge are finite scalars, computed as in training. The monitored metric is among its metrics,
    which receive outputs and targets from `measured`. A single sample can be predicted, whatever it lacks. Prediction
    is repeatable, does not depend on targets, and changes neither modes nor global state. Outputs fulfil the same
    conditions as those of a fusion model (see `check_fusion_model`).

    Args:
        make_task: makes the task for a builder.
        builder: a builder with the target encoding that the task needs.
        samples: samples with targets; some complete, some not; see `random_samples`.
        classes: your own classes that loading may build.

    Raises:
        AssertionError: names what is violated.
        ValueError: raised by models and tasks themselves, for results that they refuse.

    Example:
        >>> from gnnfuse.fusion import Unimodal
        >>> from gnnfuse.graph import NumberTarget
        >>> from gnnfuse.tasks import Regression
        >>> from gnnfuse.testing import example_builder, random_samples
        >>> samples = random_samples(torch.Generator().manual_seed(0), target=lambda generator: 1.5)
        >>> make = lambda b: Regression(Unimodal(b.node_types, modality="text", dim=8, depth=1), b)
        >>> check_task(make, example_builder(target=NumberTarget()), samples)
    """
    task = make_seeded(lambda: make_task(builder))
    assert isinstance(task, Task), f"found a {type(task).__name__}, expected a Task"
    name = type(task).__name__
    samples = [sample.named(place) for place, sample in enumerate(samples)]
    subject = probe(name, task, task.builder, graph_id=lambda batch: _graph_of_rows(task, batch))
    _check_losses(name, task, samples)
    _check_metrics(name, task, samples)
    _check_predictions(name, task, samples)
    check_defined(subject, samples)
    check_batches(subject, samples)
    # A task of one node type's states leaves other parameters of the model without gradients: only its head is checked.
    check_parameters(subject if task.of is None else replace(subject, tested=_head_of(subject.module)), samples)
    check_saving(name, task, task.builder, samples, classes)


def _head_of(module: torch.nn.Module) -> torch.nn.Module:
    assert isinstance(module, Task)
    return module.head


def _graph_of_rows(task: Task, batch: GraphBatch) -> torch.Tensor:
    return one_per_graph(batch) if task.of is None else batch.layout[task.of].graph_id


def _check_losses(name: str, task: Task, samples: Sequence[Sample]) -> None:
    batch = task.builder(samples, empty=True)
    step = task.step(batch)
    losses = task.losses(step)
    assert losses, f"{name}: found no losses, expected at least one"
    for key, loss in losses.items():
        check_scalar(f"{name}: loss {key}", loss)
        assert loss.requires_grad, f"{name}: loss {key} depends on no parameter"
    check_scalar(f"{name}: judge {task.judge.name}", task.judge(step))
    targetless = task.builder([Sample(samples[0].signals, None, "the one without")])
    message = ""
    try:
        task.target_of(targetless)
    except ValueError as error:
        message = str(error)
    assert "the one without" in message, f"{name}: a missing target raises no ValueError that names the sample"


@torch.no_grad()
def _check_metrics(name: str, task: Task, samples: Sequence[Sample]) -> None:
    batch = task.builder(samples, empty=True)
    metrics = task.metrics()
    step = task.step(batch)
    metrics.update(*task.measured(step.outputs, step.target))
    found = metrics.compute()
    assert task.monitor in found, f"{name}: monitors {task.monitor!r}, but its metrics are {', '.join(found)}"
    wrong = [key for key, number in found.items() if not bool(torch.as_tensor(number).isfinite().all())]
    assert not wrong, f"{name}: metric {', '.join(wrong)} is not finite"


def _check_predictions(name: str, task: Task, samples: Sequence[Sample]) -> None:
    task.train()
    with unchanged_globals(f"{name}.predict"):
        first = [task.predict(sample, empty=True)[0] for sample in samples]
    assert task.training, f"{name}: predict leaves the task in evaluation mode"
    one_by_one = task.predict(samples, batch_size=1, empty=True)
    assert first == one_by_one, f"{name}: a sample predicted by itself differs from one in a list"
    unlabelled = [Sample(sample.signals, None, sample.id) for sample in samples]
    again = task.predict(unlabelled, batch_size=1, empty=True)
    assert again == first, f"{name}: predictions depend on the targets"
    together = task.predict(samples, empty=True)
    assert [p.id for p in together] == [s.id for s in samples], f"{name}: predictions come in another order"
    for prediction, sample in zip(together, samples, strict=True):
        assert isinstance(prediction, Prediction), f"{name}: found a {type(prediction).__name__}, not a Prediction"
        score = task.score(prediction, sample)
        assert isinstance(score, float), f"{name}: scores a prediction as {score!r}, expected a float"
        assert math.isfinite(score), f"{name}: scores a prediction as {score!r}"
    assert task.predict(Sample({}), empty=True), f"{name}: gives no prediction for a sample without signals"
    try:
        task.predict([])
    except ValueError:
        return
    raise AssertionError(f"{name}: predicting no samples raises no ValueError")
