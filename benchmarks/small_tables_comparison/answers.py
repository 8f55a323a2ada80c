"""What a classical model answers: log-probabilities of classes, or numbers; how good these answers are."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, mean_absolute_error, r2_score

Outputs = NDArray[np.float64]
Target = NDArray[Any]
LEAST = 1e-6  # the probability of a class that training rows lack
ROUNDS, BINS = 60, 15


class Answers(ABC):
    """A kind of target."""

    main: str  # the metric that is compared

    @abstractmethod
    def linear(self, strength: float) -> Any:
        """A linear model; `strength` is 1 / the penalty."""

    @abstractmethod
    def trees(self) -> Any:
        """Boosted trees."""

    @abstractmethod
    def outputs(self, model: Any, values: Any) -> Outputs:
        """What a fitted model answers to rows."""

    @abstractmethod
    def staged(self, model: Any, values: Any) -> Sequence[Outputs]:
        """What fitted trees answer after each round."""

    @abstractmethod
    def together(self, outputs: Sequence[Outputs]) -> Outputs:
        """The answers of several models as one."""

    @abstractmethod
    def loss(self, outputs: Outputs, target: Target) -> float:
        """By which settings are chosen on validation rows."""

    @abstractmethod
    def metrics(self, outputs: Outputs, target: Target) -> dict[str, float]:
        """How good the answers are."""


class Classes(Answers):
    """One of several classes; outputs are log-probabilities `[rows, classes]`.

    Args:
        names: all classes, sorted.
    """

    main = "accuracy"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = np.array(sorted(names))

    def linear(self, strength: float) -> Any:
        """Logistic regression."""
        return LogisticRegression(C=strength, max_iter=1000)

    def trees(self) -> Any:
        """As many trees per round as there are classes."""
        return HistGradientBoostingClassifier(max_iter=ROUNDS, early_stopping=False, random_state=0)

    def outputs(self, model: Any, values: Any) -> Outputs:
        """Log-probabilities."""
        return self._spread(model, model.predict_proba(values))

    def staged(self, model: Any, values: Any) -> Sequence[Outputs]:
        """Log-probabilities by round."""
        return [self._spread(model, found) for found in model.staged_predict_proba(values)]

    def together(self, outputs: Sequence[Outputs]) -> Outputs:
        """The sum, normalised."""
        total = np.sum(outputs, axis=0)
        total -= total.max(1, keepdims=True)
        return np.asarray(total - np.log(np.exp(total).sum(1, keepdims=True)))

    def loss(self, outputs: Outputs, target: Target) -> float:
        """Log loss."""
        return float(-outputs[np.arange(len(target)), self._numbers(target)].mean())

    def metrics(self, outputs: Outputs, target: Target) -> dict[str, float]:
        """Accuracy, macro F1, log loss and expected calibration error."""
        chosen, sure, numbers = outputs.argmax(1), np.exp(outputs.max(1)), self._numbers(target)
        right = chosen == numbers
        bins = np.minimum((sure * BINS).astype(int), BINS - 1)
        gaps = [abs((right[bins == each] - sure[bins == each]).sum()) for each in range(BINS)]
        return {
            "accuracy": float(right.mean()),
            "macro_f1": float(f1_score(numbers, chosen, average="macro", labels=np.unique(numbers), zero_division=0)),
            "log_loss": self.loss(outputs, target),
            "ece": float(sum(gaps) / len(target)),
        }

    def _numbers(self, target: Target) -> NDArray[np.int64]:
        return np.searchsorted(self.names, target)

    def _spread(self, model: Any, probabilities: Outputs) -> Outputs:
        """Probabilities of all classes from those of the classes that the model saw."""
        whole = np.full((len(probabilities), len(self.names)), LEAST)
        whole[:, self._numbers(model.classes_)] = np.maximum(probabilities, LEAST)
        return np.asarray(np.log(whole / whole.sum(1, keepdims=True)))


class Numbers(Answers):
    """One number; outputs are `[rows]`."""

    main = "r2"

    def linear(self, strength: float) -> Any:
        """Ridge regression."""
        return Ridge(alpha=1 / strength)

    def trees(self) -> Any:
        """One tree per round."""
        return HistGradientBoostingRegressor(max_iter=ROUNDS, early_stopping=False, random_state=0)

    def outputs(self, model: Any, values: Any) -> Outputs:
        """Numbers."""
        return np.asarray(model.predict(values))

    def staged(self, model: Any, values: Any) -> Sequence[Outputs]:
        """Numbers by round."""
        return list(model.staged_predict(values))

    def together(self, outputs: Sequence[Outputs]) -> Outputs:
        """The mean."""
        return np.asarray(np.mean(outputs, axis=0))

    def loss(self, outputs: Outputs, target: Target) -> float:
        """Mean squared error."""
        return float(np.square(outputs - target).mean())

    def metrics(self, outputs: Outputs, target: Target) -> dict[str, float]:
        """Explained variance and mean absolute error."""
        return {"r2": float(r2_score(target, outputs)), "mae": float(mean_absolute_error(target, outputs))}
