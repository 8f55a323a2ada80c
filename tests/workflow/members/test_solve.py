"""The solver against scikit-learn at the same penalty."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from gnnfuse.workflow.members import solve as module
from gnnfuse.workflow.members.solve import Axes, Fold, solve

Rows = NDArray[np.float32]
SHAPES = [(60, 25), (40, 100)]  # more rows than columns, and fewer


def table(rows: int, columns: int) -> tuple[Rows, NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    found = generator.normal(size=(rows, columns)) * generator.uniform(0.1, 3, columns) + 5
    return found.astype(np.float32), generator.normal(size=(rows, 3)) + found[:, :3]


def folds(rows: int) -> list[Fold]:
    every = np.arange(rows)
    return [(every[every % 4 != fold], every[every % 4 == fold]) for fold in range(4)]


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_logistic_regression(rows: int, columns: int) -> None:
    numbers, hidden = table(rows, columns)
    classes = hidden.argmax(axis=1)
    penalty = 0.01 * Axes.of(numbers).variance.sum()
    expected = LogisticRegression(C=1 / (rows * penalty), tol=1e-8, max_iter=5000).fit(numbers, classes)
    found = solve(numbers, np.eye(3)[classes], "softmax", [], strengths=[0.01])
    outputs = numbers @ found.weight.T + found.bias
    probabilities = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    assert np.abs(probabilities - expected.predict_proba(numbers)).max() < 2e-3


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_each_label_is_a_logistic_regression_of_its_own(rows: int, columns: int) -> None:
    numbers, hidden = table(rows, columns)
    labels = (hidden > hidden.mean(axis=0)).astype(float)
    penalty = 0.01 * Axes.of(numbers).variance.sum()
    found = solve(numbers, labels, "sigmoid", [], strengths=[0.01])
    outputs = numbers @ found.weight.T + found.bias
    for place in range(3):
        expected = LogisticRegression(C=1 / (rows * penalty), tol=1e-8, max_iter=5000).fit(numbers, labels[:, place])
        assert np.abs(outputs[:, place] - expected.decision_function(numbers)).max() < 2e-2


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_ridge_regression(rows: int, columns: int) -> None:
    numbers, hidden = table(rows, columns)
    penalty = 0.01 * Axes.of(numbers).variance.sum() * rows
    expected = Ridge(alpha=penalty).fit(numbers, hidden)
    found = solve(numbers, hidden, "squared", [], strengths=[0.01])
    assert np.allclose(numbers @ found.weight.T + found.bias, expected.predict(numbers), atol=1e-3)


def test_too_many_columns_for_axes_give_the_same_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, hidden = table(60, 25)
    answers = np.eye(3)[hidden.argmax(axis=1)]
    expected = solve(numbers, answers, "softmax", [], strengths=[0.01])
    monkeypatch.setattr(module, "MOST_AXES", 10)
    found = solve(numbers, answers, "softmax", [], strengths=[0.01])
    assert np.abs(numbers @ (found.weight - expected.weight).T + found.bias - expected.bias).max() < 1e-2


def test_noise_gets_a_strong_penalty_and_a_clear_signal_a_weak_one() -> None:
    numbers, _ = table(80, 40)
    generator = np.random.default_rng(1)
    noise = np.eye(2)[generator.integers(0, 2, 80)]
    clear = np.eye(2)[(numbers[:, 0] > 5).astype(int)]
    strong, weak = (solve(numbers, answers, "softmax", folds(80)) for answers in (noise, clear))
    assert strong.strength > 10 * weak.strength
    assert strong.losses[strong.strength] == min(strong.losses.values())


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_a_class_or_label_without_rows_stays_finite(loss: module.Loss) -> None:
    numbers, hidden = table(40, 10)
    answers = np.eye(4)[hidden.argmax(axis=1)]  # the fourth occurs nowhere
    found = solve(numbers, answers, loss, folds(40))
    outputs = numbers @ found.weight.T + found.bias
    assert np.isfinite(outputs).all()
    assert (outputs[:, 3] < -2).all()


def test_columns_that_are_all_constant_give_the_shares() -> None:
    found = solve(np.ones((40, 3), np.float32), np.eye(2)[np.arange(40) % 4 // 3], "softmax", folds(40))
    outputs = np.ones((1, 3)) @ found.weight.T + found.bias
    assert abs(np.exp(outputs[0, 1] - outputs[0, 0]) - 1 / 3) < 0.02
