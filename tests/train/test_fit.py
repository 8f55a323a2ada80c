import logging
import math
import random
import signal
import warnings
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from gnnfuse.devices import device_of
from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import GraphFusion, Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget
from gnnfuse.nodes import Features, Hub, TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification, CrossEntropy, MultiLabel, Regression, Task
from gnnfuse.train import Batches, FitConfig, FitReport, evaluate, fit_task, prepare
from gnnfuse.train.callbacks import KeepBest
from gnnfuse.train.lightning_task import LightningTask

WORDS = ("ant", "bee", "cow", "dog")
QUIET = FitConfig(epochs=4, batch_size=8, progress=False, device="cpu", patience=None)


def word_samples(count: int) -> list[Sample]:
    return [Sample({"text": WORDS[i % 4]}, target=WORDS[i % 4], id=f"word {i}") for i in range(count)]


def word_builder() -> GraphBuilder:
    rules = [Window(size=1), Complete(dst="hub", name="to_hub")]
    return GraphBuilder([TextTokens(), Hub()], rules, target=ClassTarget(WORDS))


def word_task(builder: GraphBuilder | None = None, *, seed: int = 0, graph: bool = True) -> Task:
    builder = word_builder() if builder is None else builder
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if graph:
            return Classification(GraphFusion(builder.node_types, builder.relations, dim=16, depth=1), builder)
        return Classification(Unimodal(builder.node_types, modality="text", dim=16, depth=1), builder, dropout=0.3)


def weights(task: Task) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in task.parameters()]


@pytest.mark.parametrize("graph", [True, False])
def test_same_seed_gives_identical_weights_and_another_seed_does_not(graph: bool) -> None:
    tasks = [word_task(graph=graph) for _ in range(3)]
    for task, seed in zip(tasks, (3, 3, 4), strict=True):
        fit_task(task, word_samples(32), word_samples(8), FitConfig(**{**vars(QUIET), "seed": seed}))
    first, same, other = map(weights, tasks)
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_random_states_warnings_and_log_levels_are_as_before() -> None:
    torch_state, python_state, numpy_state = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    filters, level = list(warnings.filters), logging.getLogger("lightning.pytorch").level
    fit_task(word_task(), word_samples(16), word_samples(8), QUIET)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state()) == numpy_state  # noqa: NPY002
    assert random.getstate() == python_state
    assert list(warnings.filters) == filters
    assert logging.getLogger("lightning.pytorch").level == level


def test_prepared_graphs_and_samples_train_alike() -> None:
    builder, samples, valid = word_builder(), word_samples(32), word_samples(8)
    read, made = word_task(builder), word_task(builder)
    fit_task(read, samples, valid, QUIET)
    fit_task(made, prepare(builder, samples), prepare(builder, valid), QUIET)
    assert all(torch.equal(a, b) for a, b in zip(weights(read), weights(made), strict=True))


def test_loader_workers_change_nothing() -> None:
    alone, helped = word_task(), word_task()
    fit_task(alone, word_samples(32), word_samples(8), QUIET)
    fit_task(helped, word_samples(32), word_samples(8), FitConfig(**{**vars(QUIET), "workers": 2}))
    assert all(torch.equal(a, b) for a, b in zip(weights(alone), weights(helped), strict=True))


def test_training_learns_and_the_report_tells_the_truth() -> None:
    task = word_task()
    report = fit_task(task, word_samples(64), word_samples(16), FitConfig(**{**vars(QUIET), "epochs": 12}))
    assert (report.epochs, report.stopped, report.samples) == (12, "epochs", 12 * 64)
    assert len(report.history) == 12
    assert report.history[report.best_epoch] == report.best
    found = evaluate(task, word_samples(16), device="cpu")
    assert found.metrics["accuracy"] == pytest.approx(report.best["valid_accuracy"])
    assert found.metrics["accuracy"] == 1.0
    assert [p.id for p in found.predictions] == [f"word {i}" for i in range(16)]


def test_the_weights_kept_are_those_of_the_best_validation_epoch() -> None:
    """Training on wrong labels makes validation worse by the epoch, so the first epoch is the best."""
    right = word_samples(16)
    wrong = [Sample(s.signals, WORDS[(WORDS.index(str(s.target)) + 1) % 4], s.id) for s in word_samples(64)]
    task = word_task()
    fit_task(task, right * 4, right, FitConfig(**{**vars(QUIET), "epochs": 12}))
    report = fit_task(task, wrong, right, FitConfig(**{**vars(QUIET), "epochs": 8, "warmup": 0.0}))
    after = evaluate(task, right, device="cpu").metrics["accuracy"]
    accuracies = [epoch["valid_accuracy"] for epoch in report.history]
    assert after == pytest.approx(max(accuracies))
    assert accuracies[-1] < max(accuracies)


def test_the_kept_epoch_is_that_of_the_best_metric_or_of_the_smallest_loss() -> None:
    valid = word_samples(16)
    others = dict(zip(WORDS, (*WORDS[1:], WORDS[0]), strict=True))
    valid[:6] = [replace(sample, target=others[str(sample.target)]) for sample in valid[:6]]
    kept = {}
    for select in ("metric", "loss"):
        config = FitConfig(**{**vars(QUIET), "epochs": 12, "learning_rate": 0.02, "select": select})
        report = fit_task(word_task(), word_samples(32), valid, config)
        losses = [entry["valid_loss"] for entry in report.history]
        accuracies = [entry["valid_accuracy"] for entry in report.history]
        best = {"loss": min(losses), "metric": max(accuracies)}[select]
        assert (losses if select == "loss" else accuracies)[report.best_epoch] == best
        kept[select] = report.best_epoch
    assert kept["loss"] != kept["metric"]  # the model grows surer of what six labels contradict


def test_logged_losses_are_those_of_the_targets_as_they_are() -> None:
    builder = word_builder()
    torch.manual_seed(0)
    model = GraphFusion(builder.node_types, builder.relations, dim=16, depth=1)
    task = Classification(
        model, builder, objectives=[CrossEntropy(label_smoothing=0.5, class_weights=(0.5, 1.0, 2.0, 4.0))]
    )
    valid = word_samples(8)
    report = fit_task(task, word_samples(32), valid, QUIET)
    expected = float(CrossEntropy()(task.step(builder(valid))))
    assert report.best["valid_loss"] == pytest.approx(expected, rel=1e-5)


def test_patience_stops_training() -> None:
    task = word_task()
    report = fit_task(
        task, word_samples(64), word_samples(8), FitConfig(**{**vars(QUIET), "epochs": 60, "patience": 2})
    )
    assert report.stopped == "patience"
    accuracies = [epoch["valid_accuracy"] for epoch in report.history]
    assert report.epochs == accuracies.index(max(accuracies)) + 1 + 2


def test_the_time_limit_ends_training_after_a_last_validation() -> None:
    report = fit_task(
        word_task(), word_samples(64), word_samples(8), FitConfig(**{**vars(QUIET), "epochs": 100_000, "seconds": 0.5})
    )
    assert report.stopped == "seconds"
    assert report.history[-1]["valid_accuracy"] >= 0
    assert report.samples < 100_000 * 64


class Rates(Callback):
    """Writes down the learning rate of every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(self, trainer: object, pl_module: object, batch: object, batch_idx: int) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])  # type: ignore[attr-defined]


def test_the_learning_rate_rises_and_falls_along_a_cosine() -> None:
    rates = Rates()
    fit_task(
        word_task(), word_samples(64), word_samples(8), FitConfig(**{**vars(QUIET), "epochs": 5}), callbacks=[rates]
    )
    highest = max(range(len(rates.seen)), key=rates.seen.__getitem__)
    assert 2 <= highest <= 6  # a tenth of 40 steps
    assert rates.seen[highest] == pytest.approx(QUIET.learning_rate, rel=0.05)
    assert rates.seen[:highest] == sorted(rates.seen[:highest])
    assert rates.seen[highest:] == sorted(rates.seen[highest:], reverse=True)
    assert rates.seen[-1] < 0.02 * QUIET.learning_rate


def test_augmentation_is_new_in_every_epoch_and_the_same_in_every_run() -> None:
    builder = GraphBuilder([TextTokens(word_dropout=0.5)], target=ClassTarget(WORDS))

    def run() -> tuple[FitReport, list[torch.Tensor]]:
        task = word_task(builder, graph=False)
        report = fit_task(task, word_samples(32), word_samples(8), FitConfig(**{**vars(QUIET), "augment": True}))
        return report, weights(task)

    (first, mine), (_, same) = run(), run()
    assert all(torch.equal(a, b) for a, b in zip(mine, same, strict=True))
    plain = word_task(builder, graph=False)
    fit_task(plain, word_samples(32), word_samples(8), QUIET)
    assert not all(torch.equal(a, b) for a, b in zip(mine, weights(plain), strict=True))
    assert first.epochs == 4


def test_prepared_graphs_cannot_follow_changes_of_signals() -> None:
    builder = GraphBuilder([TextTokens(word_dropout=0.1), Hub()], target=ClassTarget(WORDS))
    graphs = prepare(builder, word_samples(8))
    with pytest.raises(ValueError, match=r"changes signals \(text\): found prepared graphs, expected samples"):
        fit_task(word_task(builder), graphs, graphs, FitConfig(**{**vars(QUIET), "augment": True}))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_prepared_graphs_lose_the_signals_that_their_samples_would_have_lost(accumulate: int) -> None:
    types = [TextTokens(), Features(signal="rows", width=2), Hub(), Hub(name="rows_hub", of="rows")]
    rules = [Window(size=1), Complete(dst="hub", name="to_hub"), Complete(dst="rows_hub", name="to_rows_hub")]
    builder = GraphBuilder(types, rules, target=ClassTarget(WORDS), signal_dropout=0.5)
    generator = torch.Generator().manual_seed(0)

    def samples(count: int) -> list[Sample]:
        found = []
        for place, sample in enumerate(word_samples(count)):
            rows = {} if place % 5 == 0 else {"rows": torch.rand(place % 3, 2, generator=generator)}
            found.append(replace(sample, signals={**sample.signals, **rows}))
        return found

    config = FitConfig(**{**vars(QUIET), "augment": True, "accumulate": accumulate})
    train, valid = samples(32), samples(8)
    runs = []
    for given, how in ((train, config), (prepare(builder, train), config), (train, replace(config, augment=False))):
        task = word_task(builder)
        runs.append((fit_task(task, given, valid, how).history, weights(task)))
    (history, read), (prepared_history, prepared), (_, whole) = runs
    for one, other in zip(history, prepared_history, strict=True):
        assert {**one, "seconds": 0.0} == {**other, "seconds": 0.0}
    assert all(torch.equal(a, b) for a, b in zip(read, prepared, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(read, whole, strict=True))


def tasks_with_targets() -> Iterator[tuple[Task, list[Sample]]]:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(64, 3, generator=generator)
    numbers = [Sample({"row": row}, target=float(row.sum() * 100), id=str(i)) for i, row in enumerate(rows)]
    several = [Sample({"row": r}, target=[c for c, x in zip("abc", r, strict=True) if x > 0], id="") for r in rows]
    node_type = Features(signal="row", width=3)
    for samples, target in ((numbers, NumberTarget.fit(numbers)), (several, MultiLabelTarget(("a", "b", "c")))):
        builder = GraphBuilder([node_type], target=target).fit(samples)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = Unimodal(builder.node_types, dim=16, depth=1)
            kind = Regression if isinstance(target, NumberTarget) else MultiLabel
            yield kind(model, builder), samples


def test_regression_and_multilabel_train_and_predict_in_the_targets_own_terms() -> None:
    for task, samples in tasks_with_targets():
        fit_task(
            task, samples, samples, FitConfig(**{**vars(QUIET), "epochs": 20, "learning_rate": 1e-2, "batch_size": 16})
        )
        predictions = task.predict(samples)
        if isinstance(task, Regression):
            errors = [
                abs(float(str(p.label)) - float(str(s.target))) for p, s in zip(predictions, samples, strict=True)
            ]
            assert sum(errors) / 64 < 40  # the targets' deviation is about 170
        else:
            agree = [p.label == tuple(s.target) for p, s in zip(predictions, samples, strict=True)]  # type: ignore[arg-type]
            assert sum(agree) > 56


def test_regression_metrics_are_in_the_targets_own_unit() -> None:
    task, samples = next(iter(tasks_with_targets()))
    errors = [
        abs(float(str(p.label)) - float(str(s.target))) for p, s in zip(task.predict(samples), samples, strict=True)
    ]
    found = evaluate(task, samples, device="cpu").metrics["mean_absolute_error"]
    assert found == pytest.approx(sum(errors) / len(errors), rel=1e-4)


class Interrupts(Callback):
    def on_train_batch_start(self, trainer: object, pl_module: object, batch: object, batch_idx: int) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_comes_through_and_can_be_given_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit_task(word_task(), word_samples(8), word_samples(4), QUIET, callbacks=[Interrupts()])
    assert signal.getsignal(signal.SIGINT) is before


def test_samples_without_an_id_are_named_by_their_place() -> None:
    broken: list[Sample] = [*word_samples(2), Sample({"text": 5}, target="ant")]
    with pytest.raises(ValueError, match="sample '2', signal 'text': found a int"):
        prepare(word_builder(), broken)


def test_missing_targets_and_samples_are_told() -> None:
    unlabelled = [Sample({"text": "ant"}, id="lost")]
    with pytest.raises(ValueError, match="sample 'lost': found no target"):
        fit_task(word_task(), unlabelled, word_samples(4), QUIET)
    with pytest.raises(ValueError, match="found no training samples"):
        fit_task(word_task(), [], word_samples(4), QUIET)
    with pytest.raises(ValueError, match="found no evaluation samples"):
        evaluate(word_task(), [], device="cpu")


def test_a_sample_that_shows_nothing_cannot_be_learned_from() -> None:
    blind = [*word_samples(4), Sample({}, target="ant", id="blind")]
    with pytest.raises(ValueError, match="sample 'blind': found no signal, expected at least one of text"):
        fit_task(word_task(), blind, word_samples(4), QUIET)
    with pytest.raises(ValueError, match="sample 'blind': found no signal"):
        prepare(word_builder(), blind)
    misspelt = Sample({"txet": "ant"}, target="ant", id="misspelt")
    with pytest.raises(ValueError, match="sample 'misspelt': unknown signal 'txet', did you mean 'text'"):
        fit_task(word_task(), [*word_samples(4), misspelt], word_samples(4), QUIET)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("patience", 0), ("seconds", -1.0), ("warmup", 1.0)],
)
def test_numbers_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must"):
        FitConfig(**{name: value})  # type: ignore[arg-type]


def test_unknown_devices_are_told() -> None:
    with pytest.raises(ValueError, match="unknown device 'gpu', expected auto, cpu"):
        device_of("gpu")
    with pytest.raises(ValueError, match="found device 'gpu', expected auto, cpu, cuda, cuda:<number> or mps"):
        FitConfig(device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="cannot be used"):
            device_of("cuda:0")


class MonitorsNothing(Classification):
    monitor = "precision"


def test_an_unknown_monitor_is_refused_at_the_first_batch() -> None:
    task = MonitorsNothing(Unimodal.of(word_builder(), dim=8, depth=1), word_builder())
    before = weights(task)
    message = (
        "^MonitorsNothing monitors 'precision', but its metrics are accuracy, balanced_accuracy, "
        "expected_calibration_error, log_loss, macro_f1$"
    )
    with pytest.raises(ValueError, match=message):
        fit_task(task, word_samples(8), word_samples(8), QUIET)
    assert all(torch.equal(found, expected) for found, expected in zip(weights(task), before, strict=True))


@pytest.mark.usefixtures("unchecked")  # which would refuse the stand-in for a trainer
def test_a_metric_that_is_no_number_is_worse_than_every_number() -> None:
    task = word_task()
    train, valid = (Batches(task.builder, word_samples(8), QUIET, training=training) for training in (True, False))
    best, module = KeepBest("valid_score", True, patience=3), LightningTask(task, QUIET, train, valid)
    for score in (math.nan, 0.25, math.nan, 0.5):
        metrics = {"valid_score": torch.tensor(score), "valid_loss": torch.tensor(1.0)}
        trainer = SimpleNamespace(callback_metrics=metrics, should_stop=False)
        best.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
    assert (best.epoch, best.gave_up) == (3, False)
