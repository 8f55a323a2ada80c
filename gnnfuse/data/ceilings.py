"""The best possible accuracy from some of a question's modalities, computed from the task's distribution."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations


@dataclass(frozen=True)
class Outcome:
    """One possible outcome of a task.

    Args:
        probability: exact, so that ties are ties.
        known: what reading each modality perfectly reveals: modality -> value.
        answer: the target.
        group: name under which it is reported, such as the operation.
    """

    probability: Fraction
    known: Mapping[str, Hashable]
    answer: str
    group: str


def ceilings(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """The best possible accuracy for every non-empty subset of the modalities.

    For subset S with observation s, the best predictor returns argmax over answers y of P(y, s); its accuracy is the
    sum over s of max_y P(y, s). For a group g, the same predictor is scored on the outcomes of g: sum over s of
    P(y*(s), s | g). Among equally likely answers it picks one at random.

    Args:
        outcomes: all possible outcomes; probabilities sum to one.

    Returns:
        Subset ("image+text", in the order of the first outcome) -> {"all": accuracy, group: accuracy, ...}.

    Raises:
        ValueError: the probabilities do not sum to one.

    Example:
        >>> coin = [Outcome(Fraction(1, 4), {"a": a, "b": b}, str(a ^ b), "xor") for a in (0, 1) for b in (0, 1)]
        >>> ceilings(coin)["a"], ceilings(coin)["a+b"]
        ({'all': 0.5, 'xor': 0.5}, {'all': 1.0, 'xor': 1.0})
    """
    total = sum((outcome.probability for outcome in outcomes), Fraction(0))
    if total != 1:
        raise ValueError(f"probabilities sum to {total}, expected 1")
    modalities = tuple(outcomes[0].known)
    subsets = (subset for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size))
    return {"+".join(subset): ceiling(outcomes, subset) for subset in subsets}


def ceiling(outcomes: Sequence[Outcome], subset: Sequence[str]) -> dict[str, float]:
    """The best possible accuracy from exactly one subset of the modalities, overall and per group."""
    law: dict[tuple[Hashable, ...], dict[str, dict[str, Fraction]]] = defaultdict(lambda: defaultdict(dict))
    weight: dict[str, Fraction] = defaultdict(Fraction)
    for outcome in outcomes:
        by_group = law[tuple(outcome.known[name] for name in subset)][outcome.answer]
        by_group[outcome.group] = by_group.get(outcome.group, Fraction(0)) + outcome.probability
        weight[outcome.group] += outcome.probability
    right: dict[str, Fraction] = dict.fromkeys(weight, Fraction(0))
    for answers in law.values():
        likely = max(sum(by_group.values()) for by_group in answers.values())
        best = [by_group for by_group in answers.values() if sum(by_group.values()) == likely]
        for by_group in best:
            for group, probability in by_group.items():
                right[group] += probability / len(best)
    by_group_accuracy = {group: float(right[group] / weight[group]) for group in weight}
    return {"all": float(sum(right.values())), **by_group_accuracy}
