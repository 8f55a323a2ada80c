"""Greedy ensemble selection: which members to blend, with which weights."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 40
Loss = Callable[[Tensor], float]  # of blended answers


@dataclass(frozen=True)
class Selection:
    """A blend as chosen on rows that its members have not seen.

    Args:
        weights: the share of each chosen member; the sum is 1.
        loss: its loss on those rows.
        how: "selection", "average" or "best member".
    """

    weights: Mapping[str, float]
    loss: float
    how: str


def select(answers: Mapping[str, Tensor], loss: Loss) -> Selection:
    """Weights of members by greedy selection with replacement, or equal weights where these are no worse.

    Each round adds the member that gives the mean of all added answers the smallest loss, perhaps one that was added
    before; the best of these means is kept. Source: Caruana,
    Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models" (2004).

    Args:
        answers: `[rows, outputs]` of each member, on rows that it has not seen.
        loss: of the blended answers.

    Raises:
        ValueError: no members.

    Example:
        >>> answers = {"low": torch.tensor([[0.0]]), "high": torch.tensor([[4.0]])}
        >>> select(answers, lambda mean: float((mean - 1).square())).weights
        {'low': 0.75, 'high': 0.25}
    """
    if not answers:
        raise ValueError("found no member to select, expected at least one")
    alone = {name: loss(answer) for name, answer in answers.items()}
    average = Selection(_shares(list(answers)), loss(torch.stack([*answers.values()]).mean(0)), "average")
    chosen: list[str] = []
    total = torch.zeros_like(next(iter(answers.values())))
    found: list[tuple[float, int]] = []
    for count in range(1, ROUNDS + 1):
        losses = alone if count == 1 else {n: loss((total + answer) / count) for n, answer in answers.items()}
        name = min(losses, key=lambda each: losses[each])
        chosen.append(name)
        total = total + answers[name]
        found.append((losses[name], count))
    least, count = min(found)
    weights = _shares(chosen[:count])
    greedy = Selection(weights, least, "best member" if len(weights) == 1 else "selection")
    return average if average.loss <= greedy.loss else greedy


def _shares(names: Sequence[str]) -> dict[str, float]:
    return {name: count / len(names) for name, count in Counter(names).items()}
