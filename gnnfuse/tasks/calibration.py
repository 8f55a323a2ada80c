"""How far predicted probabilities are from observed frequencies, and the temperature that brings them closest."""

import math

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

BINS = 15
TEMPERATURES = (0.05, 20.0)
STEPS = 50  # each halves the range of log T
LEAST_LOG = math.log(torch.finfo(torch.float32).tiny)


def certainties(
    probabilities: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs *labels"]
) -> tuple[Float[Tensor, "decisions"], Float[Tensor, "decisions"]]:
    """The probabilities to be judged, and 1 for each that came true, else 0.

    Args:
        probabilities: of exclusive classes, of which the most probable one counts; or of labels, which all count.
        targets: class numbers; or 1 for every label that a sample has.

    Example:
        >>> certainties(torch.tensor([[0.75, 0.25]]), torch.tensor([1]))
        (tensor([0.7500]), tensor([0.]))
    """
    if targets.ndim == 1:
        highest, chosen = probabilities.max(dim=1)
        return highest, (chosen == targets).to(highest)
    return probabilities.flatten(), targets.flatten().to(probabilities)


def in_bins(probabilities: Float[Tensor, "decisions"], true: Float[Tensor, "decisions"]) -> Float64[Tensor, "3 bins"]:
    """The sum of probabilities, the number that came true and the number of decisions, in 15 bins of equal width.

    Example:
        >>> in_bins(torch.tensor([0.01, 0.99]), torch.tensor([0.0, 1.0]))[1:, [0, -1]].tolist()
        [[0.0, 1.0], [1.0, 1.0]]
    """
    rows = torch.stack([probabilities.double(), true.double(), torch.ones_like(probabilities, dtype=torch.float64)])
    place = (rows[0] * BINS).long().clamp(0, BINS - 1)  # NaN makes the error NaN in any bin
    bins: Tensor = rows.new_zeros(3, BINS).index_add_(1, place, rows)
    return bins


def off_by(bins: Float64[Tensor, "3 bins"]) -> Float64[Tensor, ""]:
    """The expected calibration error of sums by bins (`in_bins`)."""
    probabilities, true, count = bins
    error: Tensor = (probabilities - true).abs().sum() / count.sum()
    return error


def expected_calibration_error(
    probabilities: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs *labels"]
) -> float:
    """How far probabilities are from observed frequencies: the mean of |frequency - probability| over 15 bins.

    Naeini, Cooper and Hauskrecht (2015); Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks"
    (2017), https://arxiv.org/abs/1706.04599. The arguments are those of `certainties`.

    Example:
        >>> expected_calibration_error(torch.tensor([[0.75, 0.25]]), torch.tensor([0]))
        0.25
    """
    return float(off_by(in_bins(*certainties(probabilities, targets))))


def temperature(
    outputs: Float[Tensor, "graphs classes"],
    targets: Shaped[Tensor, "graphs *labels"],
    *,
    prior: float | None = None,
) -> float:
    """The temperature T for which outputs / T have the smallest log loss; between 1/20 and 20.

    Guo, Pleiss, Sun and Weinberger (2017), section 4.2. The log loss is convex in 1 / T, so that its slope has one
    zero, which is found by bisection. With a prior, T is the most probable one if log T is normally distributed around
    0 before anything is known: a few samples then change little.

    Args:
        outputs: log-probabilities of exclusive classes (up to a constant of each row), or log-odds of labels; of
            samples that the model was not trained on.
        targets: class numbers; or 1 for every label that a sample has.
        prior: standard deviation of log T; None for no prior.

    Raises:
        ValueError: no samples, or an output that is NaN.

    Example:
        >>> known = torch.tensor([[0.8, 0.2]]).log().expand(5, 2)  # right in four of five
        >>> round(temperature(3 * known, torch.tensor([0, 0, 0, 0, 1])), 3)
        3.0
    """
    if not len(outputs) or bool(outputs.isnan().any()):
        raise ValueError(f"temperature: found outputs of {len(outputs)} samples, expected some, without NaN")
    scores = outputs.double().clamp(LEAST_LOG, -LEAST_LOG)  # a probability of 0 would make every slope NaN
    labels = targets.ndim > 1
    true = (scores * targets).sum() if labels else scores.gather(1, targets.long().unsqueeze(1)).sum()
    low, high = (1 / each for each in reversed(TEMPERATURES))
    for _ in range(STEPS):
        middle = math.sqrt(low * high)
        probabilities = (scores * middle).sigmoid() if labels else (scores * middle).softmax(dim=1)
        doubt = 0.0 if prior is None else math.log(middle) / (prior * prior * middle)
        if float((probabilities * scores).sum() - true) + doubt > 0:  # the slope over 1 / T
            high = middle
        else:
            low = middle
    return 1 / math.sqrt(low * high)
