"""Coverage of intervals and label sets: by simulation within the exact bounds, and by a double loop."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder, LogTail, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification, Intervals, LabelSets, MultiLabel, Prediction, Regression, Task
from gnnfuse.tasks.conformal import conformal_quantile

RUNS = 4000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def near(expected: float, share: float) -> bool:
    """Within four standard errors of a share of independent runs."""
    return abs(share - expected) <= 4 * math.sqrt(expected * (1 - expected) / RUNS)


@pytest.mark.parametrize(("count", "level"), [(9, 0.9), (19, 0.95), (20, 0.9), (37, 0.8), (200, 0.5)])
def test_a_new_score_is_below_the_bound_as_often_as_stated(count: int, level: float) -> None:
    """Without ties the coverage is exactly k / (n + 1), whatever the distribution."""
    scores = torch.randn(RUNS, count + 1, generator=generator(count)).exp()
    covered = sum(float(row[0]) <= conformal_quantile(row[1:], level) for row in scores)
    place = next(k for k in range(1, count + 1) if k >= (count + 1) * level - 1e-9)
    assert level <= place / (count + 1) + 1e-9 <= level + 1 / (count + 1) + 1e-9
    assert near(place / (count + 1), covered / RUNS)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9, 0.95, 0.99])
def test_the_bound_is_the_smallest_score_that_enough_others_do_not_exceed(level: float) -> None:
    for count in (100, 143):
        scores = torch.randint(40, (count,), generator=generator(count)).float()  # with ties
        enough = [
            float(each)
            for each in scores
            if sum(float(other <= each) for other in scores) >= level * (count + 1) - 1e-9
        ]
        assert conformal_quantile(scores, level) == min(enough)


@pytest.mark.parametrize(("level", "least"), [(0.9, 9), (0.95, 19), (0.5, 1), (0.99, 99)])
def test_too_few_samples_are_refused_and_enough_are_not(level: float, least: int) -> None:
    assert conformal_quantile(torch.arange(float(least)), level) == least - 1
    message = f"^found {least - 1} samples to calibrate on, expected at least {least} for a coverage of {level}$"
    with pytest.raises(ValueError, match=message):
        conformal_quantile(torch.arange(float(least - 1)), level)


def test_scores_and_levels_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="found a score that is NaN"):
        conformal_quantile(torch.tensor([1.0, math.nan]), 0.5)
    for level in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="conformal_quantile: found level="):
            conformal_quantile(torch.ones(100), level)
        with pytest.raises(ValueError, match="found level="):
            LabelSets(level, 0.5)
        with pytest.raises(ValueError, match="found level="):
            Intervals(level, (1.0,))
    with pytest.raises(ValueError, match=r"Intervals: found half_widths=-1\.0"):
        Intervals(0.9, (-1.0,))
    with pytest.raises(ValueError, match=r"LabelSets: found least=1\.5"):
        LabelSets(0.9, 1.5)


def builder_of(target: TargetEncoding) -> GraphBuilder:
    return GraphBuilder([TextTokens()], target=target)


def made(make: type, target: TargetEncoding, **options: object) -> Task:
    builder = builder_of(target)
    task = make(Unimodal(builder.node_types, dim=8, depth=1), builder, **options)
    assert isinstance(task, Task)
    return task


def described(task: Task, outputs: Tensor) -> list[Prediction]:
    return task.describe(task.builder([Sample({}, id=str(n)) for n in range(len(outputs))], empty=True), outputs)


LOG = NumberTarget(mean=(1.0,), scale=(2.0,), transforms=(LogTail(about=-3.0, unit=5.0, reach=1e3),))


@pytest.mark.parametrize("target", [NumberTarget(mean=(10.0,), scale=(2.0,)), LOG], ids=["plain", "log"])
def test_intervals_cover_new_targets_as_often_as_stated_in_their_own_unit(target: NumberTarget) -> None:
    """Outputs and residuals of a skewed distribution; a fresh calibration in every run."""
    noise = torch.randn(RUNS, 40, 1, generator=generator()).exp()
    outputs = torch.randn(RUNS, 40, 1, generator=generator(1))
    covered = 0
    for output, truth in zip(outputs, outputs + noise, strict=True):
        [half] = Intervals.fit(output[1:], truth[1:]).half_widths
        low, high = (target.decode(output[:1] + sign * half) for sign in (-1, 1))
        covered += int(low <= target.decode(truth[:1]) <= high)
    assert near(36 / 40, covered / RUNS)


def test_intervals_are_around_the_prediction_and_longer_on_the_side_of_large_errors() -> None:
    [plain] = described(
        made(Regression, NumberTarget(mean=(10.0,), scale=(2.0,)), intervals=Intervals(0.9, (1.5,))), torch.ones(1, 1)
    )
    assert (plain.label, plain.interval) == (12.0, (9.0, 15.0))
    [log] = described(made(Regression, LOG, intervals=Intervals(0.9, (0.5,))), torch.ones(1, 1))
    assert log.label == pytest.approx(5 * math.expm1(3) - 3)
    assert log.interval == pytest.approx((5 * math.expm1(2) - 3, 5 * math.expm1(4) - 3))
    several = NumberTarget(2, (0.0, 100.0), (1.0, 10.0))
    [pair] = described(made(Regression, several, intervals=Intervals(0.9, (1.0, 2.0))), torch.zeros(1, 2))
    assert pair.interval == ((-1.0, 1.0), (80.0, 120.0))
    assert described(made(Regression, several), torch.zeros(1, 2))[0].interval is None


def test_intervals_of_another_number_of_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Regression: found Intervals.* expected 1 half-widths, one per number$"):
        made(Regression, NumberTarget(), intervals=Intervals(0.9, (1.0, 2.0)))


def test_coverage_and_width_of_intervals_by_a_double_loop() -> None:
    several = NumberTarget(2, (0.0, 100.0), (1.0, 10.0), ("a", "b"), (None, LogTail(about=50.0, unit=20.0, reach=2.0)))
    task = made(Regression, several, intervals=Intervals(0.9, (0.5, 1.5)))
    outputs, truth = (torch.randn(30, 2, generator=generator(seed)) for seed in (0, 1))
    metrics = task.metrics()
    for rows in (slice(0, 10), slice(10, 30)):
        metrics.update(*task.measured(outputs[rows], truth[rows]))
    found = metrics.compute()
    predictions, targets = described(task, outputs), several.decode(truth).tolist()
    for place, name in enumerate("ab"):
        inside, width = 0, 0.0
        for prediction, target in zip(predictions, targets, strict=True):
            assert prediction.interval is not None
            low, high = prediction.interval[place]  # type: ignore[misc]
            inside += low <= target[place] <= high
            width += high - low
        assert 0 < inside < 30
        assert float(found[f"interval_coverage.{name}"]) == pytest.approx(inside / 30)
        assert float(found[f"interval_width.{name}"]) == pytest.approx(width / 30)


def drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Probabilities of three classes, right on average, and classes."""
    probabilities = (torch.randn(count, 3, generator=generator(seed)) * 2).softmax(dim=1)
    return probabilities, torch.multinomial(probabilities, 1, generator=generator(seed + 1)).squeeze(1)


@pytest.mark.parametrize("several", [False, True])
def test_sets_contain_all_that_is_true_as_often_as_stated(several: bool) -> None:
    probabilities, classes = drawn(RUNS * 40, 0)
    labels = (torch.rand(RUNS * 40, 3, generator=generator(5)) < probabilities).float()
    truth = labels if several else classes
    covered = 0
    for start in range(0, RUNS * 40, 40):
        sets = LabelSets.fit(probabilities[start + 1 : start + 40], truth[start + 1 : start + 40])
        contained = sets.contain(probabilities[start : start + 1])[0]
        true = labels[start] > 0 if several else torch.arange(3) == classes[start]
        covered += bool((contained | ~true).all())
    assert near(36 / 40, covered / RUNS)


def test_a_set_is_the_probable_classes_and_the_predicted_one() -> None:
    task = made(Classification, ClassTarget(("a", "b", "c")), label_set=LabelSets(0.9, 0.25))
    found = described(task, torch.tensor([[0.5, 0.25, 0.25], [0.9, 0.06, 0.04], [0.2, 0.4, 0.4]]).log() + 1)
    assert [each.label_set for each in found][1:] == [("a",), ("b", "c")]
    unsure = made(Classification, ClassTarget(("a", "b", "c")), label_set=LabelSets(0.9, 0.99))
    assert [each.label_set for each in described(unsure, torch.eye(3))] == [("a",), ("b",), ("c",)]
    labels = made(MultiLabel, MultiLabelTarget(("a", "b")), label_set=LabelSets(0.9, 0.25), threshold=0.2)
    found = described(labels, torch.tensor([[0.22, 0.26], [0.1, 0.1]]).logit())
    assert [(each.label, each.label_set) for each in found] == [(("a", "b"), ("a", "b")), ((), ())]
    assert described(made(MultiLabel, MultiLabelTarget(("a", "b"))), torch.zeros(1, 2))[0].label_set is None


@pytest.mark.parametrize("several", [False, True])
def test_coverage_and_size_of_sets_by_a_double_loop(several: bool) -> None:
    names = ("a", "b", "c")
    kind: tuple[type, TargetEncoding] = (
        (MultiLabel, MultiLabelTarget(names)) if several else (Classification, ClassTarget(names))
    )
    task = made(*kind, label_set=LabelSets(0.9, 0.3))
    outputs = torch.randn(30, 3, generator=generator(3))
    truth = (torch.randn(30, 3, generator=generator(4)) > 0.7).float() if several else torch.arange(30) % 3
    metrics = task.metrics()
    for rows in (slice(0, 10), slice(10, 30)):
        metrics.update(outputs[rows], truth[rows])
    found = metrics.compute()
    right, size = 0, 0
    for prediction, target in zip(described(task, outputs), truth.tolist(), strict=True):
        assert prediction.label_set is not None
        true = [name for name, one in zip(names, target, strict=True) if one] if several else [names[target]]
        right += all(name in prediction.label_set for name in true)
        size += len(prediction.label_set)
    assert 0 < right < 30
    assert float(found["label_set_coverage"]) == pytest.approx(right / 30)
    assert float(found["label_set_size"]) == pytest.approx(size / 30)


@pytest.mark.parametrize(
    ("make", "target", "options"),
    [
        (Regression, LOG, {"intervals": Intervals(0.9, (0.25,))}),
        (Classification, ClassTarget(("a", "b")), {"label_set": LabelSets(0.8, 0.125)}),
        (MultiLabel, MultiLabelTarget(("a", "b")), {"label_set": LabelSets(0.8, 0.125)}),
    ],
    ids=["numbers", "classes", "labels"],
)
def test_saved_tasks_keep_them(make: type, target: TargetEncoding, options: dict[str, object], tmp_path: Path) -> None:
    task = made(make, target, **options).eval()
    task.save_pretrained(tmp_path)
    loaded = make.from_pretrained(tmp_path)  # type: ignore[attr-defined]
    sample = Sample({"text": "a"}, id="1")
    assert loaded.predict(sample) == task.predict(sample)


@pytest.mark.parametrize("several", [False, True])
def test_the_probability_sets_begin_at_is_the_largest_that_covers_enough_samples(several: bool) -> None:
    """By trying every probability: of 29 samples, 27 must have all that is true from it on."""
    probabilities, classes = drawn(29, 7)
    labels = (torch.rand(29, 3, generator=generator(8)) < probabilities).float()
    truth = labels if several else classes
    true = labels > 0 if several else torch.nn.functional.one_hot(classes, 3) > 0

    def enough(least: float) -> bool:
        rows = zip(probabilities.tolist(), true.tolist(), strict=True)
        return sum(all(p >= least for p, one in zip(*row, strict=True) if one) for row in rows) >= 27

    largest = max(filter(enough, [*probabilities.flatten().tolist(), 1.0]))
    assert LabelSets.fit(probabilities, truth).least == largest
