import gc
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean

import pytest
from lightning.pytorch.callbacks import Callback

from gnnfuse.bench import run
from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.examination import Examination
from gnnfuse.bench.plots import write_plots
from gnnfuse.bench.report import write_report
from gnnfuse.bench.results import Results, Spread, summary
from gnnfuse.bench.run import BenchConfig, run_benchmark
from gnnfuse.bench.tasks.digit_graphs import EDGE_RULES, node_types
from gnnfuse.data import Dataset, HeldOut, digits
from gnnfuse.edges import Window
from gnnfuse.fusion import Concat
from gnnfuse.nodes import TextTokens
from gnnfuse.observer import Observer
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification
from gnnfuse.train import FitConfig, fit_task
from gnnfuse.workflow.models import ModelName, expand, make_model
from tests.told import Told

KEYS = {
    "model",
    "family",
    "seed",
    "test",
    "parameters",
    "train_seconds",
    "samples_per_second",
    "peak_memory_mb",
    "epochs",
}


def small_task() -> BenchTask:
    dataset = digits(train=48, valid=16, test=24)
    return BenchTask(
        dataset=dataset,
        node_types=node_types(dataset, patch=4, stride=2, hop=0.08),
        edge_rules=EDGE_RULES,
        config=FitConfig(epochs=1, batch_size=16, patience=None),
        dim=16,
        depth=1,
        group="operation",
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path, Told]:
    out, observer = tmp_path_factory.mktemp("bench"), Told()
    models = ("graph", "joint_transformer", "modality_attention", "concat", "unimodal")
    gc.freeze()  # each of 14 measurements of memory collects garbage, and would look through what other tests left
    results = run_benchmark(small_task(), BenchConfig(models=models, seeds=2, device="cpu"), observer, out=out)
    return results, out, observer


def test_every_model_runs_with_every_seed(finished: tuple[Results, Path, Told]) -> None:
    results, _, told = finished
    names = ["graph", "joint_transformer", "modality_attention", "concat"]
    names += [f"unimodal:{modality}" for modality in ("audio", "image", "text")]
    assert [(row.model, row.seed) for row in results.rows] == [(name, seed) for name in names for seed in (0, 1)]
    assert results.models() == names
    assert [line.split()[0] for line in told.lines] == ["model", *names]  # a line per model, below its headings
    assert len({len(line) for line in told.lines}) == 1
    assert "concat, seed 1, epoch 1/1" in told.counted


def test_the_result_file_has_the_promised_keys(finished: tuple[Results, Path, Told]) -> None:
    results, out, _ = finished
    written = json.loads((out / "results.json").read_text())
    assert {"task", "splits", "environment", "rows"} <= written.keys()
    assert written["splits"] == {"train": 48, "valid": 16, "test": 24}
    for row, kept in zip(written["rows"], results.rows, strict=True):
        assert row.keys() >= KEYS
        assert row["family"] in {"graph", "attention", "unimodal", "classical"}
        assert row["test"]["accuracy"] == kept.test["accuracy"]
        assert row["samples_per_second"] > 0
        assert row["epochs"] == 1


def test_accuracy_by_operation_adds_up(finished: tuple[Results, Path, Told]) -> None:
    results, _, _ = finished
    operations = small_task().dataset.groups["operation"]
    counts: dict[str, int] = {}
    for name in small_task().dataset.tests["test"].ids:
        counts[operations[str(name)]] = counts.get(operations[str(name)], 0) + 1
    for row in results.rows:
        right = sum(row.groups["test"][operation] * count for operation, count in counts.items())
        assert right / 24 == pytest.approx(row.test["accuracy"])


def test_a_run_cannot_be_examined_twice() -> None:
    task = small_task()
    builder = task.builder()
    examination = Examination(task.dataset, builder, group=None, device="cpu")
    fitted = Classification(make_model(ModelName("graph"), builder, dim=16, depth=1, seed=0), builder)
    examination.take(fitted, run="graph seed 0")
    with pytest.raises(ValueError, match="already opened"):
        examination.take(fitted, run="graph seed 0")


def test_training_never_sees_the_test_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The seal is still closed whenever training starts, and what training gets holds no test sample."""
    task = small_task()
    test_ids = set(task.dataset.tests["test"].ids)
    opened: list[str] = []

    watch = partial(fit_task, callbacks=[SeesIds(test_ids, opened)])
    monkeypatch.setattr(run, "fit_task", lambda *given, callbacks: watch(*given))
    run_benchmark(task, BenchConfig(models=("concat",), seeds=1, device="cpu"), Observer(), out=tmp_path)
    assert opened
    assert not test_ids & set(opened)


class SeesIds(Callback):
    def __init__(self, forbidden: set[str | None], seen: list[str]) -> None:
        self.forbidden, self.seen = forbidden, seen

    def on_train_batch_end(
        self, trainer: object, pl_module: object, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self.seen += batch.ids  # type: ignore[attr-defined]

    def on_validation_batch_end(
        self,
        trainer: object,
        pl_module: object,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.seen += batch.ids  # type: ignore[attr-defined]


def test_models_are_drawn_from_their_seed_alone() -> None:
    builder = small_task().builder()
    first, same, other = (make_model(ModelName("concat"), builder, dim=16, depth=1, seed=seed) for seed in (0, 0, 1))
    left, right, third = (dict(model.state_dict()) for model in (first, same, other))
    assert all(left[name].equal(right[name]) for name in left)
    assert not all(left[name].equal(third[name]) for name in left)


def test_names_expand_and_near_ones_are_suggested() -> None:
    modalities = ["audio", "image"]
    assert [str(n) for n in expand(["unimodal:image", "unimodal"], modalities)] == ["unimodal:image", "unimodal:audio"]
    with pytest.raises(ValueError, match="unknown model 'grap', did you mean 'graph'"):
        expand(["grap"], modalities)
    with pytest.raises(ValueError, match="unknown modality 'imag', did you mean 'image'"):
        expand(["unimodal:imag"], modalities)


def test_the_report_states_means_spread_ceilings_and_budget(
    finished: tuple[Results, Path, Told], tmp_path: Path
) -> None:
    results, _, _ = finished
    text = write_report(results, tmp_path, {"scores.png": "Accuracy"}).read_text()
    for model in results.models():
        assert "| " + " | ".join(summary(results, model)) + " |" in text
    assert "ceiling image+text" in text
    assert "No run was stopped by the time limit." in text
    assert "![Accuracy](scores.png)" in text


def words_task(target: str) -> BenchTask:
    """How many letters a word has, and which: three words of one to four letters."""
    words = ["a", "bb", "abb", "baaa"] * 9

    def samples(split: str) -> list[Sample]:
        wanted: dict[str, Callable[[str], object]] = {"regression": len, "multilabel": lambda word: sorted(set(word))}
        return [Sample({"text": word}, wanted[target](word), f"{split}-{place}") for place, word in enumerate(words)]

    test = samples("test")
    dataset = Dataset(
        name="words",
        train=samples("train"),
        valid=samples("valid"),
        tests={"test": HeldOut(test, name="words test")},
        target=target,
        classes=("a", "b") if target == "multilabel" else (),
        groups={"length": {str(sample.id): str(len(str(sample.signals["text"]))) for sample in test}},
    )
    config = FitConfig(epochs=2, batch_size=16, patience=None)
    return BenchTask(
        dataset=dataset, node_types=(TextTokens(),), edge_rules=(Window(),), config=config, dim=8, depth=1,
        group="length",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "metric", "higher", "by_group"),
    [
        ("regression", "mean_absolute_error", False, "mean_absolute_error"),
        ("multilabel", "micro_f1", True, "exact_match"),
    ],
)
def test_models_are_compared_by_the_metric_of_the_task(
    target: str, metric: str, higher: bool, by_group: str, tmp_path: Path
) -> None:
    config = BenchConfig(models=("graph", "unimodal"), seeds=1, device="cpu")
    results = run_benchmark(words_task(target), config, Observer(), out=tmp_path)
    assert (results.metric, results.higher_is_better, results.sample_metric) == (metric, higher, by_group)
    scores = {row.model: row.test[metric] for row in results.rows}
    best = (max if higher else min)(scores, key=lambda model: scores[model])
    assert results.best(results.models()) == best
    if target == "regression":
        for row in results.rows:  # as many test samples of each length
            assert mean(row.groups["test"].values()) == pytest.approx(row.test[metric])
    plots, notes = write_plots(results, tmp_path)
    assert not notes
    text = write_report(results, tmp_path, plots).read_text()
    assert f"test {metric.replace('_', ' ')} |" in text
    assert f"Test {by_group.replace('_', ' ')}, mean over seeds." in text
    assert "accuracy" not in text


def test_spread_is_the_sample_standard_deviation() -> None:
    assert str(Spread.of([0.5, 0.7])) == "0.600 ± 0.141"
    assert str(Spread.of([0.5])) == "0.500"


def test_too_little_time_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected more time"):
        run_benchmark(
            small_task(), BenchConfig(models=("graph",), minutes=0.001, device="cpu"), Observer(), out=tmp_path
        )


@pytest.mark.usefixtures("unchecked")
def test_a_benchmark_takes_names_of_models_only() -> None:
    for models, message in (
        ((Concat,), "found <class .*Concat'> among the models, expected names such as 'graph'"),
        (("graph:hgt",), "model 'graph' has no variants, found 'graph:hgt'; expected 'graph': layers"),
        (("graf",), "unknown model 'graf', did you mean 'graph'"),
        ("graph", "unknown model 'g'"),
        ((), "found no models, expected some of concat, cross_attention, graph"),
    ):
        with pytest.raises(ValueError, match=message):
            BenchConfig(models=models, device="cpu")  # type: ignore[arg-type]
