"""Greedy selection against a double loop, and against the members themselves."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gnnfuse.workflow.members.selection import ROUNDS, select


def squared(target: Tensor) -> Callable[[Tensor], float]:
    return lambda mean: float((mean - target).square().mean())


def answers(seed: int, members: int = 4, rows: int = 30) -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(rows, 2, generator=generator)
    noise = torch.randn(members, rows, 2, generator=generator) * torch.tensor([0.5, 0.7, 1.0, 3.0]).view(-1, 1, 1)
    return {f"m{place}": target + each for place, each in enumerate(noise)}, target


@pytest.mark.parametrize("seed", range(5))
def test_a_selection_is_that_of_a_double_loop(seed: int) -> None:
    found, target = answers(seed)
    loss = squared(target)
    bag: list[str] = []
    best: tuple[float, list[str]] = (math.inf, [])
    for _ in range(ROUNDS):
        tried = {name: loss(torch.stack([found[each] for each in [*bag, name]]).mean(0)) for name in found}
        bag = [*bag, min(tried, key=lambda name: tried[name])]
        best = min(best, (tried[bag[-1]], bag), key=lambda each: each[0])
    selection = select(found, loss)
    assert selection.loss == pytest.approx(best[0], rel=1e-5)
    for name, weight in selection.weights.items():
        assert weight == pytest.approx(best[1].count(name) / len(best[1]))


@pytest.mark.parametrize("seed", range(5))
def test_a_selection_is_no_worse_than_any_member_or_their_average(seed: int) -> None:
    found, target = answers(seed)
    loss = squared(target)
    selection = select(found, loss)
    alone = [loss(each) for each in found.values()]
    average = loss(torch.stack([*found.values()]).mean(0))
    assert selection.loss <= min(*alone, average) + 1e-9
    assert sum(selection.weights.values()) == pytest.approx(1)


def test_members_that_err_alike_in_opposite_ways_are_averaged() -> None:
    target = torch.zeros(8, 1)
    found = {name: torch.full((8, 1), sign) for name, sign in {"low": -1.0, "high": 1.0}.items()}
    selection = select(found, squared(target))
    assert selection.how == "average"
    assert dict(selection.weights) == {"low": 0.5, "high": 0.5}


def test_a_perfect_member_is_taken_alone() -> None:
    found, target = answers(0)
    selection = select({**found, "perfect": target}, squared(target))
    assert dict(selection.weights) == {"perfect": 1.0}
    assert selection.how == "best member"


def test_the_order_of_members_changes_nothing() -> None:
    found, target = answers(3)
    ways = [select(dict(order), squared(target)).weights for order in itertools.permutations(found.items())]
    assert all(dict(each) == dict(ways[0]) for each in ways)


def test_no_members_are_refused() -> None:
    with pytest.raises(ValueError, match="no member"):
        select({}, lambda _: 0.0)
