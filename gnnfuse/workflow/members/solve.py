"""Linear models with an L2 penalty, solved in the coordinates of the rows' principal axes.

With a penalty on the squared length of the weights, the weights lie in the span of the centred rows, so that the axes
of this span are coordinates without loss. Along them the columns are uncorrelated, hence the Hessian of a logistic
loss is close to a diagonal that is known before the first step. Scaled by its root, L-BFGS takes about ten steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Rows = NDArray[np.intp]
Fold = tuple[Rows, Rows]  # rows to fit on, rows to judge by
Loss = Literal["softmax", "sigmoid", "squared"]

MOST_AXES = 3000  # beyond this, the axes take longer to find than they save
STRENGTHS = tuple(10.0 ** (-step / 2) for step in range(1, 13))  # of the penalty, over the rows' total variance
WORSE = 2  # weaker penalties tried after the best
COARSE, FINE = 1e-3, 1e-6  # largest gradient (relative) at which to stop: comparing penalties, and the solution itself
LEAST = 1e-4  # probability of an answer, in comparisons


@dataclass(frozen=True, eq=False)
class Solution:
    """A linear model: `rows @ weight.T + bias`.

    Args:
        weight: `[outputs, columns]`.
        bias: `[outputs]`.
        strength: of the penalty, as a share of the rows' total variance.
        penalty: half of it is the factor of the squared weights beside the mean loss.
        losses: mean loss on held-out rows by strength; empty if there was no choice.
    """

    weight: Floats
    bias: Floats
    strength: float
    penalty: float
    losses: dict[float, float]


@dataclass(frozen=True, eq=False)
class Axes:
    """Rows in the coordinates of their principal axes.

    Args:
        rows: `[rows, axes]`, float32, centred.
        mean: `[columns]`.
        back: `[columns, axes]`; None if the axes are the columns themselves.
        variance: `[axes]`, mean square.
    """

    rows: NDArray[np.float32]
    mean: Floats
    back: Floats | None
    variance: Floats

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> "Axes":
        """The axes of some rows `[rows, columns]`; their columns, if there are too many."""
        mean = rows.mean(axis=0, dtype=np.float64)
        centred = (rows - mean).astype(np.float32)
        if min(rows.shape) > MOST_AXES:
            return cls(centred, mean, None, np.square(centred).mean(axis=0, dtype=np.float64))
        wide = centred.shape[1] > centred.shape[0]
        gram = _gram(centred if wide else centred.T)
        values, vectors = np.linalg.eigh(gram)
        kept = values > max(values[-1], 0) * 1e-9
        values, vectors = values[kept], vectors[:, kept]
        if wide:
            found, back = vectors * np.sqrt(values), centred.T @ (vectors / np.sqrt(values)).astype(np.float32)
        else:
            found, back = centred @ vectors.astype(np.float32), vectors
        return cls(found.astype(np.float32), mean, back, values / len(rows))

    def solution(self, weight: Floats, bias: Floats, strength: float, losses: dict[float, float]) -> Solution:
        """A model of these coordinates as one of the columns."""
        outer = weight if self.back is None else self.back @ weight
        penalty = strength * float(self.variance.sum())
        return Solution(outer.T, bias - self.mean @ outer, strength, penalty, losses)


def _gram(rows: NDArray[np.float32]) -> Floats:
    wide = rows.astype(np.float64)
    return wide @ wide.T


def solve(
    rows: NDArray[np.float32],
    targets: Floats,
    loss: Loss,
    folds: Sequence[Fold],
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> Solution:
    """The linear model with the penalty of least mean loss on held-out rows, fitted on all rows.

    Args:
        rows: `[rows, columns]`.
        targets: `[rows, outputs]`: for "softmax" 1 at the row's class, for "sigmoid" 0 or 1, else numbers.
        loss: "softmax" (multinomial logistic regression), "sigmoid" (one-vs-rest) or "squared" (ridge).
        folds: rows to fit on and rows to judge by, in turn; none takes the first of `strengths`.
        strengths: penalties, strongest first.
    """
    axes = Axes.of(rows)
    fit = _ridge if loss == "squared" else _logistic
    losses = _compare(axes, targets, loss, folds, strengths, fit) if folds else {}
    best = min(losses, key=lambda strength: losses[strength]) if losses else strengths[0]
    everything = np.arange(len(rows))
    weight, bias = fit(axes, everything, targets, loss, best, None, FINE)
    return axes.solution(weight, bias, best, losses)


Start = tuple[Floats, Floats] | None
Fit = Callable[[Axes, Rows, Floats, Loss, float, Start, float], tuple[Floats, Floats]]


def _compare(
    axes: Axes, targets: Floats, loss: Loss, folds: Sequence[Fold], strengths: Sequence[float], fit: Fit
) -> dict[float, float]:
    """The mean held-out loss by strength, until it has risen twice; each fit starts from the one before."""
    losses: dict[float, float] = {}
    starts: list[Start] = [None] * len(folds)
    for strength in strengths:
        total = 0.0
        for place, (train, held_out) in enumerate(folds):
            starts[place] = found = fit(axes, train, targets, loss, strength, starts[place], COARSE)
            total += _loss(axes.rows[held_out] @ found[0] + found[1], targets[held_out], loss)
        losses[strength] = total / sum(len(held_out) for _, held_out in folds)
        if list(losses).index(min(losses, key=lambda each: losses[each])) + WORSE < len(losses):
            break
    return losses


def _loss(outputs: Floats, targets: Floats, loss: Loss) -> float:
    if loss == "squared":
        return float(np.square(outputs - targets).sum())
    if loss == "softmax":
        return float(-np.log(np.maximum((_softmax(outputs) * targets).sum(axis=1), LEAST)).sum())
    found = _sigmoid(outputs)
    return float(-np.log(np.maximum(np.where(targets > 0.5, found, 1 - found), LEAST)).sum())


def _ridge(
    axes: Axes, rows: Rows, targets: Floats, loss: Loss, strength: float, start: Start, tolerance: float
) -> tuple[Floats, Floats]:
    chosen = axes.rows[rows].astype(np.float64)
    centre, mean = chosen.mean(axis=0), targets[rows].mean(axis=0)
    chosen -= centre
    penalty = strength * axes.variance.sum() * len(rows)
    wide = chosen.shape[1] > chosen.shape[0]
    gram = chosen @ chosen.T if wide else chosen.T @ chosen
    gram[np.diag_indices_from(gram)] += penalty
    off = targets[rows] - mean
    weight = chosen.T @ np.linalg.solve(gram, off) if wide else np.linalg.solve(gram, chosen.T @ off)
    return weight, mean - centre @ weight


def _logistic(
    axes: Axes, rows: Rows, targets: Floats, loss: Loss, strength: float, start: Start, tolerance: float
) -> tuple[Floats, Floats]:
    from scipy.optimize import minimize

    chosen, wanted = axes.rows[rows], targets[rows].astype(np.float32)
    share = wanted.mean(axis=0, dtype=np.float64).clip(0.5 / len(rows), 1 - 0.5 / len(rows))
    penalty = strength * float(axes.variance.sum())
    curvature = share * (1 - share)
    scale = np.sqrt(np.vstack([axes.variance[:, None] * curvature + penalty, curvature]))
    inverse = _softmax if loss == "softmax" else _sigmoid
    mean = np.log(share) if loss == "softmax" else np.log(share / (1 - share))
    first = np.zeros_like(scale) if start is None else np.vstack(start)
    if start is None:
        first[-1] = mean

    def value(flat: Floats) -> tuple[float, Floats]:
        found = flat.reshape(scale.shape) / scale
        weight, bias = found[:-1], found[-1]
        outputs = chosen @ weight.astype(np.float32) + bias.astype(np.float32)
        answer, entropy = inverse(outputs), _entropy(outputs, wanted, loss)
        off = (answer - wanted) / np.float32(len(rows))
        slope = np.vstack([chosen.T @ off + penalty * weight, off.sum(axis=0, dtype=np.float64)])
        return entropy / len(rows) + penalty / 2 * float(np.square(weight).sum()), (slope / scale).ravel()

    options = {"maxiter": 200, "gtol": tolerance * 0.1, "ftol": tolerance * 1e-3, "maxcor": 10}
    solved = minimize(value, (first * scale).ravel(), jac=True, method="L-BFGS-B", options=options)
    found = solved.x.reshape(scale.shape) / scale
    return found[:-1], found[-1]


def _entropy(outputs: Floats, wanted: Floats, loss: Loss) -> float:
    """The sum of the cross-entropies, from the outputs."""
    if loss == "softmax":
        most = outputs.max(axis=1, keepdims=True)
        total = np.log(np.exp(outputs - most).sum(axis=1, dtype=np.float64)) + most[:, 0]
        return float((total - (outputs * wanted).sum(axis=1, dtype=np.float64)).sum())
    return float((np.logaddexp(0, outputs) - outputs * wanted).sum(dtype=np.float64))


def _softmax(outputs: Floats) -> Floats:
    found = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _sigmoid(outputs: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(outputs / 2))
