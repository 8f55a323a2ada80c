"""Intervals and label sets that contain the truth with a stated probability, from samples not trained on.

Let `s_1, ..., s_n` be scores of such samples, larger the worse a prediction fits its target, and
`k = ceil((n + 1) level)`. If they and a new sample are exchangeable, the new score is at most the k-th smallest with
probability `k / (n + 1)` without ties, and with a larger one with ties: at least `level`, at most
`level + 1 / (n + 1)`. Vovk, Gammerman and Shafer, "Algorithmic learning in a random world" (2005); Lei, G'Sell,
Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive inference for regression" (2018),
https://arxiv.org/abs/1604.04173.

The guarantee is over samples, not for each kind of sample. Scores of cross-validation come from models that were
trained on fewer samples than the final one, which errs a little less; the stated coverage then holds approximately.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from gnnfuse.tasks.check_number import check_number

LEVEL = 0.9
ROUNDING = 1e-9


def conformal_quantile(scores: Float[Tensor, "samples"], level: float) -> float:
    """The bound that a new sample's score does not exceed with probability `level`: the k-th smallest score.

    Args:
        scores: of samples that the model was not trained on.
        level: above 0 and below 1.

    Raises:
        ValueError: a level outside (0, 1), a score that is NaN, or fewer samples than `level / (1 - level)`, with which
            no score is a bound.

    Example:
        >>> conformal_quantile(torch.arange(19.0), 0.9)
        17.0
    """
    check_number("conformal_quantile", "level", level, "above 0 and below 1", above=0, below=1)
    if bool(scores.isnan().any()):
        raise ValueError("conformal_quantile: found a score that is NaN, expected numbers")
    place = _place(len(scores), level)
    if place > len(scores):
        least = math.ceil(level / (1 - level) - ROUNDING)
        raise ValueError(
            f"found {len(scores)} samples to calibrate on, expected at least {least} for a coverage of {level:.4g}"
        )
    return float(scores.kthvalue(place).values)


def _place(count: int, level: float) -> int:
    """k = ceil((n + 1) level), without the rounding that makes 20 * 0.95 more than 19."""
    return max(1, math.ceil((count + 1) * level - ROUNDING))


@dataclass(frozen=True)
class Intervals:
    """Prediction intervals for numbers: a half-width for each around the scaled prediction.

    Scaled back, an interval is symmetric unless the target is transformed (`NumberTarget`): then its side of large
    errors is longer.

    Args:
        level: the probability with which each number is within its interval.
        half_widths: of each number, in units of its scale.

    Raises:
        ValueError: a level outside (0, 1), or a negative half-width.

    Example:
        >>> Intervals.fit(torch.zeros(9, 1), torch.arange(-4.0, 5.0).unsqueeze(1), level=0.8)
        Intervals(level=0.8, half_widths=(4.0,))
    """

    level: float
    half_widths: tuple[float, ...]

    def __post_init__(self) -> None:
        check_number("Intervals", "level", self.level, "above 0 and below 1", above=0, below=1)
        for width in self.half_widths:
            check_number("Intervals", "half_widths", width, "numbers of 0 or more", least=0)

    @classmethod
    def fit(
        cls,
        outputs: Float[Tensor, "samples numbers"],
        targets: Float[Tensor, "samples numbers"],
        *,
        level: float = LEVEL,
    ) -> Self:
        """The half-widths that the absolute residuals of samples which the model was not trained on lead to.

        Args:
            outputs: the scaled predictions.
            targets: the scaled targets.
            level: the coverage of each number's intervals.

        Raises:
            ValueError: as `conformal_quantile`.
        """
        residuals = (outputs.double() - targets.double()).abs()
        return cls(level, tuple(conformal_quantile(each, level) for each in residuals.T))


@dataclass(frozen=True)
class LabelSets:
    """Sets of classes that contain the true one, or of labels that contain all true ones, with a stated probability.

    A set has every class of at least a certain probability, and the predicted ones, so that it is never empty for
    exclusive classes. For these it is the smallest set on average that reaches its coverage, if probabilities are right
    (Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", 2019,
    https://arxiv.org/abs/1609.00451). The score of a sample is minus the smallest probability among its true classes.

    Args:
        level: the probability with which a set contains all that is true.
        least: the probability from which on a class is in the set.

    Raises:
        ValueError: a level outside (0, 1), or a probability outside [0, 1].

    Example:
        >>> probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
        >>> LabelSets.fit(probabilities, torch.tensor([0, 0, 0, 1]), level=0.5).contain(probabilities)[1].tolist()
        [False, False]
    """

    level: float
    least: float

    def __post_init__(self) -> None:
        check_number("LabelSets", "level", self.level, "above 0 and below 1", above=0, below=1)
        check_number("LabelSets", "least", self.least, "at least 0 and at most 1", least=0, below=math.nextafter(1, 2))

    @classmethod
    def fit(
        cls,
        probabilities: Float[Tensor, "samples classes"],
        targets: Shaped[Tensor, "samples *labels"],
        *,
        level: float = LEVEL,
    ) -> Self:
        """The smallest probability in sets, from those of samples that the model was not trained on.

        Args:
            probabilities: as in `Prediction.scores`.
            targets: class numbers; or 1 for every label that a sample has.
            level: the coverage.

        Raises:
            ValueError: as `conformal_quantile`.
        """
        if targets.ndim == 1:
            smallest = probabilities.gather(1, targets.long().unsqueeze(1)).squeeze(1)
        else:
            smallest = torch.where(targets > 0, probabilities, 1.0).amin(dim=1)
        return cls(level, -conformal_quantile(-smallest, level))

    def contain(self, probabilities: Float[Tensor, "graphs classes"]) -> Bool[Tensor, "graphs classes"]:
        """Whether each class has the probability to be in the set."""
        return probabilities >= self.least
